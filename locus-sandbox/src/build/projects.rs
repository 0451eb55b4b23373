//! Projects and their environments.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth::Caller;
use super::{Answer, Refusal, WORKSPACE, created, done, read_body};
use crate::clock::Time;
use crate::record::{Effect, Service};
use crate::store::{Shared, Turn};

const REGIONS: &[&str] = &["us-east-1", "sa-east-1"];
const KINDS: &[&str] = &["development", "staging", "production"];

/// A project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the service's own")]
#[non_exhaustive]
pub struct Project {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub region: String,
    pub created_at: Time,
    /// Counts everything that is made.
    pub number: u64,
}

/// An environment of a project.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Environment {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) project_id: String,
}

impl Project {
    fn wire(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "description": self.description, "region": self.region,
            "workspaceId": WORKSPACE, "createdAt": self.created_at,
        })
    }
}

impl Environment {
    fn wire(&self) -> Value {
        json!({"id": self.id, "name": self.name, "type": self.kind, "projectId": self.project_id})
    }
}

#[derive(Deserialize)]
pub(super) struct Fields {
    name: Option<String>,
    description: Option<String>,
    region: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Window {
    limit: Option<usize>,
    #[serde(default)]
    offset: usize,
}

pub(super) async fn create(State(shared): State<Arc<Shared>>, _: Caller, body: Bytes) -> Answer {
    let fields: Fields = read_body(&body)?;
    shared.turn(|turn| turn.create_project(fields)).map(|wire| created(&wire))
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Query(window): Query<Window>,
) -> Response {
    let limit = window.limit.unwrap_or(50).min(100);
    done(&shared.look(|turn| {
        let mut all: Vec<&Project> = turn.store.build.projects.values().collect();
        all.sort_by_key(|project| project.number);
        let page: Vec<Value> = all.iter().skip(window.offset).take(limit).map(|one| one.wire()).collect();
        json!({"projects": page, "total": all.len()})
    }))
}

pub(super) async fn read(State(shared): State<Arc<Shared>>, _: Caller, Path(id): Path<String>) -> Answer {
    shared.look(|turn| {
        let mut wire = turn.project(&id)?.wire();
        wire["services"] = json!(turn.services_of_project(&id));
        Ok(done(&wire))
    })
}

pub(super) async fn patch(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let fields: Fields = read_body(&body)?;
    shared.turn(|turn| {
        let project = turn.store.build.projects.get_mut(&id).ok_or_else(|| Refusal::not_found("Project"))?;
        project.name = fields.name.unwrap_or_else(|| project.name.clone());
        project.description = fields.description.or_else(|| project.description.clone());
        Ok(done(&project.wire()))
    })
}

/// With everything in it.
pub(super) async fn delete(State(shared): State<Arc<Shared>>, _: Caller, Path(id): Path<String>) -> Answer {
    shared.turn(|turn| {
        let name = turn.project(&id)?.name.clone();
        turn.delete_services_of_project(&id);
        turn.store.build.environments.retain(|_, environment| environment.project_id != id);
        turn.store.build.projects.remove(&id);
        turn.note(Service::Build, Effect::ProjectDeleted { id, name });
        Ok(StatusCode::NO_CONTENT.into_response())
    })
}

pub(super) async fn create_environment(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path(project): Path<String>,
    body: Bytes,
) -> Answer {
    let fields: Fields = read_body(&body)?;
    shared.turn(|turn| turn.create_environment(project, fields)).map(|wire| created(&wire))
}

pub(super) async fn list_environments(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path(project): Path<String>,
) -> Answer {
    shared.look(|turn| {
        turn.project(&project)?;
        let all = turn.store.build.environments.values();
        let ours: Vec<Value> = all.filter(|one| one.project_id == project).map(Environment::wire).collect();
        Ok(done(&json!({"environments": ours})))
    })
}

pub(super) async fn delete_environment(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path(id): Path<String>,
) -> Answer {
    shared.turn(|turn| turn.delete_environment(id))
}

pub(super) async fn delete_environment_of(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path((_, id)): Path<(String, String)>,
) -> Answer {
    shared.turn(|turn| turn.delete_environment(id))
}

fn name(fields: &Fields) -> Result<String, Refusal> {
    let name = fields.name.clone().filter(|name| !name.trim().is_empty());
    name.ok_or_else(|| Refusal::bad("name is required"))
}

fn one_of(value: Option<String>, default: &str, all: &[&str], what: &str) -> Result<String, Refusal> {
    let value = value.unwrap_or_else(|| default.to_owned());
    let known = all.contains(&value.as_str());
    known.then_some(value).ok_or_else(|| Refusal::bad(format!("{what} must be one of {}", all.join(", "))))
}

impl Turn<'_> {
    pub(super) fn project(&self, id: &str) -> Result<&Project, Refusal> {
        self.store.build.projects.get(id).ok_or_else(|| Refusal::not_found("Project"))
    }

    pub(super) fn environment(&self, id: &str) -> Result<&Environment, Refusal> {
        self.store.build.environments.get(id).ok_or_else(|| Refusal::not_found("Environment"))
    }

    fn create_project(&mut self, fields: Fields) -> Result<Value, Refusal> {
        let name = name(&fields)?;
        let region = one_of(fields.region, "us-east-1", REGIONS, "region")?;
        let (id, number) = (self.store.ids.named("proj"), self.store.build.number());
        let description = fields.description;
        let project =
            Project { id: id.clone(), name: name.clone(), description, region, created_at: self.now, number };
        let wire = project.wire();
        self.store.build.projects.insert(id.clone(), project);
        self.note(Service::Build, Effect::ProjectCreated { id, name });
        Ok(wire)
    }

    fn create_environment(&mut self, project: String, fields: Fields) -> Result<Value, Refusal> {
        self.project(&project)?;
        let name = name(&fields)?;
        let kind = one_of(fields.kind, "", KINDS, "type")?;
        let id = self.store.ids.named("env");
        let project_id = project.clone();
        let environment = Environment { id: id.clone(), name: name.clone(), kind, project_id };
        let wire = environment.wire();
        self.store.build.environments.insert(id.clone(), environment);
        self.note(Service::Build, Effect::EnvironmentCreated { id, project, name });
        Ok(wire)
    }

    fn delete_environment(&mut self, id: String) -> Answer {
        let project = self.environment(&id)?.project_id.clone();
        if self.store.build.services.values().any(|service| service.environment_id == id) {
            return Err(Refusal::conflict("The environment still has services"));
        }
        self.store.build.environments.remove(&id);
        self.note(Service::Build, Effect::EnvironmentDeleted { id, project });
        Ok(StatusCode::NO_CONTENT.into_response())
    }
}
