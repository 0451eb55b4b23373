//! The texts, or the accounts, that a commit names: each stands in it once, and events point at it by its place.

use std::hash::{BuildHasher as _, Hash};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// The entries so far.
#[derive(Debug)]
pub(super) struct Table<T> {
    rows: Vec<T>,
    /// What the rows hash to, and where they stand: a growing table hashes none of them again.
    places: HashTable<(u64, u32)>,
    hasher: FixedState,
    /// The entries as they will stand in the commit.
    pub(super) bytes: Vec<u8>,
    /// At least so many bytes as they take.
    pub(super) size: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: vec![], places: HashTable::new(), hasher: FixedState::default(), bytes: vec![], size: 0 }
    }
}

impl<T> Table<T> {
    /// How many entries there are.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.rows.len()).expect("a commit holds far fewer than 2^32 of anything")
    }

    /// Where an entry stands; if it does not, its hash, to add it with.
    pub(super) fn find<Q: Hash + ?Sized>(&self, entry: &Q, is_it: impl Fn(&T) -> bool) -> Result<u32, u64> {
        let hash = self.hasher.hash_one(entry);
        let found = self.places.find(hash, |(known, at)| *known == hash && is_it(&self.rows[*at as usize]));
        found.map(|(_, at)| *at).ok_or(hash)
    }

    /// Adds an entry that is not there, and takes at most so many bytes. Its place.
    pub(super) fn add(&mut self, hash: u64, entry: T, size: usize) -> u32 {
        let at = self.len();
        self.size += size;
        self.rows.push(entry);
        self.places.insert_unique(hash, (hash, at), |(hash, _)| *hash);
        at
    }
}
