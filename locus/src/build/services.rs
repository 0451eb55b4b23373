//! Services: a container image, how much of it runs, and where it answers.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::deployments::DeploymentStatus;
use super::{Build, Removal};
use crate::error::Error;
use crate::lenient;

/// How much of a service runs. Always sent whole: whether the service merges a part with what was there or puts it in
/// its place is not documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Runtime {
    /// In 1/1024 of a CPU; 256 is the default (documented).
    pub cpu: u32,
    /// In MiB; 512 is the default (documented).
    pub memory: u32,
    /// The fewest containers. Zero is accepted by nothing documented; watch [`RuntimeInstances::desired_count`] to see
    /// whether it worked.
    pub min_instances: u32,
    /// The most containers. The service's own default is 3 (documented).
    pub max_instances: u32,
}

impl Default for Runtime {
    /// One small container.
    fn default() -> Self {
        Self { cpu: 256, memory: 512, min_instances: 1, max_instances: 1 }
    }
}

/// A service to be created from an image anybody can pull, built for linux/arm64, that listens on port 8080
/// (documented).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewService {
    /// The project.
    pub project_id: String,
    /// The environment.
    pub environment_id: String,
    /// Its name, unique in its environment (documented).
    pub name: String,
    /// The image, "registry/name:tag".
    pub image_uri: String,
    /// How much of it runs.
    pub runtime: Runtime,
    /// Where it says that it is well. Always sent: the default is told differently ("/" and "/health").
    pub health_check_path: String,
}

/// What a service says of how much of it should run. Unknown where it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeSeen {
    /// In 1/1024 of a CPU.
    #[serde(default, deserialize_with = "lenient::option")]
    pub cpu: Option<u32>,
    /// In MiB.
    #[serde(default, deserialize_with = "lenient::option")]
    pub memory: Option<u32>,
    /// The fewest containers.
    #[serde(default, deserialize_with = "lenient::option")]
    pub min_instances: Option<u32>,
    /// The most containers.
    #[serde(default, deserialize_with = "lenient::option")]
    pub max_instances: Option<u32>,
}

/// What runs. The service itself looks only every 30 seconds (documented).
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeInstances {
    /// Containers that run.
    #[serde(default, deserialize_with = "lenient::option")]
    pub running_count: Option<u32>,
    /// Containers that should run.
    #[serde(default, deserialize_with = "lenient::option")]
    pub desired_count: Option<u32>,
    /// Containers that are being started.
    #[serde(default, deserialize_with = "lenient::option")]
    pub pending_count: Option<u32>,
    /// "not_deployed" for a service that never was (documented).
    #[serde(default, deserialize_with = "lenient::option")]
    pub status: Option<String>,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceInfo {
    /// Its id, "svc_…".
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub name: String,
    /// The project.
    #[serde(default, deserialize_with = "lenient::option")]
    pub project_id: Option<String>,
    /// The environment.
    #[serde(default, deserialize_with = "lenient::option")]
    pub environment_id: Option<String>,
    /// Where it answers.
    #[serde(default, deserialize_with = "lenient::option")]
    pub url: Option<String>,
    /// How much of it should run.
    #[serde(default, deserialize_with = "lenient::option")]
    pub runtime: Option<RuntimeSeen>,
    /// Where it says that it is well.
    #[serde(default, deserialize_with = "lenient::option")]
    pub health_check_path: Option<String>,
    /// How its last deployment went.
    #[serde(default, deserialize_with = "lenient::option")]
    pub deployment_status: Option<DeploymentStatus>,
    /// Its last deployment.
    #[serde(default, deserialize_with = "lenient::option")]
    pub last_deployment_id: Option<String>,
    /// When that was, RFC 3339.
    #[serde(default, deserialize_with = "lenient::option")]
    pub last_deployed_at: Option<String>,
    /// What runs; only when it was asked for.
    #[serde(rename = "runtime_instances", alias = "runtimeInstances")]
    #[serde(default, deserialize_with = "lenient::option")]
    pub instances: Option<RuntimeInstances>,
    /// What the service warns of.
    #[serde(default, deserialize_with = "lenient::texts")]
    pub warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Services {
    services: Vec<ServiceInfo>,
}

impl Build {
    /// Creates a service, which is charged for a month at once. It is sent once.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind); [`InsufficientFunds`](crate::ErrorKind::InsufficientFunds) when credits are
    /// short, [`Conflict`](crate::ErrorKind::Conflict) for a name that is taken. After an ambiguous one look for its
    /// name in [`Build::services`].
    pub async fn create_service(&self, service: &NewService) -> Result<ServiceInfo, Error> {
        let NewService { project_id, environment_id, name, image_uri, runtime, health_check_path } = service;
        let Runtime { cpu, memory, min_instances, max_instances } = runtime;
        // The port is forced to 8080 whatever is asked for (documented); saying it keeps the request as documented.
        let body = json!({
            "projectId": project_id, "environmentId": environment_id, "name": name,
            "source": { "type": "image", "imageUri": image_uri },
            "runtime": { "port": 8080, "cpu": cpu, "memory": memory,
                "minInstances": min_instances, "maxInstances": max_instances },
            "healthCheckPath": health_check_path,
        });
        self.ask(&self.post(&["services"], &body)?.slow()).await
    }

    /// Reads a service.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind).
    pub async fn service(&self, id: &str) -> Result<ServiceInfo, Error> {
        self.ask(&self.get(&["services", id])?).await
    }

    /// Reads a service and what runs of it: `?include=runtime`.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind).
    pub async fn service_with_runtime(&self, id: &str) -> Result<ServiceInfo, Error> {
        let include = [("include", "runtime".to_owned())];
        self.ask(&self.get(&["services", id])?.query(&include)).await
    }

    /// The services of an environment.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind).
    pub async fn services(&self, environment_id: &str) -> Result<Vec<ServiceInfo>, Error> {
        let list: Services = self.ask(&self.get(&["services", "environment", environment_id])?).await?;
        Ok(list.services)
    }

    /// Says how much of a service is to run. Whether that holds at once or from the next deployment is not documented.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind).
    pub async fn set_runtime(&self, id: &str, runtime: &Runtime) -> Result<ServiceInfo, Error> {
        let call = self.http.call(Method::PATCH, &["services", id])?.json(&json!({ "runtime": runtime }))?;
        self.ask(&call).await
    }

    /// Deletes a service, which ends its monthly charge.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind).
    pub async fn delete_service(&self, id: &str) -> Result<Removal, Error> {
        self.delete(&["services", id]).await
    }
}
