//! All rows of all views at one moment, in an order and a form that are the same for both stores.
//!
//! [`PostgresViews::freeze`](crate::PostgresViews::freeze) and [`SqliteViews::freeze`](crate::SqliteViews::freeze) begin
//! one transaction that sees the views as they were when it began, positions and rows together, while a
//! projector goes on writing. Rows come as lines: a JSON array of the row's columns in the order of [`Table::columns`],
//! numbers in decimal, times in microseconds since 1970, truths as `true` and `false`, what is not there as `null`.
//! Lines of a table come in the order of its key, by bytes. This form is documented in `docs/auditing.md`: what is
//! counted, hashed or compared outside of Drip stands on it.

use std::fmt::Write as _;

use futures::stream::{BoxStream, StreamExt as _};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection};

use crate::error::Error;

/// A table of the views, as it is read.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in order.
    pub columns: &'static [Column],
    /// How many of them, from the first on, are its key and its order.
    pub key: usize,
}

/// A column: its name, and what it holds.
pub type Column = (&'static str, Kind);

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// A truth.
    Flag,
    /// A moment.
    Time,
}

use Kind::{Flag, Number, Text, Time};

/// The tables, in the order of their names. What the migrations call a key comes first in each.
pub const TABLES: [Table; 6] = [ACCOUNTS, CHAIN_POSITIONS, JOURNAL, LOTS, SOURCES, USAGE_HOURS];

/// One row an account.
pub const ACCOUNTS: Table = Table {
    name: "accounts",
    key: 2,
    columns: &[
        ("app", Text),
        ("user_id", Text),
        ("balance", Number),
        ("baseline", Number),
        ("level", Text),
        ("epoch", Number),
        ("dusted", Flag),
        ("closed", Flag),
        ("carry", Number),
        ("deposited", Number),
        ("granted", Number),
        ("charged", Number),
        ("fees", Number),
        ("email", Text),
        ("metadata", Text),
        ("opened_at", Time),
        ("opened_partition", Number),
        ("opened_sequence", Number),
        ("opened_idx", Number),
        ("last_partition", Number),
        ("last_sequence", Number),
        ("last_idx", Number),
    ],
};

/// How far each partition is folded.
pub const CHAIN_POSITIONS: Table = Table {
    name: "chain_positions",
    key: 2,
    columns: &[
        ("log", Text),
        ("partition", Number),
        ("read", Number),
        ("sequence", Number),
        ("hash", Text),
        ("time", Time),
        ("term", Text),
        ("foreign_count", Number),
    ],
};

/// One row an event of an account.
pub const JOURNAL: Table = Table {
    name: "journal",
    key: 3,
    columns: &[
        ("partition", Number),
        ("sequence", Number),
        ("idx", Number),
        ("app", Text),
        ("user_id", Text),
        ("kind", Text),
        ("recorded_at", Time),
        ("occurred_at", Time),
        ("amount", Number),
        ("balance", Number),
        ("level", Text),
        ("fee", Number),
        ("meter", Text),
        ("scope", Text),
        ("key", Text),
        ("source", Text),
        ("number", Number),
        ("items", Text),
        ("asked", Number),
        ("code", Text),
        ("line", Text),
        ("lots", Text),
        ("actor", Text),
        ("metadata", Text),
    ],
};

/// What each deposit or grant brought in.
pub const LOTS: Table = Table {
    name: "lots",
    key: 3,
    columns: &[
        ("app", Text),
        ("user_id", Text),
        ("lot", Number),
        ("kind", Text),
        ("priority", Number),
        ("partition", Number),
        ("sequence", Number),
        ("idx", Number),
        ("amount", Number),
        ("left", Number),
    ],
};

/// How far each source is done with.
pub const SOURCES: Table = Table {
    name: "sources",
    key: 3,
    columns: &[
        ("app", Text),
        ("source", Text),
        ("partition", Number),
        ("upto", Number),
        ("digest", Text),
        ("debits", Number),
        ("charged", Number),
        ("declined", Number),
    ],
};

/// Paid usage by the hour.
pub const USAGE_HOURS: Table = Table {
    name: "usage_hours",
    key: 4,
    columns: &[
        ("app", Text),
        ("user_id", Text),
        ("meter", Text),
        ("hour", Time),
        ("count", Number),
        ("charged", Number),
        ("fees", Number),
    ],
};

impl Table {
    fn names(&self, columns: &[Column]) -> String {
        // "left" is a word of SQL.
        columns.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    }

