//! Services: made, read, changed, deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::auth::Caller;
use super::runtime::{Runtime, RuntimeFields};
use super::{Answer, Refusal, created, done, read_body};
use crate::clock::Time;
use crate::record::{Effect, Service};
use crate::store::{Shared, Turn};

/// A service, as the sandbox keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the service's own")]
#[non_exhaustive]
pub struct BuildService {
    pub id: String,
    pub name: String,
    pub project_id: String,
    pub environment_id: String,
    pub source: Value,
    pub runtime: Runtime,
    pub health_check_path: String,
    pub auto_deploy: bool,
    pub start_command: Option<String>,
    pub error_patterns: Value,
    /// What the next deployment gets.
    pub variables: BTreeMap<String, String>,
    pub last_deployment_id: Option<String>,
    pub last_deployed_at: Option<Time>,
    /// How many deployments it has had.
    pub version: u32,
    /// How many instances should run; 0 while hibernated or never deployed.
    pub desired: u32,
    /// When the instances run.
    pub running_from: Option<Time>,
    /// When the URL answers.
    pub reachable_from: Option<Time>,
    /// The numbers shown for 30 s, and since when.
    pub cached: Option<(Time, Value)>,
    /// Counts everything that is made.
    pub number: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    project_id: Option<String>,
    environment_id: Option<String>,
    name: Option<String>,
    source: Option<Value>,
    #[serde(default)]
    runtime: RuntimeFields,
    health_check_path: Option<String>,
    #[serde(default)]
    auto_deploy: bool,
    start_command: Option<String>,
    #[serde(default)]
    error_patterns: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Patch {
    name: Option<String>,
    auto_deploy: Option<bool>,
    pub(super) runtime: Option<RuntimeFields>,
    start_command: Option<String>,
    health_check_path: Option<String>,
    error_patterns: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct Include {
    include: Option<String>,
}

pub(super) async fn create(State(shared): State<Arc<Shared>>, _: Caller, body: Bytes) -> Answer {
    let create: Create = read_body(&body)?;
    shared.turn(|turn| turn.create_service(create)).map(|wire| created(&wire))
}

pub(super) async fn read(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path(id): Path<String>,
    Query(query): Query<Include>,
) -> Answer {
    shared.look(|turn| {
        let mut wire = turn.service_wire(&id)?;
        if query.include.is_some_and(|include| include.split(',').any(|part| part == "runtime")) {
            wire["runtime_instances"] = turn.shown_instances(&id)?;
        }
        Ok(done(&wire))
    })
}

pub(super) async fn list(State(shared): State<Arc<Shared>>, _: Caller, Path(id): Path<String>) -> Answer {
    shared.look(|turn| {
        turn.environment(&id)?;
        Ok(done(&json!({"services": turn.wires(|service| service.environment_id == id)})))
    })
}

pub(super) async fn patch(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let patch: Patch = read_body(&body)?;
    shared.turn(|turn| {
        let service = turn.service(&id)?;
        if let Some(name) = patch.name.as_ref().filter(|name| **name != service.name) {
            turn.name_is_free(&service.environment_id, name)?;
        }
        if let Some(fields) = &patch.runtime {
            turn.patch_runtime(&id, fields)?;
        }
        turn.patch_service(&id, patch)?;
        turn.service_wire(&id).map(|wire| done(&wire))
    })
}

pub(super) async fn delete(State(shared): State<Arc<Shared>>, _: Caller, Path(id): Path<String>) -> Answer {
    shared.turn(|turn| {
        turn.service(&id)?;
        turn.delete_service(&id);
        Ok(StatusCode::NO_CONTENT.into_response())
    })
}

impl BuildService {
    /// The part of its URL that is its own.
    #[must_use]
    pub fn slug(&self) -> String {
        self.id.replace('_', "-")
    }

    /// Whether instances run by then.
    #[must_use]
    pub fn runs_at(&self, now: Time) -> bool {
        self.desired > 0 && self.running_from.is_some_and(|from| from <= now)
    }

    /// Whether its URL answers by then.
    #[must_use]
    pub fn answers_at(&self, now: Time) -> bool {
        self.runs_at(now) && self.reachable_from.is_some_and(|from| from <= now)
    }
}

impl Turn<'_> {
    pub(super) fn service(&self, id: &str) -> Result<&BuildService, Refusal> {
        self.store.build.services.get(id).ok_or_else(|| Refusal::not_found("Service"))
    }

    pub(super) fn service_mut(&mut self, id: &str) -> Result<&mut BuildService, Refusal> {
        self.store.build.services.get_mut(id).ok_or_else(|| Refusal::not_found("Service"))
    }

    /// Where its URL is answered: by the sandbox itself.
    pub(super) fn url_of(&self, service: &BuildService) -> String {
        format!("{}/svc/{}", self.shared.public_url, service.slug())
    }

    fn service_wire(&self, id: &str) -> Result<Value, Refusal> {
        let service = self.service(id)?;
        let deployment = service.last_deployment_id.as_ref();
        let deployment = deployment.and_then(|id| self.store.build.deployments.get(id));
        Ok(json!({
            "id": service.id, "name": service.name, "projectId": service.project_id,
            "environmentId": service.environment_id, "source": service.source, "url": self.url_of(service),
            "runtime": service.runtime, "healthCheckPath": service.health_check_path,
            "autoDeploy": service.auto_deploy, "startCommand": service.start_command,
            "errorPatterns": service.error_patterns,
            "deploymentStatus": deployment.map(|deployment| deployment.status),
            "lastDeploymentId": service.last_deployment_id, "lastDeployedAt": service.last_deployed_at,
            "warnings": [],
        }))
    }

    fn wires(&self, wanted: impl Fn(&BuildService) -> bool) -> Vec<Value> {
        let mut services: Vec<_> = self.store.build.services.values().filter(|one| wanted(one)).collect();
        services.sort_by_key(|service| service.number);
        services.iter().filter_map(|service| self.service_wire(&service.id).ok()).collect()
    }

    /// As they are embedded in a project, each with the status of its last deployment.
    pub(super) fn services_of_project(&self, project: &str) -> Vec<Value> {
        let mut wires = self.wires(|service| service.project_id == project);
        for wire in &mut wires {
            let status = wire["deploymentStatus"].clone();
            wire["latestDeployment"] = if status.is_null() { status } else { json!({"status": status}) };
        }
        wires
    }

    fn create_service(&mut self, create: Create) -> Result<Value, Refusal> {
        let (project_id, environment_id, name) = self.place(&create)?;
        let source = source(create.source)?;
        let runtime = Runtime::default().with(&create.runtime)?;
        self.charge_for_service()?;
        let (id, number) = (self.store.ids.named("svc"), self.store.build.number());
        let service = BuildService {
            id: id.clone(),
            name: name.clone(),
            project_id: project_id.clone(),
            environment_id,
            source,
            runtime,
            health_check_path: create.health_check_path.unwrap_or_else(|| "/".to_owned()),
            auto_deploy: create.auto_deploy,
            start_command: create.start_command,
            error_patterns: create.error_patterns,
            variables: BTreeMap::new(),
            last_deployment_id: None,
            last_deployed_at: None,
            version: 0,
            desired: 0,
            running_from: None,
            reachable_from: None,
            cached: None,
            number,
        };
        self.store.build.services.insert(id.clone(), service);
        self.note(Service::Build, Effect::ServiceCreated { id: id.clone(), project: project_id, name });
        self.service_wire(&id)
    }

    /// Project, environment and name of a new service.
    fn place(&self, create: &Create) -> Result<(String, String, String), Refusal> {
        let required = |field: &Option<String>, name: &str| {
            let field = field.clone().filter(|text| !text.is_empty());
            field.ok_or_else(|| Refusal::bad(format!("{name} is required")))
        };
        let project = required(&create.project_id, "projectId")?;
        let environment = required(&create.environment_id, "environmentId")?;
        let name = required(&create.name, "name")?;
        self.project(&project)?;
        if self.environment(&environment)?.project_id != project {
            return Err(Refusal::not_found("Environment"));
        }
        self.name_is_free(&environment, &name)?;
        Ok((project, environment, name))
    }

    fn name_is_free(&self, environment: &str, name: &str) -> Result<(), Refusal> {
        let taken = |one: &BuildService| one.environment_id == environment && one.name == name;
        let taken = self.store.build.services.values().any(taken);
        let refusal = || Refusal::conflict(format!("A service named {name} exists in this environment"));
        (!taken).then_some(()).ok_or_else(refusal)
    }

    fn patch_service(&mut self, id: &str, patch: Patch) -> Result<(), Refusal> {
        let service = self.service_mut(id)?;
        service.name = patch.name.unwrap_or_else(|| service.name.clone());
        service.auto_deploy = patch.auto_deploy.unwrap_or(service.auto_deploy);
        service.start_command = patch.start_command.or_else(|| service.start_command.clone());
        service.error_patterns = patch.error_patterns.unwrap_or_else(|| service.error_patterns.clone());
        let path = patch.health_check_path;
        service.health_check_path = path.unwrap_or_else(|| service.health_check_path.clone());
        Ok(())
    }

    pub(super) fn delete_service(&mut self, id: &str) {
        let Some(service) = self.store.build.services.remove(id) else { return };
        self.store.build.deployments.retain(|_, deployment| deployment.service_id != id);
        let BuildService { id, project_id: project, name, .. } = service;
        self.note(Service::Build, Effect::ServiceDeleted { id, project, name });
    }

    pub(super) fn delete_services_of_project(&mut self, project: &str) {
        let services = self.store.build.services.values().filter(|service| service.project_id == project);
        let ids: Vec<String> = services.map(|service| service.id.clone()).collect();
        ids.iter().for_each(|id| self.delete_service(id));
    }
}

/// What a service is made of. Only the image says more than its type here.
fn source(source: Option<Value>) -> Result<Value, Refusal> {
    let source = source.filter(Value::is_object).unwrap_or(Value::Object(Map::new()));
    let image = source["imageUri"].as_str().is_some_and(|uri| !uri.is_empty());
    match source["type"].as_str() {
        Some("image") if image => Ok(source),
        Some("image") => Err(Refusal::bad("source.imageUri is required")),
        Some("github" | "s3") => Ok(source),
        _ => Err(Refusal::bad("source.type must be image, github or s3")),
    }
}
