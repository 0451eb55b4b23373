//! What a disk does to a log of one copy.

use ledger_core::Sequence;
use ledger_core::commit::Hash;

use super::SimLog;
use crate::Entry;

impl SimLog {
    /// The tail behind this sequence is gone, and with it whatever was being stored. Nobody is told.
    pub fn lose_tail(&mut self, kept: Sequence) {
        let kept = usize::try_from(kept).expect("a log in memory");
        self.entries.truncate(kept);
        self.proposed.clear();
        self.agenda.clear();
        self.counts.cuts += 1;
    }

    /// A bit of a commit turns, or none where no commit stands, and whatever was being stored is gone: the server was
    /// away. Nobody is told.
    pub fn flip_bit(&mut self, sequence: Sequence, bit: u64) {
        let place = usize::try_from(sequence - 1).expect("a log in memory");
        let Some(Entry::Commit(stored)) = self.entries.get_mut(place) else { return };
        let mut bytes = stored.bytes.to_vec();
        let bit = usize::try_from(bit % (8 * bytes.len() as u64)).expect("it is within the bytes");
        bytes[bit / 8] ^= 1 << (bit % 8);
        stored.bytes = bytes.into();
        self.proposed.clear();
        self.agenda.clear();
        self.counts.flips += 1;
    }

    /// The first of the commits up to this sequence whose bytes do not hash to its id: whoever reads it is told so.
    pub fn damaged(&self, to: Sequence) -> Option<Sequence> {
        let to = usize::try_from(to).expect("a log in memory");
        let is_damaged = |entry: &&Entry| match entry {
            Entry::Commit(stored) => Hash::of(&stored.bytes) != stored.hash,
            Entry::Foreign { .. } => false,
        };
        self.entries.iter().take(to).find(is_damaged).map(Entry::sequence)
    }
}
