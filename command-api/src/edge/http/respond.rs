//! The way back: every request has an id, every failure is a problem.

use std::any::Any;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::edge::problem::{EdgeCode, Problem};

/// Names a request in answers and in the log.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How long a caller's own request id may be.
const REQUEST_ID_MAX: usize = 100;

/// The problem itself travels beside the response; `with_problems` writes it down.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = status_of(&self).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

fn status_of(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.body().status).expect("the tables hold only real statuses")
}

/// Keeps the caller's request id when it is short and plain, else makes one; answers it.
pub(super) async fn with_request_id(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(REQUEST_ID).filter(|id| is_plain(id)).cloned();
    let id = given.unwrap_or_else(|| {
        let id = uuid::Uuid::now_v7().to_string();
        HeaderValue::from_str(&id).expect("a UUID is plain text")
    });
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let mut response = next.run(request).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

fn is_plain(id: &HeaderValue) -> bool {
    let bytes = id.as_bytes();
    (1..=REQUEST_ID_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
}

/// Writes problems as JSON with the request's id, also those of layers that know nothing of problems.
pub(super) async fn with_problems(request: Request, next: Next) -> Response {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let reads = request.method().is_safe();
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<Problem>().or_else(|| bare(response.status(), reads)) {
        Some(problem) => written(response, &problem.of_request(&id)),
        None => response,
    }
}

/// What a bare status means. A read that hangs has changed nothing.
fn bare(status: StatusCode, reads: bool) -> Option<Problem> {
    let code = match status {
        StatusCode::GATEWAY_TIMEOUT if reads => EdgeCode::Unavailable,
        StatusCode::GATEWAY_TIMEOUT => EdgeCode::OutcomeUnknown,
        StatusCode::INTERNAL_SERVER_ERROR => EdgeCode::Internal,
        _ => return None,
    };
    Some(Problem::new(code, code.title()))
}

fn written(mut response: Response, problem: &Problem) -> Response {
    let json = serde_json::to_vec(problem).expect("texts and numbers are always JSON");
    *response.status_mut() = status_of(problem);
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = problem.body().retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if problem.body().code == EdgeCode::Unauthorized.as_str() {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    *response.body_mut() = Body::from(json);
    response
}

/// Our own bug: the log gets the message, the caller a problem.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over like this")]
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let message = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message");
    tracing::error!(message, "a request made Drip panic; this is a bug");
    Problem::internal().into_response()
}

pub(super) async fn not_found() -> Problem {
    Problem::new(EdgeCode::NotFound, "There is no such path; /docs shows those there are.")
}

pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(EdgeCode::MethodNotAllowed, EdgeCode::MethodNotAllowed.title())
}
