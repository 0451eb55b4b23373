//! BuildWithLocus as a provider of containers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use locus::build::{
    Build, DeploymentStatus, EnvironmentKind, NewProject, NewService as NewLocusService, Probe, Runtime,
    ServiceInfo, Variables,
};
use locus::{ErrorKind, Secret};

use crate::containers::{
    ContainerError, Containers, Deployment, DeploymentState, NewService, Result, Scale, Service,
};
use crate::walks::Walks;

/// The environment that each project has.
const ENVIRONMENT: &str = "production";
/// The service that each environment has.
const SERVICE: &str = "drip-service";

/// BuildWithLocus.
pub struct BuildWithLocus {
    build: Build,
    walks: Walks<Result<Arc<ByName>>>,
}

/// The ids of projects by their names, of each name the oldest first.
type ByName = HashMap<String, Vec<String>>;

impl BuildWithLocus {
    /// Asked by this client.
    pub fn new(build: Build) -> Self {
        Self { build, walks: Walks::default() }
    }
}

async fn all_by_name(build: Build) -> Result<Arc<ByName>> {
    let mut all = build.all_projects().await?;
    all.sort_by(|a, b| (&a.created_at, &a.id).cmp(&(&b.created_at, &b.id)));
    let mut found = ByName::new();
    for project in all {
        found.entry(project.name).or_default().push(project.id);
    }
    Ok(Arc::new(found))
}

impl From<locus::Error> for ContainerError {
    fn from(error: locus::Error) -> Self {
        let lasting = match error.kind() {
            ErrorKind::NotFound | ErrorKind::Gone => return Self::Gone,
            ErrorKind::Auth | ErrorKind::Policy | ErrorKind::InsufficientFunds => true,
            ErrorKind::Invalid | ErrorKind::Rejected { .. } => {
                return Self::Never { reason: error.to_string() };
            }
            _ => false,
        };
        Self::Failed { reason: error.to_string(), lasting }
    }
}

fn service(info: ServiceInfo) -> Result<Service> {
    let missing = || ContainerError::Failed {
        reason: "the provider does not tell where the service answers".to_owned(),
        lasting: false,
    };
    Ok(Service { url: info.url.ok_or_else(missing)?, id: info.id })
}

fn deployment(found: locus::build::Deployment) -> Deployment {
    // Its logs may hold secrets of whoever it belongs to, and what is told here stands in the log for ever.
    let ended = |how: &str| DeploymentState::Failed(format!("the deployment {how}"));
    let state = match &found.status {
        DeploymentStatus::Healthy => DeploymentState::Healthy,
        DeploymentStatus::Failed => ended("failed"),
        DeploymentStatus::Cancelled => ended("was cancelled"),
        DeploymentStatus::RolledBack => ended("was rolled back"),
        _ => DeploymentState::Underway,
    };
    Deployment { id: found.id, state }
}

#[async_trait]
impl Containers for BuildWithLocus {
    async fn projects(&self, name: &str) -> Result<Vec<String>> {
        let found = self.walks.join(all_by_name(self.build.clone())).await?;
        Ok(found.get(name).cloned().unwrap_or_default())
    }

    async fn create_project(&self, name: &str) -> Result<String> {
        let new = NewProject { name: name.to_owned(), description: None, region: None };
        Ok(self.build.create_project(&new).await?.id)
    }

    async fn environment(&self, project: &str) -> Result<Option<String>> {
        let found = self.build.environments(project).await?;
        let ours = found.into_iter().find(|environment| environment.name == ENVIRONMENT);
        Ok(ours.map(|environment| environment.id))
    }

    async fn create_environment(&self, project: &str) -> Result<String> {
        Ok(self.build.create_environment(project, ENVIRONMENT, &EnvironmentKind::Production).await?.id)
    }

    async fn service(&self, environment: &str) -> Result<Option<Service>> {
        let found = self.build.services(environment).await?;
        found.into_iter().find(|found| found.name == SERVICE).map(service).transpose()
    }

    async fn create_service(&self, new: &NewService) -> Result<Service> {
        let runtime = Runtime { cpu: new.cpu, memory: new.memory, min_instances: 1, max_instances: 1 };
        let new = NewLocusService {
            project_id: new.project.clone(),
            environment_id: new.environment.clone(),
            name: SERVICE.to_owned(),
            image_uri: new.image.clone(),
            runtime,
            health_check_path: new.health_path.clone(),
        };
        service(self.build.create_service(&new).await?)
    }

    async fn set_variables(&self, service: &str, variables: &BTreeMap<String, String>) -> Result<()> {
        let secret = |(name, value): (&String, &String)| (name.clone(), Secret::new(value.clone()));
        let variables: Variables = variables.iter().map(secret).collect();
        self.build.replace_variables(service, &variables).await?;
        Ok(())
    }

    async fn scale(&self, service: &str, scale: Scale) -> Result<()> {
        let Scale { min, max, cpu, memory } = scale;
        let runtime = Runtime { cpu, memory, min_instances: min, max_instances: max };
        self.build.set_runtime(service, &runtime).await?;
        Ok(())
    }

    async fn instances(&self, service: &str) -> Result<Option<u32>> {
        let found = self.build.service_with_runtime(service).await?;
        Ok(found.instances.and_then(|instances| instances.desired_count))
    }

    async fn newest_deployment(&self, service: &str) -> Result<Option<Deployment>> {
        let mut found = self.build.deployments(service, 20, None).await?;
        found.sort_by_key(|deployment| deployment.version);
        Ok(found.pop().map(deployment))
    }

    async fn deploy(&self, service: &str, image: &str) -> Result<String> {
        Ok(self.build.deploy_image(service, image).await?.id)
    }

    async fn deployment(&self, id: &str) -> Result<Deployment> {
        Ok(deployment(self.build.deployment(id).await?))
    }

    async fn answers(&self, url: &str, health_path: &str) -> Result<bool> {
        let probe = self.build.probe(url, health_path).await?;
        Ok(matches!(probe, Probe::Answered { .. }))
    }

    async fn delete_service(&self, service: &str) -> Result<()> {
        self.build.delete_service(service).await?;
        Ok(())
    }

    async fn delete_project(&self, project: &str) -> Result<()> {
        self.build.delete_project(project).await?;
        Ok(())
    }
}
