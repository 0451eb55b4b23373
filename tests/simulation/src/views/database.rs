//! A database of views by the plainest means: rows in maps, and a delta applied as the stores' SQL applies it.

use std::collections::BTreeMap;

use ledger_core::commit::Hash;
use ledger_core::{AccountId, AppId, Meter, Position, SourceName, Timestamp, Usdc};
use projector::delta::{AccountChange, Opened, SourceChange, UsageChange};
use projector::{AccountRow, Applied, ChainPosition, Delta, JournalRow, LotRow};

/// Usage of an account and meter in the hour that begins then.
pub(super) type UsageKey = (AccountId, Meter, Timestamp);
/// A source of an app.
pub(super) type SourceKey = (AppId, SourceName);

/// What a source is at: its mark, and what became of its items.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) upto: u64,
    pub(super) digest: Hash,
    pub(super) debits: i64,
    pub(super) charged: i64,
    pub(super) declined: i64,
}

/// All rows of one partition. It outlives every projector.
#[derive(Debug, Default)]
pub(super) struct Database {
    pub(super) position: Option<ChainPosition>,
    pub(super) accounts: BTreeMap<AccountId, AccountRow>,
    pub(super) lots: BTreeMap<(AccountId, u32), LotRow>,
    pub(super) journal: BTreeMap<Position, JournalRow>,
    pub(super) usage: BTreeMap<UsageKey, UsageChange>,
    pub(super) sources: BTreeMap<SourceKey, Source>,
}

impl Database {
    /// Rows and position in one transaction, guarded by the position.
    ///
    /// Errors: a row that is added is there already.
    pub(super) fn apply(&mut self, delta: &Delta) -> Result<Applied, String> {
        if !self.is_at(&delta.from) {
            return Ok(Applied::Elsewhere);
        }
        self.change(delta)?;
        self.position = Some(delta.to);
        Ok(Applied::Here)
    }

    /// The last sequence that was read.
    pub(super) fn read(&self) -> u64 {
        self.position.map_or(0, |position| position.read)
    }

    pub(super) fn is_at(&self, from: &ChainPosition) -> bool {
        self.position.map_or(from.read == 0, |here| (here.read, here.hash) == (from.read, from.hash))
    }

    /// The rows alone.
    ///
    /// Errors: a row that is added is there already.
    pub(super) fn change(&mut self, delta: &Delta) -> Result<(), String> {
        for (id, change) in delta.sorted_accounts() {
            match &change.opened {
                Some(opened) => self.open(id, change, opened)?,
                None => self.accounts.get_mut(id).into_iter().for_each(|row| update(row, change)),
            }
            self.money(id, change)?;
        }
        for row in &delta.journal {
            unique(self.journal.insert(row.position, row.clone()).is_none(), "journal", &row.position)?;
        }
        for (key, change) in &delta.sources {
            self.sources.entry(key.clone()).or_insert_with(Source::new).change(change);
        }
        Ok(())
    }

    fn money(&mut self, id: &AccountId, change: &AccountChange) -> Result<(), String> {
        for (lot, row) in &change.lots {
            let key = (id.clone(), *lot);
            unique(self.lots.insert(key.clone(), row.clone()).is_none(), "lots", &key)?;
        }
        for (lot, burned) in &change.burned {
            self.lots.get_mut(&(id.clone(), *lot)).into_iter().for_each(|row| row.left -= *burned);
        }
        for ((hour, meter), used) in &change.usage {
            let key = (id.clone(), meter.clone(), *hour);
            add_usage(self.usage.entry(key).or_default(), used);
        }
        Ok(())
    }

    fn open(&mut self, id: &AccountId, change: &AccountChange, opened: &Opened) -> Result<(), String> {
        let row = AccountRow {
            account: id.clone(),
            balance: change.balance.ok_or("an opening has a balance")?,
            baseline: change.baseline.ok_or("an opening has a baseline")?,
            level: change.level.ok_or("an opening has a level")?,
            epoch: change.epoch.ok_or("an opening has an epoch")?,
            dusted: change.dusted.unwrap_or(false),
            closed: change.closed.unwrap_or(false),
            carry: change.carry,
            deposited: Usdc::from_credits(change.deposited),
            granted: Usdc::from_credits(change.granted),
            charged: Usdc::from_credits(change.charged),
            fees: Usdc::from_credits(change.fees),
            email: opened.email.clone(),
            metadata: opened.metadata.clone(),
            opened_at: opened.at,
            opened: opened.position,
            last: change.last,
            paused: change.paused.unwrap_or(false),
            forced: change.forced.unwrap_or(false),
            container: None,
        };
        unique(self.accounts.insert(id.clone(), row).is_none(), "accounts", id)
    }
}

impl Source {
    /// Heard of, and not marked yet.
    fn new() -> Self {
        Self { upto: 0, digest: Hash::ZERO, debits: 0, charged: 0, declined: 0 }
    }

    fn change(&mut self, change: &SourceChange) {
        if let Some((upto, digest)) = change.mark {
            (self.upto, self.digest) = (upto, digest);
        }
        self.debits += change.debits;
        self.charged += change.charged;
        self.declined += change.declined;
    }
}

fn update(row: &mut AccountRow, change: &AccountChange) {
    row.balance = change.balance.unwrap_or(row.balance);
    row.baseline = change.baseline.unwrap_or(row.baseline);
    row.level = change.level.unwrap_or(row.level);
    row.epoch = change.epoch.unwrap_or(row.epoch);
    row.dusted = change.dusted.unwrap_or(row.dusted);
    row.closed = change.closed.unwrap_or(row.closed);
    row.carry += change.carry;
    row.deposited += Usdc::from_credits(change.deposited);
    row.granted += Usdc::from_credits(change.granted);
    row.charged += Usdc::from_credits(change.charged);
    row.fees += Usdc::from_credits(change.fees);
    row.last = change.last;
    row.paused = change.paused.unwrap_or(row.paused);
    row.forced = change.forced.unwrap_or(row.forced);
}

fn add_usage(row: &mut UsageChange, used: &UsageChange) {
    row.count += used.count;
    row.charged += used.charged;
    row.fees += used.fees;
}

/// A key is there once.
fn unique(is_new: bool, table: &str, key: &impl std::fmt::Debug) -> Result<(), String> {
    match is_new {
        true => Ok(()),
        false => Err(format!("I10: {table} has a row {key:?} already, and another one is added")),
    }
}
