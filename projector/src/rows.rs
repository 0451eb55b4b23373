//! The rows of the views, as the fold makes them and as queries give them back.

use event_log::{Anchor, Keeper};
use ledger_core::account::{LotKind, Status};
use ledger_core::chain::Chain;
use ledger_core::commit::Hash;
use ledger_core::event::{Slice, SourceItem};
use ledger_core::level::Line;
use ledger_core::upkeep::{Standing, Wanted};
use ledger_core::{
    AccountId, Charge, Code, Key, Label, Level, LogId, Meter, PartitionId, Position, Scope, Sequence,
    SourceName, TermNonce, Timestamp, Usdc,
};

/// How far one partition of a log is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainPosition {
    /// The log.
    pub log: LogId,
    /// The partition.
    pub partition: PartitionId,
    /// The last sequence that was read, a foreign message's too; 0: none.
    pub read: Sequence,
    /// The sequence of the last valid commit; 0: none.
    pub sequence: Sequence,
    /// And its hash.
    pub hash: Hash,
    /// And its time.
    pub time: Timestamp,
    /// And its term.
    pub term: TermNonce,
    /// How many foreign messages were stepped over.
    pub foreign: u64,
}

impl ChainPosition {
    /// Before the first commit.
    pub fn start(log: LogId, partition: PartitionId) -> Self {
        Self::of(log, &Chain::start(partition), 0)
    }

    pub(crate) fn of(log: LogId, chain: &Chain, foreign: u64) -> Self {
        let Chain { partition, read, sequence, hash, time, term, .. } = *chain;
        Self { log, partition, read, sequence, hash, time, term, foreign }
    }

    /// What the log must hold for ever; `None` before the first commit.
    pub fn anchor(&self) -> Option<Anchor> {
        let Self { log, partition, sequence, hash, time, .. } = *self;
        (sequence > 0).then_some(Anchor {
            log,
            partition,
            sequence,
            hash,
            kept_by: Keeper::Views,
            kept_at: time,
        })
    }

    /// The reader of the chain that goes on from here.
    pub fn chain(&self) -> Chain {
        let Self { partition, read, sequence, hash, time, term, .. } = *self;
        let log = (sequence > 0).then_some(self.log);
        Chain { log, partition, read, sequence, hash, time, term }
    }
}

/// An account as it stands after its last event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// The account.
    pub account: AccountId,
    /// What it holds.
    pub balance: Usdc,
    /// What counts as 100 %.
    pub baseline: Usdc,
    /// How it stands.
    pub level: Level,
    /// Counts the rises of the level, from 1.
    pub epoch: u32,
    /// What is left can not pay for what the user is used to.
    pub dusted: bool,
    /// It refuses debits for ever.
    pub closed: bool,
    /// What remains below one credit of its itemised charges, in 10^-18 USDC.
    pub carry: i64,
    /// All that was ever paid in.
    pub deposited: Usdc,
    /// All that was ever given.
    pub granted: Usdc,
    /// All that was ever debited, fees included.
    pub charged: Usdc,
    /// The part of it that went to `$fee`.
    pub fees: Usdc,
    /// As given at the opening.
    pub email: Option<String>,
    /// JSON, as given at the opening.
    pub metadata: Option<String>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// The event that opened it.
    pub opened: Position,
    /// Its last event.
    pub last: Position,
    /// A person put it to sleep.
    pub paused: bool,
    /// Its container runs without credit.
    pub forced: bool,
    /// How its container stands, if it has one.
    pub container: Option<Standing>,
}

impl AccountRow {
    /// How it is shown to people.
    pub fn status(&self) -> Status {
        let wanted = Wanted::of(self.level, self.closed, self.paused, self.forced);
        Status::of(self.level, wanted, self.container)
    }
}

/// What a deposit or a grant brought in, and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotRow {
    /// The account.
    pub account: AccountId,
    /// Counted from 1 in each account.
    pub lot: u32,
    /// Paid or given.
    pub kind: LotKind,
    /// Lots of a lower priority are burned first.
    pub priority: u8,
    /// The event that made it.
    pub position: Position,
    /// What it brought in.
    pub amount: Usdc,
    /// What is left.
    pub left: Usdc,
}

/// What an event of an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalKind {
    /// The account was opened.
    Opened,
    /// Money was given.
    Granted,
    /// Money was paid in.
    Deposited,
    /// Usage was paid for.
    Debited,
    /// Usage was refused, and this was kept.
    Declined,
    /// The level fell past a line.
    Crossed,
    /// The account was closed.
    Closed,
}

/// One event of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRow {
    /// Where it stands in the log.
    pub position: Position,
    /// The account.
    pub account: AccountId,
    /// What it is.
    pub kind: JournalKind,
    /// The time of its commit.
    pub recorded_at: Timestamp,
    /// When the usage happened, if the caller said so.
    pub occurred_at: Option<Timestamp>,
    /// What it did to the balance: debits are negative, zero for what moves no money.
    pub amount: Usdc,
    /// The balance after it.
    pub balance: Usdc,
    /// The level after it, where the event says so.
    pub level: Option<Level>,
    /// The part of a debit that went to `$fee`.
    pub fee: Usdc,
    /// What was metered.
    pub meter: Option<Meter>,
    /// Where in the developer's product.
    pub scope: Option<Scope>,
    /// The caller's idempotency key.
    pub key: Option<Key>,
    /// The source's item it is.
    pub item: Option<SourceItem>,
    /// What a debit asked for.
    pub charge: Option<Charge>,
    /// Why a debit was declined.
    pub code: Option<Code>,
    /// The line that was crossed.
    pub line: Option<Line>,
    /// The lots it made or took from.
    pub lots: Vec<Slice>,
    /// Who opened, gave, paid in or closed.
    pub actor: Option<Label>,
    /// The caller's own data, as JSON.
    pub metadata: Option<String>,
}

/// Paid usage of one account and meter in one hour (UTC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// The account.
    pub account: AccountId,
    /// What was metered.
    pub meter: Meter,
    /// The beginning of the hour.
    pub hour: Timestamp,
    /// How many debits.
    pub count: u64,
    /// What was paid, fees included.
    pub charged: Usdc,
    /// The part of it that went to `$fee`.
    pub fees: Usdc,
}

/// How far a source is applied in one partition, and what became of its items there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// The partition.
    pub partition: PartitionId,
    /// All items up to this number are done with here.
    pub upto: u64,
    /// The digest over all items up to it.
    pub digest: Hash,
    /// How many items were charged here.
    pub debits: u64,
    /// What for.
    pub charged: Usdc,
    /// How many items were declined here.
    pub declined: u64,
}

/// What is known of a source, over all partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceReport {
    /// The source.
    pub source: SourceName,
    /// One row a partition that has heard of it, in order.
    pub partitions: Vec<SourceRow>,
    /// How many items were charged.
    pub debits: u64,
    /// What for.
    pub charged: Usdc,
    /// How many items were declined.
    pub declined: u64,
}
