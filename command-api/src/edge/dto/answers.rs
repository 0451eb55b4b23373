//! Answers: what callers are told, over HTTP and NATS, in JSON and MessagePack alike. Amounts are decimal strings in USDC, times RFC 3339 UTC.

use std::collections::BTreeMap;

use ledger_core::account::{LotKind, Status};
use ledger_core::charge::Item;
use ledger_core::level::Line;
use ledger_core::slots::SlotMap;
use ledger_core::{Key, Level, Meter, Position, Scope, Usdc, UserId};
use projector::JournalKind;
use serde::Serialize;
use utoipa::ToSchema;

use crate::edge::dto::brief::BriefResult;
use crate::edge::dto::upkeep::ContainerBody;
use crate::edge::metadata::JsonText;
use crate::edge::problem::{Problem, ProblemBody};

/// An account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account)]
pub struct AccountBody {
    /// The user.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// What it holds, in USDC.
    #[schema(value_type = String, example = "9.993")]
    pub balance: Usdc,
    /// What debits may spend, in USDC.
    #[schema(value_type = String)]
    pub available: Usdc,
    /// What counts as 100 %, in USDC.
    #[schema(value_type = String)]
    pub baseline: Usdc,
    /// `healthy`, `low` or `exhausted`.
    #[schema(value_type = String, example = "healthy")]
    pub level: Level,
    /// `provisioning`, `active`, `low_credit`, `paused`, `restoring`, `failed` or `closed`.
    #[schema(value_type = String, example = "active")]
    pub status: Status,
    /// Counts the rises of the level, from 1.
    pub epoch: u32,
    /// Where its last event stands in the log.
    #[schema(value_type = String, example = "0-1234-7")]
    pub position: Position,
    /// Where the user can be written to. From the views: absent when they do not answer in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The caller's own data. From the views, like `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<JsonText>,
    /// When it was opened. From the views, like `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<String>,
    /// What is left of which lot, in the order in which they burn. With `expand=lots`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lots: Option<Vec<LotBody>>,
    /// Its container, if it has one. Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerBody>,
    /// An opening: it did not exist before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<bool>,
    /// Closing, putting to sleep, waking, setting the container: it was otherwise before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
}

/// What is left of one deposit or grant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Lot)]
pub struct LotBody {
    /// Counted from 1 in each account.
    pub lot: u32,
    /// `paid` or `promo`.
    #[schema(value_type = String)]
    pub kind: LotKind,
    /// Lots of a lower priority are burned first.
    pub priority: u8,
    /// What is left of it, in USDC.
    #[schema(value_type = String)]
    pub left: Usdc,
    /// The event that made it.
    #[schema(value_type = String)]
    pub position: Position,
}

/// A debit, deposit or grant that stands in the log; or what a dry run found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Receipt)]
pub struct ReceiptBody {
    /// The user.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// The idempotency key: the caller's, or the one that was made. A dry run may have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub key: Option<Key>,
    /// The whole credits that moved, in USDC.
    #[schema(value_type = String, example = "0.007")]
    pub amount: Usdc,
    /// The balance after it, in USDC.
    #[schema(value_type = String, example = "0.993")]
    pub balance: Usdc,
    /// What debits could spend after it, in USDC.
    #[schema(value_type = String)]
    pub available: Usdc,
    /// The level after it.
    #[schema(value_type = String, example = "healthy")]
    pub level: Level,
    /// Where the event stands in the log; none for a dry run.
    #[schema(value_type = Option<String>, required, example = "0-1234-7")]
    pub position: Option<Position>,
    /// It had happened before, under the same key; this is its first outcome.
    pub duplicate: bool,
    /// The part of a debit that went to `$fee`, in USDC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub fee: Option<Usdc>,
    /// The items of a debit, as asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ItemBody>>)]
    pub items: Option<Vec<Item>>,
    /// What was metered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub meter: Option<Meter>,
    /// `true` for a dry run: nothing was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
}

/// One line of a charge, as asked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Item)]
pub struct ItemBody {
    /// What was used.
    pub name: String,
    /// How much of it: a decimal.
    pub quantity: String,
    /// What one costs, in USDC: a decimal.
    pub unit_price: String,
}

/// The answers of a batch, in the order of its debits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Results)]
pub struct ResultsBody {
    /// One a debit.
    pub results: Vec<ResultBody>,
}

/// The same, briefly.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BriefResults)]
pub struct BriefResultsBody {
    /// One a debit.
    pub results: Vec<BriefResult>,
}

/// What became of one debit of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchResult)]
#[serde(untagged)]
pub enum ResultBody {
    /// It stands in the log.
    Receipt(Box<ReceiptBody>),
    /// It does not.
    Error(ErrorBody),
}

