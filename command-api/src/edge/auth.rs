//! Who asks: API keys, of which only hashes are kept.

use ledger_core::ids::InvalidName;
use ledger_core::{AccountId, AppId, Label, UserId};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

/// One API key as it stands in the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyConfig {
    /// The app whose key it is.
    pub app: AppId,
    /// How events name who acted: `key:<name>`. 1 to 100 bytes.
    pub name: String,
    /// The SHA-256 of the key, in hex.
    pub sha256: String,
}

/// Who asks, and what the ledger writes down of it. It may do everything in its app: who holds a token, which can only
/// debit one account, is a [`Debtor`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The only app it may ask for.
    pub app: AppId,
    /// Who acts, in the events of money in: `key:<name>`, `nats`.
    pub actor: Label,
}

/// Who may debit: whoever may do everything in an app, or one account's container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debtor {
    /// As if it asked for the app.
    pub principal: Principal,
    /// The only account that it may debit and look at; `None`: all of the app.
    pub only: Option<UserId>,
}

/// A worker: it may tell what it did, for every app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worker;

impl Debtor {
    /// Who holds a token of this account.
    pub fn of_token(account: AccountId) -> Self {
        let actor = Label::new("token").expect("a short fixed text");
        Self { principal: Principal { app: account.app, actor }, only: Some(account.user) }
    }

    /// Whether it may debit this user.
    pub fn may(&self, user_id: Option<&str>) -> bool {
        self.only.as_ref().is_none_or(|only| user_id == Some(only.as_str()))
    }
}

/// A key of the configuration is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeyring {
    /// The hash is not a SHA-256 in hex.
    #[error("the sha256 of API key {name:?} of app {app} must be 64 hex digits")]
    Hash {
        /// The app.
        app: AppId,
        /// The key's name.
        name: String,
    },
    /// The name can not stand in an event.
    #[error("the name of API key {name:?} of app {app} can not be used: {source}")]
    Name {
        /// The app.
        app: AppId,
        /// The key's name.
        name: String,
        /// The rule it breaks.
        source: InvalidName,
    },
    /// Two keys are the same: it would not be clear who acted.
    #[error("API key {name:?} of app {app} has the same sha256 as another key")]
    Twice {
        /// The app.
        app: AppId,
        /// The key's name.
        name: String,
    },
}

/// All keys that are known.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    keys: Vec<([u8; 32], Principal)>,
}

impl Keyring {
    /// Reads the configuration. Error: the first key that is not one.
    pub fn new(configs: &[ApiKeyConfig]) -> Result<Self, InvalidKeyring> {
        let mut keyring = Self::default();
        for config in configs {
            keyring.add(config)?;
        }
        Ok(keyring)
    }

    fn add(&mut self, config: &ApiKeyConfig) -> Result<(), InvalidKeyring> {
        let (app, name) = (config.app.clone(), config.name.clone());
        let mut hash = [0; 32];
        if hex::decode_to_slice(&config.sha256, &mut hash).is_err() {
            return Err(InvalidKeyring::Hash { app, name });
        }
        if self.keys.iter().any(|(known, _)| *known == hash) {
            return Err(InvalidKeyring::Twice { app, name });
        }
        let actor = Label::new(&format!("key:{name}"));
        let actor = actor.map_err(|source| InvalidKeyring::Name { app: app.clone(), name, source })?;
        self.keys.push((hash, Principal { app, actor }));
        Ok(())
    }

    /// The only app that there are keys of, if it is one.
    pub fn only_app(&self) -> Option<&AppId> {
        let (_, first) = self.keys.first()?;
        self.keys.iter().all(|(_, other)| other.app == first.app).then_some(&first.app)
    }

    /// What stands for a key where the key itself must not: it is of no use to ask with.
    pub fn mark(presented: &str) -> String {
        let hash: [u8; 32] = Sha256::digest(presented).into();
        mark_of(&hash)
    }

