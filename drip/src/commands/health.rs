//! `drip health`: whether a Drip takes commands, for health checks and people.

use std::time::Duration;

use drip_client::{Check, Client};

use crate::failure::{Exit, Failure};
use crate::output::Output;

/// A health check waits no longer.
const PATIENCE: Duration = Duration::from_secs(4);

/// Ask whether a Drip takes commands: exit code 0 when it does, 4 when it does not. Needs no API key.
#[derive(Debug, clap::Args)]
pub(crate) struct HealthArgs {
    /// Where Drip is.
    #[arg(long, env = "DRIP_URL", default_value = "http://127.0.0.1:8377", value_name = "URL")]
    url: String,
}

impl HealthArgs {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let readiness = Client::new(&self.url, "")?.with_deadline(PATIENCE).ready().await?;
        if output.json {
            return output.lines(&[readiness]).map(|()| Exit::Done);
        }
        output.list(&readiness.checks, ["part", "state"], cells)?;
        Ok(Exit::Done)
    }
}

fn cells(check: &Check) -> [String; 2] {
    let state = match (&check.detail, check.ok) {
        (Some(detail), _) => detail.clone(),
        (None, true) => "ok".to_owned(),
        (None, false) => "not ok".to_owned(),
    };
    [check.name.clone(), state]
}
