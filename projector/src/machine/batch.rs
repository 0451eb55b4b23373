//! Entries of a partition, folded until they are given to the store.

use event_log::{Entry, StoredCommit};
use ledger_core::Sequence;
use ledger_core::commit::Commit;

use crate::config::Config;
use crate::delta::Delta;
use crate::error::ProjectorError;
use crate::fold::Fold;
use crate::rows::ChainPosition;

/// What will be the next transaction.
#[derive(Debug)]
pub(super) struct Batch {
    fold: Fold,
    entries: usize,
    /// Of its commits.
    bytes: usize,
}

impl Batch {
    /// Begins behind what the views hold, or will hold by then.
    pub(super) fn new(from: ChainPosition) -> Self {
        Self { fold: Fold::new(from), entries: 0, bytes: 0 }
    }

    /// The last sequence that is in it, or right before it.
    pub(super) fn read(&self) -> Sequence {
        self.fold.position().read
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// It is as large as a transaction should be.
    pub(super) fn is_full(&self, config: &Config) -> bool {
        self.entries >= config.batch_entries || self.bytes >= config.batch_bytes
    }

    /// Folds an entry.
    ///
    /// Errors: it can not be read, or does not continue the chain; the batch stays as it was.
    pub(super) fn take(&mut self, entry: &Entry) -> Result<(), ProjectorError> {
        match entry {
            Entry::Commit(stored) => {
                self.fold.commit(&decode(stored)?)?;
                self.bytes += stored.bytes.len();
            }
            Entry::Foreign { sequence, reason } => {
                let partition = self.fold.position().partition;
                tracing::warn!(%partition, sequence, "stepped over a foreign message in the log: {reason}");
                self.fold.step_over(*sequence)?;
            }
        }
        self.entries += 1;
        Ok(())
    }

    /// What it does to the views. An empty batch remains, which goes on from there.
    pub(super) fn split_off(&mut self) -> Delta {
        let next = Self::new(*self.fold.position());
        std::mem::replace(self, next).fold.finish()
    }
}

/// A commit of the log, read.
pub(crate) fn decode(stored: &StoredCommit) -> Result<Commit, ProjectorError> {
    let (partition, sequence) = (stored.prefix.partition, stored.prefix.sequence);
    Commit::decode(&stored.bytes).map_err(|source| ProjectorError::Commit { partition, sequence, source })
}
