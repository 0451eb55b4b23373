//! The accounts of one app: a row of them in the order of their opening, and where each user stands in it.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::account::Account;
use crate::ids::UserId;

/// Accounts by user. None is ever taken out.
///
/// The table holds places alone, so that it stays small while it grows, and accounts lie one beside the other.
#[derive(Debug)]
pub(crate) struct Accounts {
    rows: Vec<(UserId, Account)>,
    places: HashTable<u32>,
    hasher: FixedState,
}

impl Accounts {
    /// None yet. `seed`: the log's own, so that user ids that are slow in one log are not in another.
    pub(crate) fn new(seed: u64) -> Self {
        Self { rows: Vec::new(), places: HashTable::new(), hasher: FixedState::with_seed(seed) }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn get(&self, user: &UserId) -> Option<&Account> {
        Some(&self.rows[self.place(user)?].1)
    }

    pub(crate) fn get_mut(&mut self, user: &UserId) -> Option<&mut Account> {
        let place = self.place(user)?;
        Some(&mut self.rows[place].1)
    }

    /// Adds the account of a user who has none.
    pub(crate) fn insert(&mut self, user: UserId, account: Account) {
        let place = u32::try_from(self.rows.len()).expect("a partition has far fewer than 2^32 accounts");
        let (rows, hasher) = (&self.rows, &self.hasher);
        let hash = |user: &UserId| hasher.hash_one(user.as_str());
        self.places.insert_unique(hash(&user), place, |place| hash(&rows[*place as usize].0));
        self.rows.push((user, account));
    }

    /// In the order of their opening.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(UserId, Account)> {
        self.rows.iter()
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Account> {
        self.rows.iter_mut().map(|(_, account)| account)
    }

    /// The account at a place that [`Self::place`] gave.
    pub(crate) fn at_mut(&mut self, place: usize) -> &mut Account {
        &mut self.rows[place].1
    }

    /// Where the account of a user stands, for ever.
    pub(crate) fn place(&self, user: &UserId) -> Option<usize> {
        let hash = self.hasher.hash_one(user.as_str());
        self.places.find(hash, |place| self.rows[*place as usize].0 == *user).map(|place| *place as usize)
    }
}
