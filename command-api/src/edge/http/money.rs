//! Money in: deposits and grants.

use axum::Json as Answer;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{CallHeaders, Json, Named, NoParams};
use crate::edge::EdgeState;
use crate::edge::auth::Principal;
use crate::edge::dto::answers::ReceiptBody;
use crate::edge::dto::requests::MoneyRequest;
use crate::edge::problem::{Problem, ProblemBody};
use crate::edge::verbs;

pub(super) fn endpoints() -> OpenApiRouter<EdgeState> {
    OpenApiRouter::new().routes(routes!(deposit)).routes(routes!(grant))
}

/// Record money that the user paid. The balance after it is the new 100 %.
#[utoipa::path(
    post, path = "/v1/users/{user_id}/deposits", tag = "money", operation_id = "deposit",
    request_body = MoneyRequest,
    params(
        ("user_id" = String, Path, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$", description = "Percent-encoded"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 200, description = "The same as `key`"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "It is recorded", body = ReceiptBody),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn deposit(
    State(state): State<EdgeState>,
    who: Principal,
    _: NoParams,
    headers: CallHeaders,
    user: Named,
    Json(mut body): Json<MoneyRequest>,
) -> Result<Answer<ReceiptBody>, Problem> {
    headers.merge(Some(user), &mut body)?;
    verbs::deposit(&state, &who, body).await.map(Answer)
}

/// Give the user money. It is spent before what was paid.
#[utoipa::path(
    post, path = "/v1/users/{user_id}/grants", tag = "money", operation_id = "grant",
    request_body = MoneyRequest,
    params(
        ("user_id" = String, Path, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$", description = "Percent-encoded"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 200, description = "The same as `key`"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "It is given", body = ReceiptBody),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn grant(
    State(state): State<EdgeState>,
    who: Principal,
    _: NoParams,
    headers: CallHeaders,
    user: Named,
    Json(mut body): Json<MoneyRequest>,
) -> Result<Answer<ReceiptBody>, Problem> {
    headers.merge(Some(user), &mut body)?;
    verbs::grant(&state, &who, body).await.map(Answer)
}
