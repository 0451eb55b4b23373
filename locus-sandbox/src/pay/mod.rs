//! PayWithLocus and CheckoutWithLocus, under `/api`.

mod agent;
mod balance;
mod orders;
mod sessions;
mod wrapped;
mod x402;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use ledger_core::Usdc;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::clock::Time;
use crate::config::Funds;
use crate::gate::{answer, bearer};
use crate::store::Shared;

pub use orders::{PayOptions, WebhookTricks};
pub use sessions::{Session, SessionStatus};

/// What PayWithLocus knows.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Pay {
    pub(crate) usdc: Usdc,
    pub(crate) promo: Usdc,
    pub(crate) sessions: BTreeMap<String, Session>,
    payments: BTreeMap<String, agent::Payment>,
    transactions: Vec<balance::Transaction>,
}

impl Pay {
    pub(crate) fn new(funds: &Funds) -> Self {
        Self { usdc: funds.usdc, promo: funds.promo, ..Self::default() }
    }
}

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/status", get(balance::status))
        .route("/api/pay/balance", get(balance::balance))
        .route("/api/pay/transactions", get(balance::transactions))
        .route("/api/pay/transactions/{id}", get(balance::transaction))
        .route("/api/checkout/sessions", post(sessions::create))
        .route("/api/checkout/sessions/{id}", get(sessions::read))
        .route("/api/checkout/sessions/{id}/cancel", post(sessions::cancel))
        .route("/api/checkout/agent/preflight/{id}", get(agent::preflight))
        .route("/api/checkout/agent/pay/{id}", post(agent::pay))
        .route("/api/checkout/agent/payments/{tx}", get(agent::payment))
        .route("/api/wrapped", get(wrapped::catalogue))
        .route("/api/wrapped/{provider}/{endpoint}", post(wrapped::call))
        .route("/api/x402/{slug}", post(x402::call))
}

/// How it says no: `{"success": false, "error": …, "message": …}`.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
    more: Map<String, Value>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), more: Map::new() }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{what} not found"))
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = self.more;
        body.insert("success".to_owned(), false.into());
        body.insert("error".to_owned(), phrase(self.status).into());
        body.insert("message".to_owned(), self.message.into());
        answer(self.status, &body)
    }
}

fn phrase(status: StatusCode) -> &'static str {
    match status.as_u16() {
        402 => "Insufficient funds",
        429 => "Rate limit exceeded",
        500 => "Internal server error",
        502 => "Upstream error",
        _ => status.canonical_reason().unwrap_or("Error"),
    }
}

/// What a handler answers.
type Answer = Result<Response, Refusal>;

fn success(data: &impl Serialize) -> Response {
    answer(StatusCode::OK, &json!({"success": true, "data": data}))
}

/// 202: somebody has to allow it first.
pub(crate) fn approval() -> Response {
    let data = json!({
        "pending_approval_id": "pa_sandbox", "approval_url": "https://app.paywithlocus.com/approvals/pa_sandbox",
        "status": "PENDING_APPROVAL", "estimated_cost_usdc": "0.25", "message": "A human has to approve this",
    });
    answer(StatusCode::ACCEPTED, &json!({"success": true, "data": data}))
}

fn read_body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| Refusal::bad(format!("Invalid request body: {error}")))
}

/// A caller with a key of ours.
struct Caller;

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let key = bearer(&parts.headers);
        let known = key.is_some_and(|key| shared.config.keys.locus.iter().any(|ours| ours == key));
        known
            .then_some(Self)
            .ok_or_else(|| Refusal::new(StatusCode::UNAUTHORIZED, "Invalid or missing API key"))
    }
}

/// When a session that lives so many minutes ends.
fn minutes_after(now: Time, minutes: u32) -> Time {
    now.plus(std::time::Duration::from_secs(u64::from(minutes) * 60))
}
