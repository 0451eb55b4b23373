//! The control API: JSON over its own listener, a thin face over [`Handle`].
//!
//! | Method and path | Body | Answer |
//! |---|---|---|
//! | `GET /` | | the live page |
//! | `GET /events` | | server-sent events: a number at every change |
//! | `GET /record?after=n` | | `{"entries": […], "last": n, "refused": n, "wall": µs}`, the last being the world's time |
//! | `GET /state` | | sessions, projects, services, deployments, messages, money, switches, faults |
//! | `POST /sessions/{id}/pay` | [`PayOptions`], may be missing | `{"payment": id}` |
//! | `POST /sessions/{id}/expire`, `…/cancel` | | `{}` |
//! | `PUT /balances` | `{"usdc"?: "1.5", "promo"?: "0"}` | `{"usdc", "promo"}` |
//! | `PUT /credits` | `{"credits": "1"}` | `{"credits"}` |
//! | `POST /tokens/expire` | | `{}` |
//! | `POST /mail/inbound` | [`InboundMail`] | `{"message_id"}` |
//! | `POST /mail/suppress` | `{"address"}` | `{}` |
//! | `GET /faults`, `DELETE /faults` | | `{"faults": […]}`, `{}` |
//! | `POST /faults` | [`Rule`] | `{"id": n}` |
//! | `DELETE /faults/{id}` | | `{}` |
//! | `GET /switches`, `PATCH /switches` | any of [`Switches`](crate::Switches) | all of them |
//! | `POST /clock/advance` | `{"seconds": n}` | `{"now"}` |
//!
//! What is refused is 404, 409 or 400 with `{"error": text}`.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use ledger_core::Usdc;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::error::Refused;
use crate::faults::Rule;
use crate::handle::Handle;
use crate::mail::InboundMail;
use crate::page;
use crate::pay::PayOptions;

pub(crate) fn router(handle: Handle) -> Router {
    Router::new()
        .route("/", get(page::live))
        .route("/events", get(page::events))
        .route("/checkout/{id}/pay", post(page::pay))
        .route("/record", get(record))
        .route("/state", get(state))
        .route("/sessions/{id}/pay", post(pay))
        .route("/sessions/{id}/expire", post(expire))
        .route("/sessions/{id}/cancel", post(cancel))
        .route("/balances", put(balances))
        .route("/credits", put(credits))
        .route("/tokens/expire", post(expire_tokens))
        .route("/mail/inbound", post(inbound))
        .route("/mail/suppress", post(suppress))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/switches", get(switches).patch(set_switches))
        .route("/clock/advance", post(advance))
        .layer(from_fn_with_state(handle.clone(), saved))
        .with_state(handle)
}

async fn saved(State(handle): State<Handle>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    handle.0.until_saved().await;
    response
}

type Answer = Result<Json<Value>, Problem>;

struct Problem(StatusCode, String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::NotFound(_) => StatusCode::NOT_FOUND,
            Refused::Conflict(_) => StatusCode::CONFLICT,
        };
        Self(status, refused.to_string())
    }
}

/// Whatever the content type: this is for shells too. No body at all is an empty object.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|error| Problem(StatusCode::BAD_REQUEST, error.to_string()))
}

fn fine() -> Json<Value> {
    Json(json!({}))
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn record(State(handle): State<Handle>, Query(After { after }): Query<After>) -> Json<Value> {
    let entries = handle.record_after(after);
    let last = entries.last().map_or(after, |entry| entry.n);
    Json(json!({
        "entries": entries, "last": last, "refused": handle.refused(), "wall": service_kit::clock::now(),
    }))
}

async fn state(State(handle): State<Handle>) -> Json<Value> {
    let (usdc, promo) = handle.balances();
    Json(json!({
        "now": handle.now(), "usdc": usdc, "promo": promo, "credits": handle.credits(),
        "sessions": handle.sessions(), "projects": handle.projects(), "services": handle.services(),
        "deployments": handle.deployments(), "messages": handle.messages(), "faults": handle.faults(),
        "switches": handle.switches(),
    }))
}

async fn pay(State(handle): State<Handle>, Path(id): Path<String>, body: Bytes) -> Answer {
    let options: PayOptions = read(&body)?;
    Ok(Json(json!({"payment": handle.pay_session(&id, options)?})))
}

async fn expire(State(handle): State<Handle>, Path(id): Path<String>) -> Answer {
    handle.expire_session(&id)?;
    Ok(fine())
}

async fn cancel(State(handle): State<Handle>, Path(id): Path<String>) -> Answer {
    handle.cancel_session(&id)?;
    Ok(fine())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Balances {
    usdc: Option<Usdc>,
    promo: Option<Usdc>,
}

async fn balances(State(handle): State<Handle>, body: Bytes) -> Answer {
    let Balances { usdc, promo } = read(&body)?;
    handle.set_balances(usdc, promo);
    let (usdc, promo) = handle.balances();
    Ok(Json(json!({"usdc": usdc, "promo": promo})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credits {
    credits: Usdc,
}

async fn credits(State(handle): State<Handle>, body: Bytes) -> Answer {
    let Credits { credits } = read(&body)?;
    handle.set_credits(credits);
    Ok(Json(json!({"credits": handle.credits()})))
}

async fn expire_tokens(State(handle): State<Handle>) -> Json<Value> {
    handle.expire_tokens();
    fine()
}

async fn inbound(State(handle): State<Handle>, body: Bytes) -> Answer {
    let mail: InboundMail = read(&body)?;
    Ok(Json(json!({"message_id": handle.inbound_mail(mail)?})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Address {
    address: String,
}

async fn suppress(State(handle): State<Handle>, body: Bytes) -> Answer {
    let Address { address } = read(&body)?;
    handle.suppress(&address);
    Ok(fine())
}

async fn faults(State(handle): State<Handle>) -> Json<Value> {
    Json(json!({"faults": handle.faults()}))
}

async fn add_fault(State(handle): State<Handle>, body: Bytes) -> Answer {
    let rule: Rule = read(&body)?;
    Ok(Json(json!({"id": handle.add_fault(rule)})))
}

async fn clear_faults(State(handle): State<Handle>) -> Json<Value> {
    handle.clear_faults();
    fine()
}

async fn remove_fault(State(handle): State<Handle>, Path(id): Path<u64>) -> Answer {
    handle.remove_fault(id)?;
    Ok(fine())
}

async fn switches(State(handle): State<Handle>) -> Json<Value> {
    Json(json!(handle.switches()))
}

/// Those that are not given stay.
async fn set_switches(State(handle): State<Handle>, body: Bytes) -> Answer {
    let given: Map<String, Value> = read(&body)?;
    let mut all = json!(handle.switches());
    given.into_iter().for_each(|(name, value)| all[name.as_str()] = value);
    let all = serde_json::from_value(all);
    handle.set_switches(all.map_err(|error| Problem(StatusCode::BAD_REQUEST, error.to_string()))?);
    Ok(Json(json!(handle.switches())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

async fn advance(State(handle): State<Handle>, body: Bytes) -> Answer {
    let Advance { seconds } = read(&body)?;
    handle.advance(Duration::from_secs(seconds));
    Ok(Json(json!({"now": handle.now()})))
}
