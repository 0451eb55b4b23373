//! The views in SQLite: the file `views.db` of a data folder.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use planted::Bug;
use sqlx::migrate::Migrator;
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Executor as _, Row as _, Sqlite, SqliteConnection, SqlitePool,
    TypeInfo as _, ValueRef as _,
};

use crate::columns::{Column, Rows};
use crate::delta::Delta;
use crate::error::Error;
use crate::frozen::FrozenViews;
use crate::query::positions;
use crate::rebuild::HeldViews;
use crate::rows::ChainPosition;
use crate::schema;
use crate::store::{Applied, Record, Select, Value, ViewStore};
use crate::writes::{Write, guard, writes};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

const FILE: &str = "views.db";
/// Where a rebuild folds to.
const NEXT_FILE: &str = "views.next.db";

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
        let mut connection = connection.map_err(|error| unusable(file, &error))?;
        let done = MIGRATIONS.run(&mut connection).await;
        done.map_err(|source| schema::migration(place(file), &MIGRATIONS, source))
    }

    /// Opens a file that is there, and changes nothing in it.
    ///
    /// Errors: no file, or not one of this program; the folder can not be used.
    pub async fn open(dir: &Path) -> Result<Self, Error> {
        Self::open_by(&dir.join(FILE), writing).await
    }

    /// The same with a file of any name.
    ///
    /// Errors: as [`SqliteViews::open`].
    pub async fn open_file(file: &Path) -> Result<Self, Error> {
        Self::open_by(file, writing).await
    }

    /// Writes all to the one file, and closes it.
    pub async fn close(self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// The same without touching the file, which may be another process's, or may not be written at all.
    ///
    /// Errors: as [`SqliteViews::open`].
    pub async fn open_to_read(dir: &Path) -> Result<Self, Error> {
        Self::open_by(&dir.join(FILE), |file| options(file).read_only(true)).await
    }

    async fn open_by(file: &Path, how: fn(&Path) -> SqliteConnectOptions) -> Result<Self, Error> {
        if !file.exists() {
            return Err(Error::NotCreated { place: place(file) });
        }
        let mut connection = how(file).connect().await.map_err(|error| unusable(file, &error))?;
        let found = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(&mut connection)
            .await;
        schema::check(place(file), &MIGRATIONS, found)?;
        let writer = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false);
        let readers = SqlitePoolOptions::new().max_connections(8).test_before_acquire(false);
        let writer = writer.connect_lazy_with(writing(file));
        Ok(Self { writer, readers: readers.connect_lazy_with(options(file).read_only(true)) })
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

/// A rebuild of the views of a data folder.
pub(crate) struct SqliteRebuild {
    pub(crate) live: SqliteViews,
    pub(crate) next: SqliteViews,
    dir: PathBuf,
    /// Locked, and let go by the system when the process is gone.
    _right: File,
}

impl SqliteRebuild {
    pub(crate) async fn begin(dir: &Path, restart: bool) -> Result<Self, Error> {
        let live = SqliteViews::open(dir).await?;
        let lock = dir.join("views.next.lock");
        let right = File::create(&lock).map_err(|error| unusable(&lock, &error))?;
        right.try_lock().map_err(|_| Error::TwoRebuilds)?;
        let file = dir.join(NEXT_FILE);
        if restart {
            drop_file(&file)?;
        }
        SqliteViews::create_file(&file).await?;
        let next = SqliteViews::open_file(&file).await?;
        Ok(Self { live, next, dir: dir.to_owned(), _right: right })
    }

    pub(crate) async fn hold(&self) -> Result<HeldViews, Error> {
        let live = self.dir.join(FILE);
        let connection = writing(&live).connect().await.map_err(|error| unusable(&live, &error))?;
        HeldViews::sqlite(connection, &self.dir.join(NEXT_FILE).to_string_lossy()).await
    }

    pub(crate) async fn finish(self) -> Result<(), Error> {
        self.next.close().await;
        drop_file(&self.dir.join(NEXT_FILE))
    }
}

/// A database file and what SQLite keeps beside it.
fn drop_file(file: &Path) -> Result<(), Error> {
    for more in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(more);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unusable(file, &error)),
            _ => {}
        }
    }
    Ok(())
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

/// `synchronous=NORMAL`: a power cut may take the last deltas, rows and position together; they are folded again.
fn writing(file: &Path) -> SqliteConnectOptions {
    options(file).journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Normal)
}

#[async_trait]
impl ViewStore for SqliteViews {
    async fn apply(&self, delta: &Delta) -> Result<Applied, Error> {
        apply(&self.writer, delta).await.map_err(|source| Error::of("writing to views.db", source))
    }

    async fn positions(&self) -> Result<Vec<ChainPosition>, Error> {
        positions(self).await
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
    if execute(&mut transaction, &guard(delta)).await? != 1 {
        transaction.rollback().await?;
        return Ok(Applied::Elsewhere);
    }
    if planted::on(Bug::PositionApart) {
        transaction.execute("COMMIT; BEGIN IMMEDIATE").await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for write in writes(delta) {
        execute(&mut transaction, &write).await?;
    }
    transaction.commit().await?;
    Ok(Applied::Here)
}

/// Runs one statement on all its rows; how many it touched.
async fn execute(connection: &mut SqliteConnection, write: &Write<'_>) -> Result<u64, sqlx::Error> {
    let (mut first, mut touched) = (0, 0);
    for count in ROWS {
        while write.rows.len - first >= count {
            let sql = format!("{} {}", with(&write.rows, count), write.sql);
            let query = bind_rows(sqlx::query(AssertSqlSafe(sql)), &write.rows, first..first + count);
            touched += query.execute(&mut *connection).await?.rows_affected();
            first += count;
        }
    }
    Ok(touched)
}

/// So many rows as a table `d`.
fn with(rows: &Rows<'_>, count: usize) -> String {
    let names: Vec<&str> = rows.columns.iter().map(|(name, _)| *name).collect();
    let row = format!("({})", vec!["?"; names.len()].join(", "));
    format!("WITH d ({}) AS (VALUES {})", names.join(", "), vec![row.as_str(); count].join(", "))
}

fn bind_rows<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    rows: &Rows<'_>,
    range: std::ops::Range<usize>,
) -> Query<'q, Sqlite, SqliteArguments> {
    let columns = || rows.columns.iter().map(|(_, column)| column);
    let cells = range.flat_map(|row| columns().map(move |column| (column, row)));
    cells.fold(query, |query, (column, row)| match column {
        Column::Text(texts) => query.bind(texts[row].as_deref()),
        Column::Int(numbers) => query.bind(numbers[row]),
        Column::Flag(flags) => query.bind(flags[row]),
        Column::Time(times) => query.bind(times[row].map(|time| time.0)),
    })
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
