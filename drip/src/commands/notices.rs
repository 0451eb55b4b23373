//! `drip notices`: the mails to a user.

use chrono::SecondsFormat;

use super::connect::ClientArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, text};

/// Show the mails to a user, the newest first.
#[derive(Debug, clap::Args)]
pub(crate) struct NoticesArgs {
    #[command(flatten)]
    client: ClientArgs,
    user: String,
}

impl NoticesArgs {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let notices = self.client.client()?.notices(&self.user).await?;
        let header = ["due", "kind", ">epoch", "state", ">attempts", "reason", "message"];
        output.list(&notices, header, |notice| {
            [
                notice.due_at.to_rfc3339_opts(SecondsFormat::Secs, true),
                notice.kind.clone(),
                notice.epoch.to_string(),
                notice.state.to_string(),
                notice.attempts.to_string(),
                text(notice.reason.as_ref()),
                text(notice.message_id.as_ref()),
            ]
        })?;
        Ok(Exit::Done)
    }
}
