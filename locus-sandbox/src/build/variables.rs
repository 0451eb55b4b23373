//! Variables of a service. A deployment gets those there are when it is created.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::auth::Caller;
use super::services::BuildService;
use super::{Answer, Refusal, done, read_body};
use crate::record::{Effect, Service};
use crate::store::{Shared, Turn};

type Variables = BTreeMap<String, String>;

#[derive(Deserialize)]
struct Body {
    variables: Variables,
}

/// Replaces all.
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let body: Body = read_body(&body)?;
    shared.turn(|turn| turn.set_variables(&id, |_| body.variables))
}

/// Merges.
pub(super) async fn patch(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let body: Body = read_body(&body)?;
    shared.turn(|turn| turn.set_variables(&id, |old| old.into_iter().chain(body.variables).collect()))
}

/// With what the platform adds, and templates filled in.
pub(super) async fn resolved(State(shared): State<Arc<Shared>>, _: Caller, Path(id): Path<String>) -> Answer {
    shared.look(|turn| Ok(done(&json!({"variables": turn.resolved_variables(turn.service(&id)?)}))))
}

impl Turn<'_> {
    fn set_variables(&mut self, id: &str, change: impl FnOnce(Variables) -> Variables) -> Answer {
        let service = self.service_mut(id)?;
        let after = change(service.variables.clone());
        let before = std::mem::replace(&mut service.variables, after.clone());
        if before != after {
            let names = after.keys().cloned().collect();
            let effect = Effect::VariablesSet { service: id.to_owned(), names, hash: hash(&after) };
            self.note(Service::Build, effect);
        }
        Ok(done(&json!({"variables": after})))
    }

    pub(super) fn resolved_variables(&self, service: &BuildService) -> Variables {
        let siblings = self.store.build.services.values();
        let siblings = siblings.filter(|one| one.environment_id == service.environment_id);
        let siblings: Vec<&BuildService> = siblings.collect();
        let fill = |value: &String| {
            siblings.iter().fold(value.clone(), |text, sibling| {
                text.replace(&format!("${{{{{}.URL}}}}", sibling.name), &self.url_of(sibling))
            })
        };
        let own = service.variables.iter().map(|(name, value)| (name.clone(), fill(value)));
        self.injected(service, &siblings).into_iter().chain(own).collect()
    }

    fn injected(&self, service: &BuildService, siblings: &[&BuildService]) -> Variables {
        let mut injected = Variables::new();
        for sibling in siblings.iter().filter(|sibling| sibling.id != service.id) {
            let name = sibling.name.to_uppercase().replace('-', "_");
            injected.insert(format!("{name}_URL"), self.url_of(sibling));
            injected
                .insert(format!("{name}_INTERNAL_URL"), format!("http://{}.internal:8080", sibling.slug()));
        }
        injected.insert("PORT".to_owned(), "8080".to_owned());
        injected.insert("LOCUS_SERVICE_URL".to_owned(), self.url_of(service));
        injected
    }

    /// The variables a deployment of this service gets now.
    pub(super) fn variables_for_deployment(&self, id: &str) -> Result<Variables, Refusal> {
        Ok(self.resolved_variables(self.service(id)?))
    }
}

/// Over lines of `NAME=value` in the order of the names.
fn hash(variables: &Variables) -> String {
    let lines: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    hex::encode(Sha256::digest(lines))
}
