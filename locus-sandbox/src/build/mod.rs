//! BuildWithLocus, under `/v1`, and the URLs of its services, under `/svc`.

mod auth;
mod billing;
mod deployments;
mod names;
mod progress;
mod projects;
mod runtime;
mod services;
mod urls;
mod variables;
mod webhooks;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post, put};
use ledger_core::Usdc;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use crate::clock::Time;
use crate::config::Funds;
use crate::gate::answer;
use crate::store::Shared;

pub use deployments::{Deployment, DeploymentStatus};
pub use projects::Project;
pub use runtime::Runtime;
pub use services::BuildService;

/// The workspace all keys belong to.
const WORKSPACE: &str = "ws_sandbox";

/// What BuildWithLocus knows.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Build {
    pub(crate) credits: Usdc,
    service_price: Usdc,
    /// When each token ends.
    tokens: BTreeMap<String, Time>,
    /// Counts what is made, for the order in which it is shown.
    made: u64,
    pub(crate) projects: BTreeMap<String, Project>,
    environments: BTreeMap<String, projects::Environment>,
    pub(crate) services: BTreeMap<String, BuildService>,
    pub(crate) deployments: BTreeMap<String, Deployment>,
    webhooks: Vec<webhooks::Webhook>,
}

impl Build {
    pub(crate) fn new(funds: &Funds) -> Self {
        Self { credits: funds.build_credits, service_price: funds.service_price, ..Self::default() }
    }

    /// All existing tokens are refused from now on.
    pub(crate) fn expire_tokens(&mut self) {
        self.tokens.clear();
    }

    fn number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }
}

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/v1/auth/exchange", post(auth::exchange))
        .route("/v1/auth/refresh", post(auth::refresh))
        .route("/v1/auth/whoami", get(auth::whoami))
        .route("/v1/projects", post(projects::create).get(projects::list))
        .route("/v1/projects/{id}", get(projects::read).patch(projects::patch).delete(projects::delete))
        .route(
            "/v1/projects/{id}/environments",
            post(projects::create_environment).get(projects::list_environments),
        )
        .route("/v1/environments/{id}", axum::routing::delete(projects::delete_environment))
        .route(
            "/v1/projects/{project}/environments/{id}",
            axum::routing::delete(projects::delete_environment_of),
        )
        .route("/v1/services", post(services::create))
        .route("/v1/services/environment/{id}", get(services::list))
        .route("/v1/services/{id}", get(services::read).patch(services::patch).delete(services::delete))
        .route("/v1/services/{id}/restart", post(deployments::restart))
        .route("/v1/services/{id}/redeploy", post(deployments::redeploy))
        .route("/v1/variables/service/{id}", put(variables::put).patch(variables::patch))
        .route("/v1/variables/service/{id}/resolved", get(variables::resolved))
        .route("/v1/deployments", post(deployments::create))
        .route("/v1/deployments/{id}", get(deployments::read))
        .route("/v1/deployments/service/{id}", get(deployments::list))
        .route("/v1/deployments/{id}/cancel", post(deployments::cancel))
        .route("/v1/deployments/{id}/rollback", post(deployments::rollback))
        .route("/v1/deployments/{id}/logs", get(deployments::logs))
        .route("/v1/webhooks", post(webhooks::create).get(webhooks::list))
        .route("/v1/webhooks/{id}", axum::routing::delete(webhooks::delete))
        .route("/v1/billing/balance", get(billing::balance))
}

/// The URLs of the services. No fault strikes here: they belong to the users.
pub(crate) fn service_urls() -> Router<Arc<Shared>> {
    Router::new().route("/svc/{slug}", any(urls::root)).route("/svc/{slug}/{*path}", any(urls::path))
}

/// How it says no: `{"error": …}`, sometimes with more.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    body: Box<RawValue>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        let body = to_raw_value(&json!({"error": error.into()})).expect("a text is always JSON");
        Self { status, body }
    }

    fn bad(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{what} not found"))
    }

    fn conflict(error: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        answer(self.status, &self.body)
    }
}

/// What a handler answers.
type Answer = Result<Response, Refusal>;

fn done(body: &impl Serialize) -> Response {
    answer(StatusCode::OK, body)
}

fn created(body: &impl Serialize) -> Response {
    answer(StatusCode::CREATED, body)
}

/// No body at all reads as an empty object.
fn read_body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|error| Refusal::bad(format!("Invalid request body: {error}")))
}

/// An amount as a JSON number, digit for digit.
fn number(amount: Usdc) -> Box<RawValue> {
    RawValue::from_string(amount.to_string()).expect("a decimal is a JSON number")
}
