//! Everything the writer of one partition knows: a cache of the log, rebuilt by replay.

use crate::account::Account;
use crate::accounts::Accounts;
use crate::commit::{Commit, Hash};
use crate::digest::{ContentDigest, KeyFingerprint};
use crate::ids::{AccountId, AppId, Key, LogId, PartitionId, Position, Sequence, SourceName, UserId};
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
    /// The log and who owns which slots; none before the genesis.
    pub(crate) log: Option<(LogId, SlotMap)>,
    pub(crate) apps: Map<AppId, App>,
}

/// What one app has in this partition. It begins with the app's first policy.
#[derive(Debug)]
pub(crate) struct App {
    /// Counts the policies, from 1.
    pub(crate) number: u32,
    pub(crate) policy: Policy,
    pub(crate) accounts: Accounts,
    pub(crate) keys: KeyWindow,
    /// Keys of openings, money in and closings, kept for ever.
    pub(crate) kept_keys: Map<KeyFingerprint, UsedKey>,
    pub(crate) marks: Map<SourceName, Mark>,
}

impl App {
    pub(crate) fn new(number: u32, policy: Policy, seed: u64) -> Self {
        Self {
            number,
            policy,
            accounts: Accounts::new(seed),
            keys: KeyWindow::default(),
            kept_keys: Map::default(),
            marks: Map::default(),
        }
    }

    pub(crate) fn account(&self, user: &UserId) -> Option<&Account> {
        self.accounts.get(user)
    }

    fn accounts(&self, app: &AppId) -> impl Iterator<Item = (AccountId, &Account)> {
        let id = |user: &UserId| AccountId { app: app.clone(), user: user.clone() };
        self.accounts.iter().map(move |(user, account)| (id(user), account))
    }

    /// What an earlier command with this key led to; a rejection when the key can not be used for this one. Most keys
    /// are new, so the content is digested only when there is something to compare it with.
    pub(crate) fn used_key(
        &self,
        fingerprint: KeyFingerprint,
        key: &Key,
        content: impl FnOnce() -> ContentDigest,
    ) -> Result<Option<UsedKey>, Rejection> {
        match self.kept_keys.get(&fingerprint).copied().or_else(|| self.keys.find(fingerprint, key)) {
            Some(used) if used.content == content() => Ok(Some(used)),
            Some(_) => Err(Code::KeyReused.into()),
            None => Ok(None),
        }
    }

    /// A new key of usage: refused when its own time shows that it may be an old one, or can not be right.
    pub(crate) fn check_key_time(&self, now: Timestamp, key: &Key) -> Result<(), Rejection> {
        let Some(time) = uuid_v7_time(key) else { return Ok(()) };
        if time < now.plus(-self.policy.key_window()).max(self.keys.horizon()) {
            return Err(Code::KeyExpired.into());
        }
        if time > now.plus(KEY_AHEAD_MAX) {
            return Err(Code::KeyAhead.into());
        }
        Ok(())
    }
}

impl Ledger {
    /// The state before the first commit.
    pub fn new(partition: PartitionId) -> Self {
        Self { partition, time: Timestamp(0), swept_minute: None, log: None, apps: Map::default() }
    }

    /// Takes in one commit of the log. Error: the first event that can not have happened.
    ///
    /// All is looked up before anything is changed: most of a debit's time goes by waiting for the memory of an account
    /// that nobody touched lately, and lookups that follow each other closely wait together.
    pub fn apply(&mut self, commit: &Commit) -> Result<(), Illegal> {
        self.begin(commit.time);
        let known: Vec<_> = commit.events.iter().map(|event| self.look_up(event)).collect();
        let mut events = commit.positioned().zip(known);
        events.try_for_each(|((position, event), known)| self.evolve_with(position, event, known))
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
        // To the beginning of the minute: whoever looks in between, the state depends on the commits alone.
        let minute = Timestamp(minute.saturating_mul(MINUTE));
        for app in self.apps.values_mut() {
            app.keys.advance(minute, app.policy.key_window());
        }
    }

    /// A foreign message took the place `taken`: events that were taken in for that place or a later one, and are
    /// not durable yet, stand one further. Walks the whole state, which is fine for what must never happen.
    pub fn renumber(&mut self, taken: Sequence) {
        let bump = |sequence: &mut Sequence| *sequence += u64::from(*sequence >= taken);
        for app in self.apps.values_mut() {
            let positions = app.accounts.values_mut().flat_map(Account::positions_mut);
            positions.for_each(|position| bump(&mut position.sequence));
            app.keys.renumber(bump);
            app.kept_keys.values_mut().for_each(|used| bump(&mut used.sequence));
        }
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
        self.log.as_ref().map(|(_, slots)| slots)
    }

    /// The account, if it was opened.
    pub fn account(&self, id: &AccountId) -> Option<&Account> {
        self.app(&id.app)?.account(&id.user)
    }

    /// How many accounts there are.
    pub fn account_count(&self) -> usize {
        self.apps.values().map(|app| app.accounts.len()).sum()
    }

    /// Every account; those of an app in the order of their opening.
    pub fn accounts(&self) -> impl Iterator<Item = (AccountId, &Account)> {
        self.apps.iter().flat_map(|(app, state)| state.accounts(app))
    }

    /// The number and the rules of an app's policy, if it has one here.
    pub fn policy(&self, app: &AppId) -> Option<(u32, &Policy)> {
        self.app(app).map(|app| (app.number, &app.policy))
    }

    /// How far a source is applied here.
    pub fn mark(&self, app: &AppId, source: &SourceName) -> Mark {
        self.app(app).and_then(|app| app.marks.get(source)).copied().unwrap_or(Mark::START)
    }

    pub(crate) fn app(&self, app: &AppId) -> Option<&App> {
        self.apps.get(app)
    }

    /// Where a remembered outcome stands.
    pub(crate) fn position_of(&self, used: UsedKey) -> Position {
        Position { partition: self.partition, sequence: used.sequence, index: used.index }
    }
}
