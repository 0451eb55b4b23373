//! Inboxes. Their id is their address.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answer, Caller, Refusal, done, is_plain_id, read_body};
use crate::clock::Time;
use crate::record::{Effect, Service};
use crate::store::{Shared, Turn};

/// The only domain there is.
const DOMAIN: &str = "agentmail.to";

/// An inbox.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Inbox {
    pub(super) address: String,
    display_name: Option<String>,
    client_id: Option<String>,
    metadata: Value,
    created_at: Time,
}

impl Inbox {
    pub(super) fn new(address: &str, created_at: Time) -> Self {
        let (address, metadata) = (address.to_owned(), Value::Null);
        Self { address, display_name: None, client_id: None, metadata, created_at }
    }

    fn wire(&self) -> Value {
        json!({
            "pod_id": "pod_sandbox", "inbox_id": self.address, "email": self.address,
            "display_name": self.display_name, "client_id": self.client_id, "metadata": self.metadata,
            "created_at": self.created_at, "updated_at": self.created_at,
        })
    }
}

#[derive(Deserialize)]
struct Create {
    username: Option<String>,
    domain: Option<String>,
    display_name: Option<String>,
    client_id: Option<String>,
    #[serde(default)]
    metadata: Value,
}

pub(super) async fn create(State(shared): State<Arc<Shared>>, _: Caller, body: Bytes) -> Answer {
    let create: Create = read_body(if body.is_empty() { b"{}" } else { &body })?;
    shared.turn(|turn| turn.create_inbox(create)).map(|wire| done(&wire))
}

pub(super) async fn list(State(shared): State<Arc<Shared>>, _: Caller) -> Response {
    let inboxes = shared.look(|turn| turn.inbox_wires());
    done(&json!({"count": inboxes.len(), "inboxes": inboxes}))
}

pub(super) async fn read(State(shared): State<Arc<Shared>>, _: Caller, Path(id): Path<String>) -> Answer {
    shared.look(|turn| {
        let inbox = turn.store.mail.inbox(&id).ok_or_else(|| Refusal::not_found("Inbox"))?;
        Ok(done(&inbox.wire()))
    })
}

impl Turn<'_> {
    pub(crate) fn inbox_wires(&self) -> Vec<Value> {
        self.store.mail.inboxes.iter().map(Inbox::wire).collect()
    }

    /// Makes one that is known to be free.
    pub(crate) fn make_inbox(&mut self, address: &str) {
        self.store.mail.inboxes.push(Inbox::new(address, self.now));
        self.note(Service::Mail, Effect::InboxCreated { inbox: address.to_owned() });
    }

    fn create_inbox(&mut self, create: Create) -> Result<Value, Refusal> {
        if let Some(id) = &create.client_id {
            is_plain_id(id).then_some(()).ok_or_else(|| Refusal::invalid("client_id", "Invalid"))?;
            let same = |inbox: &&Inbox| inbox.client_id.as_ref() == Some(id);
            if let Some(inbox) = self.store.mail.inboxes.iter().find(same) {
                return Ok(inbox.wire());
            }
        }
        let address = self.free_address(create.username, create.domain)?;
        self.make_inbox(&address);
        let inbox = self.store.mail.inboxes.last_mut().ok_or_else(|| Refusal::not_found("Inbox"))?;
        (inbox.display_name, inbox.client_id) = (create.display_name, create.client_id);
        inbox.metadata = create.metadata;
        Ok(inbox.wire())
    }

    fn free_address(&mut self, username: Option<String>, domain: Option<String>) -> Result<String, Refusal> {
        let forbidden = |code, message| Err(Refusal::new(StatusCode::FORBIDDEN, code, message));
        if domain.is_some_and(|domain| domain != DOMAIN) {
            return forbidden("domain_not_verified", "The domain is not verified");
        }
        if self.store.mail.inboxes.len() >= self.config().inboxes_max {
            return forbidden("limit_exceeded", "The plan allows no more inboxes");
        }
        let username = username.unwrap_or_else(|| self.store.ids.hex("inbox", 10));
        if !is_plain_id(&username) {
            return Err(Refusal::invalid("username", "Invalid"));
        }
        let address = format!("{username}@{DOMAIN}");
        match self.store.mail.inbox(&address) {
            Some(_) => forbidden("resource_taken", "The inbox is taken"),
            None => Ok(address),
        }
    }
}
