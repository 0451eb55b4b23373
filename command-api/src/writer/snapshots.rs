//! When the state is worth a snapshot, and what of it is one.
//!
//! A snapshot is taken when a commit is sealed: the state holds the events of that commit then, and of none behind it.
//! It is given out when the commit is durable, so no snapshot ever names what the log may not hold.

use ledger_core::{Chain, Ledger, PartitionId, Snapshot};

use super::draft::Flight;
use super::{Phase, Writer, WriterConfig};

/// Counts what a start would have to replay.
#[derive(Debug)]
pub(super) struct SnapshotRhythm {
    /// The fewest bytes of commits between two snapshots; none: no snapshots are taken.
    after: Option<u64>,
    /// The bytes of commits since the last one.
    since: u64,
    /// How large the last one was: as much is written to the log before the next, so that snapshots cost at most as
    /// much as the log itself.
    last_size: u64,
}

impl SnapshotRhythm {
    /// None are taken.
    pub(super) const NEVER: Self = Self { after: None, since: 0, last_size: 0 };

    pub(super) fn count(&mut self, bytes: usize) {
        self.since += bytes as u64;
    }

    fn is_due(&self) -> bool {
        self.after.is_some_and(|after| self.since >= after.max(self.last_size))
    }

    fn taken(&mut self, snapshot: &Snapshot) {
        (self.since, self.last_size) = (0, snapshot.size() as u64);
    }
}

impl Writer {
    /// A writer that goes on from a snapshot: `size` is that of its bytes. What stands behind it is replayed.
    pub fn restored(
        partition: PartitionId,
        config: WriterConfig,
        (chain, ledger): (Chain, Ledger),
        size: usize,
    ) -> Self {
        let rhythm = SnapshotRhythm { last_size: size as u64, ..SnapshotRhythm::NEVER };
        Self { chain, ledger, rhythm, ..Self::new(partition, config) }
    }

    /// Takes a snapshot when so many bytes of commits were written since the last one, or as many as that one had.
    #[must_use]
    pub fn with_snapshots_after(mut self, bytes: u64) -> Self {
        self.rhythm.after = Some(bytes);
        self
    }

    /// The state of a writer that stops in order. `None` when there is nothing new since the last snapshot, when it
    /// is not idle, or when none are wanted.
    ///
    /// Its time is that of the last commit. Looks at the clock without a commit may have moved the horizon of keys on:
    /// what was refused as expired stays so.
    pub fn last_snapshot(&mut self) -> Option<Snapshot> {
        let wanted = self.rhythm.after.is_some() && self.rhythm.since > 0;
        if !wanted || self.phase != Phase::Serving || !self.is_idle() {
            return None;
        }
        let snapshot = Snapshot::take(&self.chain, &self.ledger);
        self.rhythm.taken(&snapshot);
        Some(snapshot)
    }

    /// A commit was sealed: counts it, and lets it carry the state when that is due.
    pub(super) fn on_sealed(&mut self, flight: &mut Flight) {
        self.rhythm.count(flight.commit().bytes.len());
        if self.rhythm.is_due() {
            let snapshot = Snapshot::take(&flight.chain_after(), &self.ledger);
            self.rhythm.taken(&snapshot);
            flight.carry(snapshot);
        }
    }
}
