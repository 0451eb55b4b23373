//! Mails to be sent.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Mail;
use crate::error::Error;
use crate::lenient;

/// A mail to be sent. The same letter always gives the same bytes, which AgentMail compares under the same key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Letter {
    /// Whom it goes to; with `cc` and `bcc` at most 50 (documented).
    pub to: Vec<String>,
    /// Who else sees it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<String>,
    /// Who else gets it unseen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bcc: Vec<String>,
    /// Where answers go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reply_to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The same as HTML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Labels of the sent message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Headers of the mail.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// What is attached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// Something attached to a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attachment {
    /// The name of the file.
    pub filename: String,
    /// "text/csv" and the like.
    pub content_type: String,
    /// "attachment" or "inline".
    pub content_disposition: String,
    /// The bytes in base64.
    pub content: String,
}

/// The name of one mail: under it AgentMail sends once, for 24 hours after the sending has ended and in the whole
/// organisation (documented). So keep a record of your own of what was sent, and do not repeat what is older.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct IdempotencyKey(String);

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key has 1 to 256 characters out of A-Z, a-z, 0-9, '-', '.', '_' and '~'")]
pub struct InvalidIdempotencyKey;

impl IdempotencyKey {
    /// Takes a text as a key.
    ///
    /// # Errors
    ///
    /// When it has other characters than those documented, none, or more than 256.
    pub fn parse(text: &str) -> Result<Self, InvalidIdempotencyKey> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let good = (1..=256).contains(&text.len()) && text.bytes().all(allowed);
        good.then(|| Self(text.to_owned())).ok_or(InvalidIdempotencyKey)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A mail that was sent, now or under the same key before.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sent {
    /// Its id, "<…@agentmail.to>".
    pub message_id: String,
    /// The conversation it belongs to.
    #[serde(default, deserialize_with = "lenient::option")]
    pub thread_id: Option<String>,
}

impl Mail {
    /// Sends a mail: `POST /inboxes/{inbox}/messages/send`, repeated under its key until it is answered.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind). By code: `message_rejected` for an address that is suppressed for good,
    /// `conflict` for a key that was used for another mail, or one that is still being sent.
    pub async fn send(&self, inbox_id: &str, letter: &Letter, key: &IdempotencyKey) -> Result<Sent, Error> {
        let call = self.post(&["inboxes", inbox_id, "messages", "send"], letter)?;
        self.ask(&call.idempotency_key(key.as_str())?).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_to_the_documented_characters() {
        for good in ["a", "01J.x_y~z-9", &"k".repeat(256)] {
            assert_eq!(IdempotencyKey::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "a@b", "a b", "é", &"k".repeat(257)] {
            assert!(IdempotencyKey::parse(bad).is_err(), "{bad}");
        }
    }
}
