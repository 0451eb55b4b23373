//! The views in Postgres. Rows of the journal are copied in; all others travel as arrays, one a column, so that a statement is
//! one round trip whatever its size.
//!
//! Writers have connections of their own. An `apply` that is dropped half way, in the middle of a COPY, would leave its
//! connection in a state that no pool can tell, so a connection is kept for the next one only after a commit.

use std::str::FromStr as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ledger_core::Timestamp;
use planted::Bug;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, PgPool, Postgres,
    Row as _, TypeInfo as _, ValueRef as _,
};

use crate::columns::{Column, Rows};
use crate::copy::Copy;
use crate::delta::Delta;
use crate::error::Error;
use crate::frozen::FrozenViews;
use crate::query::positions;
use crate::rebuild::{HeldViews, drop_indexes};
use crate::rows::{ChainPosition, JournalRow};
use crate::schema;
use crate::store::{Applied, Record, Select, Value, ViewStore};
use crate::writes::{Write, guard, writes};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How long a caller waits for a free connection, a new one included.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of the journal that are sent at once: while the server works on them, the next are made.
const MESSAGE: usize = 64 * 1024;

/// Views in a Postgres database.
#[derive(Debug, Clone)]
pub struct PostgresViews {
    pool: PgPool,
    /// Connections whose last word was a commit, each with its prepared statements. No more than ever wrote at once.
    writers: Arc<Mutex<Vec<PgConnection>>>,
}

impl PostgresViews {
    /// Makes the tables, or brings older ones up to date. Running it again changes nothing.
    ///
    /// Errors: no connection; tables of a newer program.
    pub async fn create(url: &str) -> Result<(), Error> {
        let (pool, place) = connect(url).await?;
        let done = MIGRATIONS.run(&pool).await;
        pool.close().await;
        done.map_err(|source| schema::migration(place, &MIGRATIONS, source))
    }

    /// Connects to tables that are there, and changes nothing.
    ///
    /// Errors: no connection; no tables, or not those of this program.
    pub async fn open(url: &str) -> Result<Self, Error> {
        let (pool, place) = connect(url).await?;
        let found = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(&pool)
            .await;
        schema::check(place, &MIGRATIONS, found)?;
        Ok(Self::of(pool))
    }

    fn of(pool: PgPool) -> Self {
        Self { pool, writers: Arc::default() }
    }
}

impl PostgresViews {
    /// The views as they are now, for as long as somebody reads them.
    ///
    /// Errors: they can not be read.
    pub async fn freeze(&self) -> Result<FrozenViews, Error> {
        let connection =
            self.pool.acquire().await.map_err(|source| Error::of("reading from Postgres", source))?;
        FrozenViews::postgres(connection.detach()).await
    }
}

/// A rebuild of the views in a database.
pub(crate) struct PostgresRebuild {
    pub(crate) live: PostgresViews,
    pub(crate) next: PostgresViews,
    live_schema: String,
    next_schema: String,
    /// Holds an advisory lock, which the server lets go when the process is gone.
    right: PgConnection,
}

impl PostgresRebuild {
    pub(crate) async fn begin(url: &str, restart: bool) -> Result<Self, Error> {
        let live = PostgresViews::open(url).await?;
        let unmade = |source| Error::of("making tables beside the views", source);
        let mut right = live.pool.acquire().await.map_err(unmade)?.detach();
        let schema: Option<String> = sqlx::query_scalar("SELECT current_schema()::text")
            .fetch_one(&mut right)
            .await
            .map_err(unmade)?;
        let live_schema = schema.unwrap_or_else(|| "public".to_owned());
        let next_schema = format!("{live_schema}_next");
        let alone: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtext($1))")
            .bind(format!("drip rebuild {live_schema}"))
            .fetch_one(&mut right)
            .await
            .map_err(unmade)?;
        if !alone {
            return Err(Error::TwoRebuilds);
        }
        if restart {
            drop_schema(&mut right, &next_schema).await?;
        }
        let make =
            format!("SET client_min_messages = warning; CREATE SCHEMA IF NOT EXISTS \"{next_schema}\"");
        right.execute(AssertSqlSafe(make)).await.map_err(unmade)?;
        let (pool, place) = connect_in(url, Some(&next_schema)).await?;
        MIGRATIONS.run(&pool).await.map_err(|source| schema::migration(place, &MIGRATIONS, source))?;
        let drop = drop_indexes(&format!("\"{next_schema}\"."));
        pool.execute(AssertSqlSafe(drop)).await.map_err(unmade)?;
        Ok(Self { live, next: PostgresViews::of(pool), live_schema, next_schema, right })
    }

    pub(crate) async fn hold(&self) -> Result<HeldViews, Error> {
        let connection = self.live.pool.acquire().await;
        let connection = connection.map_err(|source| Error::of("holding the views", source))?.detach();
        HeldViews::postgres(connection, &self.live_schema, &self.next_schema).await
    }

    pub(crate) async fn finish(mut self) -> Result<(), Error> {
        self.next.pool.close().await;
        drop_schema(&mut self.right, &self.next_schema).await
    }
}

