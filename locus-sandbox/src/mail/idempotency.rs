//! `Idempotency-Key`: the same request again has the same answer and sends nothing, for 24 hours after it was done.

use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::sending::Sent;
use super::{Refusal, is_plain_id};
use crate::clock::Time;
use crate::store::Turn;

/// What is known of a key.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Remembered {
    fingerprint: String,
    /// Nothing while the request is under way.
    done: Option<(Time, Sent)>,
}

/// The key of a request, if it has one.
pub(super) fn key_of(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| is_plain_id(key));
    let refusal =
        || Refusal::invalid("Idempotency-Key", "Must be 1 to 256 characters of A-Z a-z 0-9 - . _ ~");
    key.map(|key| Some(key.to_owned())).ok_or_else(refusal)
}

/// Of the path and the body, in which neither blanks nor the order of the fields count. All sends are POSTs.
pub(super) fn fingerprint(path: &str, body: &Value) -> String {
    let mut text = format!("POST {path} ");
    canonical(body, &mut text);
    hex::encode(Sha256::digest(text))
}

fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            for (name, value) in fields {
                text.push_str(&format!("{}:", Value::from(name.as_str())));
                canonical(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(values) => {
            for value in values {
                canonical(value, text);
                text.push(',');
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

impl Turn<'_> {
    /// The answer of the first request with this key, if this is not it.
    pub(super) fn seen_before(&mut self, key: &str, fingerprint: &str) -> Result<Option<Sent>, Refusal> {
        let (now, life) = (self.now, self.config().timings.idempotency);
        let Some(known) = self.store.mail.keys.get(key) else { return Ok(None) };
        if known.done.as_ref().is_some_and(|(at, _)| at.plus(life) <= now) {
            self.store.mail.keys.remove(key);
            return Ok(None);
        }
        if known.fingerprint != fingerprint {
            return Err(Refusal::conflict("The Idempotency-Key was used for another request"));
        }
        match &known.done {
            Some((_, sent)) => Ok(Some(sent.clone())),
            None => Err(Refusal::conflict("A request with this Idempotency-Key is still in progress")),
        }
    }

    pub(super) fn begin_key(&mut self, key: &str, fingerprint: String) {
        self.store.mail.keys.insert(key.to_owned(), Remembered { fingerprint, done: None });
    }

    pub(super) fn complete_key(&mut self, key: &str, sent: &Sent) {
        let now = self.now;
        if let Some(known) = self.store.mail.keys.get_mut(key) {
            known.done = Some((now, sent.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_a_request_says_counts() {
        let one = fingerprint("/a", &json!({"to": ["x"], "subject": "s"}));
        let reordered = serde_json::from_str(r#"{ "subject": "s", "to": [ "x" ] }"#).unwrap();
        assert_eq!(one, fingerprint("/a", &reordered));
        assert_ne!(one, fingerprint("/b", &reordered));
        assert_ne!(one, fingerprint("/a", &json!({"to": ["x"], "subject": "t"})));
    }
}
