//! Bodies of callers into requests. Whatever is wrong is named by its path, and never echoed.

use rmp_serde::decode::{Error as MessagePackError, ReadRefReader};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use crate::edge::dto::shapes::Object;
use crate::edge::problem::{EdgeCode, Problem};

/// How much of an unknown field's name is shown.
const NAME_SHOWN: usize = 100;
/// How deep MessagePack may be nested: an item of a batch is the fifth level.
const DEPTH_MAX: usize = 16;

/// Reads a request. Problem: it is not JSON, or the first field that is wrong.
pub fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.is_empty() {
        return Err(Problem::new(EdgeCode::MalformedJson, "The body is empty: send a JSON object."));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        refused(&path, error.inner())
    })?;
    deserializer.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// The same of MessagePack.
pub fn from_msgpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.is_empty() {
        return Err(Problem::new(EdgeCode::MalformedMsgpack, "The body is empty: send a MessagePack map."));
    }
    let mut deserializer = deserializer(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        refused_msgpack(&path, error.inner())
    })?;
    at_end(&mut deserializer).map_err(|_| not_msgpack("something follows it"))?;
    Ok(value)
}

/// Reads MessagePack to its end, without keeping track of where it is.
pub(super) fn msgpack<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, MessagePackError> {
    let mut deserializer = deserializer(bytes);
    let value = T::deserialize(&mut deserializer)?;
    at_end(&mut deserializer)?;
    Ok(value)
}

type MessagePack<'a> = rmp_serde::Deserializer<ReadRefReader<'a, [u8]>>;

fn deserializer(bytes: &[u8]) -> MessagePack<'_> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    deserializer.set_max_depth(DEPTH_MAX);
    deserializer
}

/// Nothing follows: there is no marker of another value.
fn at_end(deserializer: &mut MessagePack<'_>) -> Result<(), MessagePackError> {
    match IgnoredAny::deserialize(deserializer) {
        Err(MessagePackError::InvalidMarkerRead(_)) => Ok(()),
        Ok(_) | Err(_) => Err(MessagePackError::Uncategorized("trailing bytes".to_owned())),
    }
}

fn not_msgpack(why: &str) -> Problem {
    Problem::new(EdgeCode::MalformedMsgpack, format!("The body is not one MessagePack value: {why}."))
}

fn refused_msgpack(path: &str, error: &MessagePackError) -> Problem {
    let rule = match error {
        MessagePackError::Syntax(message) => return said(path, message),
        MessagePackError::InvalidMarkerRead(_) | MessagePackError::InvalidDataRead(_) => {
            return not_msgpack("it ends too early");
        }
        MessagePackError::TypeMismatch(rmp::Marker::Reserved) => {
            return not_msgpack("it holds the byte c1, which means nothing");
        }
        MessagePackError::TypeMismatch(_) | MessagePackError::LengthMismatch(_) => {
            "is not of the kind it must be"
        }
        MessagePackError::OutOfRange => "is out of range",
        MessagePackError::Utf8Error(_) => "must be UTF-8",
        MessagePackError::DepthLimitExceeded => "is nested too deeply",
        MessagePackError::Uncategorized(_) => return not_msgpack("it can not be read"),
    };
    Problem::invalid(&field_at(path), rule)
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
    said(path, message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message))
}

/// What serde says of a value that is none of what it should be, as a problem.
fn said(path: &str, message: &str) -> Problem {
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
    let field = field_at(path);
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => Problem::invalid(&field, format_args!("must be {}", plain(expected))),
        None => Problem::invalid(&field, message),
    }
}

