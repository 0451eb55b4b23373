//! Decimal numbers of requests, read by their literal digits and never through a float.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// The digits of a JSON number or string, as they were written. What they may be is said by who converts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal(String);

impl Decimal {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'"') => serde_json::from_str(text).map(Self).map_err(D::Error::custom),
            Some(b'-' | b'0'..=b'9') => Ok(Self(text.to_owned())),
            _ => Err(D::Error::custom("must be a decimal number, as a string or a number")),
        }
    }
}

impl ToSchema for Decimal {}

impl PartialSchema for Decimal {
    fn schema() -> utoipa::openapi::RefOr<Schema> {
        let string =
            ObjectBuilder::new().schema_type(Type::String).pattern(Some(r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"));
        let number = ObjectBuilder::new().schema_type(Type::Number);
        let description = "A decimal number by its digits, best as a string; no exponents.";
        OneOfBuilder::new()
            .item(string)
            .item(number)
            .description(Some(description))
            .examples(["0.007"])
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_strings_keep_their_digits() {
        for (json, digits) in [
            ("0.007", "0.007"),
            ("\"0.007\"", "0.007"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("1e3", "1e3"),
            ("-5", "-5"),
            ("123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"),
            ("\"NaN\"", "NaN"),
        ] {
            assert_eq!(serde_json::from_str::<Decimal>(json).unwrap().as_str(), digits);
        }
        for json in ["true", "null", "[]", "{}", "NaN", "Infinity", "\"\\ud800\""] {
            assert!(serde_json::from_str::<Decimal>(json).is_err(), "{json}");
        }
    }
}
