//! The caller's own data: a small JSON object, checked, and written in one way whatever its spaces and order were.

use std::collections::BTreeMap;
use std::fmt;

use ledger_core::sealed::Sealed;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::edge::problem::Problem;

/// How many entries there may be.
const ENTRIES_MAX: usize = 50;
/// How long a name may be, in bytes.
const NAME_MAX: usize = 40;
/// How long one value's JSON may be, in bytes.
const VALUE_MAX: usize = 500;
/// How long all of it may be, in bytes of JSON.
const TOTAL_MAX: usize = 4096;
/// How deep a value may be nested: far below what readers of JSON commonly give up at.
const DEPTH_MAX: usize = 16;

/// Up to 50 entries; names of 1 to 40 bytes, values of any JSON up to 500 bytes of text, 4096 bytes in all.
#[derive(Debug, Default, ToSchema)]
#[schema(value_type = Object)]
pub struct Metadata(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_map(Entries);
        }
        deserializer.deserialize_str(Text)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Metadata;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Metadata(entries))
    }
}

/// In MessagePack: the text of the JSON. JSON is what is kept, and its numbers may have any number of digits.
struct Text;

impl Visitor<'_> for Text {
    type Value = Metadata;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text of a JSON object")
    }

    fn visit_str<E: Error>(self, json: &str) -> Result<Metadata, E> {
        serde_json::from_str(json).map_err(|_| E::custom("must be the text of a JSON object"))
    }
}

/// Metadata as it is answered: its JSON, as it was kept; in MessagePack the text of it.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct JsonText(Box<RawValue>);

impl JsonText {
    /// JSON text; nothing when it is none.
    pub fn new(json: String) -> Option<Self> {
        RawValue::from_string(json).ok().map(Self)
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            self.0.serialize(serializer)
        } else {
            serializer.serialize_str(self.0.get())
        }
    }
}

impl Metadata {
    /// The JSON text that is kept: sorted by name, without spaces; `None` when there are no entries.
    /// Problem: the entry that breaks a rule, under `field`.
    pub fn into_json(self, field: &str) -> Result<Option<String>, Problem> {
        if self.0.len() > ENTRIES_MAX {
            return Err(Problem::invalid(field, format_args!("has more than {ENTRIES_MAX} entries")));
        }
        let mut entries = BTreeMap::new();
        for (name, value) in self.0 {
            check_name(&name).map_err(|rule| Problem::invalid(field, rule))?;
            let path = format!("{field}.{name}");
            let value = check_value(value.get()).map_err(|rule| Problem::invalid(&path, rule))?;
            if entries.insert(name, value).is_some() {
                return Err(Problem::invalid(&path, "is given twice"));
            }
        }
        let json = join(&entries);
        match json.len() {
            ..=2 => Ok(None),
            3..=TOTAL_MAX => Ok(Some(json)),
            _ => Err(Problem::invalid(field, format_args!("is longer than {TOTAL_MAX} bytes"))),
        }
    }

    /// The same, as events keep it.
    pub fn seal(self, field: &str) -> Result<Option<Sealed>, Problem> {
        Ok(self.into_json(field)?.map(Sealed::plain))
    }
}

fn join(entries: &BTreeMap<String, String>) -> String {
    let quote = |name: &String| serde_json::to_string(name).expect("text is always JSON");
    let entries = entries.iter().map(|(name, value)| format!("{}:{value}", quote(name)));
    format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if !(1..=NAME_MAX).contains(&name.len()) {
        return Err("has a name that is not 1 to 40 bytes long");
    }
    if name.chars().any(char::is_control) {
        return Err("has a name with control characters");
    }
    Ok(())
}

