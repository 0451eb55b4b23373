//! Threads: the messages of an inbox that answer each other.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::messages::Message;
use super::{Answer, Caller, Refusal, done};
use crate::store::{Shared, Turn};

/// Those with the newest message first.
pub(super) async fn list(State(shared): State<Arc<Shared>>, _: Caller, Path(inbox): Path<String>) -> Answer {
    shared.look(|turn| {
        turn.mail_inbox(&inbox)?;
        let mut seen = BTreeSet::new();
        let newest = turn.store.mail.messages.iter().rev().filter(|message| message.inbox_id == inbox);
        let threads = newest.filter(|message| seen.insert(&message.thread_id));
        let threads: Vec<Value> = threads.map(|message| turn.thread(&inbox, &message.thread_id).0).collect();
        Ok(done(&json!({"count": threads.len(), "threads": threads})))
    })
}

pub(super) async fn read(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path((inbox, thread)): Path<(String, String)>,
) -> Answer {
    shared.look(|turn| {
        turn.mail_inbox(&inbox)?;
        let (mut wire, messages) = turn.thread(&inbox, &thread);
        if messages.is_empty() {
            return Err(Refusal::not_found("Thread"));
        }
        wire["messages"] = messages.into_iter().map(Message::full_wire).collect();
        Ok(done(&wire))
    })
}

impl Turn<'_> {
    /// What is said of a thread, and its messages, the oldest first.
    fn thread(&self, inbox: &str, id: &str) -> (Value, Vec<&Message>) {
        let ours = |message: &&Message| message.inbox_id == inbox && message.thread_id == id;
        let messages: Vec<&Message> = self.store.mail.messages.iter().filter(ours).collect();
        let (first, last) = (messages.first(), messages.last());
        let wire = json!({
            "inbox_id": inbox, "thread_id": id, "message_count": messages.len(),
            "subject": first.and_then(|message| message.letter.subject.as_ref()),
            "timestamp": last.map(|message| message.at),
            "last_message_id": last.map(|message| &message.message_id),
        });
        (wire, messages)
    }
}
