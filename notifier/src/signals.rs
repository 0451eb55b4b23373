//! What the log says of accounts that are to be looked at.

use std::sync::Arc;
use std::time::Duration;

use event_log::{Entry, EventLog, ReadError};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use ledger_core::commit::Commit;
use ledger_core::upkeep::{NoticeStep, Step};
use ledger_core::{AccountId, Event, Label, PartitionId, Sequence, Timestamp};
use service_kit::Backoff;

use crate::error::Error;

/// An account to be looked at, now or then.
pub(crate) type Signal = (AccountId, Option<Timestamp>);

/// Entries of all partitions, each from its end on.
pub(crate) fn follow(log: &Arc<dyn EventLog>) -> BoxStream<'static, Result<Entry, ReadError>> {
    let partitions = log.identity().partitions();
    stream::select_all(partitions.map(|partition| follow_one(Arc::clone(log), partition))).boxed()
}

fn follow_one(
    log: Arc<dyn EventLog>,
    partition: PartitionId,
) -> BoxStream<'static, Result<Entry, ReadError>> {
    let entries = async move {
        match head(&*log, partition).await {
            Ok(head) => log.follow(partition, head),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    };
    stream::once(entries).flatten().boxed()
}

/// An outage is waited for: what happens meanwhile, the sweep finds.
async fn head(log: &dyn EventLog, partition: PartitionId) -> Result<Sequence, ReadError> {
    let mut backoff = Backoff::new(Duration::from_millis(50), 2, Duration::from_secs(2));
    loop {
        match log.head(partition).await {
            Err(ReadError::Unavailable { .. }) => {
                tokio::time::sleep(backoff.next_delay(rand::random())).await;
            }
            answer => return answer,
        }
    }
}

/// The signals of an entry, for this worker.
pub(crate) fn of_entry(entry: &Entry, worker: &Label) -> Result<Vec<Signal>, Error> {
    let Entry::Commit(stored) = entry else { return Ok(vec![]) };
    let commit = Commit::decode(&stored.bytes).map_err(|source| Error::Commit {
        partition: stored.prefix.partition,
        sequence: stored.prefix.sequence,
        source,
    })?;
    Ok(commit.events.iter().filter_map(|event| signal(event, worker)).collect())
}

fn signal(event: &Event, worker: &Label) -> Option<Signal> {
    let now = |account: &AccountId| Some((account.clone(), None));
    match event {
        Event::Crossed(event) => now(&event.account),
        Event::Granted(event) | Event::Deposited(event) if event.wakes => now(&event.account),
        // The mail that tells of a wake waits for this.
        Event::LifecycleStepped(event) if event.step == Step::Running => now(&event.account),
        Event::NoticeStepped(event) => {
            let at = match event.step {
                NoticeStep::Failed { retry_at, .. } => retry_at,
                // Of our own claims we see the end ourselves.
                NoticeStep::Claimed { until, .. } if event.worker != *worker => until,
                _ => return None,
            };
            Some((event.account.clone(), Some(at)))
        }
        _ => None,
    }
}
