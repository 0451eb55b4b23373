//! What happens to every request to a service on its way in and back: faults, the content type, the count of refusals.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::faults::Fault;
use crate::record::Service;
use crate::store::Shared;
use crate::{build, mail, pay};

/// Far above any body the services are sent, attachments included.
const BODY_MAX: usize = 16 * 1024 * 1024;

/// Marks a response that must not be sent: the connection is closed instead.
#[derive(Clone, Copy)]
pub(crate) struct Dropped;

/// Which gate this is.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) shared: Arc<Shared>,
    pub(crate) service: Service,
}

/// The layer.
pub(crate) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, BODY_MAX).await else {
        return gate.refusal(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large");
    };
    let fault = gate.fault(&parts, &bytes);
    let response = match gate.stopped(fault.as_ref(), &parts, &bytes).await {
        Some(response) => response,
        None => next.run(Request::from_parts(parts, Body::from(bytes))).await,
    };
    gate.count(&response);
    gate.shared.until_saved().await;
    on_the_way_back(fault, response).await
}

impl Gate {
    fn fault(&self, parts: &Parts, bytes: &Bytes) -> Option<Fault> {
        let path = parts.uri.path();
        let text = format!("{path} {}", String::from_utf8_lossy(bytes));
        let fault = self.shared.look(|turn| turn.fault_of_request(self.service, &parts.method, path, &text));
        if fault.is_some() {
            // It has struck once more, which is to be kept.
            self.shared.turn(|_| ());
        }
        fault
    }

    /// The answer to a request that does not get through.
    async fn stopped(&self, fault: Option<&Fault>, parts: &Parts, bytes: &Bytes) -> Option<Response> {
        match fault {
            Some(Fault::Refuse) => return Some(dropped()),
            Some(Fault::Status { status, retry_after }) => return Some(self.ordered(*status, *retry_after)),
            Some(Fault::LatencyMs { ms }) => tokio::time::sleep(Duration::from_millis(*ms)).await,
            _ => {}
        }
        let wrong = !bytes.is_empty() && !is_json(&parts.headers);
        wrong.then(|| self.refusal(StatusCode::BAD_REQUEST, "Content-Type must be application/json"))
    }

    fn ordered(&self, status: u16, retry_after: Option<u32>) -> Response {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = self.refusal(status, "Ordered from the sandbox");
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// In the words of the service.
    fn refusal(&self, status: StatusCode, message: &str) -> Response {
        match self.service {
            Service::Pay if status == StatusCode::ACCEPTED => pay::approval(),
            Service::Pay => pay::Refusal::new(status, message).into_response(),
            Service::Build => build::Refusal::new(status, message).into_response(),
            Service::Mail => mail::Refusal::of_status(status, message).into_response(),
        }
    }

    fn count(&self, response: &Response) {
        if response.status().as_u16() >= 400 {
            self.shared.turn(|turn| turn.store.record.refused += 1);
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

async fn on_the_way_back(fault: Option<Fault>, response: Response) -> Response {
    match fault {
        Some(Fault::LostAnswer) => dropped(),
        Some(Fault::LateAnswerMs { ms }) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            response
        }
        _ => response,
    }
}

/// Counts as refused where it is one, and is never sent.
fn dropped() -> Response {
    let mut response = StatusCode::SERVICE_UNAVAILABLE.into_response();
    response.extensions_mut().insert(Dropped);
    response
}

/// A JSON answer.
pub(crate) fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    (status, axum::Json(body)).into_response()
}

/// The bearer token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}
