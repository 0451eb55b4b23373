//! Sources: how far a numbered feed is, and what of it was declined.

use axum::Json as Answer;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{CallHeaders, Named, Params};
use crate::edge::EdgeState;
use crate::edge::auth::Principal;
use crate::edge::dto::answers::{JournalPage, SourceBody};
use crate::edge::problem::{Problem, ProblemBody};
use crate::edge::verbs::{self, SourceQuery};

pub(super) fn endpoints() -> OpenApiRouter<EdgeState> {
    OpenApiRouter::new().routes(routes!(source)).routes(routes!(declines))
}

/// What is known of a source, with everything that was acknowledged so far.
#[utoipa::path(
    get, path = "/v1/sources/{source}", tag = "sources", operation_id = "source",
    params(
        ("source" = String, Path, min_length = 1, max_length = 200, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$", description = "Percent-encoded"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "Marks and sums", body = SourceBody),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn source(
    State(state): State<EdgeState>,
    who: Principal,
    headers: CallHeaders,
    Named(source): Named,
    params: Params,
) -> Result<Answer<SourceBody>, Problem> {
    let [] = params.take([])?;
    verbs::source(&state, &who, &source, headers.deadline()?).await.map(Answer)
}

/// The declined items of a source, by number.
#[utoipa::path(
    get, path = "/v1/sources/{source}/declines", tag = "sources", operation_id = "source_declines",
    params(
        ("source" = String, Path, min_length = 1, max_length = 200, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$", description = "Percent-encoded"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "1 to 1000; 50 when not said"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("Drip-Deadline" = Option<String>, Header, format = DateTime, description = "RFC 3339, at most 30 s ahead"),
    ),
    responses(
        (status = 200, description = "A page of declines", body = JournalPage),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn declines(
    State(state): State<EdgeState>,
    who: Principal,
    headers: CallHeaders,
    Named(source): Named,
    params: Params,
) -> Result<Answer<JournalPage>, Problem> {
    let [limit, cursor] = params.take(["limit", "cursor"])?;
    let query = SourceQuery { limit, cursor };
    verbs::source_declines(&state, &who, &source, query, headers.deadline()?).await.map(Answer)
}
