//! What a disk does to a log of one copy.

use ledger_core::Sequence;

use super::SimLog;

impl SimLog {
    /// The tail behind this sequence is gone, and with it whatever was being stored. Nobody is told.
    pub fn lose_tail(&mut self, kept: Sequence) {
        let kept = usize::try_from(kept).expect("a log in memory");
        self.entries.truncate(kept);
        self.proposed.clear();
        self.agenda.clear();
        self.counts.cuts += 1;
    }
}
