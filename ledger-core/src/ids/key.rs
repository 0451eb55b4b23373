//! Keys of commands. Most are UUIDs, whose 16 bytes are all there is to know: so they are kept, compared, hashed and
//! logged without their text.

use std::fmt;
use std::ops::Deref;

use schemars::JsonSchema;
use serde::Deserialize;
use smol_str::SmolStr;

use super::{InvalidName, check_text};
use crate::text_form::text_form;
use crate::uuid_text;

/// The caller's idempotency key, chosen before its first send. 1 to 200 bytes. A UUIDv7 is best: it carries
/// its own time, so a late retry can never charge twice. Keys that begin with `$` are the ledger's own.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Key(Form);

/// One text has one form: which of the two a key has is decided by its text alone.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Form {
    /// A UUID in its usual text form in lower case.
    Uuid([u8; 16]),
    /// Any other text.
    Text(SmolStr),
}

/// The text of a key.
#[derive(Debug, Clone, Copy)]
pub enum KeyText<'a> {
    /// Of a UUID, written out.
    Uuid([u8; 36]),
    /// As it was given.
    Given(&'a str),
}

impl Key {
    /// Checks the text. Error: the rule it breaks.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        if let Some(bytes) = uuid_text::canonical_bytes(text) {
            return Ok(Self::of_uuid(bytes));
        }
        check_text("key", text, 200, "must be at most 200 bytes")?;
        Ok(Self(Form::Text(text.into())))
    }

    /// The key whose text is this UUID in lower case: there is nothing to check.
    pub fn of_uuid(bytes: [u8; 16]) -> Self {
        Self(Form::Uuid(bytes))
    }

    /// The 16 bytes of a key that is a UUID in its usual text form in lower case.
    pub fn uuid(&self) -> Option<&[u8; 16]> {
        match &self.0 {
            Form::Uuid(bytes) => Some(bytes),
            Form::Text(_) => None,
        }
    }

    /// It is of a form that only the ledger itself uses, for what must never be said by anybody else.
    pub fn is_own(&self) -> bool {
        matches!(&self.0, Form::Text(text) if text.starts_with('$'))
    }

    /// The text itself.
    pub fn text(&self) -> KeyText<'_> {
        match &self.0 {
            Form::Uuid(bytes) => KeyText::Uuid(uuid_text::text(bytes)),
            Form::Text(text) => KeyText::Given(text),
        }
    }
}

impl Deref for KeyText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Uuid(text) => std::str::from_utf8(text).expect("hex digits and dashes"),
            Self::Given(text) => text,
        }
    }
}

text_form!(Key, InvalidName, Key::new, text);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_text_whichever_form_it_has() {
        let uuid = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
        let upper = uuid.to_uppercase();
        for (text, is_uuid) in [(uuid, true), (&*upper, false), ("k", false), (&"x".repeat(200), false)] {
            let key = Key::new(text).unwrap();
            assert_eq!((&*key.text(), key.uuid().is_some()), (text, is_uuid));
            assert_eq!(serde_json::to_value(&key).unwrap(), text);
            assert_eq!(serde_json::from_value::<Key>(text.into()).unwrap(), key);
        }
        assert_ne!(Key::new(uuid), Key::new(&upper));
        for bad in ["", "a\nb", &"x".repeat(201)] {
            assert!(Key::new(bad).is_err(), "{bad}");
        }
    }
}