    /// Whose key has this mark, if it still is one.
    pub fn marked(&self, mark: &str) -> Option<&Principal> {
        self.keys.iter().find(|(hash, _)| mark_of(hash) == mark).map(|(_, principal)| principal)
    }

    /// Whose key this is. Looks at all keys whatever it finds, so that the time taken says nothing about them.
    pub fn find(&self, presented: &str) -> Option<&Principal> {
        let hash: [u8; 32] = Sha256::digest(presented).into();
        let mut found = u64::MAX;
        for (index, (known, _)) in (0_u64..).zip(&self.keys) {
            let same: Choice = known.ct_eq(&hash);
            found.conditional_assign(&index, same);
        }
        usize::try_from(found).ok().and_then(|index| self.keys.get(index)).map(|(_, principal)| principal)
    }
}

/// The first 8 bytes of the hash of its hash.
fn mark_of(hash: &[u8; 32]) -> String {
    let again: [u8; 32] = Sha256::digest(hash).into();
    hex::encode(&again[..8])
}

/// Draws a new key: the key itself, shown once, and its SHA-256 in hex for the configuration.
pub fn generate_key(app: &AppId) -> (String, String) {
    // Three random UUIDs hold 366 random bits; hashing spreads them over 32 bytes.
    let seed: Vec<u8> = (0..3).flat_map(|_| uuid::Uuid::new_v4().into_bytes()).collect();
    let key = format!("drip_{app}_{}", base64_url(&Sha256::digest(seed)));
    let hash = hex::encode(Sha256::digest(&key));
    (key, hash)
}

/// Base64 in its url-safe alphabet, without padding.
fn base64_url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = |chunk: &[u8]| {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        let digits = [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(bits >> shift & 63) as usize]));
        digits.into_iter().take(chunk.len() + 1)
    };
    bytes.chunks(3).flat_map(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(app: &str, name: &str, sha256: &str) -> ApiKeyConfig {
        ApiKeyConfig { app: AppId::new(app).unwrap(), name: name.into(), sha256: sha256.into() }
    }

    #[test]
    fn a_key_is_found_by_its_hash_and_names_its_app_and_actor() {
        let made = ["demo", "other"].map(|app| (app, generate_key(&AppId::new(app).unwrap())));
        let configs: Vec<_> = made.iter().map(|(app, (_, hash))| config(app, "dev", hash)).collect();
        let keyring = Keyring::new(&configs).unwrap();
        for (app, (key, _)) in &made {
            let principal = keyring.find(key).unwrap();
            assert_eq!((principal.app.as_str(), principal.actor.as_str()), (*app, "key:dev"));
            assert_eq!(keyring.marked(&Keyring::mark(key)), Some(principal));
            assert!(key.starts_with(&format!("drip_{app}_")) && key.len() == 6 + app.len() + 43, "{key}");
        }
        for unknown in ["", "drip_demo_", &made[0].1.1] {
            assert_eq!(keyring.find(unknown), None, "{unknown}");
        }
        assert_eq!(Keyring::default().find("x"), None);
        assert_eq!((keyring.marked(""), keyring.marked(&Keyring::mark("x"))), (None, None));
    }

    #[test]
    fn a_configuration_that_can_not_be_meant_is_refused() {
        let hash = "00".repeat(32);
        for (configs, sentence) in [
            (
                vec![config("demo", "dev", "12")],
                "the sha256 of API key \"dev\" of app demo must be 64 hex digits",
            ),
            (
                vec![config("demo", "a", &hash), config("demo", "b", &hash)],
                "API key \"b\" of app demo has the same sha256 as another key",
            ),
            (
                vec![config("demo", "a\n", &hash)],
                "the name of API key \"a\\n\" of app demo can not be used: label must not contain control characters",
            ),
        ] {
            assert_eq!(Keyring::new(&configs).unwrap_err().to_string(), sentence);
        }
    }

    #[test]
    fn base64_is_the_one_of_rfc_4648() {
        for (bytes, text) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64_url(bytes.as_bytes()), text);
        }
        assert_eq!(base64_url(&[0xfb, 0xff]), "-_8");
    }
}
