//! How far the views have come, as a projector publishes it.

use std::collections::BTreeMap;

use ledger_core::{PartitionId, Sequence};

use crate::rows::ChainPosition;

/// The last sequence that was read of each partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Positions(BTreeMap<PartitionId, Sequence>);

impl Positions {
    /// Those of a store's rows.
    pub fn of(positions: &[ChainPosition]) -> Self {
        Self(positions.iter().map(|position| (position.partition, position.read)).collect())
    }

    /// How far a partition is; 0: nothing is known of it.
    pub fn get(&self, partition: PartitionId) -> Sequence {
        self.0.get(&partition).copied().unwrap_or(0)
    }

    /// Moves one partition; never backwards. Says whether it moved.
    pub(crate) fn advance(&mut self, partition: PartitionId, read: Sequence) -> bool {
        let before = self.0.entry(partition).or_default();
        let forward = read > *before;
        *before = (*before).max(read);
        forward
    }
}
