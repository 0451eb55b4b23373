//! Restoring a writer from its newest snapshot, and keeping those it takes. Both on a thread of their own: a state can
//! be large, and nobody waits for its snapshot.

use futures::StreamExt as _;
use ledger_core::{Sequence, Snapshot};

use super::{Done, Partition};
use crate::snapshots::Snapshots;
use crate::writer::Writer;

/// Where snapshots are kept.
pub(super) enum Keeping {
    /// There is no place for them.
    Nowhere,
    /// Here.
    In(Box<Snapshots>),
    /// One is on its way there. Another one that comes meanwhile is not kept.
    Busy,
}

impl Partition {
    /// Snapshots are kept there, and taken after so many bytes of commits.
    pub(crate) fn with_snapshots(self, place: Snapshots, after: u64) -> Self {
        Self { snapshots: Keeping::In(Box::new(place)), snapshot_after: after, ..self }
    }

    /// A writer with the state of the newest snapshot, or with none.
    pub(super) async fn restored(&mut self) -> Writer {
        let Keeping::In(mut place) = std::mem::replace(&mut self.snapshots, Keeping::Busy) else {
            self.snapshots = Keeping::Nowhere;
            return Writer::new(self.id, self.config.clone());
        };
        let (place, restored) = on_a_thread(move || {
            let restored = place.restore();
            (place, restored)
        })
        .await;
        self.snapshots = Keeping::In(place);
        let (id, config) = (self.id, self.config.clone());
        let writer = match restored {
            Some(restored) => {
                let (chain, ledger) = &restored.state;
                let (sequence, accounts) = (chain.sequence, ledger.account_count());
                tracing::info!(partition = %id, sequence, accounts, "restored from a snapshot");
                Writer::restored(id, config, restored.state, restored.size)
            }
            None => Writer::new(id, config),
        };
        writer.with_snapshots_after(self.snapshot_after)
    }

    /// Reads what stands up to the snapshot's commit once, while the writer is at work: it is not replayed, and a log that
    /// is damaged there must not be written on.
    pub(super) fn scrub(&mut self, to: Sequence) {
        let mut entries = self.log.follow(self.id, 0);
        let mut read = 0;
        self.doing.push(Box::pin(async move {
            while read < to {
                match entries.next().await.expect("a followed log ends by an error alone") {
                    Ok(entry) => read = entry.sequence(),
                    Err(error) => return Done::Scrubbed(Err(error)),
                }
                // Whoever asks the writer goes first.
                tokio::task::yield_now().await;
            }
            Done::Scrubbed(Ok(()))
        }));
    }

    /// Keeps a snapshot, while the writer goes on.
    pub(super) fn keep(&mut self, snapshot: Snapshot) {
        match std::mem::replace(&mut self.snapshots, Keeping::Busy) {
            Keeping::In(place) => self.doing.push(Box::pin(saved(place, snapshot))),
            Keeping::Busy => {
                tracing::warn!(partition = %self.id, "a snapshot is not kept: the one before is not written yet")
            }
            Keeping::Nowhere => self.snapshots = Keeping::Nowhere,
        }
    }

    /// The state at the end, when the writer stops in order.
    pub(super) async fn keep_last(&mut self, writer: &mut Writer) {
        if let Some(snapshot) = writer.last_snapshot()
            && let Keeping::In(place) = std::mem::replace(&mut self.snapshots, Keeping::Busy)
        {
            saved(place, snapshot).await;
        }
    }

    /// One is being written.
    pub(super) fn is_keeping(&self) -> bool {
        matches!(self.snapshots, Keeping::Busy)
    }
}

/// A snapshot that can not be written is told of: the next start replays more.
async fn saved(mut place: Box<Snapshots>, snapshot: Snapshot) -> Done {
    on_a_thread(move || {
        let sequence = snapshot.chain.sequence;
        match place.save(&snapshot) {
            Ok(()) => tracing::info!(partition = %snapshot.chain.partition, sequence, "snapshot written"),
            Err(error) => {
                tracing::warn!(partition = %snapshot.chain.partition, sequence, "a snapshot could not be written: {error}")
            }
        }
        Done::Saved(place)
    })
    .await
}

async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("reading and writing snapshots does not panic")
}
