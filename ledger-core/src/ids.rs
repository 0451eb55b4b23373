//! Names of things: newtypes that can only hold what is allowed, so that nothing is checked twice.

mod key;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::short_text::ShortText;
use crate::text_form::text_form;

pub use key::{Key, KeyText};

/// Why a piece of text can not be the name it was meant to be. Names the rule, never echoes the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {rule}")]
pub struct InvalidName {
    /// What the text was meant to be, as a person would say it: "user id".
    pub what: &'static str,
    /// The rule it breaks, as the end of a sentence.
    pub rule: &'static str,
}

/// 1 to `max` bytes of UTF-8 without control characters. The rule of every free-form name.
fn check_text(what: &'static str, text: &str, max: usize, too_long: &'static str) -> Result<(), InvalidName> {
    let broken = |rule| Err(InvalidName { what, rule });
    if text.is_empty() {
        return broken("must not be empty");
    }
    if text.len() > max {
        return broken(too_long);
    }
    // Nearly every name is plain ASCII, which is asked for faster than it is read as characters.
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !plain && text.chars().any(char::is_control) {
        return broken("must not contain control characters");
    }
    Ok(())
}

/// A name: text that was checked once. Cheap to clone: up to 23 bytes, which nearly all are, stand in the value itself
/// and touch no other memory; longer ones are shared.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
        #[serde(try_from = "String")]
        #[schemars(with = "String")]
        pub struct $name(SmolStr);

        impl $name {
            /// Checks the text. Error: the rule it breaks.
            pub fn new(text: &str) -> Result<Self, InvalidName> {
                let check: fn(&str) -> Result<(), InvalidName> = $check;
                check(text)?;
                Ok(Self(text.into()))
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        text_form!($name, InvalidName, $name::new, as_str);

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name! {
    /// A developer's product: the tenant. `[a-z0-9-]`, 1 to 40 characters, so that it is one token of a NATS subject.
    AppId, "app", |text| {
        check_text("app", text, 40, "must be at most 40 characters")?;
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.chars().all(allowed) {
            Ok(())
        } else {
            Err(InvalidName { what: "app", rule: "may hold only a-z, 0-9 and '-'" })
        }
    }
}

name! {
    /// An end user of an app. 1 to 200 bytes of UTF-8 without control characters. Ids that begin with `$` are
    /// the ledger's own counterparties.
    UserId, "user id", |text| {
        check_text("user id", text, 200, "must be at most 200 bytes")?;
        if text == "." || text == ".." {
            return Err(InvalidName { what: "user id", rule: "must not be '.' or '..': no URL can hold them" });
        }
        if text.starts_with('$') {
            return Err(InvalidName { what: "user id", rule: "must not begin with '$': those are the ledger's own" });
        }
        Ok(())
    }
}

name! {
    /// The name of what was metered, "search". 1 to 100 bytes.
    Meter, "meter", |text| check_text("meter", text, 100, "must be at most 100 bytes")
}

name! {
    /// Where inside the developer's product the usage happened, "agent:planner/run:42". 1 to 200 bytes.
    Scope, "scope", |text| check_text("scope", text, 200, "must be at most 200 bytes")
}

name! {
    /// A sequenced feed of usage: an imported file, the intake stream. 1 to 200 bytes.
    SourceName, "source", |text| check_text("source", text, 200, "must be at most 200 bytes")
}

name! {
    /// A short free text in an event: who acted, a price list's name, a unit. 1 to 200 bytes.
    Label, "label", |text| check_text("label", text, 200, "must be at most 200 bytes")
}

name! {
    /// What a provider gives or people write: an address, an image, a reason. 1 to 1000 bytes.
    LongText, "text", |text| check_text("text", text, 1_000, "must be at most 1000 bytes")
}

name! {
    /// A checkout session, as the provider calls it. 1 to 100 bytes.
    SessionId, "session", |text| check_text("session", text, 100, "must be at most 100 bytes")
}

/// An account: one user of one app.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct AccountId {
    /// The tenant.
    pub app: AppId,
    /// The tenant's user.
    #[serde(rename = "user_id")]
    pub user: UserId,
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.app, self.user)
    }
}

/// 16 bytes that are shown as 32 hex digits.
macro_rules! id128 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl std::str::FromStr for $name {
            type Err = hex::FromHexError;
            fn from_str(text: &str) -> Result<Self, hex::FromHexError> {
                let mut bytes = [0; 16];
                hex::decode_to_slice(text, &mut bytes)?;
                Ok(Self(bytes))
            }
        }

        impl TryFrom<String> for $name {
            type Error = hex::FromHexError;
            fn try_from(text: String) -> Result<Self, hex::FromHexError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

id128! {
    /// The identity of one log, drawn when it is created. A commit of another log is foreign here.
    LogId
}

id128! {
    /// The random number of one owner's term. Two owners never write the same bytes because of it.
    TermNonce
}

/// A number of a partition, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PartitionId(pub u16);

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a commit stands in its partition's log, from 1. 0 stands for "before the first".
pub type Sequence = u64;

/// Where an event stands for ever. Shown as `0-1234-7`: partition, commit, index of the event in it, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Position {
    /// The partition.
    pub partition: PartitionId,
    /// The commit's sequence in it.
    pub sequence: Sequence,
    /// The event's place in the commit, from 0.
    pub index: u32,
}

impl Position {
    /// As it is shown: "0-1234-7".
    pub fn text(self) -> ShortText {
        let mut text = ShortText::empty();
        text.number(self.index.into());
        text.sign(b'-');
        text.number(self.sequence);
        text.sign(b'-');
        text.number(self.partition.0.into());
        text
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text())
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a position looks like 0-1234-7: partition, commit, index")]
pub struct InvalidPosition;

impl Position {
    fn parse(text: &str) -> Result<Self, InvalidPosition> {
        let mut parts = text.split('-');
        let mut next = || parts.next().filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
        let (partition, sequence, index) = (next(), next(), next());
        let end = parts.next().is_none();
        match (partition, sequence, index, end) {
            (Some(partition), Some(sequence), Some(index), true) => Ok(Self {
                partition: PartitionId(partition.parse().map_err(|_| InvalidPosition)?),
                sequence: sequence.parse().map_err(|_| InvalidPosition)?,
                index: index.parse().map_err(|_| InvalidPosition)?,
            }),
            _ => Err(InvalidPosition),
        }
    }
}

text_form!(Position, InvalidPosition, Position::parse, text);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_only_what_is_allowed() {
        for good in ["anna", "a/b c", "{acme}anna", "🦀", &"x".repeat(200)] {
            assert!(UserId::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "$fee", "a\nb", "\u{7f}", &"x".repeat(201), &"🦀".repeat(51)] {
            assert!(UserId::new(bad).is_err(), "{bad}");
        }
        assert!(AppId::new("my-app-2").is_ok());
        for bad in ["", "My", "a.b", "a b", "a*", ">", &"a".repeat(41)] {
            assert!(AppId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn positions_print_and_parse() {
        let position = Position { partition: PartitionId(3), sequence: 1234, index: 7 };
        assert_eq!(position.to_string(), "3-1234-7");
        assert_eq!("3-1234-7".parse(), Ok(position));
        for bad in ["", "1-2", "1-2-3-4", "a-1-1", "-1-2-3", "1--2", "+1-2-3", "99999-1-1"] {
            assert_eq!(bad.parse::<Position>(), Err(InvalidPosition), "{bad}");
        }
    }
}
