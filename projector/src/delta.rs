//! What a row of commits does to the views.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use ledger_core::commit::Hash;
use ledger_core::{AccountId, AppId, Level, Meter, Position, SourceName, Timestamp, Usdc};

use crate::rows::{ChainPosition, JournalRow, LotRow};
use crate::upkeep::UpkeepChanges;

/// The changes of the views by consecutive commits of one partition: rows to add, and one change for each row
/// that is there. Applying it is right only to views that stand exactly at `from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// Where the views must stand.
    pub from: ChainPosition,
    /// Where they stand after it.
    pub to: ChainPosition,
    /// One change an account, found once an event: hence all that happens to it stands in there. In no order.
    pub accounts: HashMap<AccountId, AccountChange, RandomState>,
    /// New rows of the journal, in the order of the log.
    pub journal: Vec<JournalRow>,
    /// What to change for a source in this partition.
    pub sources: BTreeMap<(AppId, SourceName), SourceChange>,
    /// What happens to the upkeep of accounts.
    pub upkeep: UpkeepChanges,
}

impl Delta {
    /// No change yet.
    pub(crate) fn new(from: ChainPosition) -> Self {
        let (accounts, journal, sources) = (HashMap::default(), Vec::new(), BTreeMap::new());
        let upkeep = UpkeepChanges::default();
        Self { from, to: from, accounts, journal, sources, upkeep }
    }

    /// The accounts that it changes, by their ids.
    pub fn sorted_accounts(&self) -> Vec<(&AccountId, &AccountChange)> {
        let mut accounts: Vec<_> = self.accounts.iter().collect();
        accounts.sort_unstable_by_key(|(id, _)| *id);
        accounts
    }
}

/// What happens to one account, its lots and its usage. What is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountChange {
    /// Its opening, when that is part of the delta: the row is new.
    pub opened: Option<Opened>,
    /// The balance after.
    pub balance: Option<Usdc>,
    /// The baseline after.
    pub baseline: Option<Usdc>,
    /// The level after.
    pub level: Option<Level>,
    /// The epoch after.
    pub epoch: Option<u32>,
    /// Whether it is dusted after.
    pub dusted: Option<bool>,
    /// Whether it is closed after.
    pub closed: Option<bool>,
    /// Whether a person put it to sleep.
    pub paused: Option<bool>,
    /// Whether its container runs without credit.
    pub forced: Option<bool>,
    /// What to add to the carry, in 10^-18 USDC; may be negative.
    pub carry: i64,
    /// What to add to all that was paid in.
    pub deposited: i64,
    /// What to add to all that was given.
    pub granted: i64,
    /// What to add to all that was debited.
    pub charged: i64,
    /// What to add to all that went to `$fee`.
    pub fees: i64,
    /// Its last event.
    pub last: Position,
    /// New lots, with what is left of them at the end of the delta.
    pub lots: BTreeMap<u32, LotRow>,
    /// What was taken from older lots.
    pub burned: BTreeMap<u32, Usdc>,
    /// What to add to the usage of a meter in the hour that begins then.
    pub usage: BTreeMap<(Timestamp, Meter), UsageChange>,
}

impl AccountChange {
    pub(crate) fn new(last: Position) -> Self {
        Self {
            opened: None,
            balance: None,
            baseline: None,
            level: None,
            epoch: None,
            dusted: None,
            closed: None,
            paused: None,
            forced: None,
            carry: 0,
            deposited: 0,
            granted: 0,
            charged: 0,
            fees: 0,
            last,
            lots: BTreeMap::new(),
            burned: BTreeMap::new(),
            usage: BTreeMap::new(),
        }
    }
}

/// What only the opening of an account says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// When.
    pub at: Timestamp,
    /// Where in the log.
    pub position: Position,
    /// From the profile.
    pub email: Option<String>,
    /// From the profile, JSON.
    pub metadata: Option<String>,
}

/// What to add to an hour of usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UsageChange {
    /// Debits.
    pub count: i64,
    /// What was paid, in credits.
    pub charged: i64,
    /// The part of it that went to `$fee`.
    pub fees: i64,
}

/// What happens to a source in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceChange {
    /// Its mark, when it moved.
    pub mark: Option<(u64, Hash)>,
    /// How many more items were charged.
    pub debits: i64,
    /// What for, in credits.
    pub charged: i64,
    /// How many more items were declined.
    pub declined: i64,
}
