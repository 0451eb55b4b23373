//! The paths of workers. They are no part of the OpenAPI document: what workers tell may change with them.

use axum::extract::{FromRequestParts, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::routing::{get, post};
use axum::{Json as Answer, Router};
use ledger_core::{AccountId, AppId, UserId};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::extract::{Json, Params};
use crate::edge::EdgeState;
use crate::edge::auth::Worker;
use crate::edge::dto::convert::name;
use crate::edge::problem::{EdgeCode, Problem};
use crate::edge::verbs::work;

pub(super) fn router() -> Router<EdgeState> {
    let paths = Router::new()
        .route("/containers", get(due))
        .route("/sleepers", get(sleepers))
        .route("/container", get(container))
        .route("/claims", post(claim))
        .route("/steps", post(step))
        .route("/notices", get(notices).post(tell_notice))
        .route("/mails", get(notices_of))
        .route("/solvency", post(solvency));
    Router::new().nest("/work", paths)
}

impl FromRequestParts<EdgeState> for Worker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &EdgeState) -> Result<Self, Problem> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let key = header.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default();
        let hash: [u8; 32] = Sha256::digest(key.trim()).into();
        let known = state.house.worker_key.is_some_and(|known| bool::from(known.ct_eq(&hash)));
        let refused =
            || Problem::new(EdgeCode::Unauthorized, "This is for Drip's own workers: DRIP_WORKER_KEY.");
        if known { Ok(Self) } else { Err(refused()) }
    }
}

fn account(params: Params) -> Result<Option<AccountId>, Problem> {
    match params.take(["app", "user_id"])? {
        [Some(app), Some(user)] => {
            let (app, user) = (name("app", &app, AppId::new)?, name("user_id", &user, UserId::new)?);
            Ok(Some(AccountId { app, user }))
        }
        [None, None] => Ok(None),
        _ => Err(Problem::missing("user_id")),
    }
}

fn named(params: Params) -> Result<AccountId, Problem> {
    account(params)?.ok_or_else(|| Problem::missing("user_id"))
}

async fn due(
    State(state): State<EdgeState>,
    _: Worker,
    params: Params,
) -> Result<Answer<work::DuePage>, Problem> {
    work::due(&state, account(params)?).await.map(Answer)
}

async fn sleepers(
    State(state): State<EdgeState>,
    _: Worker,
    params: Params,
) -> Result<Answer<work::SleeperPage>, Problem> {
    work::sleepers(&state, account(params)?).await.map(Answer)
}

async fn container(
    State(state): State<EdgeState>,
    _: Worker,
    params: Params,
) -> Result<Answer<work::ContainerWork>, Problem> {
    work::container(&state, named(params)?).await.map(Answer)
}

async fn claim(
    State(state): State<EdgeState>,
    _: Worker,
    Json(asked): Json<work::ClaimRequest>,
) -> Result<Answer<work::ContainerWork>, Problem> {
    work::claim(&state, asked).await.map(Answer)
}

async fn step(
    State(state): State<EdgeState>,
    _: Worker,
    Json(told): Json<work::StepRequest>,
) -> Result<Answer<work::ContainerWork>, Problem> {
    work::step(&state, told).await.map(Answer)
}

async fn notices(State(state): State<EdgeState>, _: Worker) -> Result<Answer<work::NoticesPage>, Problem> {
    work::notices(&state).await.map(Answer)
}

async fn notices_of(
    State(state): State<EdgeState>,
    _: Worker,
    params: Params,
) -> Result<Answer<Vec<work::NoticeWork>>, Problem> {
    work::notices_of(&state, named(params)?).await.map(Answer)
}

async fn tell_notice(
    State(state): State<EdgeState>,
    _: Worker,
    Json(told): Json<work::NoticeRequest>,
) -> Result<Answer<work::NoticeTold>, Problem> {
    work::tell_notice(&state, told).await.map(Answer)
}

async fn solvency(
    State(state): State<EdgeState>,
    _: Worker,
    Json(found): Json<work::SolvencyRequest>,
) -> Result<Answer<work::SolvencyTold>, Problem> {
    work::solvency(&state, found).await.map(Answer)
}
