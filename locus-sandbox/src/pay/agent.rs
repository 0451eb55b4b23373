//! Paying as an agent.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::balance::WALLET;
use super::orders::PayOptions;
use super::sessions::{Session, SessionStatus};
use super::{Answer, Caller, Refusal, success};
use crate::clock::Time;
use crate::config::Mode;
use crate::gate::answer;
use crate::store::{Shared, Turn};

/// The agent that pays with the wallet's own key.
const AGENT: &str = "agent_sandbox";

/// A payment of a session.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Payment {
    pub(super) session: String,
    pub(super) options: PayOptions,
    /// Nothing until the chain has spoken.
    pub(super) confirmed: Option<bool>,
    job: String,
    begun_at: Time,
}

impl Payment {
    pub(super) fn begun(session: &str, job: String, begun_at: Time, options: PayOptions) -> Self {
        Self { session: session.to_owned(), options, confirmed: None, job, begun_at }
    }

    /// Processing begins in the middle of the wait.
    fn status(&self, turn: &Turn<'_>) -> &'static str {
        let half = turn.config().timings.confirmation / 2;
        match self.confirmed {
            Some(true) => "confirmed",
            Some(false) => "failed",
            None if turn.now.since(self.begun_at) < half => "queued",
            None => "processing",
        }
    }
}

pub(super) async fn preflight(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path(id): Path<String>,
) -> Answer {
    shared.look(|turn| {
        let session = turn.session(&id)?;
        match session.status {
            SessionStatus::Expired => Err(gone()),
            _ => Ok(answer(StatusCode::OK, &preflight_wire(session))),
        }
    })
}

fn preflight_wire(session: &Session) -> Value {
    let can_pay = session.status == SessionStatus::Pending && !session.paying;
    let mut wire = json!({
        "success": true, "canPay": can_pay,
        "agent": {"walletAddress": WALLET, "availableBalance": "999999"},
        "session": {
            "id": session.id, "amount": session.amount, "currency": session.currency,
            "description": session.description, "status": session.status, "expiresAt": session.expires_at,
            "sellerWalletAddress": WALLET,
        },
    });
    if !can_pay {
        wire["blockers"] = json!(["The session can not be paid any more"]);
    }
    wire
}

pub(super) async fn pay(State(shared): State<Arc<Shared>>, _: Caller, Path(id): Path<String>) -> Answer {
    shared.turn(|turn| {
        let session = turn.session(&id)?;
        match session.status {
            SessionStatus::Expired => return Err(gone()),
            SessionStatus::Pending if !session.paying => {}
            _ => return Err(Refusal::bad("The session is paid, being paid or cancelled")),
        }
        let tx = turn.begin_payment(&id, PayOptions::default(), Some(AGENT));
        turn.payment_wire(&tx).map(|data| success(&data))
    })
}

/// In beta even the payer may not read it.
pub(super) async fn payment(State(shared): State<Arc<Shared>>, _: Caller, Path(tx): Path<String>) -> Answer {
    shared.look(|turn| match turn.store.switches.mode {
        Mode::Beta => Err(Refusal::new(StatusCode::FORBIDDEN, "You may not read this payment")),
        Mode::Docs => turn.payment_wire(&tx).map(|data| success(&data)),
    })
}

fn gone() -> Refusal {
    Refusal::new(StatusCode::GONE, "The session has expired")
}

impl Turn<'_> {
    fn payment_wire(&self, tx: &str) -> Result<Value, Refusal> {
        let payment = self.store.pay.payments.get(tx).ok_or_else(|| Refusal::not_found("Payment"))?;
        let session = self.session(&payment.session)?;
        Ok(json!({
            "transactionId": tx, "queueJobId": payment.job, "status": payment.status(self),
            "sessionId": session.id, "amount": session.amount, "currency": session.currency,
            "statusEndpoint": format!("/api/checkout/agent/payments/{tx}"), "message": "Payment queued",
        }))
    }
}