fn field_at(path: &str) -> String {
    if path == "." { "body".to_owned() } else { shorten(path) }
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
    use crate::edge::dto::shapes::Objects;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what is refused is looked at")]
    struct Outer {
        name: String,
        amount: Option<Decimal>,
        number: Option<u64>,
        flag: Option<bool>,
        list: Option<Objects<Inner>>,
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
            ("", "malformed_json", None, "The body is empty: send a JSON object."),
            ("{\"name\":\"x\"} x", "malformed_json", None, "The body is not JSON: see line 1, column 14."),
            ("{\"name\":\"x\",}", "malformed_json", None, "The body is not JSON: see line 1, column 13."),
            ("{\"name\":NaN}", "malformed_json", None, "The body is not JSON: see line 1, column 9."),
            ("[\"x\"]", "invalid_field", Some("body"), "body must be an object"),
            ("5", "invalid_field", Some("body"), "body must be an object"),
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
                "list[0] must be an object",
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

    /// Body in hex, code, field, detail.
    const MESSAGEPACK: &[(&str, &str, &str, &str)] = &[
        ("", "malformed_msgpack", "", "The body is empty: send a MessagePack map."),
        ("81", "malformed_msgpack", "", "The body is not one MessagePack value: it ends too early."),
        ("81a4", "malformed_msgpack", "", "The body is not one MessagePack value: it ends too early."),
        (
            "81a46e616d65",
            "malformed_msgpack",
            "",
            "The body is not one MessagePack value: it ends too early.",
        ),
        (
            "81a46e616d65a2",
            "malformed_msgpack",
            "",
            "The body is not one MessagePack value: it ends too early.",
        ),
        ("dfffffffff", "malformed_msgpack", "", "The body is not one MessagePack value: it ends too early."),
        (
            "c1",
            "malformed_msgpack",
            "",
            "The body is not one MessagePack value: it holds the byte c1, which means nothing.",
        ),
        (
            "81a46e616d65c1",
            "malformed_msgpack",
            "",
            "The body is not one MessagePack value: it holds the byte c1, which means nothing.",
        ),
        (
            "81a46e616d65a178c0",
            "malformed_msgpack",
            "",
            "The body is not one MessagePack value: something follows it.",
        ),
        ("c0", "invalid_field", "body", "body must be an object"),
        ("91a178", "invalid_field", "body", "body must be an object"),
        ("80", "missing_field", "name", "name is missing"),
        ("8100a178", "invalid_field", "0", "0 must be text, as the name of a field"),
        ("81c40161a178", "invalid_field", "?", "? must be text, as the name of a field"),
        ("81c4046e616d65a178", "invalid_field", "?", "? must be text, as the name of a field"),
        ("81a46e616d6505", "invalid_field", "name", "name must be a string"),
        ("81a46e616d65a1ff", "invalid_field", "name", "name must be UTF-8"),
        ("81a46e616d65d40105", "invalid_field", "name", "name must be a string"),
        ("82a46e616d65a178a46e616d65a179", "invalid_field", "name", "name is given twice"),
        (
            "82a46e616d65a178a6616d6f756e74cb3fe0000000000000",
            "invalid_field",
            "amount",
            "amount must be a decimal number as text, or a whole number: floats are not exact",
        ),
        (
            "82a46e616d65a178a66e756d626572ff",
            "invalid_field",
            "number",
            "number must be a whole number, not negative",
        ),
        (
            "82a46e616d65a178a66e756d626572a131",
            "invalid_field",
            "number",
            "number is not of the kind it must be",
        ),
        (
            "82a46e616d65a178a46c697374ddffffffff",
            "malformed_msgpack",
            "",
            "The body is not one MessagePack value: it ends too early.",
        ),
        (
            "82a46e616d65a178a46c697374dbffffffff61",
            "malformed_msgpack",
            "",
            "The body is not one MessagePack value: it ends too early.",
        ),
        ("82a46e616d65a178a46c6973749190", "invalid_field", "list[0]", "list[0] must be an object"),
    ];

    #[test]
    fn whatever_is_wrong_with_messagepack_is_named_too() {
        for (bytes, code, field, detail) in MESSAGEPACK {
            let problem = from_msgpack::<Outer>(&hex::decode(bytes).unwrap()).unwrap_err();
            let body = problem.body();
            let told = (body.code, body.field.as_deref().unwrap_or(""), body.detail.as_str());
            assert_eq!(told, (*code, *field, *detail), "{bytes}");
        }
    }

    #[test]
    fn deep_messagepack_is_refused_without_harm() {
        let name = b"\x82\xa4name\xa1x";
        for start in [
            &b""[..],
            b"\x81\xa4name",
            &[name, &b"\xa4list"[..]].concat(),
            &[name, &b"\xa6amount"[..]].concat(),
        ] {
            for nesting in
                [b"\x91".as_slice(), b"\x81\xa1x", b"\x81", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff"]
            {
                let bytes = [start, &nesting.repeat(1_000_000)].concat();
                let problem = from_msgpack::<Outer>(&bytes).unwrap_err();
                assert!(serde_json::to_string(&problem).unwrap().len() < 1_000);
            }
        }
    }
}
