//! Debits: one, many, or a source's.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{CallHeaders, Formatted, Json, Named, NoParams, Params, check_debtor};
use crate::edge::EdgeState;
use crate::edge::auth::{Debtor, Principal};
use crate::edge::dto::answers::{DebitsAnswer, KeyRows, ReceiptBody};
use crate::edge::dto::requests::{AnyDebitsRequest, DebitRequest};
use crate::edge::problem::{Problem, ProblemBody};
use crate::edge::verbs;

pub(super) fn endpoints() -> OpenApiRouter<EdgeState> {
    OpenApiRouter::new().routes(routes!(debit, by_key)).routes(routes!(debits))
}

/// Debit an account for usage. Never below zero; to exactly zero is allowed.
#[utoipa::path(
    post, path = "/v1/users/{user_id}/debits", tag = "debits", operation_id = "debit", request_body = DebitRequest,
    params(
        ("user_id" = String, Path, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$", description = "Percent-encoded"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 200, description = "The same as `key`"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "It is paid", body = ReceiptBody),
        (status = 402, description = "Not enough credit: `needed`, `available`, `shortfall`", body = ProblemBody, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn debit(
    State(state): State<EdgeState>,
    who: Debtor,
    _: NoParams,
    headers: CallHeaders,
    user: Named,
    Json(mut body): Json<DebitRequest>,
) -> Result<Answer<ReceiptBody>, Problem> {
    check_debtor(&who, Some(&user.0))?;
    headers.merge(Some(user), &mut body)?;
    verbs::debit(&state, &who.principal, body).await.map(Answer)
}

/// What became of a key: the debit that was paid under it, and its recorded declines.
#[utoipa::path(
    get, path = "/v1/users/{user_id}/debits", tag = "debits", operation_id = "debits_by_key",
    params(
        ("user_id" = String, Path, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$", description = "Percent-encoded"),
        ("key" = String, Query, min_length = 1, max_length = 200, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$", description = "The idempotency key"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "The rows, newest first; none when nothing was recorded under the key", body = KeyRows),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn by_key(
    State(state): State<EdgeState>,
    who: Principal,
    headers: CallHeaders,
    Named(user): Named,
    params: Params,
) -> Result<Answer<KeyRows>, Problem> {
    let [key] = params.take(["key"])?;
    verbs::debits_by_key(&state, &who, &user, key.as_deref(), headers.deadline()?).await.map(Answer)
}

/// Many debits at once: over any users, each decided by itself; or the next items of a numbered source.
#[utoipa::path(
    post, path = "/v1/debits", tag = "debits", operation_id = "debits",
    request_body(content(
        (AnyDebitsRequest = "application/json"),
        (AnyDebitsRequest = "application/msgpack"),
    )),
    params(("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead")),
    responses(
        (
            status = 200,
            description = "The results in order; or what became of the source's batch. In the request's format",
            content((DebitsAnswer = "application/json"), (DebitsAnswer = "application/msgpack")),
        ),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn debits(
    State(state): State<EdgeState>,
    who: Principal,
    _: NoParams,
    headers: CallHeaders,
    Formatted { format, bytes }: Formatted,
) -> Result<Response, Problem> {
    let answer = match AnyDebitsRequest::read(format, &bytes)? {
        AnyDebitsRequest::Batch(mut body) => {
            headers.merge(None, &mut body)?;
            verbs::debits(&state, &who, body, None).await?
        }
        AnyDebitsRequest::Source(mut body) => {
            headers.merge(None, &mut body)?;
            DebitsAnswer::Source(verbs::source_batch(&state, &who, body).await?)
        }
    };
    Ok(([(header::CONTENT_TYPE, format.content_type())], format.write(&answer)?).into_response())
}
