//! BuildWithLocus: containers. Projects hold environments, environments hold services, deployments run them.
//!
//! No creation has an idempotency key, so each is sent once: after an ambiguous failure look for your own deterministic
//! name before creating again.

mod billing;
mod deployments;
mod probe;
mod projects;
mod services;
mod token;
mod variables;

use std::fmt;
use std::sync::Arc;

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use billing::{BillingBalance, BillingStatus, BillingWarning};
pub use deployments::{Deployment, DeploymentMetadata, DeploymentStatus};
pub use probe::Probe;
pub use projects::{Environment, EnvironmentKind, NewProject, Project, ProjectPage};
pub use services::{NewService, Runtime, RuntimeInstances, RuntimeSeen, ServiceInfo};
pub use variables::Variables;

use crate::error::{Error, ErrorKind};
use crate::http::{Answer, Call, Http, Service};
use crate::secret::LocusKey;
use crate::timing::Timing;
use token::Tokens;

/// The base URL of production (documented).
pub const PRODUCTION: &str = "https://api.buildwithlocus.com/v1";
/// The base URL of beta (documented).
pub const BETA: &str = "https://beta-api.buildwithlocus.com/v1";

/// What a [`Build`] is made of.
#[derive(Debug, Clone)]
pub struct Config {
    /// The base URL: [`PRODUCTION`], [`BETA`], or a server of your own. With or without "/v1" at its end.
    pub base: String,
    /// The key of the same environment; it is exchanged for a token at the first call.
    pub key: LocusKey,
    /// How long calls may take.
    pub timing: Timing,
}

/// Speaks to BuildWithLocus with one key. Cheap to clone: clones share their connections and their token.
#[derive(Clone)]
pub struct Build {
    http: Http,
    tokens: Arc<Tokens>,
}

/// How a deletion ended. Either way it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It was deleted now.
    Deleted,
    /// It was not there: deleted before, perhaps by an attempt whose answer was lost.
    WasGone,
}

impl fmt::Debug for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Build")
            .field("base", &self.http.base().as_str())
            .field("key", self.tokens.key())
            .finish()
    }
}

impl Build {
    /// For the service the configuration names. Connects only when called.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) for a base that is no http URL.
    pub fn new(config: Config) -> Result<Self, Error> {
        let http = Http::new(Service::Build, &with_version(&config.base), config.timing)?;
        Ok(Self { http, tokens: Arc::new(Tokens::new(config.key)) })
    }

    fn get(&self, path: &[&str]) -> Result<Call, Error> {
        self.http.call(Method::GET, path)
    }

    fn post(&self, path: &[&str], body: &impl Serialize) -> Result<Call, Error> {
        self.http.call(Method::POST, path)?.json(body)
    }

    async fn ask<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Error> {
        let answer = self.send(call).await?;
        answer.decode(call, &answer.body)
    }

    /// Sends a call with the token at hand. A token that is refused is exchanged once; a refused call did nothing, so
    /// this holds for creations too.
    async fn send(&self, call: &Call) -> Result<Answer, Error> {
        let deadline = self.http.deadline();
        let token = self.tokens.current(&self.http, call, deadline).await?;
        let refused = match self.http.send(call, Some(&token.secret), deadline).await {
            Err(error) if *error.kind() == ErrorKind::Auth => error,
            other => return other,
        };
        let doubt = refused.is_ambiguous();
        let renewed = self.tokens.instead_of(&token, &self.http, call, deadline).await;
        let token = renewed.map_err(|error| error.after_doubt(doubt))?;
        let again = self.http.send(call, Some(&token.secret), deadline).await;
        again.map_err(|error| error.after_doubt(doubt))
    }

    async fn delete(&self, path: &[&str]) -> Result<Removal, Error> {
        match self.send(&self.http.call(Method::DELETE, path)?).await {
            Ok(_) => Ok(Removal::Deleted),
            Err(error) if *error.kind() == ErrorKind::NotFound => Ok(Removal::WasGone),
            Err(error) => Err(error),
        }
    }
}

/// Clients write the base both ways.
fn with_version(base: &str) -> String {
    let base = base.trim_end_matches('/');
    if base.ends_with("/v1") { base.to_owned() } else { format!("{base}/v1") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_may_have_the_version_or_not() {
        for base in ["http://x", "http://x/", "http://x/v1", "http://x/v1/"] {
            assert_eq!(with_version(base), "http://x/v1");
        }
    }
}
