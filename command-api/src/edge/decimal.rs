//! Decimal numbers of requests, read by their literal digits and never through a float.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::value::RawValue;
use smol_str::{SmolStr, ToSmolStr as _};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// The digits of a number or text, as they were written. What they may be is said by who converts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal(SmolStr);

impl Decimal {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return of_json(<&RawValue>::deserialize(deserializer)?.get());
        }
        deserializer.deserialize_any(Exact)
    }
}

fn of_json<E: Error>(text: &str) -> Result<Decimal, E> {
    let inside = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match (inside, text.as_bytes().first()) {
        (Some(inside), _) if !inside.contains('\\') => Ok(Decimal(inside.into())),
        (Some(_), _) => {
            serde_json::from_str::<String>(text).map(|text| Decimal(text.into())).map_err(E::custom)
        }
        (None, Some(b'-' | b'0'..=b'9')) => Ok(Decimal(text.into())),
        (None, _) => Err(E::custom("must be a decimal number, as a string or a number")),
    }
}

/// What is exact in MessagePack: text and whole numbers, which mean the same as in JSON. A float has no digits that
/// could be read.
struct Exact;

impl Visitor<'_> for Exact {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number as text, or a whole number: floats are not exact")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Decimal, E> {
        Ok(Decimal(text.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Decimal, E> {
        Ok(Decimal(number.to_smolstr()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Decimal, E> {
        Ok(Decimal(number.to_smolstr()))
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

    #[test]
    fn text_with_escapes_is_what_it_stands_for() {
        let digits: Decimal = serde_json::from_str(r#""\u0030.\u0031""#).unwrap();
        assert_eq!(digits.as_str(), "0.1");
    }

    #[test]
    fn messagepack_holds_exact_numbers_only() {
        fn read(value: &impl serde::Serialize) -> Result<String, String> {
            let bytes = rmp_serde::to_vec(value).unwrap();
            rmp_serde::from_slice(&bytes)
                .map(|digits: Decimal| digits.as_str().to_owned())
                .map_err(|error| error.to_string())
        }
        assert_eq!(read(&"0.007").unwrap(), "0.007");
        assert_eq!(read(&u64::MAX).unwrap(), "18446744073709551615");
        assert_eq!(read(&i64::MIN).unwrap(), "-9223372036854775808");
        let rule = "floats are not exact";
        for refused in [read(&0.5_f64), read(&0.5_f32), read(&1.0), read(&f64::NAN), read(&true), read(&())] {
            assert!(refused.unwrap_err().ends_with(rule));
        }
        assert!(read(&[1, 2]).unwrap_err().ends_with(rule));
    }
}
