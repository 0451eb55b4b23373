//! A closed generation of keys: a sorted row that is searched by where a fingerprint should stand.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::commit::Hash;
use crate::digest::{ContentDigest, KeyFingerprint};
use crate::ids::Sequence;
use crate::snapshot::write_generation;
use crate::time::Timestamp;

use super::UsedKey;

/// Keys used within one hour, or in a part of it. Nothing is added to it any more.
#[derive(Clone)]
pub struct Generation {
    hour: i64,
    newest: Timestamp,
    /// In order of the fingerprints.
    records: Vec<Record>,
    /// Where the records begin whose fingerprints have these first bits; one more for the end.
    starts: Vec<u32>,
    /// Of its bytes in a file of its own; worked out when it is first asked for.
    hash: OnceLock<Hash>,
}

/// 40 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) fingerprint: [u64; 2],
    pub(crate) content: u64,
    pub(crate) sequence: Sequence,
    pub(crate) index: u32,
}

/// About how many records share their first bits.
const BUCKET: usize = 8;

impl Generation {
    /// Sorts records. They are dealt to their buckets first: that leaves little to sort, and the writer waits for it.
    pub(crate) fn close(hour: i64, newest: Timestamp, used: &[Record]) -> Self {
        let bits = bits_for(used.len());
        let starts = starts(used, bits);
        let (mut records, mut next) = (used.to_vec(), starts.clone());
        for record in used {
            let place = &mut next[bucket_of(record.fingerprint, bits)];
            records[*place as usize] = *record;
            *place += 1;
        }
        for bucket in starts.windows(2) {
            let bucket = &mut records[bucket[0] as usize..bucket[1] as usize];
            bucket.sort_unstable_by_key(|record| record.fingerprint);
        }
        Self { hour, newest, records, starts, hash: OnceLock::new() }
    }

    /// Takes records that are in order.
    pub(crate) fn of_sorted(hour: i64, newest: Timestamp, records: Vec<Record>) -> Self {
        let starts = starts(&records, bits_for(records.len()));
        Self { hour, newest, records, starts, hash: OnceLock::new() }
    }

    /// The hour in which its keys were used, counted from 1970.
    pub(crate) fn hour(&self) -> i64 {
        self.hour
    }

    /// The newest of its keys: the later of its own time, for a UUIDv7, and the time of its use.
    pub(crate) fn newest(&self) -> Timestamp {
        self.newest
    }

    /// How many keys it holds.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// It holds none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Its bytes, for a file of its own.
    pub fn to_bytes(&self) -> Bytes {
        write_generation(self)
    }

    /// The SHA-256 of its bytes.
    pub fn hash(&self) -> Hash {
        *self.hash.get_or_init(|| Hash::of(&self.to_bytes()))
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(crate) fn find(&self, KeyFingerprint(fingerprint): KeyFingerprint) -> Option<UsedKey> {
        let bits = (self.starts.len() - 1).ilog2();
        let bucket = bucket_of(fingerprint, bits);
        let (from, to) = (self.starts[bucket] as usize, self.starts[bucket + 1] as usize);
        let found = self.records[from..to].iter().find(|record| record.fingerprint == fingerprint)?;
        Some(found.used())
    }

    pub(crate) fn renumber(&mut self, bump: impl Fn(&mut Sequence)) {
        self.hash = OnceLock::new();
        self.records.iter_mut().for_each(|record| bump(&mut record.sequence));
    }
}

impl Record {
    pub(crate) fn of((KeyFingerprint(fingerprint), used): (KeyFingerprint, UsedKey)) -> Self {
        let UsedKey { content: ContentDigest(content), sequence, index } = used;
        Self { fingerprint, content, sequence, index }
    }

    pub(crate) fn into_entry(self) -> (KeyFingerprint, UsedKey) {
        (KeyFingerprint(self.fingerprint), self.used())
    }

    pub(crate) fn used(self) -> UsedKey {
        UsedKey { content: ContentDigest(self.content), sequence: self.sequence, index: self.index }
    }
}

impl PartialEq for Generation {
    fn eq(&self, other: &Self) -> bool {
        (self.hour, self.newest, &self.records) == (other.hour, other.newest, &other.records)
    }
}

impl Eq for Generation {}

/// Without its records, of which there are many.
impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys of hour {} up to {}", self.records.len(), self.hour, self.newest.0)
    }
}

/// By so many of their first bits records are dealt to buckets.
fn bits_for(records: usize) -> u32 {
    (records / BUCKET).max(1).ilog2()
}

/// Where each bucket begins; one more for the end.
fn starts(records: &[Record], bits: u32) -> Vec<u32> {
    let mut starts = vec![0; (1 << bits) + 1];
    records.iter().for_each(|record| starts[bucket_of(record.fingerprint, bits) + 1] += 1);
    let mut before = 0_u32;
    for start in &mut starts {
        before += *start;
        *start = before;
    }
    starts
}

fn bucket_of([first, _]: [u64; 2], bits: u32) -> usize {
    let bucket = first.checked_shr(u64::BITS - bits).unwrap_or(0);
    usize::try_from(bucket).expect("a few bits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_key_of_a_generation_is_found_and_no_other(
            keys in proptest::collection::btree_map(any::<[u64; 2]>(), any::<u64>(), 0..200),
            others in proptest::collection::vec(any::<[u64; 2]>(), 20),
        ) {
            let used = |content: u64| UsedKey { content: ContentDigest(content), sequence: content, index: 1 };
            let mut records: Vec<_> =
                keys.iter().map(|(key, content)| Record::of((KeyFingerprint(*key), used(*content)))).collect();
            records.reverse();
            let generation = Generation::close(7, Timestamp(9), &records);
            prop_assert_eq!(generation.len(), keys.len());
            prop_assert!(generation.records().is_sorted_by_key(|record| record.fingerprint));
            for (key, content) in &keys {
                prop_assert_eq!(generation.find(KeyFingerprint(*key)), Some(used(*content)));
            }
            for other in others.iter().filter(|other| !keys.contains_key(*other)) {
                prop_assert_eq!(generation.find(KeyFingerprint(*other)), None);
            }
        }
    }
}
