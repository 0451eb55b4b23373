//! How bodies are written: JSON, or MessagePack with the same names and rules.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::edge::dto::parse;
use crate::edge::dto::shapes::Object;
use crate::edge::problem::{EdgeCode, Problem};

/// How a request and its answer are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `application/json`.
    Json,
    /// `application/msgpack`: objects are maps with text as names, amounts are text or whole numbers, metadata is the
    /// text of its JSON.
    MessagePack,
}

impl Format {
    /// What a content type names, whatever its parameters. `None`: neither of the two.
    pub fn named(content_type: &str) -> Option<Self> {
        let name = content_type.split(';').next().unwrap_or_default().trim();
        let both = [Self::Json, Self::MessagePack].into_iter();
        both.into_iter().find(|format| name.eq_ignore_ascii_case(format.content_type()))
    }

    /// How it is called in headers.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MessagePack => "application/msgpack",
        }
    }

    /// Reads a request. Problem: it is not of this format, or the first field that is wrong.
    pub fn read<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, Problem> {
        // To know always where one is costs more than the reading: only what is wrong is read again with it.
        match (self.try_read(bytes), self) {
            (Some(value), _) => Ok(value),
            (None, Self::Json) => parse::from_json(bytes),
            (None, Self::MessagePack) => parse::from_msgpack(bytes),
        }
    }

    /// Reads a request, if there is nothing wrong with it.
    pub fn try_read<T: DeserializeOwned>(self, bytes: &[u8]) -> Option<T> {
        let Object(value) = match self {
            Self::Json => serde_json::from_slice(bytes).ok()?,
            Self::MessagePack => parse::msgpack(bytes).ok()?,
        };
        Some(value)
    }

    /// Writes an answer. Problem: ours alone.
    pub fn write(self, body: &impl Serialize) -> Result<Vec<u8>, Problem> {
        let written = match self {
            Self::Json => serde_json::to_vec(body).map_err(|error| error.to_string()),
            Self::MessagePack => rmp_serde::to_vec_named(body).map_err(|error| error.to_string()),
        };
        written.map_err(|error| {
            tracing::error!(error, format = ?self, "an answer could not be written; this is a bug");
            Problem::internal()
        })
    }
}

/// Neither of the two formats, where both are taken.
pub fn unsupported() -> Problem {
    let detail = "Send the header Content-Type: application/json, or application/msgpack.";
    Problem::new(EdgeCode::UnsupportedMediaType, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_content_types() {
        for (text, format) in [
            ("application/json", Some(Format::Json)),
            ("Application/JSON; charset=utf-8", Some(Format::Json)),
            (" application/msgpack ", Some(Format::MessagePack)),
            ("application/x-msgpack", None),
            ("text/plain", None),
            ("", None),
        ] {
            assert_eq!(Format::named(text), format, "{text}");
        }
    }
}
