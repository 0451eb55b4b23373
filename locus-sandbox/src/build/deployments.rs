//! Deployments, as they are asked for and shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth::Caller;
use super::runtime::Runtime;
use super::{Answer, Refusal, created, done, read_body};
use crate::clock::Time;
use crate::store::{Shared, Turn};

/// How far a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the service's own names")]
pub enum DeploymentStatus {
    Queued,
    Deploying,
    Healthy,
    Failed,
    Cancelled,
    RolledBack,
}

impl DeploymentStatus {
    /// Whether it goes on.
    #[must_use]
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Queued | Self::Deploying)
    }

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Deploying => "deploying",
            Self::Healthy => "healthy",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::RolledBack => "rolled_back",
        }
    }
}

/// A deployment, as the sandbox keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the service's own")]
#[non_exhaustive]
pub struct Deployment {
    pub id: String,
    pub service_id: String,
    pub version: u32,
    pub status: DeploymentStatus,
    pub source: Value,
    pub created_at: Time,
    pub finished_at: Option<Time>,
    /// When each phase began.
    pub phases: BTreeMap<String, Time>,
    /// The variables it runs with: those of its creation, as they were resolved then.
    pub variables: BTreeMap<String, String>,
    /// The runtime of the service at its creation.
    pub runtime: Runtime,
    /// The logs it will fail with, if it will.
    pub fails_with: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    service_id: Option<String>,
    source: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct Filter {
    limit: Option<usize>,
    status: Option<String>,
}

pub(super) async fn create(State(shared): State<Arc<Shared>>, _: Caller, body: Bytes) -> Answer {
    let create: Create = read_body(&body)?;
    let service = create.service_id.ok_or_else(|| Refusal::bad("serviceId is required"))?;
    shared.turn(|turn| turn.deploy(&service, create.source)).map(|wire| created(&wire))
}

pub(super) async fn redeploy(State(shared): State<Arc<Shared>>, _: Caller, Path(id): Path<String>) -> Answer {
    shared
        .turn(|turn| {
            turn.service(&id)?
                .last_deployment_id
                .as_ref()
                .ok_or_else(|| Refusal::conflict("Nothing was deployed yet"))?;
            turn.deploy(&id, None)
        })
        .map(|wire| done(&wire))
}

pub(super) async fn restart(State(shared): State<Arc<Shared>>, _: Caller, Path(id): Path<String>) -> Answer {
    shared.turn(|turn| {
        if !turn.service(&id)?.runs_at(turn.now) {
            return Err(Refusal::conflict("No instances are running; create a deployment instead"));
        }
        turn.deploy(&id, None).map(|wire| done(&wire))
    })
}

pub(super) async fn read(State(shared): State<Arc<Shared>>, _: Caller, Path(id): Path<String>) -> Answer {
    shared.look(|turn| turn.deployment(&id).map(|deployment| done(&deployment.wire())))
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path(service): Path<String>,
    Query(filter): Query<Filter>,
) -> Answer {
    let wanted = |one: &&Deployment| filter.status.as_ref().is_none_or(|status| status == one.status.name());
    shared.look(|turn| {
        turn.service(&service)?;
        let all = turn.store.build.deployments.values().filter(|one| one.service_id == service);
        let mut found: Vec<&Deployment> = all.filter(wanted).collect();
        found.sort_by_key(|deployment| std::cmp::Reverse(deployment.version));
        let limit = filter.limit.unwrap_or(50);
        let wires: Vec<Value> = found.into_iter().take(limit).map(Deployment::wire).collect();
        Ok(done(&json!({"deployments": wires})))
    })
}

pub(super) async fn cancel(State(shared): State<Arc<Shared>>, _: Caller, Path(id): Path<String>) -> Answer {
    shared.turn(|turn| {
        if !turn.deployment(&id)?.status.is_under_way() {
            return Err(Refusal::conflict("The deployment is already final"));
        }
        turn.finish(&id, DeploymentStatus::Cancelled);
        turn.deployment(&id).map(|deployment| done(&deployment.wire()))
    })
}

pub(super) async fn rollback(State(shared): State<Arc<Shared>>, _: Caller, Path(id): Path<String>) -> Answer {
    shared.turn(|turn| turn.roll_back(&id)).map(|wire| done(&wire))
}

pub(super) async fn logs(State(shared): State<Arc<Shared>>, _: Caller, Path(id): Path<String>) -> Answer {
    shared.look(|turn| turn.deployment(&id).map(|deployment| done(&deployment.logs_wire())))
}

impl Deployment {
    pub(super) fn wire(&self) -> Value {
        let duration = self.finished_at.map(|end| end.unix_millis() - self.created_at.unix_millis());
        let mut wire = json!({
            "id": self.id, "serviceId": self.service_id, "version": self.version, "status": self.status,
            "source": self.source, "createdAt": self.created_at, "durationMs": duration,
            "metadata": {"phaseTimestamps": self.phases},
        });
        if self.status == DeploymentStatus::Failed {
            let logs = self.fails_with.as_deref().unwrap_or_default();
            wire["lastLogs"] = json!(&logs[..logs.len().min(20)]);
        }
        wire
    }

    fn logs_wire(&self) -> Value {
        let (logs, reason) = match (self.status, &self.fails_with) {
            (DeploymentStatus::Failed, Some(logs)) => (logs.clone(), None),
            (DeploymentStatus::Healthy, _) => (vec!["listening on 8080".to_owned()], None),
            (status, _) if status.is_under_way() => (vec![], Some("deploying_no_logs_yet")),
            _ => (vec![], Some("no_logs_available")),
        };
        let mut wire = json!({"logs": logs, "phase": "runtime", "deploymentStatus": self.status});
        if let Some(reason) = reason {
            wire["reason"] = json!(reason);
        }
        wire
    }
}

impl Turn<'_> {
    pub(super) fn deployment(&self, id: &str) -> Result<&Deployment, Refusal> {
        self.store.build.deployments.get(id).ok_or_else(|| Refusal::not_found("Deployment"))
    }
}
