//! Checkout sessions: how users pay in.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{CallHeaders, Json, Named, NoParams, Params};
use crate::edge::EdgeState;
use crate::edge::auth::Principal;
use crate::edge::dto::checkouts::{CheckoutBody, CheckoutPage, CheckoutRequest, ResolveRequest};
use crate::edge::problem::{Problem, ProblemBody};
use crate::edge::verbs::checkouts;

pub(super) fn endpoints() -> OpenApiRouter<EdgeState> {
    OpenApiRouter::new()
        .routes(routes!(open, of_user))
        .routes(routes!(waiting))
        .routes(routes!(refresh))
        .routes(routes!(resolve))
}

/// Open a checkout session: send the user to its `url`. What is paid there is credited once, to this user.
#[utoipa::path(
    post, path = "/v1/users/{user_id}/checkout-sessions", tag = "money", operation_id = "open_checkout", request_body = CheckoutRequest,
    params(
        ("user_id" = String, Path, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$", description = "Percent-encoded"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 200, description = "The same as `key`"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 201, description = "The session", body = CheckoutBody),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn open(
    State(state): State<EdgeState>,
    who: Principal,
    _: NoParams,
    headers: CallHeaders,
    user: Named,
    Json(mut body): Json<CheckoutRequest>,
) -> Result<(StatusCode, Answer<CheckoutBody>), Problem> {
    headers.merge(Some(user), &mut body)?;
    checkouts::open(&state, &who, body).await.map(|body| (StatusCode::CREATED, Answer(body)))
}

/// The checkout sessions of a user, the newest first.
#[utoipa::path(
    get, path = "/v1/users/{user_id}/checkout-sessions", tag = "money", operation_id = "list_user_checkouts",
    params(
        ("user_id" = String, Path, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$", description = "Percent-encoded"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "The sessions", body = CheckoutPage),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn of_user(
    State(state): State<EdgeState>,
    who: Principal,
    headers: CallHeaders,
    Named(user): Named,
    _: NoParams,
) -> Result<Answer<CheckoutPage>, Problem> {
    checkouts::of_user(&state, &who, &user, headers.deadline()?).await.map(Answer)
}

/// The app's sessions that wait: for a person, or for money.
#[utoipa::path(
    get, path = "/v1/checkout-sessions", tag = "money", operation_id = "list_checkouts",
    params(
        ("state" = Option<String>, Query, pattern = "^(parked|pending)$", description = "`parked` (waits for a person) when not said, or `pending`"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "The sessions, the oldest first", body = CheckoutPage),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn waiting(
    State(state): State<EdgeState>,
    who: Principal,
    headers: CallHeaders,
    params: Params,
) -> Result<Answer<CheckoutPage>, Problem> {
    let [wanted] = params.take(["state"])?;
    checkouts::waiting(&state, &who, wanted.as_deref(), headers.deadline()?).await.map(Answer)
}

/// Look at a session now, without waiting for the provider to tell.
#[utoipa::path(
    post, path = "/v1/checkout-sessions/{session}/refresh", tag = "money", operation_id = "refresh_checkout",
    params(
        ("session" = String, Path, min_length = 1, max_length = 100, description = "Percent-encoded"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "The session as it is now", body = CheckoutBody),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn refresh(
    State(state): State<EdgeState>,
    who: Principal,
    headers: CallHeaders,
    Named(session): Named,
    _: NoParams,
) -> Result<Answer<CheckoutBody>, Problem> {
    checkouts::refresh(&state, &who, &session, headers.deadline()?).await.map(Answer)
}

/// Decide about a session that waits for a person: let it bring an amount, or nothing.
#[utoipa::path(
    post, path = "/v1/checkout-sessions/{session}/resolve", tag = "money", operation_id = "resolve_checkout", request_body = ResolveRequest,
    params(
        ("session" = String, Path, min_length = 1, max_length = 100, description = "Percent-encoded"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "The session as it is now", body = CheckoutBody),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn resolve(
    State(state): State<EdgeState>,
    who: Principal,
    _: NoParams,
    headers: CallHeaders,
    Named(session): Named,
    Json(body): Json<ResolveRequest>,
) -> Result<Answer<CheckoutBody>, Problem> {
    checkouts::resolve(&state, &who, &session, body, headers.deadline()?).await.map(Answer)
}
