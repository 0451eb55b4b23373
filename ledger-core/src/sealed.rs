//! Personal data in events: apart from money, so that it can be encrypted a person and forgotten.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

/// JSON of a caller that may tell who somebody is: a profile, the metadata of a debit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(with = "serde_json::Value")]
pub struct Sealed {
    /// The key it is encrypted with; 0: not encrypted.
    pub key_id: u32,
    /// UTF-8 JSON, or what encryption made of it.
    pub bytes: Bytes,
}

impl Sealed {
    /// Keeps JSON text as it is.
    pub fn plain(json: impl Into<Bytes>) -> Self {
        Self { key_id: 0, bytes: json.into() }
    }

    /// The JSON text, when it is not encrypted.
    pub fn plain_text(&self) -> Option<&str> {
        if self.key_id == 0 { std::str::from_utf8(&self.bytes).ok() } else { None }
    }
}

/// Shown as the JSON itself; as `{key_id, sealed}` in hex when encrypted.
impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Closed {
            key_id: u32,
            sealed: String,
        }
        let open = self.plain_text().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
        match open {
            Some(value) => value.serialize(serializer),
            None => Closed { key_id: self.key_id, sealed: hex::encode(&self.bytes) }.serialize(serializer),
        }
    }
}
