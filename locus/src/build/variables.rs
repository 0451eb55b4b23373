//! The environment variables of a service. They hold from its next deployment on (documented).

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Build;
use crate::error::Error;
use crate::secret::Secret;

/// Variables by name. Their values are treated as secrets.
pub type Variables = BTreeMap<String, Secret>;

#[derive(Deserialize)]
struct Answered {
    variables: BTreeMap<String, Value>,
}

impl Build {
    /// Puts these variables in the place of all there are: `PUT /variables/service/{id}`. Answers with what there is now.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind). Nothing of the bodies is shown in it.
    pub async fn replace_variables(
        &self,
        service_id: &str,
        variables: &Variables,
    ) -> Result<Variables, Error> {
        self.write_variables(Method::PUT, service_id, variables).await
    }

    /// Adds these variables to those there are, over those of the same names: `PATCH /variables/service/{id}`. Answers
    /// with what there is now.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind). Nothing of the bodies is shown in it.
    pub async fn merge_variables(&self, service_id: &str, variables: &Variables) -> Result<Variables, Error> {
        self.write_variables(Method::PATCH, service_id, variables).await
    }

    async fn write_variables(
        &self,
        method: Method,
        service_id: &str,
        variables: &Variables,
    ) -> Result<Variables, Error> {
        let exposed = variables.iter().map(|(name, value)| (name.clone(), value.expose().into()));
        let body = json!({ "variables": exposed.collect::<Map<_, _>>() });
        let call =
            self.http.call(method, &["variables", "service", service_id])?.confidential().json(&body)?;
        let answered: Answered = self.ask(&call).await?;
        Ok(answered.variables.into_iter().map(|(name, value)| (name, secret(value))).collect())
    }
}

fn secret(value: Value) -> Secret {
    match value {
        Value::String(text) => Secret::new(text),
        other => Secret::new(other.to_string()),
    }
}
