//! What a provider of containers can do.

use std::collections::BTreeMap;

use async_trait::async_trait;

/// A call to a provider failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ContainerError {
    /// What it is about is not there any more.
    #[error("it is not there any more")]
    Gone,
    /// It is never done as it was asked for.
    #[error("{reason}")]
    Never {
        /// What was seen, fit to be shown.
        reason: String,
    },
    /// Anything else. It may have been done nevertheless.
    #[error("{reason}")]
    Failed {
        /// What was seen, fit to be shown.
        reason: String,
        /// It makes no sense to try again soon: a person must act.
        lasting: bool,
    },
}

/// A service that a provider has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// As the provider calls it.
    pub id: String,
    /// Where it answers.
    pub url: String,
}

/// What a new service is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewService {
    /// As the provider calls it.
    pub project: String,
    /// As the provider calls it.
    pub environment: String,
    /// A public image with its tag.
    pub image: String,
    /// Where it answers that it is well.
    pub health_path: String,
    /// CPU units.
    pub cpu: u32,
    /// MiB.
    pub memory: u32,
}

/// How many instances a service is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// At least.
    pub min: u32,
    /// At most.
    pub max: u32,
    /// CPU units of each: the whole object is always sent.
    pub cpu: u32,
    /// MiB of each.
    pub memory: u32,
}

/// How far a deployment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeploymentState {
    /// Under way.
    Underway,
    /// It runs, as far as the provider knows.
    Healthy,
    /// It ended otherwise, with what was seen.
    Failed(String),
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// As the provider calls it.
    pub id: String,
    /// How far it is.
    pub state: DeploymentState,
}

/// What a call gave.
pub type Result<T> = std::result::Result<T, ContainerError>;

/// A provider of containers. Whatever creates something is only called after it was looked whether it is there.
#[async_trait]
pub trait Containers: Send + Sync + 'static {
    /// Projects of exactly this name, the oldest first.
    async fn projects(&self, name: &str) -> Result<Vec<String>>;
    /// Makes a project; its id.
    async fn create_project(&self, name: &str) -> Result<String>;
    /// The environment of a project that is ours.
    async fn environment(&self, project: &str) -> Result<Option<String>>;
    /// Makes it; its id.
    async fn create_environment(&self, project: &str) -> Result<String>;
    /// The service of an environment that is ours.
    async fn service(&self, environment: &str) -> Result<Option<Service>>;
    /// Makes it.
    async fn create_service(&self, service: &NewService) -> Result<Service>;
    /// Sets all variables of a service.
    async fn set_variables(&self, service: &str, variables: &BTreeMap<String, String>) -> Result<()>;
    /// Says how many instances it is to have.
    async fn scale(&self, service: &str, scale: Scale) -> Result<()>;
    /// How many instances the provider wants it to have now; `None`: it does not tell, which is no zero.
    async fn instances(&self, service: &str) -> Result<Option<u32>>;
    /// Its newest deployment.
    async fn newest_deployment(&self, service: &str) -> Result<Option<Deployment>>;
    /// Deploys it with this image; the deployment's id.
    async fn deploy(&self, service: &str, image: &str) -> Result<String>;
    /// How far a deployment is.
    async fn deployment(&self, id: &str) -> Result<Deployment>;
    /// Whether it answers on its health path.
    async fn answers(&self, url: &str, health_path: &str) -> Result<bool>;
    /// Takes a service away; fine when it is gone.
    async fn delete_service(&self, service: &str) -> Result<()>;
    /// Takes a project away with all that is in it; fine when it is gone.
    async fn delete_project(&self, project: &str) -> Result<()>;
}
