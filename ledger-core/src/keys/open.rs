//! The generation that keys are still added to: a row of records in the order of their use, and where each stands in it.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::digest::KeyFingerprint;
use crate::ids::Sequence;
use crate::time::Timestamp;

use super::{Generation, Record, UsedKey};

/// Nearly every key that is looked for is new, and nearly every lookup far from the one before: the table is small, and
/// tells most keys apart by itself, so that the records are not looked at, and need not move when it grows.
#[derive(Debug, Default)]
pub(crate) struct OpenGeneration {
    hour: i64,
    newest: Timestamp,
    records: Vec<Record>,
    places: HashTable<Place>,
}

/// Where the record with such a fingerprint stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    tag: u32,
    at: u32,
}

impl OpenGeneration {
    /// What a snapshot holds.
    pub(crate) fn restored(hour: i64, newest: Timestamp, records: Vec<Record>) -> Self {
        let mut places = HashTable::with_capacity(records.len());
        for (at, record) in (0..).zip(&records) {
            let tag = tag(record.fingerprint);
            places.insert_unique(spread(tag), Place { tag, at }, |place| spread(place.tag));
        }
        Self { hour, newest, records, places }
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The hour in which its keys were used, counted from 1970.
    pub(crate) fn hour(&self) -> i64 {
        self.hour
    }

    /// The newest of its keys: the later of its own time, for a UUIDv7, and the time of its use.
    pub(crate) fn newest(&self) -> Timestamp {
        self.newest
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(crate) fn find(&self, KeyFingerprint(fingerprint): KeyFingerprint) -> Option<UsedKey> {
        let (tag, records) = (tag(fingerprint), &self.records);
        let is_it = |place: &Place| place.tag == tag && records[place.at as usize].fingerprint == fingerprint;
        self.places.find(spread(tag), is_it).map(|place| records[place.at as usize].used())
    }

    /// `own`: the key's own time.
    pub(crate) fn remember(&mut self, time: Timestamp, own: Timestamp, key: KeyFingerprint, used: UsedKey) {
        self.hour = time.hour();
        self.newest = self.newest.max(time).max(own);
        let (record, records) = (Record::of((key, used)), &mut self.records);
        let tag = tag(record.fingerprint);
        let is_it =
            |place: &Place| place.tag == tag && records[place.at as usize].fingerprint == record.fingerprint;
        match self.places.entry(spread(tag), is_it, |place| spread(place.tag)) {
            Entry::Occupied(place) => records[place.get().at as usize] = record,
            Entry::Vacant(vacant) => {
                let at = u32::try_from(records.len()).expect("an app's budget is far below 2^32 keys");
                vacant.insert(Place { tag, at });
                records.push(record);
            }
        }
    }

    pub(crate) fn close(self) -> Generation {
        Generation::close(self.hour, self.newest, &self.records)
    }

    /// A foreign message took a place: positions that are not durable yet move.
    pub(crate) fn renumber(&mut self, bump: impl Fn(&mut Sequence)) {
        self.records.iter_mut().for_each(|record| bump(&mut record.sequence));
    }
}

/// Fingerprints are as good as random: any of their bits will do.
fn tag([first, _]: [u64; 2]) -> u32 {
    u32::try_from(first & u64::from(u32::MAX)).expect("32 bits")
}

/// The table goes by the bits at both ends.
fn spread(tag: u32) -> u64 {
    (u64::from(tag) << 32) | u64::from(tag)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::ContentDigest;
    use crate::map::Map;

    /// Few, so that they meet: in all bits, in those of the tag alone, and in the others alone.
    fn fingerprint() -> impl Strategy<Value = KeyFingerprint> {
        (0..3_u64, 0..4_u64, 0..3_u64)
            .prop_map(|(high, tag, second)| KeyFingerprint([(high << 32) | tag, second]))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn each_key_is_found_with_its_last_use_and_no_other(
            uses in proptest::collection::vec((fingerprint(), any::<u64>()), 0..60),
            asked in fingerprint(),
        ) {
            let (mut open, mut map) = (OpenGeneration::default(), Map::default());
            for (key, content) in uses {
                let used = UsedKey { content: ContentDigest(content), sequence: content, index: 1 };
                open.remember(Timestamp(1), Timestamp(2), key, used);
                map.insert(key, used);
            }
            let restored = OpenGeneration::restored(open.hour(), open.newest(), open.records().to_vec());
            for open in [&open, &restored] {
                prop_assert_eq!((open.len(), open.find(asked)), (map.len(), map.get(&asked).copied()));
            }
            let closed = open.close();
            prop_assert_eq!((closed.len(), closed.find(asked)), (map.len(), map.get(&asked).copied()));
        }
    }
}
