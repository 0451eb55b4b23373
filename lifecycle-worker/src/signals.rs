//! Signals: events that may change what is due for a container. They come from the log as it grows; what came before is
//! the sweep's.

use std::time::Duration;

use event_log::{Entry, EventLog};
use futures::StreamExt as _;
use futures::stream::select_all;
use ledger_core::commit::Commit;
use ledger_core::level::Line;
use ledger_core::{AccountId, Event, PartitionId, Sequence};
use tokio::sync::mpsc::Sender;

use crate::Error;

/// Hears of everything from now on. Errors: the log can not be followed any more.
pub(crate) async fn listen(log: &dyn EventLog, heard: Sender<AccountId>) -> Result<(), Error> {
    let mut partitions = Vec::new();
    for partition in log.identity().partitions() {
        partitions.push(log.follow(partition, head(log, partition).await));
    }
    let mut entries = select_all(partitions);
    while let Some(entry) = entries.next().await {
        let Entry::Commit(stored) = entry.map_err(Error::Log)? else { continue };
        // What can not be read stops the writer and the projector; here it is no signal.
        let Ok(commit) = Commit::decode(&stored.bytes) else { continue };
        for account in commit.events.iter().filter_map(concerned) {
            if heard.send(account.clone()).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Where the partition ends now. A log that can not be reached is waited for.
async fn head(log: &dyn EventLog, partition: PartitionId) -> Sequence {
    loop {
        match log.head(partition).await {
            Ok(head) => return head,
            Err(error) => {
                tracing::warn!(%error, %partition, "the log could not be asked how far it is");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// The account whose container may have to be looked at.
fn concerned(event: &Event) -> Option<&AccountId> {
    let concerns = match event {
        Event::Crossed(event) => event.line == Line::Exhausted,
        Event::Granted(event) | Event::Deposited(event) => event.epoch_started.is_some(),
        Event::Debited(event) => event.epoch_started.is_some(),
        Event::ContainerSet(_) | Event::Paused(_) | Event::Resumed(_) | Event::AccountClosed(_) => true,
        _ => false,
    };
    event.account().filter(|_| concerns)
}
