//! The URLs of services, answered by the sandbox itself: 503 until they are reached, then 200 on the health path.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::gate::answer;
use crate::store::Shared;

pub(super) async fn root(state: State<Arc<Shared>>, Path(slug): Path<String>) -> Response {
    reached(state, &slug, "/")
}

pub(super) async fn path(state: State<Arc<Shared>>, Path((slug, path)): Path<(String, String)>) -> Response {
    reached(state, &slug, &format!("/{path}"))
}

fn reached(State(shared): State<Arc<Shared>>, slug: &str, path: &str) -> Response {
    shared.look(|turn| {
        let service = turn.store.build.services.values().find(|service| service.slug() == slug);
        let Some(service) = service else {
            return away(StatusCode::NOT_FOUND, slug, "There is no such service");
        };
        match service.answers_at(turn.now) {
            false => away(StatusCode::SERVICE_UNAVAILABLE, slug, "The service is starting or not running"),
            true if service.health_check_path == path => answer(StatusCode::OK, &json!({"status": "ok"})),
            true => answer(StatusCode::NOT_FOUND, &json!({"error": "Not found", "service": service.name})),
        }
    })
}

fn away(status: StatusCode, slug: &str, hint: &str) -> Response {
    let host = format!("{slug}.buildwithlocus.com");
    answer(status, &json!({"error": "Service unavailable", "host": host, "hint": hint}))
}