async fn drop_schema(connection: &mut PgConnection, schema: &str) -> Result<(), Error> {
    let drop = format!("DROP SCHEMA IF EXISTS \"{schema}\" CASCADE");
    let dropped = connection.execute(AssertSqlSafe(drop)).await;
    dropped.map(|_| ()).map_err(|source| Error::of("dropping the tables of a rebuild", source))
}

/// A pool that has connected once, and where it leads to, as people say it: without a password.
async fn connect(url: &str) -> Result<(PgPool, String), Error> {
    connect_in(url, None).await
}

/// The same with a schema to work in.
async fn connect_in(url: &str, schema: Option<&str>) -> Result<(PgPool, String), Error> {
    let unreachable =
        |url: String, error: sqlx::Error| Error::Unreachable { url, reason: schema::reason(&error) };
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| unreachable("the given address".to_owned(), error))?
        .application_name("drip-views")
        .disable_statement_logging();
    let options = match schema {
        // What is there already is no news.
        Some(schema) => options.options([("search_path", schema), ("client_min_messages", "warning")]),
        None => options,
    };
    let database = options.get_database().unwrap_or(options.get_username());
    let address = format!("{}:{}/{database}", options.get_host(), options.get_port());
    // Asked without the pool first, which would hide the reason behind its own timeout.
    let connected = tokio::time::timeout(ACQUIRE_TIMEOUT, options.connect()).await;
    let probe = connected.unwrap_or(Err(sqlx::Error::PoolTimedOut));
    let probe = probe.map_err(|error| unreachable(address.clone(), error))?;
    drop(probe);
    let pool = PgPoolOptions::new().max_connections(16).acquire_timeout(ACQUIRE_TIMEOUT);
    Ok((pool.connect_lazy_with(options), format!("in Postgres at {address}")))
}

#[async_trait]
impl ViewStore for PostgresViews {
    async fn apply(&self, delta: &Delta) -> Result<Applied, Error> {
        self.write(delta).await.map_err(|source| Error::of("writing to Postgres", source))
    }

    async fn positions(&self) -> Result<Vec<ChainPosition>, Error> {
        positions(self).await
    }

    async fn select(&self, select: &Select) -> Result<Vec<Record>, Error> {
        let query = sqlx::query(AssertSqlSafe(select.sql.as_str()));
        let query = select.values.iter().fold(query, bind_value);
        let rows = query.fetch_all(&self.pool).await;
        let records = rows.and_then(|rows| rows.iter().map(record).collect());
        records.map_err(|source| Error::of("reading from Postgres", source))
    }
}

impl PostgresViews {
    async fn write(&self, delta: &Delta) -> Result<Applied, sqlx::Error> {
        let kept = self.kept().pop();
        let mut writer = match kept {
            Some(writer) => writer,
            None => self.pool.acquire().await?.detach(),
        };
        let applied = apply(&mut writer, delta).await;
        match &applied {
            Ok(_) => self.kept().push(writer),
            // What broke this one may have broken the others.
            Err(_) => self.kept().clear(),
        }
        applied
    }

