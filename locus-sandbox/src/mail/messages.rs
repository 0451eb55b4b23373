//! Messages: what is kept of a mail, and how it is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::{Answer, Caller, Refusal, done, read_body};
use crate::clock::Time;
use crate::store::{Shared, Turn};

/// What a request to send says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the service's own")]
pub struct Letter {
    #[serde(deserialize_with = "one_or_more")]
    pub to: Vec<String>,
    #[serde(deserialize_with = "one_or_more")]
    pub cc: Vec<String>,
    #[serde(deserialize_with = "one_or_more")]
    pub bcc: Vec<String>,
    #[serde(deserialize_with = "one_or_more")]
    pub reply_to: Vec<String>,
    pub subject: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
    pub labels: Vec<String>,
    pub headers: BTreeMap<String, String>,
    pub attachments: Vec<Value>,
}

impl Letter {
    /// All that get it.
    pub fn recipients(&self) -> impl Iterator<Item = &String> {
        self.to.iter().chain(&self.cc).chain(&self.bcc)
    }
}

/// A mail that was sent or received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the service's own")]
#[non_exhaustive]
pub struct Message {
    pub inbox_id: String,
    pub message_id: String,
    pub thread_id: String,
    pub labels: Vec<String>,
    pub at: Time,
    pub from: String,
    pub letter: Letter,
    pub in_reply_to: Option<String>,
    /// The `Idempotency-Key` it was sent with.
    pub idempotency_key: Option<String>,
}

/// A string or a list of strings.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Some {
        One(String),
        More(Vec<String>),
        None(()),
    }
    Ok(match Some::deserialize(deserializer)? {
        Some::One(one) => vec![one],
        Some::More(more) => more,
        Some::None(()) => vec![],
    })
}

impl Message {
    fn wire(&self) -> Value {
        let letter = &self.letter;
        let preview: String = letter.text.iter().flat_map(|text| text.chars()).take(100).collect();
        json!({
            "inbox_id": self.inbox_id, "thread_id": self.thread_id, "message_id": self.message_id,
            "labels": self.labels, "timestamp": self.at, "from": self.from, "to": letter.to, "cc": letter.cc,
            "bcc": letter.bcc, "reply_to": letter.reply_to, "subject": letter.subject, "preview": preview,
            "headers": letter.headers, "in_reply_to": self.in_reply_to, "created_at": self.at,
            "updated_at": self.at,
        })
    }

    pub(super) fn full_wire(&self) -> Value {
        let (letter, mut wire) = (&self.letter, self.wire());
        wire["text"] = json!(letter.text);
        wire["html"] = json!(letter.html);
        wire["extracted_text"] = json!(letter.text);
        wire["extracted_html"] = json!(letter.html);
        wire["attachments"] = letter.attachments.iter().map(without_content).collect();
        wire
    }
}

fn without_content(attachment: &Value) -> Value {
    let mut attachment = attachment.clone();
    attachment.as_object_mut().and_then(|fields| fields.remove("content"));
    attachment
}

#[derive(Deserialize)]
pub(super) struct Filter {
    limit: Option<usize>,
    page_token: Option<String>,
    labels: Option<String>,
    #[serde(default)]
    ascending: bool,
}

/// The newest first. A page token is the number of those already seen.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path(inbox): Path<String>,
    Query(filter): Query<Filter>,
) -> Answer {
    let skipped: usize = filter.page_token.as_ref().and_then(|token| token.parse().ok()).unwrap_or(0);
    let limit = filter.limit.unwrap_or(50).clamp(1, 100);
    let wanted =
        |message: &&Message| filter.labels.as_ref().is_none_or(|label| message.labels.contains(label));
    shared.look(|turn| {
        turn.mail_inbox(&inbox)?;
        let messages = turn.store.mail.messages.iter().filter(|message| message.inbox_id == inbox);
        let mut found: Vec<Value> = messages.filter(wanted).map(Message::wire).collect();
        if !filter.ascending {
            found.reverse();
        }
        let more = found.len() > skipped + limit;
        let page: Vec<Value> = found.into_iter().skip(skipped).take(limit).collect();
        let mut wire = json!({"count": page.len(), "limit": limit, "messages": page});
        if more {
            wire["next_page_token"] = json!((skipped + limit).to_string());
        }
        Ok(done(&wire))
    })
}

pub(super) async fn read(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path((inbox, message)): Path<(String, String)>,
) -> Answer {
    shared.look(|turn| {
        turn.mail_inbox(&inbox)?;
        turn.message(&inbox, &message).map(|message| done(&message.full_wire()))
    })
}

#[derive(Deserialize)]
struct Labels {
    #[serde(default, deserialize_with = "one_or_more")]
    add_labels: Vec<String>,
    #[serde(default, deserialize_with = "one_or_more")]
    remove_labels: Vec<String>,
}

pub(super) async fn label(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path((inbox, id)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let labels: Labels = read_body(&body)?;
    shared.turn(|turn| {
        let mut messages = turn.store.mail.messages.iter_mut();
        let found = messages.find(|message| message.inbox_id == inbox && message.message_id == id);
        let message = found.ok_or_else(|| Refusal::not_found("Message"))?;
        message.labels.retain(|label| !labels.remove_labels.contains(label));
        message.labels.extend(labels.add_labels);
        Ok(done(&message.full_wire()))
    })
}

impl Turn<'_> {
    pub(super) fn mail_inbox(&self, id: &str) -> Result<(), Refusal> {
        self.store.mail.inbox(id).map(|_| ()).ok_or_else(|| Refusal::not_found("Inbox"))
    }

    pub(super) fn message(&self, inbox: &str, id: &str) -> Result<&Message, Refusal> {
        let mut messages = self.store.mail.messages.iter();
        let found = messages.find(|message| message.inbox_id == inbox && message.message_id == id);
        found.ok_or_else(|| Refusal::not_found("Message"))
    }

    pub(crate) fn message_wires(&self, inbox: &str) -> Vec<Value> {
        let messages = self.store.mail.messages.iter().rev();
        messages.filter(|message| message.inbox_id == inbox).map(Message::full_wire).collect()
    }
}