/// A problem where an answer was expected: in batches, and over NATS.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Failed)]
pub struct ErrorBody {
    /// The problem.
    #[schema(value_type = ProblemBody)]
    pub error: Problem,
}

/// What became of a source's batch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SourceResult)]
pub struct SourceResultBody {
    /// The source.
    pub source: String,
    /// The number before the batch's first.
    pub from: u64,
    /// The batch's last number: everything up to it is done with.
    pub to: u64,
    /// The digest over all items up to `to`: the next batch's `digest`.
    pub digest: String,
    /// Items that were charged now.
    pub charged: u64,
    /// Items that were declined now, for good.
    pub declined: u64,
    /// Items that were done with before.
    pub skipped: u64,
    /// Accounts that were opened now.
    pub opened: u64,
    /// What was charged now, in USDC.
    #[schema(value_type = String)]
    pub amount: Usdc,
    /// The last event of each partition that had something to write.
    #[schema(value_type = Object, example = json!({"0": "0-12-3"}))]
    pub positions: BTreeMap<String, Position>,
}

/// The answer of a batch in one of its forms.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DebitsAnswer)]
#[serde(untagged)]
pub enum DebitsAnswer {
    /// Debits over any users.
    Batch(ResultsBody),
    /// The same, asked for with `answer: "brief"`.
    Brief(BriefResultsBody),
    /// The items of a source.
    Source(SourceResultBody),
}

/// A page of accounts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountPage)]
pub struct AccountPage {
    /// In the order of their user ids.
    pub data: Vec<AccountBody>,
    /// Where the next page begins; none after the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// A page of the journal.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JournalPage)]
pub struct JournalPage {
    /// The rows.
    pub data: Vec<JournalBody>,
    /// Where the next page begins; none after the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// The rows that one key has left.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyRows)]
pub struct KeyRows {
    /// Newest first: the debit, and recorded declines before it.
    pub data: Vec<JournalBody>,
}

/// One event of an account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JournalRow)]
pub struct JournalBody {
    /// Where it stands in the log.
    #[schema(value_type = String, example = "0-1234-7")]
    pub position: Position,
    /// The user.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// `opened`, `granted`, `deposited`, `debited`, `declined`, `crossed` or `closed`.
    #[schema(value_type = String, example = "debited")]
    pub kind: JournalKind,
    /// When it was recorded.
    pub recorded_at: String,
    /// When the usage happened, if the caller said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<String>,
    /// What it did to the balance, in USDC: negative for debits.
    #[schema(value_type = String, example = "-0.007")]
    pub amount: Usdc,
    /// The balance after it, in USDC.
    #[schema(value_type = String)]
    pub balance: Usdc,
    /// The level after it, where the event says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub level: Option<Level>,
    /// What was metered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub meter: Option<Meter>,
    /// Where in the caller's product.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub scope: Option<Scope>,
    /// The idempotency key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub key: Option<Key>,
    /// The part of a debit that went to `$fee`, in USDC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub fee: Option<Usdc>,
    /// The items of a charge, as asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ItemBody>>)]
    pub items: Option<Vec<Item>>,
    /// The amount of a charge without items, as asked, in USDC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub asked: Option<Usdc>,
    /// The source whose item it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The item's number in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Why a debit was declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The line that was crossed: `low` or `exhausted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub line: Option<Line>,
    /// Who opened, gave, paid in or closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The caller's own data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<JsonText>,
}

/// What is known of a source.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Source)]
pub struct SourceBody {
    /// The source.
    pub source: String,
    /// How far each partition is: everything up to the number is done with there.
    #[schema(value_type = Object, example = json!({"0": 5000}))]
    pub marks: BTreeMap<String, u64>,
    /// How many items were charged.
    pub charged: u64,
    /// How many items were declined.
    pub declined: u64,
    /// What was charged, in USDC.
    #[schema(value_type = String)]
    pub amount: Usdc,
}

/// Which partition decides for an account: that of its slot.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Routing)]
pub struct RoutingBody {
    /// How many partitions there are: they are numbered from 0.
    pub partitions: usize,
    /// Whose the slots 0 to 4095 are: ranges in order, the first from slot 0. How an account's slot is found is in
    /// `schemas/routing.json`.
    #[schema(value_type = Vec<SlotRangeBody>)]
    pub slots: SlotMap,
}

/// Consecutive slots of one partition.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SlotRange)]
pub struct SlotRangeBody {
    /// The first slot of the range; it ends before the next range's first.
    pub first: u16,
    /// The partition.
    pub partition: u16,
}

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub struct HealthBody {
    /// `ok` or `unavailable`.
    #[schema(value_type = String, example = "ok")]
    pub status: &'static str,
    /// What was looked at.
    pub checks: Vec<CheckBody>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Check)]
pub struct CheckBody {
    /// What: `writer 0`, `views`.
    pub name: String,
    /// It works.
    pub ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}
