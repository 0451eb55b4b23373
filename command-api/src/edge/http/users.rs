//! Accounts: opening, showing, listing, closing.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{CallHeaders, Json, Named, NoParams, Params, check_debtor};
use crate::edge::EdgeState;
use crate::edge::auth::{Debtor, Principal};
use crate::edge::dto::answers::{AccountBody, AccountPage};
use crate::edge::dto::requests::{CloseRequest, GetRequest, OpenRequest};
use crate::edge::problem::{Problem, ProblemBody};
use crate::edge::verbs::{self, AccountsQuery};

pub(super) fn endpoints() -> OpenApiRouter<EdgeState> {
    OpenApiRouter::new().routes(routes!(open, list)).routes(routes!(show)).routes(routes!(close))
}

/// Open an account. Opening again changes nothing and shows the account.
#[utoipa::path(
    post, path = "/v1/users", tag = "users", operation_id = "open", request_body = OpenRequest,
    params(("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead")),
    responses(
        (status = 201, description = "It is open from now on", body = AccountBody),
        (status = 200, description = "It was open already; nothing changed", body = AccountBody),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn open(
    State(state): State<EdgeState>,
    who: Principal,
    _: NoParams,
    headers: CallHeaders,
    Json(mut body): Json<OpenRequest>,
) -> Result<(StatusCode, Answer<AccountBody>), Problem> {
    headers.merge(None, &mut body)?;
    let account = verbs::open(&state, &who, body).await?;
    let status = if account.created == Some(true) { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Answer(account)))
}

/// List the app's accounts by user id.
#[utoipa::path(
    get, path = "/v1/users", tag = "users", operation_id = "list_users",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "1 to 1000; 50 when not said"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("level" = Option<String>, Query, pattern = "^(healthy|low|exhausted)$", description = "healthy, low or exhausted"),
        ("wait_for" = Option<String>, Query, pattern = "^[0-9]+-[0-9]+-[0-9]+$", description = "A position that the views must hold first"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "A page of accounts", body = AccountPage),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn list(
    State(state): State<EdgeState>,
    who: Principal,
    headers: CallHeaders,
    params: Params,
) -> Result<Answer<AccountPage>, Problem> {
    let [limit, cursor, level, wait_for] = params.take(["limit", "cursor", "level", "wait_for"])?;
    let query = AccountsQuery { limit, cursor, level, wait_for };
    verbs::accounts(&state, &who, query, headers.deadline()?).await.map(Answer)
}

/// Show an account as its owner knows it: the balance is never stale.
#[utoipa::path(
    get, path = "/v1/users/{user_id}", tag = "users", operation_id = "get_user",
    params(
        ("user_id" = String, Path, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$", description = "Percent-encoded"),
        ("expand" = Option<String>, Query, pattern = "^lots$", description = "`lots`: with what is left of which lot"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "The account", body = AccountBody),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn show(
    State(state): State<EdgeState>,
    who: Debtor,
    headers: CallHeaders,
    Named(user): Named,
    params: Params,
) -> Result<Answer<AccountBody>, Problem> {
    check_debtor(&who, Some(&user))?;
    let [expand] = params.take(["expand"])?;
    let mut body = GetRequest { user_id: Some(user), expand, ..GetRequest::default() };
    headers.merge(None, &mut body)?;
    verbs::get(&state, &who.principal, body).await.map(Answer)
}

/// Close an account. It keeps its balance and refuses debits from then on.
#[utoipa::path(
    post, path = "/v1/users/{user_id}/close", tag = "users", operation_id = "close", request_body = CloseRequest,
    params(
        ("user_id" = String, Path, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$", description = "Percent-encoded"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 200, description = "The same as `key`"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "The account; `changed` says whether it was open before", body = AccountBody),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn close(
    State(state): State<EdgeState>,
    who: Principal,
    _: NoParams,
    headers: CallHeaders,
    user: Named,
    body: Option<Json<CloseRequest>>,
) -> Result<Answer<AccountBody>, Problem> {
    let mut body = body.map(|Json(body)| body).unwrap_or_default();
    headers.merge(Some(user), &mut body)?;
    verbs::close(&state, &who, body).await.map(Answer)
}
