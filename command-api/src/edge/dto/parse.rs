//! JSON of callers into requests. Whatever is wrong is named by its path, and never echoed.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;

use crate::edge::problem::{EdgeCode, Problem};

/// How much of an unknown field's name is shown.
const NAME_SHOWN: usize = 100;

/// A value that must be written as a JSON object: by itself serde would also take the fields as a bare list.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

/// Reads a request. Problem: it is not JSON, or the first field that is wrong.
pub fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        refused(&path, error.inner())
    })?;
    deserializer.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Problem {
    let detail = format!("The body is not JSON: see line {}, column {}.", error.line(), error.column());
    Problem::new(EdgeCode::MalformedJson, detail)
}

fn refused(path: &str, error: &serde_json::Error) -> Problem {
    if error.classify() != Category::Data {
        return malformed(error);
    }
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    let field = shorten(path);
    if message.starts_with("unknown field ") {
        return Problem::new(EdgeCode::UnknownField, format!("{field} is not a field of this request"))
            .at(&field);
    }
    if let Some(name) = quoted(message, "missing field `") {
        return Problem::missing(&join(&field, name));
    }
    if let Some(name) = quoted(message, "duplicate field `") {
        // The path stops at the object or at the field, depending on who noticed.
        let field = if field.ends_with(name) { field } else { join(&field, name) };
        return Problem::invalid(&field, "is given twice");
    }
    let field = if field == "." { "body".to_owned() } else { field };
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => Problem::invalid(&field, format_args!("must be {}", plain(expected))),
        None => Problem::invalid(&field, message),
    }
}

fn quoted<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.strip_prefix(start)?.strip_suffix('`')
}

fn join(parent: &str, name: &str) -> String {
    if parent == "." { name.to_owned() } else { format!("{parent}.{name}") }
}

/// Rust's names of types, as a caller would say them.
fn plain(expected: &str) -> &str {
    match expected {
        "u64" | "u32" | "usize" => "a whole number, not negative",
        "a sequence" => "a list",
        other => other,
    }
}

fn shorten(path: &str) -> String {
    match path.char_indices().nth(NAME_SHOWN) {
        Some((end, _)) => format!("{}…", &path[..end]),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::edge::decimal::Decimal;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what is refused is looked at")]
    struct Outer {
        name: String,
        amount: Option<Decimal>,
        number: Option<u64>,
        flag: Option<bool>,
        #[serde(default)]
        list: Vec<Object<Inner>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what is refused is looked at")]
    struct Inner {
        amount: Decimal,
    }

    #[test]
    fn whatever_is_wrong_is_named_by_its_path() {
        for (json, code, field, detail) in [
            ("", "malformed_json", None, "The body is not JSON: see line 1, column 0."),
            ("{\"name\":\"x\"} x", "malformed_json", None, "The body is not JSON: see line 1, column 14."),
            ("{\"name\":\"x\",}", "malformed_json", None, "The body is not JSON: see line 1, column 13."),
            ("{\"name\":NaN}", "malformed_json", None, "The body is not JSON: see line 1, column 9."),
            ("[\"x\"]", "invalid_field", Some("body"), "body must be a JSON object"),
            ("5", "invalid_field", Some("body"), "body must be a JSON object"),
            ("{}", "missing_field", Some("name"), "name is missing"),
            ("{\"name\":5}", "invalid_field", Some("name"), "name must be a string"),
            (
                "{\"name\":\"x\",\"number\":-1}",
                "invalid_field",
                Some("number"),
                "number must be a whole number, not negative",
            ),
            (
                "{\"name\":\"x\",\"number\":1.5}",
                "invalid_field",
                Some("number"),
                "number must be a whole number, not negative",
            ),
            ("{\"name\":\"x\",\"flag\":\"yes\"}", "invalid_field", Some("flag"), "flag must be a boolean"),
            (
                "{\"name\":\"x\",\"colour\":1}",
                "unknown_field",
                Some("colour"),
                "colour is not a field of this request",
            ),
            ("{\"name\":\"x\",\"name\":\"y\"}", "invalid_field", Some("name"), "name is given twice"),
            (
                "{\"name\":\"x\",\"amount\":true}",
                "invalid_field",
                Some("amount"),
                "amount must be a decimal number, as a string or a number",
            ),
            ("{\"name\":\"x\",\"list\":5}", "invalid_field", Some("list"), "list must be a list"),
            (
                "{\"name\":\"x\",\"list\":[[\"1\"]]}",
                "invalid_field",
                Some("list[0]"),
                "list[0] must be a JSON object",
            ),
            (
                "{\"name\":\"x\",\"list\":[{\"amount\":1},{}]}",
                "missing_field",
                Some("list[1].amount"),
                "list[1].amount is missing",
            ),
            (
                "{\"name\":\"x\",\"list\":[{\"amount\":1,\"a\":2}]}",
                "unknown_field",
                Some("list[0].a"),
                "list[0].a is not a field of this request",
            ),
            (
                "{\"name\":\"x\",\"list\":[{\"amount\":{}}]}",
                "invalid_field",
                Some("list[0].amount"),
                "list[0].amount must be a decimal number, as a string or a number",
            ),
        ] {
            let problem = from_json::<Outer>(json.as_bytes()).unwrap_err();
            let body = problem.body();
            assert_eq!(
                (body.code, body.field.as_deref(), body.detail.as_str()),
                (code, field, detail),
                "{json}"
            );
        }
    }

    #[test]
    fn huge_and_deep_input_is_refused_without_harm_and_without_echo() {
        let deep = format!("{{\"name\":{}", "[".repeat(1_000_000));
        let deep_list = format!("{{\"name\":\"x\",\"list\":{}", "[".repeat(1_000_000));
        let deep_amount = format!("{{\"name\":\"x\",\"amount\":{}", "[".repeat(1_000_000));
        let long_name = format!("{{\"{}\":1}}", "é".repeat(500_000));
        let not_utf8 = b"{\"name\":\"\xff\"}".to_vec();
        for body in [
            deep.into_bytes(),
            deep_list.into_bytes(),
            deep_amount.into_bytes(),
            long_name.into_bytes(),
            not_utf8,
        ] {
            let problem = from_json::<Outer>(&body).unwrap_err();
            assert!(serde_json::to_string(&problem).unwrap().len() < 1_000);
        }
    }
}