/// The value without spaces. What other readers of JSON choke on (half a character, U+0000, a number beyond every
/// float, deep nesting) is refused here, for what enters the log stays.
fn check_value(text: &str) -> Result<String, &'static str> {
    if nesting(text) > DEPTH_MAX {
        return Err("is nested too deeply");
    }
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|_| "holds text or a number that is not valid")?;
    if has_nul(&value) {
        return Err("must not contain U+0000");
    }
    let compact = without_spaces(text);
    if compact.len() > VALUE_MAX {
        return Err("is longer than 500 bytes");
    }
    Ok(compact)
}

fn has_nul(value: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Object, String};
    match value {
        String(text) => text.contains('\0'),
        Array(values) => values.iter().any(has_nul),
        Object(entries) => entries.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// The characters of valid JSON, each with whether it stands inside a string.
fn marked(json: &str) -> impl Iterator<Item = (char, bool)> {
    json.chars().scan((false, false), |(inside, escaped), character| {
        let quote = character == '"' && !*escaped;
        *escaped = *inside && character == '\\' && !*escaped;
        let was_inside = *inside;
        *inside ^= quote;
        Some((character, was_inside))
    })
}

fn without_spaces(json: &str) -> String {
    let kept = marked(json).filter(|(character, inside)| *inside || !character.is_ascii_whitespace());
    kept.map(|(character, _)| character).collect()
}

fn nesting(json: &str) -> usize {
    let mut open: usize = 0;
    let depths = marked(json).filter(|(_, inside)| !inside).map(|(character, _)| {
        match character {
            '{' | '[' => open += 1,
            '}' | ']' => open = open.saturating_sub(1),
            _ => {}
        }
        open
    });
    depths.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(json: &str) -> Result<Option<String>, (String, String)> {
        let metadata: Metadata = serde_json::from_str(json).unwrap();
        metadata.into_json("metadata").map_err(|problem| {
            let body = problem.body().clone();
            (body.field.unwrap(), body.detail)
        })
    }

    #[test]
    fn metadata_is_kept_in_one_way_and_numbers_keep_their_digits() {
        for (json, text) in [
            (r#"{"b": 1.10, "a": [1, {"x" : "a \" } b"}]}"#, r#"{"a":[1,{"x":"a \" } b"}],"b":1.10}"#),
            (r#"{"n":123456789012345678901234567890}"#, r#"{"n":123456789012345678901234567890}"#),
            (r#"{"back\\slash":"\\"}"#, r#"{"back\\slash":"\\"}"#),
        ] {
            assert_eq!(kept(json), Ok(Some(text.to_owned())));
        }
        assert_eq!(kept(" { } "), Ok(None));
    }

    #[test]
    fn what_breaks_a_rule_is_named() {
        let many = (0..51).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",");
        let large = (0..9).map(|n| format!("\"k{n}\":\"{}\"", "x".repeat(490))).collect::<Vec<_>>().join(",");
        for (json, field, rule) in [
            (format!("{{{many}}}"), "metadata", "metadata has more than 50 entries"),
            (format!("{{{large}}}"), "metadata", "metadata is longer than 4096 bytes"),
            ("{\"\":1}".into(), "metadata", "metadata has a name that is not 1 to 40 bytes long"),
            ("{\"a\\n\":1}".into(), "metadata", "metadata has a name with control characters"),
            ("{\"x\":1,\"x\":2}".into(), "metadata.x", "metadata.x is given twice"),
            (
                format!("{{\"x\":\"{}\"}}", "y".repeat(499)),
                "metadata.x",
                "metadata.x is longer than 500 bytes",
            ),
            (
                "{\"x\":\"\\ud800\"}".into(),
                "metadata.x",
                "metadata.x holds text or a number that is not valid",
            ),
            ("{\"x\":1e999}".into(), "metadata.x", "metadata.x holds text or a number that is not valid"),
            ("{\"x\":[\"\\u0000\"]}".into(), "metadata.x", "metadata.x must not contain U+0000"),
            (
                format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000)),
                "metadata.x",
                "metadata.x is nested too deeply",
            ),
        ] {
            assert_eq!(kept(&json), Err((field.to_owned(), rule.to_owned())));
        }
    }
}
