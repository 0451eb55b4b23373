//! Sending a mail, and looking whether it was sent.

use async_trait::async_trait;
use locus::mail::IdempotencyKey;
use locus::pay::{X402Mail, X402Message};

use crate::bugs;
use crate::letter::Letter;
use crate::plan::Again;
use crate::verdict::Outcome;

/// What stands for an id where the provider gave none.
const NO_ID: &str = "unknown";

/// What a provider's list says of a mail.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// It was sent, under this id.
    Yes(String),
    /// It is not there.
    No,
    /// There is one that may be it.
    Perhaps,
}

/// A provider of mails, with the inbox they are sent from.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// The inbox, which is an address.
    fn inbox(&self) -> &str;
    /// The provider knows a mail by its key, so that it may be asked for again.
    fn has_keys(&self) -> bool;
    /// Sends it; the message's id, empty when the provider gave none.
    async fn send(&self, letter: &Letter, key: &str) -> Result<String, locus::Error>;
    /// Looks whether it was sent. Asked only where there are no keys.
    async fn find(&self, letter: &Letter) -> Result<Found, locus::Error>;
}

/// AgentMail itself: the same mail asked for again is not sent again, within 24 hours.
#[derive(Debug, Clone)]
pub struct Direct {
    /// The client.
    pub mail: locus::Mail,
    /// The inbox.
    pub inbox: String,
}

/// AgentMail by way of Locus, paid from the wallet: nothing but a look at the inbox tells whether a mail was sent.
#[derive(Debug, Clone)]
pub struct LocusX402 {
    /// The client.
    pub pay: locus::Pay,
    /// The inbox.
    pub inbox: String,
}

#[async_trait]
impl Transport for Direct {
    fn inbox(&self) -> &str {
        &self.inbox
    }

    fn has_keys(&self) -> bool {
        true
    }

    async fn send(&self, letter: &Letter, key: &str) -> Result<String, locus::Error> {
        let Letter { from, to, subject, text, html, .. } = letter.clone();
        let content = locus::mail::Letter {
            to: vec![to],
            subject,
            text: Some(text),
            html: Some(html),
            ..locus::mail::Letter::default()
        };
        let key = IdempotencyKey::parse(key).expect("hex is what a key may be made of");
        self.mail.send(&from, &content, &key).await.map(|sent| sent.message_id)
    }

    /// Its key makes a look needless.
    async fn find(&self, _letter: &Letter) -> Result<Found, locus::Error> {
        Ok(Found::Perhaps)
    }
}

#[async_trait]
impl Transport for LocusX402 {
    fn inbox(&self) -> &str {
        &self.inbox
    }

    fn has_keys(&self) -> bool {
        false
    }

    async fn send(&self, letter: &Letter, _key: &str) -> Result<String, locus::Error> {
        let Letter { from, to, subject, text, .. } = letter.clone();
        let mail = X402Mail { inbox_id: from, to: vec![to], subject, body: text };
        self.pay.x402_send(&mail).await.map(|sent| sent.message_id.unwrap_or_default())
    }

    async fn find(&self, letter: &Letter) -> Result<Found, locus::Error> {
        Ok(find(&self.pay.x402_messages(&letter.from).await?, letter))
    }
}

/// Sends a mail that nobody can have sent before.
pub(crate) async fn send(by: &dyn Transport, letter: &Letter, key: &str) -> Outcome {
    by.send(letter, key).await.map_or_else(Outcome::Failed, |id| Outcome::Sent(usable(&id)))
}

/// Goes on with a mail that was begun before.
pub(crate) async fn go_on(by: &dyn Transport, letter: &Letter, key: &str, again: Again) -> Outcome {
    if by.has_keys() || bugs::looks_not() {
        return send(by, letter, key).await;
    }
    match (by.find(letter).await, again) {
        (Err(error), _) => Outcome::Unclear(Some(error)),
        (Ok(Found::Yes(id)), _) => Outcome::Sent(usable(&id)),
        (Ok(Found::Perhaps), _) => Outcome::Unclear(None),
        (Ok(Found::No), Again::Look) => Outcome::Missing,
        (Ok(Found::No), Again::Send | Again::LookThenSend) => send(by, letter, key).await,
    }
}

/// An id that the ledger can hold.
fn usable(id: &str) -> String {
    let held = ledger_core::LongText::new(id).is_ok();
    if held { id.to_owned() } else { NO_ID.to_owned() }
}

/// A mail is known by its subject and the reference in its text. One of the same subject whose text is not shown may be
/// an older one, or this.
fn find(messages: &[X402Message], letter: &Letter) -> Found {
    let mut alike = messages.iter().filter(|message| is_alike(message, letter));
    let ours = |message: &&X402Message| message.raw.to_string().contains(&letter.reference);
    match alike.clone().find(ours) {
        Some(message) => Found::Yes(message.message_id.clone().unwrap_or_default()),
        None if alike.all(shows_text) => Found::No,
        None => Found::Perhaps,
    }
}

/// What a list leaves out tells nothing.
fn is_alike(message: &X402Message, letter: &Letter) -> bool {
    let wanted = letter.to.to_lowercase();
    let subject = message.subject.as_ref().is_none_or(|is| *is == letter.subject);
    subject && (message.to.is_empty() || message.to.iter().any(|to| to.to_lowercase().contains(&wanted)))
}

fn shows_text(message: &X402Message) -> bool {
    let shown = |name: &str| message.raw.get(name).is_some_and(serde_json::Value::is_string);
    ["text", "body", "extracted_text", "html"].into_iter().any(shown)
}

#[cfg(test)]
mod tests {
    use ledger_core::Timestamp;
    use serde_json::{Value, json};

    use super::*;

    fn letter() -> Letter {
        Letter {
            from: "drip@agentmail.to".into(),
            to: "anna@example.org".into(),
            subject: "Low".into(),
            text: "Reference: 0123456789ab".into(),
            html: String::new(),
            reference: "0123456789ab".into(),
            written_at: Timestamp(0),
        }
    }

    fn found(raw: &Value) -> Found {
        let text = |name: &str| raw.get(name).and_then(Value::as_str).map(str::to_owned);
        let message = X402Message {
            message_id: text("id"),
            subject: text("subject"),
            to: text("to").into_iter().collect(),
            raw: raw.clone(),
        };
        find(&[message], &letter())
    }

    #[test]
    fn a_mail_is_found_by_subject_and_reference() {
        let yes = Found::Yes("<1>".into());
        for (raw, is) in [
            (json!({"id": "<1>", "subject": "Low", "text": "Reference: 0123456789ab"}), yes),
            (
                json!({"subject": "Low", "to": "Anna <Anna@Example.org>", "body": "0123456789ab"}),
                Found::Yes("".into()),
            ),
            (json!({"id": "<1>", "subject": "Low", "text": "Reference: ba9876543210"}), Found::No),
            (json!({"id": "<1>", "subject": "Other", "preview": "0123456789ab"}), Found::No),
            (json!({"id": "<1>", "subject": "Low", "to": "bert@example.org"}), Found::No),
            (json!({"id": "<1>", "subject": "Low"}), Found::Perhaps),
            (json!({"id": "<1>"}), Found::Perhaps),
        ] {
            assert_eq!(found(&raw), is, "{raw}");
        }
        assert_eq!(find(&[], &letter()), Found::No);
    }
}
