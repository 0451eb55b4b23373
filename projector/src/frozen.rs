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
use crate::tables::Kind::{Flag, Number, Text, Time};
use crate::tables::{CHAIN_POSITIONS, Column, JOURNAL, Table};

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
