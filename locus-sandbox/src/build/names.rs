//! Whom an id belongs to.

use crate::store::Turn;

impl Turn<'_> {
    /// The names behind the ids in a text: of projects and services, of what is in them, and the metadata of checkout
    /// sessions.
    pub(crate) fn names_behind(&self, text: &str) -> String {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
        let names: Vec<String> = words.flat_map(|word| self.names_of(word)).collect();
        names.join(" ")
    }

    fn names_of(&self, id: &str) -> Vec<String> {
        let build = &self.store.build;
        let service = build.deployments.get(id).map_or(id, |deployment| deployment.service_id.as_str());
        let service = build.services.get(service);
        let environment = build.environments.get(id).map(|environment| environment.project_id.as_str());
        let project = service.map(|service| service.project_id.as_str()).or(environment).unwrap_or(id);
        let project = build.projects.get(project).map(|project| project.name.clone());
        let session = self.store.pay.sessions.get(id).into_iter();
        let metadata = session.flat_map(|session| session.metadata.values().cloned());
        service.map(|service| service.name.clone()).into_iter().chain(project).chain(metadata).collect()
    }
}
