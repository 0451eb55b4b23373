//! Deployments: a service's image and variables, put to work.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, json};

use super::Build;
use crate::error::Error;
use crate::lenient;

open_enum! {
    /// How far a deployment is.
    DeploymentStatus {
        /// It waits, usually 5 to 30 seconds (documented).
        Queued = "queued",
        /// Its image is built; not for images that are there already.
        Building = "building",
        /// Its containers start.
        Deploying = "deploying",
        /// It runs. Its URL may answer 503 for up to another minute (documented): see [`Build::probe`].
        Healthy = "healthy",
        /// It did not come up.
        Failed = "failed",
        /// It was called off.
        Cancelled = "cancelled",
        /// It ran, and an earlier one was put in its place.
        RolledBack = "rolled_back",
    }
}

impl DeploymentStatus {
    /// It ends here, except that a healthy one may later be rolled back. A word that is not known is not final.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Healthy | Self::Failed | Self::Cancelled | Self::RolledBack)
    }
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Its id, "deploy_…".
    pub id: String,
    /// Its service.
    #[serde(default, deserialize_with = "lenient::option")]
    pub service_id: Option<String>,
    /// Counts up from 1 for each service (documented).
    #[serde(default, deserialize_with = "lenient::option")]
    pub version: Option<u64>,
    /// How far it is.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub status: DeploymentStatus,
    /// Since when it is, RFC 3339.
    #[serde(default, deserialize_with = "lenient::option")]
    pub created_at: Option<String>,
    /// How long it took, in milliseconds.
    #[serde(default, deserialize_with = "lenient::option")]
    pub duration_ms: Option<u64>,
    /// The last lines of its logs when it failed, up to 20. They are the container's own and may hold anything.
    #[serde(default, deserialize_with = "lenient::texts")]
    pub last_logs: Vec<String>,
    /// When it reached each phase.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub metadata: DeploymentMetadata,
}

/// What a deployment says of its course.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentMetadata {
    /// Moments by phase, RFC 3339: "queued", "execution_started", "building", "deploying", "task_definition_registered",
    /// "ecs_service_updated", "first_task_healthy", "healthy", "failed" (documented).
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub phase_timestamps: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Deployments {
    deployments: Vec<Deployment>,
}

impl Build {
    /// Deploys a service as it is now: `POST /deployments`. It is sent once; one too many is only one more rollout.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind); after an ambiguous one look into [`Build::deployments`].
    pub async fn deploy(&self, service_id: &str) -> Result<Deployment, Error> {
        self.ask(&self.post(&["deployments"], &json!({ "serviceId": service_id }))?.slow()).await
    }

    /// Deploys a service with another image from then on: `POST /deployments` with a source. It is sent once.
    ///
    /// # Errors
    ///
    /// As [`Build::deploy`].
    pub async fn deploy_image(&self, service_id: &str, image_uri: &str) -> Result<Deployment, Error> {
        let source = json!({ "type": "image", "imageUri": image_uri });
        let body = json!({ "serviceId": service_id, "source": source });
        self.ask(&self.post(&["deployments"], &body)?.slow()).await
    }

    /// Reads a deployment.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind).
    pub async fn deployment(&self, id: &str) -> Result<Deployment, Error> {
        self.ask(&self.get(&["deployments", id])?).await
    }

    /// A service's deployments: at most `limit`, and only those of a status when one is given.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind).
    pub async fn deployments(
        &self,
        service_id: &str,
        limit: u32,
        status: Option<&DeploymentStatus>,
    ) -> Result<Vec<Deployment>, Error> {
        let limit = ("limit", limit.to_string());
        let status = status.map(|status| ("status", status.to_string()));
        let query: Vec<_> = [Some(limit), status].into_iter().flatten().collect();
        let call = self.get(&["deployments", "service", service_id])?.query(&query);
        let list: Deployments = self.ask(&call).await?;
        Ok(list.deployments)
    }

    /// Calls a deployment off. It is sent once.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind); [`Conflict`](crate::ErrorKind::Conflict) when it is final already.
    pub async fn cancel_deployment(&self, id: &str) -> Result<Deployment, Error> {
        self.ask(&self.post(&["deployments", id, "cancel"], &Map::new())?).await
    }
}
