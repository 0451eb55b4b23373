//! The views in SQLite: the file `views.db` of a data folder.

mod rebuild;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ledger_core::Timestamp;
use planted::Bug;
use sqlx::migrate::Migrator;
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{
    Arguments as _, AssertSqlSafe, ConnectOptions as _, Connection as _, Encode, Executor as _, Row as _,
    Sqlite, SqliteConnection, SqlitePool, Type, TypeInfo as _, ValueRef as _,
};

use crate::columns::{Column, Rows};
use crate::delta::Delta;
use crate::error::Error;
use crate::frozen::FrozenViews;
use crate::journal::{self, Cells};
use crate::query::positions;
use crate::rows::{ChainPosition, JournalRow};
use crate::schema;
use crate::store::{Applied, Record, Select, Value, ViewStore};
use crate::writes::{Write, guard, writes};

pub(crate) use rebuild::SqliteRebuild;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

const FILE: &str = "views.db";

/// Bytes of a page, of files that are made from now on.
const PAGE: u32 = 16 * 1024;
/// Bytes of pages that the writer keeps in memory, at most.
const CACHE: u32 = 64 << 20;
/// Bytes of the write-ahead log, before what it holds is written to its place.
const WAL: u32 = 32 << 20;
/// Bytes that its file keeps at most when a larger transaction, such as a rebuild's, is in its place.
const WAL_KEPT: u32 = 2 * WAL;

/// Statements carry this many rows, the largest number that still fits first: few texts, so that each is prepared
/// once, and far below SQLite's limit of 32,766 values.
const ROWS: [usize; 4] = [256, 32, 4, 1];

