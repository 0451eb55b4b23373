//! Projects and their environments.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Build, Removal};
use crate::error::{Error, ErrorKind};
use crate::lenient;

/// The most projects a page may have (documented).
const PAGE_MAX: u32 = 100;
/// Far more pages than anybody has; it ends the walk when a service gives the same page for ever.
const PAGES_MAX: u32 = 10_000;

/// A project to be created: `POST /projects`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct NewProject {
    /// Its name. Names are not documented to be unique.
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// "us-east-1" or "sa-east-1"; the first when nothing is said (documented).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// Its id, "proj_…".
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub name: String,
    /// Where it runs.
    #[serde(default, deserialize_with = "lenient::option")]
    pub region: Option<String>,
    /// The workspace it belongs to.
    #[serde(default, deserialize_with = "lenient::option")]
    pub workspace_id: Option<String>,
    /// Since when it is, RFC 3339.
    #[serde(default, deserialize_with = "lenient::option")]
    pub created_at: Option<String>,
}

/// A page of projects.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ProjectPage {
    /// The projects.
    pub projects: Vec<Project>,
    /// How many there are on all pages; `None` when it does not say.
    #[serde(default, deserialize_with = "lenient::option")]
    pub total: Option<u64>,
}

open_enum! {
    /// What an environment is for. Other kinds are refused with 400 (documented).
    EnvironmentKind {
        /// Development.
        Development = "development",
        /// Staging.
        Staging = "staging",
        /// Production.
        Production = "production",
    }
}

/// An environment of a project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    /// Its id, "env_…".
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub name: String,
    /// What it is for.
    #[serde(rename = "type", default, deserialize_with = "lenient::or_default")]
    pub kind: EnvironmentKind,
    /// The project it belongs to.
    #[serde(default, deserialize_with = "lenient::option")]
    pub project_id: Option<String>,
}

#[derive(Deserialize)]
struct Environments {
    environments: Vec<Environment>,
}

impl Build {
    /// Creates a project. It is sent once.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`]; after an ambiguous one look for it with [`Build::all_projects`]: names are not documented to be unique.
    pub async fn create_project(&self, project: &NewProject) -> Result<Project, Error> {
        self.ask(&self.post(&["projects"], project)?.slow()).await
    }

    /// A page of projects: at most `limit` (100 at most), after the first `offset`.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`].
    pub async fn projects(&self, limit: u32, offset: u32) -> Result<ProjectPage, Error> {
        let page = [("limit", limit.min(PAGE_MAX).to_string()), ("offset", offset.to_string())];
        self.ask(&self.get(&["projects"])?.query(&page)).await
    }

    /// All projects, from all pages: there is no asking for a name. A project that is deleted during the walk can hide
    /// another one.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`]; [`Decode`](ErrorKind::Decode) when the pages do not end.
    pub async fn all_projects(&self) -> Result<Vec<Project>, Error> {
        let mut all = Vec::new();
        for _ in 0..PAGES_MAX {
            let offset = u32::try_from(all.len()).unwrap_or(u32::MAX);
            let ProjectPage { projects, total } = self.projects(PAGE_MAX, offset).await?;
            let ends = projects.is_empty();
            all.extend(projects);
            if ends || total.is_some_and(|total| all.len() as u64 >= total) {
                return Ok(all);
            }
        }
        let kind = ErrorKind::Decode { snippet: String::new() };
        Err(Error::new(kind, "GET /projects", "its pages do not end"))
    }

    /// Deletes a project: `DELETE /projects/{id}`.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`].
    pub async fn delete_project(&self, id: &str) -> Result<Removal, Error> {
        self.delete(&["projects", id]).await
    }

    /// Creates an environment: `POST /projects/{id}/environments`. It is sent once.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`]; [`NotFound`](ErrorKind::NotFound) when there is no such project.
    pub async fn create_environment(
        &self,
        project_id: &str,
        name: &str,
        kind: &EnvironmentKind,
    ) -> Result<Environment, Error> {
        let body = json!({ "name": name, "type": kind });
        self.ask(&self.post(&["projects", project_id, "environments"], &body)?.slow()).await
    }

    /// The environments of a project.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`].
    pub async fn environments(&self, project_id: &str) -> Result<Vec<Environment>, Error> {
        let list: Environments = self.ask(&self.get(&["projects", project_id, "environments"])?).await?;
        Ok(list.environments)
    }

    /// Deletes an environment, `DELETE /environments/{id}`: the deletion is documented, its path is inferred from those
    /// of services and projects.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`]; [`Conflict`](ErrorKind::Conflict) while it holds services (documented).
    pub async fn delete_environment(&self, id: &str) -> Result<Removal, Error> {
        self.delete(&["environments", id]).await
    }
}
