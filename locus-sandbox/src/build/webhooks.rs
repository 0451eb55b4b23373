//! Webhooks of projects: news of deployments, signed in `X-Locus-Signature` with the webhook's own secret, in bare hex.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::auth::Caller;
use super::{Answer, Refusal, created, done, read_body};
use crate::clock::Time;
use crate::record::Service;
use crate::store::{Shared, Turn};
use crate::timers::Timer;
use crate::webhooks::{Delivery, checkout_signature};

const EVENTS: &[&str] = &[
    "deployment.queued",
    "deployment.building",
    "deployment.deploying",
    "deployment.healthy",
    "deployment.failed",
    "deployment.rolled_back",
    "deployment.cancelled",
    "deployment.log",
    "service.error",
    "billing.reminder",
    "billing.failed",
    "billing.delinquent",
    "billing.final_warning",
    "billing.payment_received",
];

/// A registered webhook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Webhook {
    id: String,
    project_id: String,
    url: String,
    events: Vec<String>,
    description: Option<String>,
    secret: String,
    created_at: Time,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    project_id: String,
    url: String,
    events: Vec<String>,
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfProject {
    project_id: Option<String>,
}

pub(super) async fn create(State(shared): State<Arc<Shared>>, _: Caller, body: Bytes) -> Answer {
    let create: Create = read_body(&body)?;
    let invalid: Vec<&String> =
        create.events.iter().filter(|event| !EVENTS.contains(&event.as_str())).collect();
    if !invalid.is_empty() {
        return Err(invalid_events(&invalid));
    }
    shared.turn(|turn| turn.create_webhook(create)).map(|wire| created(&wire))
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Query(of): Query<OfProject>,
) -> Response {
    let wanted = |one: &&Webhook| of.project_id.as_ref().is_none_or(|project| *project == one.project_id);
    let webhooks: Vec<Value> =
        shared.look(|turn| turn.store.build.webhooks.iter().filter(wanted).map(Webhook::wire).collect());
    done(&json!({"webhooks": webhooks}))
}

pub(super) async fn delete(State(shared): State<Arc<Shared>>, _: Caller, Path(id): Path<String>) -> Answer {
    shared.turn(|turn| {
        let webhooks = &mut turn.store.build.webhooks;
        let place = webhooks.iter().position(|webhook| webhook.id == id);
        webhooks.remove(place.ok_or_else(|| Refusal::not_found("Webhook"))?);
        Ok(StatusCode::NO_CONTENT.into_response())
    })
}

fn invalid_events(invalid: &[&String]) -> Refusal {
    let body = json!({"error": "Invalid events", "invalidEvents": invalid, "validEvents": EVENTS});
    let body = to_raw_value(&body).expect("texts are always JSON");
    Refusal { status: StatusCode::BAD_REQUEST, body }
}

impl Webhook {
    /// Without the secret, which only the creation tells.
    fn wire(&self) -> Value {
        json!({
            "id": self.id, "projectId": self.project_id, "url": self.url, "events": self.events,
            "description": self.description, "active": true, "createdAt": self.created_at,
        })
    }
}

impl Turn<'_> {
    fn create_webhook(&mut self, create: Create) -> Result<Value, Refusal> {
        self.project(&create.project_id)?;
        let (id, secret) = (self.store.ids.named("wh"), self.store.ids.hex("build secret", 32));
        let Create { project_id, url, events, description } = create;
        let created_at = self.now;
        let webhook = Webhook { id, project_id, url, events, description, secret, created_at };
        let mut wire = webhook.wire();
        wire["secret"] = json!(webhook.secret);
        self.store.build.webhooks.push(webhook);
        Ok(wire)
    }

    /// Tells of the status that a deployment has reached.
    pub(super) fn tell_of_deployment(&mut self, id: &str) {
        let Ok(deployment) = self.deployment(id) else { return };
        let Ok(service) = self.service(&deployment.service_id) else { return };
        let (project, status) = (service.project_id.clone(), deployment.status.name());
        let event = format!("deployment.{status}");
        let body = json!({
            "event": event, "timestamp": self.now, "deploymentId": id, "serviceId": service.id,
            "projectId": project, "status": status, "version": deployment.version,
        });
        let wants = |one: &&Webhook| one.project_id == project && one.events.contains(&event);
        let webhooks: Vec<Webhook> = self.store.build.webhooks.iter().filter(wants).cloned().collect();
        for webhook in webhooks {
            self.store.timers.add(self.now, Timer::Deliver(delivery(webhook, body.clone(), id, &event)));
        }
    }
}

fn delivery(webhook: Webhook, mut body: Value, about: &str, event: &str) -> Delivery {
    body["webhookId"] = json!(webhook.id);
    let body = body.to_string();
    let signature = checkout_signature(&webhook.secret, &body).replace("sha256=", "");
    let headers = vec![("X-Locus-Signature".to_owned(), signature)];
    let (about, event) = (about.to_owned(), event.to_owned());
    Delivery {
        service: Service::Build,
        url: webhook.url,
        headers,
        body,
        about,
        event,
        attempt: 1,
        svix: None,
    }
}