/// Views in the data folder.
#[derive(Debug, Clone)]
pub struct SqliteViews {
    /// One connection: SQLite has one writer at a time, and waiting here is fairer than waiting there.
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteViews {
    /// Makes the file and its tables, or brings older ones up to date. Running it again changes nothing.
    ///
    /// Errors: the folder can not be used; tables of a newer program.
    pub async fn create(dir: &Path) -> Result<(), Error> {
        let file = dir.join(FILE);
        std::fs::create_dir_all(dir).map_err(|error| unusable(&file, &error))?;
        Self::create_file(&file).await
    }

    /// The same as a file of any name, in a folder that is there.
    ///
    /// Errors: as [`SqliteViews::create`].
    pub async fn create_file(file: &Path) -> Result<(), Error> {
        let connection = writing(file).create_if_missing(true).connect().await;
        let mut connection = connection.map_err(|error| unopened(file, error))?;
        let done = MIGRATIONS.run(&mut connection).await;
        closed(connection).await;
        done.map_err(|source| schema::migration(place(file), &MIGRATIONS, source))
    }

    /// Opens a file that is there, and changes nothing in it.
    ///
    /// Errors: no file, or not one of this program; the folder can not be used.
    pub async fn open(dir: &Path) -> Result<Self, Error> {
        Self::open_by(&dir.join(FILE), writing, reading).await
    }

    /// The same with a file of any name.
    ///
    /// Errors: as [`SqliteViews::open`].
    pub async fn open_file(file: &Path) -> Result<Self, Error> {
        Self::open_by(file, writing, reading).await
    }

    /// Writes all to the one file, and closes it.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// The same of a file that is made once and then only read: it is whole without anything beside it, on a medium that
    /// can not be written too.
    ///
    /// Errors: somebody has it open; it can not be written.
    pub async fn seal(self) -> Result<(), Error> {
        self.readers.close().await;
        // SQLite refuses another journal while the write-ahead log holds anything, or anybody else may write to it.
        let sealed = self.writer.execute("PRAGMA journal_mode = DELETE").await;
        self.writer.close().await;
        sealed.map(drop).map_err(|source| Error::of("writing all to the one file", source))
    }

    /// The same without touching the file, which may be another process's, or may not be written at all.
    ///
    /// Errors: as [`SqliteViews::open`].
    pub async fn open_to_read(dir: &Path) -> Result<Self, Error> {
        let file = dir.join(FILE);
        match Self::open_by(&file, reading, reading).await {
            // Readers of a file that is written leave marks beside it. Who may not do that reads one that nobody writes.
            Err(Error::File { .. } | Error::Unavailable { .. }) if !is_written(&file) => {
                let still = |file: &Path| reading(file).immutable(true);
                Self::open_by(&file, still, still).await
            }
            opened => opened,
        }
    }

    /// Removes a file, and what SQLite keeps beside it. What is not there is fine.
    ///
    /// Errors: one of them can not be removed.
    pub fn remove_file(file: &Path) -> std::io::Result<()> {
        ["", "-wal", "-shm"].iter().try_for_each(|more| match std::fs::remove_file(beside(file, more)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
    }

    /// `first`: how it is looked whether it is ours. `read`: how it is read from then on.
    async fn open_by(
        file: &Path,
        first: fn(&Path) -> SqliteConnectOptions,
        read: fn(&Path) -> SqliteConnectOptions,
    ) -> Result<Self, Error> {
        if !file.exists() {
            return Err(Error::NotCreated { place: place(file) });
        }
        let mut connection = first(file).connect().await.map_err(|error| unopened(file, error))?;
        let found = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(&mut connection)
            .await;
        closed(connection).await;
        schema::check(place(file), &MIGRATIONS, found)?;
        let writer = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false);
        let readers = SqlitePoolOptions::new().max_connections(8).test_before_acquire(false);
        let writer = writer.connect_lazy_with(writing(file));
        Ok(Self { writer, readers: readers.connect_lazy_with(read(file)) })
    }
}

impl SqliteViews {
    /// The views as they are now, for as long as somebody reads them.
    ///
    /// Errors: they can not be read.
    pub async fn freeze(&self) -> Result<FrozenViews, Error> {
        let connection =
            self.readers.acquire().await.map_err(|source| Error::of("reading from views.db", source))?;
        FrozenViews::sqlite(connection.detach()).await
    }
}

/// Dropped, a connection ends some time later, on a thread of its own: until then the file would count as open elsewhere.
async fn closed(connection: SqliteConnection) {
    let _ = connection.close().await; // It changed nothing that is not committed.
}

/// Somebody has it open to write, or was killed then: its newest rows stand beside it.
fn is_written(file: &Path) -> bool {
    std::fs::metadata(beside(file, "-wal")).is_ok_and(|wal| wal.len() > 0)
}

/// What SQLite keeps beside a file, by the end of its name.
fn beside(file: &Path, more: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(more);
    name.into()
}

/// A file that SQLite calls damaged is not to be cured by rights.
fn unopened(file: &Path, error: sqlx::Error) -> Error {
    match Error::of("opening views.db", error) {
        Error::Unavailable { source, .. } => unusable(file, &*source),
        refused => refused,
    }
}

fn unusable(file: &Path, error: &dyn std::error::Error) -> Error {
    Error::File { file: file.to_owned(), reason: schema::reason(error) }
}

fn place(file: &Path) -> String {
    format!("in {}", PathBuf::from(file).display())
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(Duration::from_secs(10))
        .statement_cache_capacity(200)
        .disable_statement_logging()
}

fn reading(file: &Path) -> SqliteConnectOptions {
    options(file).read_only(true)
}

/// What the writer asks of SQLite. A power cut may take the last deltas with `synchronous=NORMAL`, rows and position together:
/// they are folded again.
///
/// The rest is for folding a long log, in which every transaction touches pages all over the indexes. The cache holds them
/// from one transaction to the next; large pages are fewer to find, to split and to write; and the more the write-ahead
/// log takes, the more often a page is changed before it is written to its place.
fn writing(file: &Path) -> SqliteConnectOptions {
    options(file)
        .page_size(PAGE)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .pragma("cache_size", format!("-{}", CACHE / 1024))
        .pragma("wal_autocheckpoint", (WAL / PAGE).to_string())
        .pragma("journal_size_limit", WAL_KEPT.to_string())
}

#[async_trait]
impl ViewStore for SqliteViews {
    async fn apply(&self, delta: &Delta) -> Result<Applied, Error> {
        apply(&self.writer, delta).await.map_err(|source| Error::of("writing to views.db", source))
    }

    async fn positions(&self) -> Result<Vec<ChainPosition>, Error> {
        positions(self).await
    }

    async fn close(&self) {
        Self::close(self).await;
    }

    async fn select(&self, select: &Select) -> Result<Vec<Record>, Error> {
        let query = sqlx::query(AssertSqlSafe(select.sql.as_str()));
        let query = select.values.iter().fold(query, bind_value);
        let rows = query.fetch_all(&self.readers).await;
        let records = rows.and_then(|rows| rows.iter().map(record).collect());
        records.map_err(|source| Error::of("reading from views.db", source))
    }
}

/// The transaction takes the right to write at once: one that began by reading could be refused it half way.
async fn apply(pool: &SqlitePool, delta: &Delta) -> Result<Applied, sqlx::Error> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    if execute(&mut transaction, statements(&guard(delta))).await? != 1 {
        transaction.rollback().await?;
        return Ok(Applied::Elsewhere);
    }
    if planted::on(Bug::PositionApart) {
        transaction.execute("COMMIT; BEGIN IMMEDIATE").await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for write in writes(delta) {
        execute(&mut transaction, statements(&write)).await?;
    }
    execute(&mut transaction, journal_statements(&delta.journal)).await?;
    transaction.commit().await?;
    Ok(Applied::Here)
}

/// A statement and the values it runs on.
struct Statement {
    sql: Arc<str>,
    values: SqliteArguments,
}

/// Runs statements one after the other; how many rows they touched. SQLite works on a thread of its own, so the next one is
/// made meanwhile.
async fn execute(
    connection: &mut SqliteConnection,
    mut statements: impl Iterator<Item = Statement>,
) -> Result<u64, sqlx::Error> {
    let (mut touched, mut next) = (0, statements.next());
    while let Some(Statement { sql, values }) = next {
        let query = sqlx::query_with(AssertSqlSafe(sql), values);
        let (done, made) = tokio::join!(query.execute(&mut *connection), async { statements.next() });
        touched += done?.rows_affected();
        next = made;
    }
    Ok(touched)
}

/// Some rows by the sizes of the statements that carry them: each its range.
fn ranges(len: usize) -> impl Iterator<Item = Range<usize>> {
    let mut first = 0;
    std::iter::from_fn(move || {
        let count = ROWS.into_iter().find(|count| len - first >= *count)?;
        first += count;
        Some(first - count..first)
    })
}

/// `sql` for each size of statement, made when it is first asked for.
fn by_size(sql: impl Fn(usize) -> String) -> impl FnMut(usize) -> Arc<str> {
    let mut made: Option<(usize, Arc<str>)> = None;
    move |count| match &made {
        Some((size, sql)) if *size == count => Arc::clone(sql),
        _ => Arc::clone(&made.insert((count, sql(count).into())).1),
    }
}

fn statements<'a>(write: &'a Write<'_>) -> impl Iterator<Item = Statement> + use<'a> {
    let mut sql = by_size(|count| format!("{} {}", with(&write.rows, count), or_fail(&write.sql)));
    ranges(write.rows.len)
        .map(move |range| Statement { sql: sql(range.len()), values: values(&write.rows, range) })
}

/// By itself SQLite could undo a single statement, and for that it keeps a copy of every page the statement touches: more
/// work than the rows are. Here a statement that fails takes its whole transaction with it.
fn or_fail(sql: &str) -> String {
    let (verb, rest) = sql.split_once(' ').expect("a statement has more than a verb");
    format!("{verb} OR FAIL {rest}")
}

/// So many rows as a table `d`.
fn with(rows: &Rows<'_>, count: usize) -> String {
    let names: Vec<&str> = rows.columns.iter().map(|(name, _)| *name).collect();
    format!("WITH d ({}) AS ({})", names.join(", "), marks(names.len(), count))
}

/// The marks of so many rows of values.
fn marks(columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    format!("VALUES {}", vec![row.as_str(); rows].join(", "))
}

fn values(rows: &Rows<'_>, range: Range<usize>) -> SqliteArguments {
    let mut values = Values::default();
    for row in range {
        for (_, column) in &rows.columns {
            match column {
                Column::Text(texts) => values.text(texts[row].as_deref()),
                Column::Int(numbers) => values.int(numbers[row]),
                Column::Flag(flags) => values.int(flags[row].map(i64::from)),
                Column::Time(times) => values.time(times[row]),
            }
        }
    }
    values.0
}

fn journal_statements(rows: &[JournalRow]) -> impl Iterator<Item = Statement> {
    let columns = journal::COLUMNS;
    let into = format!("INSERT OR FAIL INTO journal ({})", columns.join(", "));
    let mut sql = by_size(move |count| format!("{into} {}", marks(columns.len(), count)));
    let mut json = String::new();
    ranges(rows.len()).map(move |range| {
        let mut values = Values::default();
        values.0.reserve(range.len() * columns.len(), 0);
        let sql = sql(range.len());
        rows[range].iter().for_each(|row| journal::write(row, &mut json, &mut values));
        Statement { sql, values: values.0 }
    })
}

/// Values in the order of their marks.
#[derive(Default)]
struct Values(SqliteArguments);

impl Values {
    fn add<'v>(&mut self, value: impl Encode<'v, Sqlite> + Type<Sqlite>) {
        self.0.add(value).expect("texts and numbers are what SQLite holds");
    }
}

impl Cells for Values {
    fn text(&mut self, text: Option<&str>) {
        self.add(text.map(Arc::<str>::from));
    }

    fn int(&mut self, number: Option<i64>) {
        self.add(number);
    }

    fn time(&mut self, time: Option<Timestamp>) {
        self.int(time.map(|time| time.0));
    }
}

fn bind_value<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    value: &Value,
) -> Query<'q, Sqlite, SqliteArguments> {
    match value {
        Value::Null => query.bind(None::<&str>),
        Value::Text(text) => query.bind(text.as_str()),
        Value::Int(number) => query.bind(*number),
        Value::Flag(flag) => query.bind(*flag),
        Value::Time(time) => query.bind(time.0),
    }
}

fn record(row: &SqliteRow) -> Result<Record, sqlx::Error> {
    (0..row.len()).map(|column| value(row, column)).collect()
}

fn value(row: &SqliteRow, column: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(column)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    Ok(match raw.type_info().name() {
        "INTEGER" => Value::Int(row.try_get(column)?),
        _ => Value::Text(row.try_get(column)?),
    })
}
