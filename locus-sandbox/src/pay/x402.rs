//! AgentMail through Locus: paid from the wallet, in shapes that only trial and error made known. There is no idempotency.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Caller, Refusal, read_body, success};
use crate::mail::Letter;
use crate::store::{Shared, Turn};

pub(super) async fn call(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path(slug): Path<String>,
    body: Bytes,
) -> Answer {
    let body: Value = read_body(&body)?;
    let data = shared.turn(|turn| match slug.as_str() {
        "agentmail-send-message" => turn.send_by_x402(&body),
        "agentmail-list-messages" => turn.list_by_x402(&body),
        "agentmail-list-inboxes" => Ok(json!({"inboxes": turn.inbox_wires()})),
        "agentmail-create-inbox" => turn.create_by_x402(&body),
        _ => Err(Refusal::not_found("Endpoint")),
    });
    data.map(|data| success(&data))
}

impl Turn<'_> {
    fn send_by_x402(&mut self, body: &Value) -> Result<Value, Refusal> {
        let to = recipients(body)?;
        let [inbox, subject, text] = ["inbox_id", "subject", "body"].map(|field| text(body, field));
        let (inbox, subject, text) = (self.inbox_of_x402(inbox?)?, subject?.to_owned(), text?.to_owned());
        let letter = Letter { to, subject: Some(subject), text: Some(text), ..Letter::default() };
        // The upstream's refusal costs nothing.
        let upstream = |_| Refusal::new(StatusCode::BAD_GATEWAY, "AgentMail rejected the message");
        self.may_be_sent(&letter).map_err(upstream)?;
        self.pay_call("agentmail-send-message")?;
        let sent = self.post_letter(&inbox, letter, None, None);
        Ok(json!({"message_id": sent.message_id, "thread_id": sent.thread_id}))
    }

    fn list_by_x402(&mut self, body: &Value) -> Result<Value, Refusal> {
        let inbox = self.inbox_of_x402(text(body, "inbox_id")?)?;
        self.pay_call("agentmail-list-messages")?;
        let messages = self.message_wires(&inbox);
        Ok(json!({"count": messages.len(), "messages": messages}))
    }

    fn create_by_x402(&mut self, body: &Value) -> Result<Value, Refusal> {
        let username = text(body, "username")?;
        let address = format!("{username}@agentmail.to");
        let free = self.store.mail.inbox(&address).is_none();
        free.then_some(()).ok_or_else(|| Refusal::bad("The inbox is taken"))?;
        self.pay_call("agentmail-create-inbox")?;
        self.make_inbox(&address);
        Ok(json!({"inbox_id": address, "email": address}))
    }

    fn inbox_of_x402(&self, id: &str) -> Result<String, Refusal> {
        let found = self.store.mail.inbox(id).map(|_| id.to_owned());
        found.ok_or_else(|| Refusal::not_found("Inbox"))
    }
}

/// A list of objects with `email`, and nothing else.
fn recipients(body: &Value) -> Result<Vec<String>, Refusal> {
    let invalid =
        |at: usize| validation(&format!("to.{at}.email"), "Required: to must be a list of {\"email\": …}");
    let list = body["to"].as_array().filter(|list| !list.is_empty()).ok_or_else(|| invalid(0))?;
    let email = |(at, one): (usize, &Value)| {
        let email = one.get("email").and_then(Value::as_str).filter(|email| email.contains('@'));
        email.map(str::to_owned).ok_or_else(|| invalid(at))
    };
    list.iter().enumerate().map(email).collect()
}

fn text<'a>(body: &'a Value, field: &str) -> Result<&'a str, Refusal> {
    body.get(field).and_then(Value::as_str).ok_or_else(|| validation(field, "Required"))
}

fn validation(path: &str, problem: &str) -> Refusal {
    let details = json!([{"path": path, "message": problem}]);
    Refusal::bad(format!("Validation failed: {path}: {problem}")).with("details", details)
}
