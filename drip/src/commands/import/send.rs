//! Hands in batches, in order. A batch without an answer is handed in again: a source's batch is done once.

use std::time::{Duration, Instant};

use drip_client::{Amount, Client, Error, SourceAnswer, SourceBatch, SourceStatus};
use service_kit::Backoff;

use super::Import;
use super::batches::Batch;
use super::progress::Progress;
use crate::failure::{Exit, Failure};

const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Hands in the batches of one source.
pub(super) struct Sender {
    client: Client,
    source: String,
    grant_missing: Option<Amount>,
    patience: Duration,
    digest: Option<String>,
}

impl Sender {
    pub(super) fn new(
        client: Client,
        source: String,
        grant_missing: Option<Amount>,
        patience: Duration,
    ) -> Self {
        Self { client, source, grant_missing, patience, digest: None }
    }

    /// Until it is answered, or patience is over.
    pub(super) async fn send(&mut self, batch: Batch, progress: &Progress) -> Result<SourceAnswer, Failure> {
        let Batch { from, to, last, debits, .. } = batch;
        let (source, grant_missing) = (self.source.clone(), self.grant_missing);
        let wire = SourceBatch { source, from, to, digest: self.digest.clone(), last, grant_missing, debits };
        let mut backoff = Backoff::new(PAUSE, 2, PAUSE_MAX);
        let (began, mut doubt) = (Instant::now(), false);
        loop {
            let error = match self.client.source_batch(&wire).await {
                Ok(answer) => {
                    self.digest = Some(answer.digest.clone());
                    return Ok(answer);
                }
                Err(error) => error,
            };
            doubt |= leaves_doubt(&error);
            if !passes(&error) || began.elapsed() >= self.patience {
                return Err(stopped(error, doubt, from, to));
            }
            progress.say(&format!("rows {} to {to}: {error}; sending them again", from + 1));
            tokio::time::sleep(backoff.next_delay(rand::random())).await;
        }
    }
}

/// Whether the batch may have been done although there is no answer.
fn leaves_doubt(error: &Error) -> bool {
    matches!(error, Error::OutcomeUnknown { .. } | Error::Protocol { .. })
}

/// Why the import ends early. What one attempt left in doubt, no later one takes back.
fn stopped(error: Error, doubt: bool, from: u64, to: u64) -> Failure {
    let far = if doubt { to } else { from };
    let so_far = format!(
        "the import stopped after row {far} of the file; rows up to there may be charged: run the same command again, \
         nothing is charged twice"
    );
    match error {
        error @ (Error::Rejected(_) | Error::Invalid(_)) if !doubt => error.into(),
        Error::Unavailable { .. } if far == 0 => error.into(),
        Error::Unavailable { .. } if !doubt => Failure::new(Exit::Unreachable, so_far).because(&error),
        error @ (Error::Rejected(_) | Error::Protocol { .. }) => Failure::from(error).under(so_far),
        error => Failure::new(Exit::OutcomeUnknown, so_far).because(&error),
    }
}

/// Whether it may go away by itself.
fn passes(error: &Error) -> bool {
    match error {
        Error::Unavailable { .. } | Error::OutcomeUnknown { .. } => true,
        Error::Rejected(problem) => problem.code == "deadline_passed",
        _ => false,
    }
}

/// What the views say of the source, once they have seen all of its items.
pub(super) async fn settled(import: &Import, patience: Duration) -> Result<SourceStatus, Failure> {
    let began = Instant::now();
    loop {
        let reason = match import.client.source(&import.summary.source).await {
            Ok(status) if status.charged + status.declined >= import.summary.items => return Ok(status),
            Ok(_) => "they do not show all of it yet".to_owned(),
            Err(Error::Rejected(problem)) if problem.code == "not_found" => match import.summary.items {
                0 => return Ok(unseen(&import.summary.source)),
                _ => problem.to_string(),
            },
            Err(error) if passes(&error) => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        if began.elapsed() >= patience {
            let what = "the file is imported, but the views can not tell the totals";
            let way_out = "Run the same command again for the totals: nothing is charged twice.";
            return Err(Failure::new(Exit::Unreachable, what).because(&reason).try_this(way_out));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn unseen(source: &str) -> SourceStatus {
    let (marks, amount) = (std::collections::BTreeMap::new(), Amount::default());
    SourceStatus { source: source.to_owned(), marks, charged: 0, declined: 0, amount }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_attempt_left_in_doubt_no_later_one_takes_back() {
        let unavailable = || Error::Unavailable { url: "u".into(), reason: "r".into() };
        let unknown = || Error::OutcomeUnknown { url: "u".into(), key: None, reason: "r".into() };
        let rejected = || Error::Rejected(Box::default());
        for (error, doubt, from, exit, said) in [
            (unavailable(), false, 0, Exit::Unreachable, "nothing was done"),
            (unavailable(), false, 5, Exit::Unreachable, "stopped after row 5 of"),
            (unavailable(), true, 0, Exit::OutcomeUnknown, "stopped after row 9 of"),
            (unknown(), true, 5, Exit::OutcomeUnknown, "stopped after row 9 of"),
            (rejected(), true, 5, Exit::Rejected, "stopped after row 9 of"),
        ] {
            let failure = stopped(error, doubt, from, 9);
            let shown = format!("{failure:?}");
            assert_eq!(failure.exit(), exit, "{shown}");
            assert!(shown.contains(said), "{shown}");
            assert_eq!(shown.contains("nothing was done"), said == "nothing was done", "{shown}");
        }
    }
}
