//! Routing: how callers that hash find the partition of an account.

use axum::Json as Answer;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::NoParams;
use crate::edge::EdgeState;
use crate::edge::auth::Principal;
use crate::edge::dto::answers::RoutingBody;
use crate::edge::dto::requests::RoutingRequest;
use crate::edge::problem::{Problem, ProblemBody};
use crate::edge::verbs;

pub(super) fn endpoints() -> OpenApiRouter<EdgeState> {
    OpenApiRouter::new().routes(routes!(routing))
}

/// Which partition decides for which account: needed only to ask a partition straight over NATS.
#[utoipa::path(
    get, path = "/v1/routing", tag = "routing", operation_id = "routing",
    responses(
        (status = 200, description = "How slots are dealt to partitions", body = RoutingBody),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
async fn routing(
    State(state): State<EdgeState>,
    who: Principal,
    _: NoParams,
) -> Result<Answer<RoutingBody>, Problem> {
    verbs::routing(&state, &who, &RoutingRequest::default()).map(Answer)
}
