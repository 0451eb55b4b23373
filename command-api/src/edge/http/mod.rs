//! HTTP: routes, and what happens to every request on its way to them and back.
//!
//! In reading order: `extract` (bodies, paths, queries and callers, each with problems of our own), `respond`
//! (request ids, problems as JSON), `serve` (connections), then one file a group of endpoints.

mod checkouts;
mod debits;
mod docs;
mod extract;
mod health;
mod journal;
mod metrics;
mod money;
mod page;
mod respond;
mod routing;
mod serve;
mod sources;
mod upkeep;
mod users;
mod webhook;
mod work;

use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::classify::ServerErrorsFailureClass;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;
use utoipa_axum::router::OpenApiRouter;

use crate::edge::EdgeState;

pub use serve::serve;

/// A little longer than the longest deadline: only what hangs meets it.
const REQUEST_MAX: Duration = Duration::from_secs(35);

/// Everything that is answered over HTTP.
pub fn router(state: EdgeState) -> Router {
    router_until(state, CancellationToken::new())
}

/// The same; who watches is let go at `shutdown`.
fn router_until(state: EdgeState, shutdown: CancellationToken) -> Router {
    let (router, _) = endpoints().split_for_parts();
    let router = router
        .merge(webhook::router())
        .merge(metrics::router())
        .merge(work::router())
        .merge(page::router(shutdown));
    let router = router.with_state(state).merge(docs::router());
    let router = router.fallback(respond::not_found).method_not_allowed_fallback(respond::method_not_allowed);
    on_the_way(router)
}

/// What happens to every request, from the outside in.
fn on_the_way(router: Router) -> Router {
    let layers = ServiceBuilder::new()
        .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION, header::COOKIE]))
        .layer(from_fn(respond::with_request_id))
        .layer(TraceLayer::new_for_http().make_span_with(span).on_failure(failed))
        .layer(from_fn(respond::with_problems))
        .layer(CatchPanicLayer::custom(respond::panicked))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, REQUEST_MAX));
    router.layer(layers)
}

/// The endpoints that the OpenAPI document describes.
pub(super) fn endpoints() -> OpenApiRouter<EdgeState> {
    OpenApiRouter::new()
        .merge(users::endpoints())
        .merge(debits::endpoints())
        .merge(money::endpoints())
        .merge(checkouts::endpoints())
        .merge(upkeep::endpoints())
        .merge(journal::endpoints())
        .merge(sources::endpoints())
        .merge(routing::endpoints())
        .merge(health::endpoints())
}

/// Names the route, never the path: user ids may tell who somebody is.
fn span(request: &Request) -> Span {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    let id = request.headers().get(respond::REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!("http", method = %request.method(), route, request_id = id)
}

/// What is answered 503 or 504 is no error of ours, and comes by the thousand while the log is away, which who talks to
/// the log tells once.
fn failed(failure: ServerErrorsFailureClass, latency: Duration, _: &Span) {
    match failure {
        ServerErrorsFailureClass::StatusCode(status) if status != StatusCode::INTERNAL_SERVER_ERROR => {
            tracing::debug!(%status, ?latency, "answered that it can not be answered now");
        }
        failure => tracing::error!(%failure, ?latency, "response failed"),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::response::Response;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;
    use crate::edge::problem::{EdgeCode, Problem};

    async fn ask(method: &str, path: &str) -> (Response, serde_json::Value) {
        let routes = Router::new()
            .route("/panics", get(async || -> &str { panic!("a secret") }))
            .route("/hangs", get(std::future::pending::<()>).post(std::future::pending::<()>))
            .route("/full", get(async || Problem::new(EdgeCode::Overloaded, "full")));
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = on_the_way(routes).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        (Response::from_parts(parts, Body::empty()), serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn panics_and_hanging_requests_are_problems_too_and_tell_no_secrets() {
        for (method, path, status, code) in [
            ("GET", "/panics", 500, "internal"),
            ("GET", "/hangs", 503, "unavailable"),
            ("POST", "/hangs", 504, "outcome_unknown"),
            ("GET", "/full", 503, "overloaded"),
        ] {
            let (response, body) = ask(method, path).await;
            assert_eq!((response.status().as_u16(), &body["code"]), (status, &code.into()), "{body}");
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            assert_eq!(body["request_id"], response.headers()["x-request-id"].to_str().unwrap());
            assert!(!body.to_string().contains("secret"));
            assert_eq!(response.headers().contains_key("retry-after"), status == 503);
        }
    }
}
