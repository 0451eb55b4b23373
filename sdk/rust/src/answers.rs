//! What comes in. Fields a newer server adds are ignored.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::decimal::Amount;
use crate::requests::Item;
use crate::upkeep::Container;

/// How an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// More than the low line is left.
    Healthy,
    /// At or below the low line.
    Low,
    /// Nothing is left, or nothing anything could be bought for.
    Exhausted,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Healthy => "healthy",
            Self::Low => "low",
            Self::Exhausted => "exhausted",
        })
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Whose.
    pub user_id: String,
    /// The sum of its lots.
    pub balance: Amount,
    /// What debits may spend.
    pub available: Amount,
    /// What counts as 100 %.
    pub baseline: Amount,
    /// How it stands.
    pub level: Level,
    /// How it is shown: "provisioning", "active", "low_credit", "paused", "restoring", "failed", "closed".
    pub status: String,
    /// Counts the rises of the level.
    pub epoch: u64,
    /// Its last event.
    pub position: String,
    /// Where the user is written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The developer's own data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// When it was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<DateTime<Utc>>,
    /// What is left of which money in, in the order in which it is spent; only when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lots: Option<Vec<Lot>>,
    /// Its container, if it has one; absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// The call opened it; only in the answer to an opening.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<bool>,
    /// The call changed it; only in the answer to closing, putting to sleep, waking and setting the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
}

/// What one deposit or grant brought in, and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// The account's own number of it.
    pub lot: u64,
    /// Paid or given.
    pub kind: LotKind,
    /// Lower is spent first.
    pub priority: i64,
    /// What is left.
    pub left: Amount,
    /// The event that brought it in.
    pub position: String,
}

/// Where a lot's money came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LotKind {
    /// It was paid.
    Paid,
    /// It was given.
    Promo,
}

/// What a debit, deposit or grant did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Whose account.
    pub user_id: String,
    /// The idempotency key.
    #[serde(default)]
    pub key: Option<String>,
    /// The whole credits moved.
    pub amount: Amount,
    /// The balance right after.
    pub balance: Amount,
    /// What debits may spend right after.
    pub available: Amount,
    /// How the account stands right after.
    pub level: Level,
    /// Where it stands in the log; none for a dry run.
    pub position: Option<String>,
    /// It had happened before, under the same key.
    #[serde(default)]
    pub duplicate: bool,
    /// The ledger's own share of a debit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<Amount>,
    /// The items of a debit, as asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<Item>>,
    /// What was metered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meter: Option<String>,
    /// Nothing was done.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

/// One line of an account's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRow {
    /// Whose account; absent where the question named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Where it stands in the log.
    pub position: String,
    /// What happened: "debited", "deposited", "granted", "declined", "opened", "crossed", "closed".
    pub kind: String,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// When it happened, as the caller said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<DateTime<Utc>>,
    /// What moved: below zero for debits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// The balance right after.
    pub balance: Amount,
    /// How the account stood right after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// What was metered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meter: Option<String>,
    /// Where in the developer's product it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The ledger's own share of a debit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<Amount>,
    /// The items of a debit, as asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<Item>>,
    /// The source it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its number in that source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Why it was declined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Which line was crossed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// Who acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The developer's own data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// The amount of a charge without items, as asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Amount>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Asks for the next page; none at the end.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// What became of a source's batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceAnswer {
    /// The source.
    pub source: String,
    /// The number before the batch's first.
    pub from: u64,
    /// The batch's last number.
    pub to: u64,
    /// The digest over the source up to `to`: it goes into the next batch.
    pub digest: String,
    /// Items charged now.
    pub charged: u64,
    /// Items declined now, for good.
    pub declined: u64,
    /// Items done with before.
    pub skipped: u64,
    /// Accounts opened now.
    pub opened: u64,
    /// What was charged now.
    pub amount: Amount,
    /// The last event of each partition that had something to write.
    #[serde(default)]
    pub positions: BTreeMap<String, String>,
}

/// What the views know of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// The source.
    pub source: String,
    /// The number of the last item that is done with, by partition.
    pub marks: BTreeMap<String, u64>,
    /// Items charged so far.
    pub charged: u64,
    /// Items declined so far, for good.
    pub declined: u64,
    /// What was charged so far.
    pub amount: Amount,
}

/// Whether a server takes calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// In one word.
    pub status: String,
    /// Part by part.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// The state of one part of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Which: "writer 0", "views".
    pub name: String,
    /// It works.
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}
