//! What the edges ask the writers, and what they are answered. No IO.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger_core::account::{Account, Lot, Status};
use ledger_core::event::{Event, SolvencyChecked};
use ledger_core::upkeep::{Operation, Upkeep, Wanted};
use ledger_core::{
    AccountId, Command, Level, PartitionId, Position, Rejection, SourceBatch, Timestamp, Usdc,
};

/// One question to the writer of one partition.
#[derive(Debug, Clone)]
pub enum Ask {
    /// Decide this.
    Command(Command),
    /// Decide this; what stands in the log is told by its position and balance alone, where that spares work.
    Brief(Command),
    /// Show the account.
    Get(AccountId),
    /// Whether this partition could take its part of a source's batch. Changes nothing.
    CheckSource(Arc<SourceBatch>),
    /// Take this partition's part of a source's batch.
    Source(Arc<SourceBatch>),
    /// Write down how the money that users hold compares with what there is for them.
    Solvency(Box<SolvencyChecked>),
}

/// A question and the moment after which it is not decided any more.
#[derive(Debug, Clone)]
pub struct Call {
    /// What is asked.
    pub ask: Ask,
    /// Absolute; at most 30 seconds ahead. The attempts of one call carry the same one.
    pub deadline: Timestamp,
}

/// The answer, given only when everything it rests on is durable.
///
/// Small, because a commit answers thousands, and each is handed on several times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A debit, grant or deposit stands in the log.
    Done(Box<Receipt>),
    /// The same, as it was asked for briefly.
    Brief(BriefReceipt),
    /// A dry run of a debit.
    WouldCharge(WouldCharge),
    /// An account: shown, opened, closed.
    Account(Box<AccountAnswer>),
    /// A source's batch is done with in this partition.
    Source(Box<SourceAnswer>),
    /// It is written down there.
    Recorded(Position),
    /// The business "no".
    Rejected(Rejection),
    /// Not now.
    Failed(Failure),
}

/// The first event of an accepted command, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// `Debited`, `Granted` or `Deposited`.
    pub event: Event,
    /// Where it stands.
    pub position: Position,
    /// It had happened before, under the same key.
    pub duplicate: bool,
}

/// Where the first event of an accepted command stands, and the balance after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BriefReceipt {
    /// Where it stands.
    pub position: Position,
    /// The balance after it.
    pub balance: Usdc,
    /// It had happened before, under the same key.
    pub duplicate: bool,
}

impl Receipt {
    /// The balance after the event.
    pub fn balance(&self) -> Usdc {
        balance_after(&self.event)
    }
}

/// The balance after a `Debited`, `Granted` or `Deposited`.
pub(crate) fn balance_after(event: &Event) -> Usdc {
    match event {
        Event::Debited(event) => event.balance,
        Event::Granted(event) | Event::Deposited(event) => event.balance,
        other => unreachable!("writers answer with debits, grants and deposits, not with {other:?}"),
    }
}

/// What a debit would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WouldCharge {
    /// The whole credits.
    pub charged: Usdc,
    /// The balance after.
    pub balance: Usdc,
    /// The level now.
    pub level: Level,
}

/// An account, and whether the question changed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountAnswer {
    /// The account.
    pub account: AccountView,
    /// The question opened or closed it.
    pub changed: bool,
}

/// An account as its owner knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// Whose.
    pub id: AccountId,
    /// The sum of its lots.
    pub balance: Usdc,
    /// What debits may spend.
    pub available: Usdc,
    /// What counts as 100 %.
    pub baseline: Usdc,
    /// How it stands.
    pub level: Level,
    /// How it is shown.
    pub status: Status,
    /// Counts the rises of the level.
    pub epoch: u32,
    /// The event that opened it.
    pub opened: Position,
    /// Its last event.
    pub last: Position,
    /// What is left of which lot, in the order in which they burn.
    pub lots: Vec<Lot>,
    /// What it wants of its container.
    pub wanted: Wanted,
    /// What is to be done for it.
    pub due: Option<Operation>,
    /// What workers do for it.
    pub upkeep: Option<Box<Upkeep>>,
}

impl AccountView {
    /// The account as it is now.
    pub fn of(id: &AccountId, account: &Account) -> Self {
        Self {
            id: id.clone(),
            balance: account.balance(),
            available: account.available(),
            baseline: account.baseline(),
            level: account.level(),
            status: account.status(),
            epoch: account.epoch(),
            opened: account.opened(),
            last: account.last(),
            lots: account.lots().to_vec(),
            wanted: account.wanted(),
            due: account.due(),
            upkeep: account.upkeep().cloned().map(Box::new),
        }
    }
}

/// What became of a batch in one partition, or in all of them together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceAnswer {
    /// Items that were charged now.
    pub charged: u64,
    /// Items that were declined now, for good.
    pub declined: u64,
    /// Items that were done with before.
    pub skipped: u64,
    /// Accounts that were opened now.
    pub opened: u64,
    /// The whole credits charged now.
    pub amount: Usdc,
    /// The last event of each partition that had something to write.
    pub positions: BTreeMap<PartitionId, Position>,
}

impl SourceAnswer {
    /// Adds the part of another partition.
    pub fn merge(&mut self, other: Self) {
        self.charged += other.charged;
        self.declined += other.declined;
        self.skipped += other.skipped;
        self.opened += other.opened;
        self.amount += other.amount;
        self.positions.extend(other.positions);
    }
}

/// Why there is no answer. None of these is a "no".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Too much is waiting: nothing was done, try again soon.
    Overloaded,
    /// The log can not take anything now: nothing was done. With the reason.
    Unavailable(String),
    /// The deadline passed while it was under way: it may have happened, or may still.
    OutcomeUnknown,
}
