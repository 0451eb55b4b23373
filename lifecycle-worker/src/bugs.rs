//! Bugs on purpose, none of which is in what is shipped.

use planted::{Bug, on};

use crate::act::project_name;
use crate::job::Job;

/// What a look has found.
pub(crate) fn looked(found: Vec<String>) -> Vec<String> {
    if on(Bug::CreateBlindly) { vec![] } else { found }
}

/// What is done before a claim.
pub(crate) async fn before_claim(job: &Job) {
    if on(Bug::ActBeforeClaim) {
        let name = project_name(job.shared.log, &job.account);
        // What comes of it, the work itself will see.
        let _ = job.shared.containers.create_project(&name).await;
    }
}
