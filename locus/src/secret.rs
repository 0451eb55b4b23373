//! What must not be shown: keys, tokens, the secrets of webhooks.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

/// A text that is never shown: its `Debug` gives the kind of secret ("claw_") and nothing of its value.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Keeps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself, for the wire.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The beginnings that say what a secret is for without saying anything of it.
pub(crate) const PREFIXES: [&str; 3] = ["claw_", "am_", "whsec_"];

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = PREFIXES.iter().find(|prefix| self.expose().starts_with(**prefix));
        write!(f, "{}…", prefix.unwrap_or(&""))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// Why a text is no key. Says what to do, and nothing of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidKey(String);

/// A key of PayWithLocus and BuildWithLocus, "claw_…". Each environment has its own keys (documented).
#[derive(Debug, Clone)]
pub struct LocusKey(Secret);

impl LocusKey {
    /// Takes a key as the dashboard shows it. Only the prefix "claw_" is checked: what follows it varies ("claw_dev_",
    /// "claw_prod_" and "claw_beta_" are all documented).
    ///
    /// # Errors
    ///
    /// A sentence that says where to get a key.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let place = "take it from the Locus dashboard of the same environment (production or beta)";
        key(text, "claw_", "a Locus API key", place).map(Self)
    }

    /// The key itself.
    pub(crate) const fn secret(&self) -> &Secret {
        &self.0
    }
}

/// A key of AgentMail, "am_…" (documented).
#[derive(Debug, Clone)]
pub struct MailKey(Secret);

impl MailKey {
    /// Takes a key as the console shows it.
    ///
    /// # Errors
    ///
    /// A sentence that says where to get a key.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        key(text, "am_", "an AgentMail API key", "create one in the AgentMail console").map(Self)
    }

    /// The key itself.
    pub(crate) const fn secret(&self) -> &Secret {
        &self.0
    }
}

fn key(text: &str, prefix: &str, what: &str, place: &str) -> Result<Secret, InvalidKey> {
    let invalid = |reason: &str| Err(InvalidKey(format!("{what} {reason}: {place}")));
    match text.strip_prefix(prefix) {
        None => invalid(&format!("begins with \"{prefix}\"")),
        Some("") => invalid(&format!("has more than \"{prefix}\"")),
        Some(rest) if !rest.bytes().all(|byte| byte.is_ascii_graphic()) => {
            invalid("has no spaces, line ends or letters outside ASCII; copy it whole and alone")
        }
        Some(_) => Ok(Secret::new(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_prefix() {
        for good in ["claw_dev_abc", "claw_prod_x", "claw_x"] {
            assert_eq!(LocusKey::parse(good).unwrap().secret().expose(), good);
        }
        assert_eq!(MailKey::parse("am_abc").unwrap().secret().expose(), "am_abc");
        for bad in
            ["", "claw_", "sk_dev_abc", "CLAW_dev_abc", " claw_dev_abc", "claw_dev_abc\n", "claw_d abc"]
        {
            assert!(LocusKey::parse(bad).is_err(), "{bad}");
        }
        assert!(MailKey::parse("claw_dev_abc").is_err());
    }

    #[test]
    fn a_refused_key_is_not_repeated_and_says_what_to_do() {
        let said = LocusKey::parse("sk_very_secret").unwrap_err().to_string();
        assert!(!said.contains("very_secret"), "{said}");
        assert!(said.contains("begins with \"claw_\"") && said.contains("dashboard"), "{said}");
        let said = MailKey::parse("am_bad key").unwrap_err().to_string();
        assert!(!said.contains("bad key") && said.contains("AgentMail console"), "{said}");
    }

    #[test]
    fn a_secret_shows_its_kind_only() {
        for (secret, shown) in [
            ("claw_dev_abc", "claw_…"),
            ("am_abc", "am_…"),
            ("whsec_abc", "whsec_…"),
            ("eyJhbGciOi.x.y", "…"),
            ("", "…"),
        ] {
            assert_eq!(format!("{:?}", Secret::new(secret)), shown);
        }
        let key = LocusKey::parse("claw_dev_abc").unwrap();
        assert_eq!(format!("{key:?}"), "LocusKey(claw_…)");
    }
}
