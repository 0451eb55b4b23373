//! What the provider of checkout sessions sends. Nothing that stands in it is believed: at best it leads to a look.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use ledger_core::command::{CheckoutOutcome, SettleCheckout};
use ledger_core::time::SECOND;
use ledger_core::{Command, Label, SessionId, Timestamp};
use planted::Bug;
use projector::upkeep::{CheckoutRow, CheckoutState};

use super::extract;
use crate::ask::{Ask, Call};
use crate::checkouts::Looked;
use crate::edge::EdgeState;
use crate::edge::problem::{EdgeCode, Problem};
use crate::edge::verbs::checkouts;

/// The largest body that is looked at.
const BODY_MAX: usize = 64 * 1024;
/// The header that names the session.
const SESSION: &str = "x-session-id";

pub(super) fn router() -> Router<EdgeState> {
    Router::new().route("/webhook/checkout-paid", post(checkout_paid))
}

async fn checkout_paid(
    State(state): State<EdgeState>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let body = extract::read(body).await?;
    if body.len() > BODY_MAX {
        let detail = format!("A webhook is at most {BODY_MAX} bytes.");
        return Err(Problem::new(EdgeCode::PayloadTooLarge, detail));
    }
    let Some(known) = &state.house.checkouts else {
        return Err(Problem::new(EdgeCode::NotConfigured, "Nobody takes in money here."));
    };
    let row = session_of(&state, &headers, &body).await?;
    let Some(secret) = checkouts::webhook_secret(&state, &row).await? else {
        // There is nothing to check it against: at most so often it is worth a look.
        let looks = known.takes_hint() && row.state == CheckoutState::Pending;
        return if looks { look(&state, &row).await } else { Ok(StatusCode::ACCEPTED) };
    };
    let verified = locus::webhook::verify_checkout(&secret, &headers, &body, known.config.other_headers);
    verified.map_err(|distrust| {
        tracing::warn!(session = row.session, %distrust, "a webhook is not signed as its session's must be");
        Problem::new(EdgeCode::Unauthorized, "The webhook is not signed with the secret of its session.")
    })?;
    match believed(&state, &row, &body).await {
        Some(status) => Ok(status),
        None => look(&state, &row).await,
    }
}

/// A bug on purpose, which is not in what is shipped: what the body says was paid is taken for paid.
async fn believed(state: &EdgeState, row: &CheckoutRow, body: &[u8]) -> Option<StatusCode> {
    if !planted::on(Bug::CreditFromBody) {
        return None;
    }
    let amount = Some(locus::webhook::parse_checkout(body).ok()?.amount?);
    let (account, session) = (row.account.clone(), SessionId::new(&row.session).ok()?);
    let outcome = CheckoutOutcome::Paid { amount, transaction: None };
    let command = SettleCheckout { account, session, outcome, actor: Label::new("webhook").ok()? };
    let deadline = Timestamp(service_kit::clock::now()).plus(SECOND);
    state.desk.ask(Call { ask: Ask::Command(Command::SettleCheckout(command)), deadline }).await;
    Some(StatusCode::OK)
}

/// Our own record of the session that is named; what else the body says is not read.
async fn session_of(state: &EdgeState, headers: &HeaderMap, body: &[u8]) -> Result<CheckoutRow, Problem> {
    let header = headers.get(SESSION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let named = || locus::webhook::parse_checkout(body).ok().and_then(|event| event.session_id);
    let session = header.or_else(named).ok_or_else(|| Problem::missing("x-session-id"))?;
    let unknown = || Problem::new(EdgeCode::NotFound, "There is no such checkout session here.");
    checkouts::named(state, &session).await?.ok_or_else(unknown)
}

/// 200 when its money is in the account, 202 when it is not there yet: the sender may try again, and the clock will.
async fn look(state: &EdgeState, row: &CheckoutRow) -> Result<StatusCode, Problem> {
    match checkouts::look(state, row).await {
        Ok(Looked::Paid | Looked::Parked) => Ok(StatusCode::OK),
        Ok(Looked::Pending) => Ok(StatusCode::ACCEPTED),
        Err(error) => {
            tracing::warn!(
                session = row.session,
                error = &error as &dyn std::error::Error,
                "a session was not settled"
            );
            Err(Problem::new(EdgeCode::Unavailable, "The session could not be settled now."))
        }
    }
}
