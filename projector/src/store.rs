//! The port to the views, and the few kinds of values both stores speak.

use async_trait::async_trait;
use ledger_core::Timestamp;

use crate::delta::Delta;
use crate::error::Error;
use crate::rows::ChainPosition;

/// What became of a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// All of it stands, and the position with it.
    Here,
    /// Nothing was changed: the views do not stand where the delta begins. Somebody else has moved them, or an
    /// earlier try had succeeded: read the position and go on from there.
    Elsewhere,
}

/// Where the views are kept.
#[async_trait]
pub trait ViewStore: Send + Sync + 'static {
    /// Changes rows and position in one transaction, if the views stand where the delta begins.
    ///
    /// Errors: nothing can be said about whether it was applied; applying it again is harmless.
    async fn apply(&self, delta: &Delta) -> Result<Applied, Error>;

    /// How far each partition is folded: of every log that was ever folded here, in order.
    async fn positions(&self) -> Result<Vec<ChainPosition>, Error>;

    /// The records a query finds.
    async fn select(&self, select: &Select) -> Result<Vec<Record>, Error>;

    /// Nothing is asked of it any more: what has to be brought into order at the end is.
    async fn close(&self) {}
}

/// A query in the SQL that both stores understand, with `$1` for its first value.
#[derive(Debug, Clone, Default)]
pub struct Select {
    pub(crate) sql: String,
    pub(crate) values: Vec<Value>,
}

impl Select {
    /// Begins with this text.
    pub(crate) fn new(sql: &str) -> Self {
        Self { sql: sql.to_owned(), values: Vec::new() }
    }

    /// Goes on with this text.
    pub(crate) fn then(mut self, sql: &str) -> Self {
        self.sql.push_str(sql);
        self
    }

    /// Goes on with a value.
    pub(crate) fn value(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self.sql.push_str(&format!("${}", self.values.len()));
        self
    }

    /// Goes on with a condition on a value, if there is one.
    pub(crate) fn filter(self, sql: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.then(sql).value(value),
            None => self,
        }
    }
}

/// A value of a column or of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// None.
    Null,
    /// A text.
    Text(String),
    /// A number. In SQLite also a truth (0 or 1) and a moment (microseconds since 1970).
    Int(i64),
    /// A truth.
    Flag(bool),
    /// A moment.
    Time(Timestamp),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(big(number))
    }
}

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        Self::Time(storable(time))
    }
}

/// The values of one row, in the order of the query's columns.
pub type Record = Vec<Value>;

/// A count or a sequence as the stores hold it. What is beyond their range does not occur in a log's lifetime.
pub(crate) fn big(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The nearest moment that both stores can hold and print: years 1 to 9999.
pub(crate) fn storable(time: Timestamp) -> Timestamp {
    const FIRST: i64 = -62_135_596_800_000_000;
    const LAST: i64 = 253_402_300_799_999_999;
    Timestamp(time.0.clamp(FIRST, LAST))
}
