//! Health: whether the process lives, and whether it can do its work.

use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::edge::EdgeState;
use crate::edge::dto::answers::{CheckBody, HealthBody};

/// How long the views may take to say how far they are.
const VIEWS_PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn endpoints() -> OpenApiRouter<EdgeState> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready))
}

/// The process lives.
#[utoipa::path(
    get, path = "/health/live", tag = "health", operation_id = "live",
    responses((status = 200, description = "It lives", body = HealthBody))
)]
async fn live() -> Answer<HealthBody> {
    Answer(HealthBody { status: "ok", checks: vec![] })
}

/// Every writer takes commands, and the views can be read.
#[utoipa::path(
    get, path = "/health/ready", tag = "health", operation_id = "ready",
    responses(
        (status = 200, description = "Ready", body = HealthBody),
        (status = 503, description = "Not ready: see the checks", body = HealthBody),
    )
)]
async fn ready(State(state): State<EdgeState>) -> (StatusCode, Answer<HealthBody>) {
    let writers = state.desk.health().into_iter();
    let mut checks: Vec<_> = writers.map(|(id, health)| check(format!("writer {id}"), health)).collect();
    checks.push(check("views".to_owned(), views(&state).await));
    let (code, status) = match checks.iter().all(|check| check.ok) {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    (code, Answer(HealthBody { status, checks }))
}

async fn views(state: &EdgeState) -> Result<(), String> {
    match tokio::time::timeout(VIEWS_PATIENCE, state.views.positions()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("they do not answer".to_owned()),
    }
}

fn check(name: String, health: Result<(), String>) -> CheckBody {
    CheckBody { name, ok: health.is_ok(), detail: health.err() }
}