    fn kept(&self) -> MutexGuard<'_, Vec<PgConnection>> {
        self.writers.lock().expect("nobody panics while holding it")
    }
}

async fn apply(connection: &mut PgConnection, delta: &Delta) -> Result<Applied, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    if execute(&mut transaction, guard(delta)).await? != 1 {
        transaction.rollback().await?;
        return Ok(Applied::Elsewhere);
    }
    if planted::on(Bug::PositionApart) {
        transaction.execute("COMMIT; BEGIN").await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for write in writes(delta) {
        execute(&mut transaction, write).await?;
    }
    copy_journal(&mut transaction, &delta.journal).await?;
    transaction.commit().await?;
    Ok(Applied::Here)
}

async fn copy_journal(connection: &mut PgConnection, rows: &[JournalRow]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut stream = connection.copy_in_raw(&Copy::into_journal()).await?;
    let mut copy = Copy::begin();
    for row in rows {
        copy.row(row);
        if copy.bytes.len() >= MESSAGE {
            stream.send(copy.bytes.as_slice()).await?;
            copy.bytes.clear();
        }
    }
    copy.end();
    stream.send(copy.bytes.as_slice()).await?;
    stream.finish().await?;
    Ok(())
}

/// Runs one statement; how many rows it touched.
async fn execute(connection: &mut PgConnection, write: Write<'_>) -> Result<u64, sqlx::Error> {
    let sql = format!("{} {}", with(&write.rows), write.sql);
    let query = sqlx::query(AssertSqlSafe(sql));
    let query = write.rows.columns.into_iter().fold(query, |query, (_, column)| bind_column(query, column));
    Ok(query.execute(connection).await?.rows_affected())
}

/// The rows as a table `d`.
fn with(rows: &Rows<'_>) -> String {
    let names: Vec<&str> = rows.columns.iter().map(|(name, _)| *name).collect();
    let array = |(number, (_, column)): (usize, &(&str, Column<'_>))| {
        let array = match column {
            Column::Text(_) => "text[]",
            Column::Int(_) => "bigint[]",
            Column::Flag(_) => "boolean[]",
            Column::Time(_) => "timestamptz[]",
        };
        format!("${}::{array}", number + 1)
    };
    let arrays: Vec<String> = rows.columns.iter().enumerate().map(array).collect();
    format!("WITH d ({}) AS (SELECT * FROM UNNEST({}))", names.join(", "), arrays.join(", "))
}

fn bind_column<'q>(
    query: Query<'q, Postgres, PgArguments>,
    column: Column<'_>,
) -> Query<'q, Postgres, PgArguments> {
    match column {
        Column::Text(texts) => query.bind(texts),
        Column::Int(numbers) => query.bind(numbers),
        Column::Flag(flags) => query.bind(flags),
        Column::Time(times) => {
            query.bind(times.into_iter().map(|time| time.map(date_time)).collect::<Vec<_>>())
        }
    }
}

fn bind_value<'q>(
    query: Query<'q, Postgres, PgArguments>,
    value: &Value,
) -> Query<'q, Postgres, PgArguments> {
    match value {
        Value::Null => query.bind(None::<&str>),
        Value::Text(text) => query.bind(text.as_str()),
        Value::Int(number) => query.bind(*number),
        Value::Flag(flag) => query.bind(*flag),
        Value::Time(time) => query.bind(date_time(*time)),
    }
}

fn date_time(time: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.0).expect("rows and questions keep to the years 1 to 9999")
}

fn record(row: &PgRow) -> Result<Record, sqlx::Error> {
    (0..row.len()).map(|column| value(row, column)).collect()
}

fn value(row: &PgRow, column: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(column)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    Ok(match raw.type_info().name() {
        "INT8" => Value::Int(row.try_get(column)?),
        "BOOL" => Value::Flag(row.try_get(column)?),
        "TIMESTAMPTZ" => Value::Time(Timestamp(row.try_get::<DateTime<Utc>, _>(column)?.timestamp_micros())),
        _ => Value::Text(row.try_get(column)?),
    })
}
