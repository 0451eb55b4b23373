//! An account's history.

use axum::Json as Answer;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{CallHeaders, Named, Params};
use crate::edge::EdgeState;
use crate::edge::auth::Principal;
use crate::edge::dto::answers::JournalPage;
use crate::edge::problem::{Problem, ProblemBody};
use crate::edge::verbs::{self, JournalQuery};

pub(super) fn endpoints() -> OpenApiRouter<EdgeState> {
    OpenApiRouter::new().routes(routes!(journal))
}

/// The events of an account.
#[utoipa::path(
    get, path = "/v1/users/{user_id}/journal", tag = "journal", operation_id = "journal",
    params(
        ("user_id" = String, Path, min_length = 1, max_length = 200, pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$", description = "Percent-encoded"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "1 to 1000; 50 when not said"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before, with the same order"),
        ("order" = Option<String>, Query, pattern = "^(asc|desc)$", description = "desc (newest first, when not said) or asc"),
        ("kind" = Option<String>, Query, pattern = "^(opened|granted|deposited|debited|declined|crossed|closed)$", description = "Only opened, granted, deposited, debited, declined, crossed or closed"),
        ("meter" = Option<String>, Query, min_length = 1, max_length = 100, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$", description = "Only usage of this meter"),
        ("wait_for" = Option<String>, Query, pattern = "^[0-9]+-[0-9]+-[0-9]+$", description = "A position that the views must hold first"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "A page of the journal", body = JournalPage),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn journal(
    State(state): State<EdgeState>,
    who: Principal,
    headers: CallHeaders,
    Named(user): Named,
    params: Params,
) -> Result<Answer<JournalPage>, Problem> {
    let names = ["limit", "cursor", "order", "kind", "meter", "wait_for"];
    let [limit, cursor, order, kind, meter, wait_for] = params.take(names)?;
    let query = JournalQuery { limit, cursor, order, kind, meter, wait_for };
    verbs::journal(&state, &who, &user, query, headers.deadline()?).await.map(Answer)
}
