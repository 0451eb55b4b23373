//! Containers, mails, the agent log and the wallet.

use axum::Json as Answer;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{CallHeaders, Json, Named, NoParams, Params};
use crate::edge::EdgeState;
use crate::edge::auth::Principal;
use crate::edge::dto::answers::AccountBody;
use crate::edge::dto::upkeep::{
    ContainerRequest, HibernateRequest, LogPage, NoticePage, RestoreRequest, WalletBody,
};
use crate::edge::problem::{Problem, ProblemBody};
use crate::edge::verbs;

pub(super) fn endpoints() -> OpenApiRouter<EdgeState> {
    OpenApiRouter::new()
        .routes(routes!(set_container))
        .routes(routes!(hibernate))
        .routes(routes!(restore))
        .routes(routes!(notices))
        .routes(routes!(log))
        .routes(routes!(wallet))
}

/// Say what the account's container is to be: it is made, or deployed anew, when there is credit.
#[utoipa::path(
    put, path = "/v1/users/{user_id}/container", tag = "containers", operation_id = "set_container", request_body = ContainerRequest,
    params(
        ("user_id" = String, Path, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$", description = "Percent-encoded"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 200, description = "The same as `key`"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "The account", body = AccountBody),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn set_container(
    State(state): State<EdgeState>,
    who: Principal,
    _: NoParams,
    headers: CallHeaders,
    user: Named,
    Json(mut body): Json<ContainerRequest>,
) -> Result<Answer<AccountBody>, Problem> {
    headers.merge(Some(user), &mut body)?;
    verbs::set_container(&state, &who, body).await.map(Answer)
}

/// Put an account to sleep: its container hibernates, and debits are refused until it is restored.
#[utoipa::path(
    post, path = "/v1/users/{user_id}/hibernate", tag = "containers", operation_id = "hibernate", request_body = HibernateRequest,
    params(
        ("user_id" = String, Path, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$", description = "Percent-encoded"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 200, description = "The same as `key`"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "The account; `changed` says whether it was awake before", body = AccountBody),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn hibernate(
    State(state): State<EdgeState>,
    who: Principal,
    _: NoParams,
    headers: CallHeaders,
    user: Named,
    body: Option<Json<HibernateRequest>>,
) -> Result<Answer<AccountBody>, Problem> {
    let mut body = body.map(|Json(body)| body).unwrap_or_default();
    headers.merge(Some(user), &mut body)?;
    verbs::hibernate(&state, &who, body).await.map(Answer)
}

/// Wake an account. Without credit it is refused, unless it is forced.
#[utoipa::path(
    post, path = "/v1/users/{user_id}/restore", tag = "containers", operation_id = "restore", request_body = RestoreRequest,
    params(
        ("user_id" = String, Path, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$", description = "Percent-encoded"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 200, description = "The same as `key`"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "The account; `changed` says whether it was asleep before", body = AccountBody),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn restore(
    State(state): State<EdgeState>,
    who: Principal,
    _: NoParams,
    headers: CallHeaders,
    user: Named,
    body: Option<Json<RestoreRequest>>,
) -> Result<Answer<AccountBody>, Problem> {
    let mut body = body.map(|Json(body)| body).unwrap_or_default();
    headers.merge(Some(user), &mut body)?;
    verbs::restore(&state, &who, body).await.map(Answer)
}

/// The mails of an account, the newest first.
#[utoipa::path(
    get, path = "/v1/users/{user_id}/notices", tag = "containers", operation_id = "list_notices",
    params(
        ("user_id" = String, Path, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$", description = "Percent-encoded"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "The mails", body = NoticePage),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn notices(
    State(state): State<EdgeState>,
    who: Principal,
    headers: CallHeaders,
    Named(user): Named,
    _: NoParams,
) -> Result<Answer<NoticePage>, Problem> {
    verbs::notices(&state, &who, &user, headers.deadline()?).await.map(Answer)
}

/// The agent log: what happened to accounts, and what was done about it. Without `after_id` its last lines.
#[utoipa::path(
    get, path = "/v1/log", tag = "containers", operation_id = "agent_log",
    params(
        ("after_id" = Option<String>, Query, description = "`last_id` of the page before"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "1 to 1000; 50 when not said"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "Lines, the oldest first", body = LogPage),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn log(
    State(state): State<EdgeState>,
    who: Principal,
    headers: CallHeaders,
    params: Params,
) -> Result<Answer<LogPage>, Problem> {
    let [after_id, limit] = params.take(["after_id", "limit"])?;
    let deadline = headers.deadline()?;
    verbs::agent_log(&state, &who, limit.as_deref(), after_id.as_deref(), deadline).await.map(Answer)
}

/// What users hold, and what there is for them, as it was last compared.
#[utoipa::path(
    get, path = "/v1/wallet", tag = "money", operation_id = "wallet",
    params(("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead")),
    responses(
        (status = 200, description = "The last comparison", body = WalletBody),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn wallet(
    State(state): State<EdgeState>,
    who: Principal,
    headers: CallHeaders,
    _: NoParams,
) -> Result<Answer<WalletBody>, Problem> {
    verbs::wallet(&state, &who, headers.deadline()?).await.map(Answer)
}