    fn select(&self, behind: Option<[i64; 3]>) -> String {
        let (all, key) = (self.names(self.columns), self.names(&self.columns[..self.key]));
        let behind = behind.map(|[partition, sequence, index]| {
            format!(
                "WHERE partition = {partition} AND (sequence > {sequence} OR (sequence = {sequence} AND idx > {index}))"
            )
        });
        format!("SELECT {all} FROM {} {} ORDER BY {key}", self.name, behind.unwrap_or_default())
    }
}

/// The views as they were at one moment.
#[derive(Debug)]
pub struct FrozenViews(Store);

#[derive(Debug)]
enum Store {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// The rows of a table as they are read.
pub type Lines<'a> = BoxStream<'a, Result<String, Error>>;

impl FrozenViews {
    pub(crate) async fn postgres(mut connection: PgConnection) -> Result<Self, Error> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        connection.execute(begin).await.map_err(unreadable)?;
        Self(Store::Postgres(connection)).touched().await
    }

    pub(crate) async fn sqlite(mut connection: SqliteConnection) -> Result<Self, Error> {
        connection.execute("BEGIN DEFERRED").await.map_err(unreadable)?;
        Self(Store::Sqlite(connection)).touched().await
    }

    /// A transaction sees the moment of its first read.
    async fn touched(mut self) -> Result<Self, Error> {
        self.lines(&CHAIN_POSITIONS).next().await.transpose()?;
        Ok(self)
    }

    /// All rows of a table, in the order of its key.
    pub fn lines(&mut self, table: &'static Table) -> Lines<'_> {
        self.read(table, table.select(None))
    }

    /// The rows of the journal behind a position (partition, sequence, index) of its partition, in order.
    pub fn journal_behind(&mut self, position: [i64; 3]) -> Lines<'_> {
        self.read(&JOURNAL, JOURNAL.select(Some(position)))
    }

    fn read(&mut self, table: &'static Table, sql: String) -> Lines<'_> {
        let query = AssertSqlSafe(sql);
        match &mut self.0 {
            Store::Postgres(connection) => {
                let rows = sqlx::query(query).fetch(connection);
                rows.map(|row| row.and_then(|row| postgres_line(table, &row)).map_err(unreadable)).boxed()
            }
            Store::Sqlite(connection) => {
                let rows = sqlx::query(query).fetch(connection);
                rows.map(|row| row.and_then(|row| sqlite_line(table, &row)).map_err(unreadable)).boxed()
            }
        }
    }

    /// Lets the views go.
    pub async fn close(self) {
        // Nothing was written, so nothing can be lost: a connection that is gone is as good as closed.
        let _ = match self.0 {
            Store::Postgres(connection) => connection.close().await,
            Store::Sqlite(connection) => connection.close().await,
        };
    }
}

fn unreadable(source: sqlx::Error) -> Error {
    Error::of("reading the frozen views", source)
}

fn postgres_line(table: &Table, row: &PgRow) -> sqlx::Result<String> {
    let mut line = Line::default();
    for (index, (_, kind)) in table.columns.iter().enumerate() {
        match kind {
            Text => line.text(row.try_get(index)?),
            Number => line.value(row.try_get::<Option<i64>, _>(index)?),
            Flag => line.value(row.try_get::<Option<bool>, _>(index)?),
            Time => {
                let time: Option<chrono::DateTime<chrono::Utc>> = row.try_get(index)?;
                line.value(time.map(|time| time.timestamp_micros()));
            }
        }
    }
    Ok(line.done())
}

fn sqlite_line(table: &Table, row: &SqliteRow) -> sqlx::Result<String> {
    let mut line = Line::default();
    for (index, (_, kind)) in table.columns.iter().enumerate() {
        match kind {
            Text => line.text(row.try_get(index)?),
            Number | Time => line.value(row.try_get::<Option<i64>, _>(index)?),
            Flag => line.value(row.try_get::<Option<i64>, _>(index)?.map(|flag| flag != 0)),
        }
    }
    Ok(line.done())
}

/// A line in the making.
#[derive(Debug, Default)]
struct Line(String);

impl Line {
    fn value(&mut self, value: Option<impl std::fmt::Display>) {
        self.0.push(if self.0.is_empty() { '[' } else { ',' });
        match value {
            Some(value) => write!(self.0, "{value}").expect("a String takes everything"),
            None => self.0.push_str("null"),
        }
    }

    fn text(&mut self, text: Option<&str>) {
        self.value(text.map(|text| serde_json::to_string(text).expect("a text is always JSON")));
    }

    fn done(mut self) -> String {
        self.0.push(']');
        self.0
    }
}
