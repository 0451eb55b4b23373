//! AgentMail, under `/v0`.

mod idempotency;
mod inboxes;
mod messages;
mod news;
mod sending;
mod threads;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::Config;
use crate::gate::{answer, bearer};
use crate::store::Shared;

pub use messages::Letter;
pub use messages::Message;
pub use news::InboundMail;

/// What AgentMail knows.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Mail {
    inboxes: Vec<inboxes::Inbox>,
    /// In the order in which they were sent or came.
    pub(crate) messages: Vec<Message>,
    /// Addresses that bounced, complained or were ordered: mail to them is refused.
    pub(crate) suppressed: Vec<String>,
    keys: BTreeMap<String, idempotency::Remembered>,
    slow: BTreeMap<u64, sending::Send>,
    slow_done: BTreeMap<u64, sending::Sent>,
    slow_made: u64,
    webhooks: Vec<news::Webhook>,
}

impl Mail {
    pub(crate) fn new(config: &Config) -> Self {
        let inboxes = config.inboxes.iter().map(|address| inboxes::Inbox::new(address, config.starts_at));
        Self { inboxes: inboxes.collect(), ..Self::default() }
    }

    pub(crate) fn inbox(&self, id: &str) -> Option<&inboxes::Inbox> {
        self.inboxes.iter().find(|inbox| inbox.address == id)
    }
}

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/v0/inboxes", post(inboxes::create).get(inboxes::list))
        .route("/v0/inboxes/{inbox}", get(inboxes::read))
        .route("/v0/inboxes/{inbox}/messages", get(messages::list))
        .route("/v0/inboxes/{inbox}/messages/send", post(sending::send))
        .route("/v0/inboxes/{inbox}/messages/{message}", get(messages::read).patch(messages::label))
        .route("/v0/inboxes/{inbox}/messages/{message}/reply", post(sending::reply))
        .route("/v0/inboxes/{inbox}/threads", get(threads::list))
        .route("/v0/inboxes/{inbox}/threads/{thread}", get(threads::read))
        .route("/v0/webhooks", post(news::register).get(news::list))
}

/// Stands for a code where the gateway says no in its own words, which have none.
const GATEWAY: &str = "";

/// How it says no: `{"name", "code", "message"}`, with `errors` when it is about fields.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    errors: Option<Value>,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), errors: None }
    }

    fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("{what} not found"))
    }

    fn conflict(message: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    fn invalid(path: &str, message: &str) -> Self {
        let errors = Some(json!([{"path": [path], "message": message}]));
        let message = format!("{path}: {message}");
        Self { status: StatusCode::BAD_REQUEST, code: "validation_error", message, errors }
    }

    fn rejected(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "message_rejected", message)
    }

    /// With the code that usually goes with the status.
    pub(crate) fn of_status(status: StatusCode, message: &str) -> Self {
        let code = match status.as_u16() {
            400 => "validation_error",
            401 => "unauthorized",
            404 => "not_found",
            409 => "conflict",
            422 => "unprocessable",
            429 => "rate_limit_exceeded",
            503 => "service_unavailable",
            status if status < 500 => "forbidden",
            _ => "internal_error",
        };
        Self::new(status, code, message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if self.code == GATEWAY {
            return answer(self.status, &json!({"message": self.message}));
        }
        let name = self.status.canonical_reason().unwrap_or("Error").replace(' ', "") + "Error";
        let mut body = json!({"name": name, "code": self.code, "message": self.message});
        if let Some(errors) = self.errors {
            body["errors"] = errors;
        }
        answer(self.status, &body)
    }
}

/// What a handler answers.
type Answer = Result<Response, Refusal>;

fn done(body: &impl Serialize) -> Response {
    answer(StatusCode::OK, body)
}

fn read_body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| Refusal::invalid("body", &error.to_string()))
}

/// A caller with a key of ours.
struct Caller;

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let no = |code, message| Err(Refusal::new(StatusCode::UNAUTHORIZED, code, message));
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return no("missing_authorization", "The header Authorization is missing");
        }
        match bearer(&parts.headers) {
            None => no("invalid_token_type", "The token must be a bearer token"),
            Some(key) if shared.config.keys.mail.iter().any(|ours| ours == key) => Ok(Self),
            Some(key) if key.starts_with("am_") => no("unknown_api_key", "The API key is unknown"),
            // The gateway sees that this is no key at all.
            Some(_) => Err(Refusal::new(StatusCode::FORBIDDEN, GATEWAY, "Forbidden")),
        }
    }
}

/// What ids of callers may look like: 1 to 256 characters that URLs do not reserve.
fn is_plain_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (1..=256).contains(&id.len()) && id.bytes().all(plain)
}
