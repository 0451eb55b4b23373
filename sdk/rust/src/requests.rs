//! What goes out.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::answers::Level;
use crate::decimal::{Amount, Decimal};
use crate::upkeep::ContainerSettings;

/// Open an account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct OpenAccount {
    /// Whose account.
    pub user_id: String,
    /// Where the user is written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The developer's own data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// What is granted at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_balance: Option<Amount>,
    /// The container that the user gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerSettings>,
    /// An opening needs none: opening again changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl OpenAccount {
    /// For this user, with nothing in it.
    pub fn new(user_id: impl Into<String>) -> Self {
        Self { user_id: user_id.into(), ..Self::default() }
    }

    /// Grants this much at once.
    #[must_use]
    pub fn initial_balance(mut self, amount: Amount) -> Self {
        self.initial_balance = Some(amount);
        self
    }

    /// Gives the user a container.
    #[must_use]
    pub fn container(mut self, settings: ContainerSettings) -> Self {
        self.container = Some(settings);
        self
    }
}

/// Money in: a deposit or a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MoneyIn {
    /// How much, above zero.
    pub amount: Amount,
    /// The idempotency key; the client makes one when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The developer's own data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

impl MoneyIn {
    /// This much, with this key: the same payment must always come with the same key.
    pub fn new(amount: Amount, key: impl Into<String>) -> Self {
        Self { amount, key: Some(key.into()), metadata: None }
    }
}

/// Pay for usage: an amount, or items whose exact sum the ledger makes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Debit {
    /// How much, above zero. Either this or items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// 1 to 16 lines of quantity and price.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
    /// What was metered; the ledger says "usage" when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meter: Option<String>,
    /// Where in the developer's product it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// When it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<DateTime<Utc>>,
    /// The developer's own data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// The idempotency key; the client makes one when there is none. A source's item has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Debit {
    /// Of this much.
    pub fn amount(amount: Amount) -> Self {
        Self { amount: Some(amount), ..Self::default() }
    }

    /// Of these items.
    pub fn items(items: Vec<Item>) -> Self {
        Self { items, ..Self::default() }
    }

    /// Names what was metered.
    #[must_use]
    pub fn meter(mut self, meter: impl Into<String>) -> Self {
        self.meter = Some(meter.into());
        self
    }

    /// Sets the idempotency key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

/// One line of an itemised debit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Item {
    /// What was used.
    pub name: String,
    /// How much of it: up to 10^9, with up to six decimals.
    pub quantity: Decimal,
    /// What one costs in USDC: up to 10^6, with up to twelve decimals.
    pub unit_price: Decimal,
}

/// A debit of a batch over users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserDebit {
    /// Who pays.
    pub user_id: String,
    /// For what.
    #[serde(flatten)]
    pub debit: Debit,
}

/// The items (from, to] of a source. A number without an item is a line nobody can be charged for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SourceBatch {
    /// The source's name.
    pub source: String,
    /// The number before the batch's first.
    pub from: u64,
    /// The batch's last number.
    pub to: u64,
    /// The digest the batch before was answered with; none at the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The source ends here for now: a ledger that knows more of it refuses.
    pub last: bool,
    /// Open users that are missing, with this grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_missing: Option<Amount>,
    /// Up to 5000, in order of number.
    pub debits: Vec<SourceDebit>,
}

/// One item of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceDebit {
    /// Its number in the source, from 1.
    pub number: u64,
    /// Who pays.
    pub user_id: String,
    /// For what. Without a key: the number serves.
    #[serde(flatten)]
    pub debit: Debit,
}

/// Which accounts to list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct AccountsQuery {
    /// How many at most; the server's default when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Only those at this level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// Wait until the views have seen this position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_for: Option<String>,
}

/// Which journal rows to list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct JournalQuery {
    /// How many at most; the server's default when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Newest first or oldest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// Only rows of this kind, "debited".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only this meter's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meter: Option<String>,
    /// Wait until the views have seen this position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_for: Option<String>,
}

/// The order of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    Desc,
}
