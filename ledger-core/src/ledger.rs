//! Everything the writer of one partition knows: a cache of the log, rebuilt by replay.

use crate::account::Account;
use crate::commit::{Commit, Hash};
use crate::digest::{ContentDigest, KeyFingerprint};
use crate::ids::{AccountId, AppId, Key, PartitionId, Position, Sequence, SourceName};
use crate::keys::{KEY_AHEAD_MAX, KeyWindow, UsedKey, uuid_v7_time};
use crate::map::Map;
use crate::policy::Policy;
use crate::rejection::{Code, Rejection};
use crate::slots::SlotMap;
use crate::time::{MINUTE, Timestamp};

pub use crate::evolve::Illegal;

/// How far a source is applied in this partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The number of the last item that is done with; 0: none.
    pub to: u64,
    /// The digest over all items up to it.
    pub digest: Hash,
}

impl Mark {
    /// A source nobody has heard of.
    pub const START: Self = Self { to: 0, digest: Hash::ZERO };
}

/// The state of one partition.
#[derive(Debug)]
pub struct Ledger {
    pub(crate) partition: PartitionId,
    pub(crate) time: Timestamp,
    /// The minute in which the windows of keys were last moved on; none when a policy has changed since.
    pub(crate) swept_minute: Option<i64>,
    pub(crate) slots: Option<SlotMap>,
    pub(crate) policies: Map<AppId, (u32, Policy)>,
    pub(crate) accounts: Map<AccountId, Account>,
    pub(crate) keys: Map<AppId, KeyWindow>,
    /// Keys of openings, money in and closings, kept for ever.
    pub(crate) kept_keys: Map<KeyFingerprint, UsedKey>,
    pub(crate) marks: Map<(AppId, SourceName), Mark>,
}

impl Ledger {
    /// The state before the first commit.
    pub fn new(partition: PartitionId) -> Self {
        Self {
            partition,
            time: Timestamp(0),
            swept_minute: None,
            slots: None,
            policies: Map::default(),
            accounts: Map::default(),
            keys: Map::default(),
            kept_keys: Map::default(),
            marks: Map::default(),
        }
    }

    /// Takes in one commit of the log. Error: the first event that can not have happened.
    pub fn apply(&mut self, commit: &Commit) -> Result<(), Illegal> {
        self.begin(commit.time);
        commit.positioned().try_for_each(|(position, event)| self.evolve(position, event))
    }

    /// Time moves to that of the commit that is read or made next; what leaves the window of keys is dropped.
    pub fn begin(&mut self, time: Timestamp) {
        self.time = self.time.max(time);
        // Windows, generations and the allowance for clocks are whole minutes: only a new minute drops anything, and
        // there may be many apps.
        let minute = self.time.0.div_euclid(MINUTE);
        if self.swept_minute == Some(minute) {
            return;
        }
        self.swept_minute = Some(minute);
        for (app, window) in &mut self.keys {
            if let Some((_, policy)) = self.policies.get(app) {
                window.advance(self.time, policy.key_window());
            }
        }
    }

    /// A foreign message took the place `taken`: events that were taken in for that place or a later one, and are
    /// not durable yet, stand one further. Walks the whole state, which is fine for what must never happen.
    pub fn renumber(&mut self, taken: Sequence) {
        let bump = |position: &mut Position| position.sequence += u64::from(position.sequence >= taken);
        for account in self.accounts.values_mut() {
            account.positions_mut().for_each(bump);
        }
        for window in self.keys.values_mut() {
            window.positions_mut().for_each(bump);
        }
        self.kept_keys.values_mut().for_each(|used| bump(&mut used.position));
    }

    /// The partition this is the state of.
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// The time of the newest commit.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Who owns which slots; `None` before the genesis.
    pub fn slots(&self) -> Option<&SlotMap> {
        self.slots.as_ref()
    }

    /// The account, if it was opened.
    pub fn account(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// How many accounts there are.
    pub fn account_count(&self) -> usize {
        self.accounts.len()
    }

    /// Every account, in no order.
    pub fn accounts(&self) -> impl Iterator<Item = (&AccountId, &Account)> {
        self.accounts.iter()
    }

    /// The number and the rules of an app's policy, if it has one here.
    pub fn policy(&self, app: &AppId) -> Option<(u32, &Policy)> {
        self.policies.get(app).map(|(number, policy)| (*number, policy))
    }

    /// How far a source is applied here.
    pub fn mark(&self, app: &AppId, source: &SourceName) -> Mark {
        self.marks.get(&(app.clone(), source.clone())).copied().unwrap_or(Mark::START)
    }

    /// The outcome of an earlier command with this key; a rejection when the key can not be used for this one.
    pub(crate) fn used_key(
        &self,
        id: &AccountId,
        key: &Key,
        content: ContentDigest,
    ) -> Result<Option<Position>, Rejection> {
        let fingerprint = KeyFingerprint::of(id, key);
        let in_window = || self.keys.get(&id.app).and_then(|window| window.find(fingerprint));
        match self.kept_keys.get(&fingerprint).copied().or_else(in_window) {
            Some(used) if used.content == content => Ok(Some(used.position)),
            Some(_) => Err(Code::KeyReused.into()),
            None => Ok(None),
        }
    }

    /// A new key of usage: refused when its own time shows that it may be an old one, or can not be right.
    pub(crate) fn check_key_time(&self, app: &AppId, key: &Key) -> Result<(), Rejection> {
        let Some(time) = uuid_v7_time(key) else { return Ok(()) };
        let window = self.policies.get(app).map_or(0, |(_, policy)| policy.key_window());
        let horizon =
            self.time.plus(-window).max(self.keys.get(app).map_or(Timestamp(0), KeyWindow::horizon));
        if time < horizon {
            return Err(Code::KeyExpired.into());
        }
        if time > self.time.plus(KEY_AHEAD_MAX) {
            return Err(Code::KeyAhead.into());
        }
        Ok(())
    }
}
