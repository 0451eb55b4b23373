//! Views folded anew: from the beginning of the log into tables beside the live ones, which are then brought to what the
//! new ones say in one transaction.
//!
//! The new tables keep their own positions, so an interrupted rebuild goes on where it was. In the end the live views
//! are held still for a moment: the projector waits, readers do not. Only rows that differ are written, so views
//! that were right are left as they are, and it is known how many were not. The live views never go backwards.

use std::fmt::Write as _;
use std::panic::resume_unwind;
use std::path::Path;

use event_log::{Entry, EventLog, ReadError};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use ledger_core::{PartitionId, Sequence, Timestamp};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::check::require_log;
use crate::delta::Delta;
use crate::error::{Error, ProjectorError};
use crate::fold::Fold;
use crate::machine::decode;
use crate::postgres::PostgresRebuild;
use crate::rows::ChainPosition;
use crate::sqlite::SqliteRebuild;
use crate::store::{Applied, ViewStore};
use crate::tables::{TABLES, Table};

/// Bytes of commits in one transaction: a rebuild is in nobody's way.
const BATCH_BYTES: usize = 4 << 20;

/// What only questions need. Nobody asks the new tables anything, and these cost more than the rows. A later
/// migration that changes one of these must say IF EXISTS.
pub(crate) const INDEXES: [&str; 8] = [
    "agent_log_app",
    "checkouts_pending",
    "checkouts_session",
    "journal_account",
    "journal_declined",
    "journal_key",
    "notices_open",
    "usage_hours_app",
];

/// SQL that drops them where they are, for tables whose names are written with this prefix.
pub(crate) fn drop_indexes(prefix: &str) -> String {
    INDEXES.map(|index| format!("DROP INDEX IF EXISTS {prefix}{index};")).concat()
}

/// Where a partition is folded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goal {
    /// The partition.
    pub partition: PartitionId,
    /// The last message to fold.
    pub to: Sequence,
    /// No commit of this time or later is folded.
    pub until: Option<Timestamp>,
}

/// What was folded since it was told last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Folded {
    /// Messages of the log, foreign ones too.
    pub messages: u64,
    /// Commits.
    pub commits: u64,
    /// Their events.
    pub events: u64,
}

impl Folded {
    /// Both together.
    #[must_use]
    pub fn and(self, more: Self) -> Self {
        Self {
            messages: self.messages + more.messages,
            commits: self.commits + more.commits,
            events: self.events + more.events,
        }
    }
}

/// Folds a partition from where the store stands up to the goal; not to its end when somebody else moves the store
/// meanwhile ([`Applied::Elsewhere`]). `tell` hears of each step.
///
/// Errors: the log can not be read or is damaged; the views can not be written, or are another log's.
pub async fn fold_to(
    log: &dyn EventLog,
    store: &dyn ViewStore,
    goal: Goal,
    mut tell: impl FnMut(Folded) + Send,
) -> Result<Applied, ProjectorError> {
    let identity = log.identity().log;
    let positions = store.positions().await?;
    require_log(identity, &positions)?;
    let known = positions.into_iter().find(|position| position.partition == goal.partition);
    let position = known.unwrap_or_else(|| ChainPosition::start(identity, goal.partition));
    let (folded, mut ready) = mpsc::channel(1);
    let mut folding = JoinSet::new();
    let entries = log.follow(goal.partition, position.read);
    folding.spawn(Folding { entries, position, goal, ended: false }.work(folded));
    while let Some(batch) = ready.recv().await {
        let (delta, folded) = batch?;
        if store.apply(&delta).await? == Applied::Elsewhere {
            return Ok(Applied::Elsewhere);
        }
        tell(folded);
    }
    // Without batches it is done, or it has panicked.
    folding
        .join_next()
        .await
        .expect("it was spawned")
        .unwrap_or_else(|error| resume_unwind(error.into_panic()));
    Ok(Applied::Here)
}

/// A task of its own, which folds the next delta while the store is at the last.
struct Folding {
    entries: BoxStream<'static, Result<Entry, ReadError>>,
    position: ChainPosition,
    goal: Goal,
    /// Nothing that comes is wanted.
    ended: bool,
}

impl Folding {
    /// Until the goal, an error, or until nobody listens.
    async fn work(mut self, to: mpsc::Sender<Result<(Delta, Folded), ProjectorError>>) {
        while self.position.read < self.goal.to && !self.ended {
            let batch = self.batch().await;
            if matches!(&batch, Ok((_, folded)) if folded.messages == 0) {
                return;
            }
            let failed = batch.is_err();
            if to.send(batch).await.is_err() || failed {
                return;
            }
        }
    }

    async fn batch(&mut self) -> Result<(Delta, Folded), ProjectorError> {
        let (mut fold, mut folded, mut bytes) = (Fold::new(self.position), Folded::default(), 0);
        while bytes < BATCH_BYTES && fold.position().read < self.goal.to {
            let entry = self.entries.next().await.expect("a followed log ends by an error alone");
            match entry.map_err(ProjectorError::Log)? {
                Entry::Commit(stored) => {
                    let commit = decode(&stored)?;
                    if self.goal.until.is_some_and(|until| commit.time >= until) {
                        self.ended = true;
                        break;
                    }
                    fold.commit(&commit)?;
                    bytes += stored.bytes.len();
                    folded.commits += 1;
                    folded.events += commit.events.len() as u64;
                }
                Entry::Foreign { sequence, .. } => fold.step_over(sequence)?,
            }
            folded.messages += 1;
        }
        self.position = *fold.position();
        Ok((fold.finish(), folded))
    }
}

/// A rebuild under way, of which there is one at a time.
pub struct Rebuild(Place);

enum Place {
    Postgres(PostgresRebuild),
    Sqlite(SqliteRebuild),
}

impl Rebuild {
    /// Of views in Postgres: the new tables are made in a schema of their own, `<schema of the live ones>_next`. With
    /// `restart` what an earlier rebuild had folded is dropped.
    ///
    /// Errors: no connection, no live views, no right to make a schema, another rebuild is under way.
    pub async fn postgres(url: &str, restart: bool) -> Result<Self, Error> {
        Ok(Self(Place::Postgres(PostgresRebuild::begin(url, restart).await?)))
    }

    /// Of views in a data folder: the new tables are in `views.next.db` there.
    ///
    /// Errors: the folder can not be used, no live views, another rebuild is under way.
    pub async fn sqlite(dir: &Path, restart: bool) -> Result<Self, Error> {
        Ok(Self(Place::Sqlite(SqliteRebuild::begin(dir, restart).await?)))
    }

    /// The live views.
    pub fn live(&self) -> &dyn ViewStore {
        match &self.0 {
            Place::Postgres(rebuild) => &rebuild.live,
            Place::Sqlite(rebuild) => &rebuild.live,
        }
    }

    /// The new ones.
    pub fn next(&self) -> &dyn ViewStore {
        match &self.0 {
            Place::Postgres(rebuild) => &rebuild.next,
            Place::Sqlite(rebuild) => &rebuild.next,
        }
    }

    /// Holds the live views still.
    ///
    /// Errors: they can not be reached, or are too busy.
    pub async fn hold(&self) -> Result<HeldViews, Error> {
        match &self.0 {
            Place::Postgres(rebuild) => rebuild.hold().await,
            Place::Sqlite(rebuild) => rebuild.hold().await,
        }
    }

    /// Drops the new tables, which have done their work.
    ///
    /// Errors: the store's; they are dropped by the next rebuild then.
    pub async fn finish(self) -> Result<(), Error> {
        match self.0 {
            Place::Postgres(rebuild) => rebuild.finish().await,
            Place::Sqlite(rebuild) => rebuild.finish().await,
        }
    }
}

/// The live views, held still: nobody can move them until this is let go or [put in place](Self::take_over).
pub struct HeldViews {
    store: Held,
    /// The live tables' place and the new ones', as a prefix in SQL.
    live: String,
    next: String,
}

enum Held {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// What was not as the log tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// The table.
    pub table: &'static str,
    /// Rows of the live views that were wrong, or should not have been there.
    pub removed: u64,
    /// Rows that came in their place, or were missing.
    pub added: u64,
}

impl HeldViews {
    pub(crate) async fn postgres(
        mut connection: PgConnection,
        live: &str,
        next: &str,
    ) -> Result<Self, Error> {
        let (live, next) = (format!("\"{live}\"."), format!("\"{next}\"."));
        let lock = format!("BEGIN; LOCK TABLE {live}chain_positions IN SHARE ROW EXCLUSIVE MODE");
        connection.execute(AssertSqlSafe(lock)).await.map_err(unheld)?;
        Ok(Self { store: Held::Postgres(connection), live, next })
    }

    /// Takes the right to write the live views, and nothing of the new ones, which are still to catch up.
    pub(crate) async fn sqlite(mut connection: SqliteConnection, next: &str) -> Result<Self, Error> {
        let attach = sqlx::query("ATTACH ? AS next").bind(next).execute(&mut connection).await;
        attach.map_err(unheld)?;
        connection.execute("BEGIN; DELETE FROM main.chain_positions WHERE false").await.map_err(unheld)?;
        Ok(Self { store: Held::Sqlite(connection), live: "main.".to_owned(), next: "next.".to_owned() })
    }

    /// Makes the live views what the new ones are, all or nothing, and lets them go. The new ones must have caught up.
    ///
    /// Errors: nothing was changed then, unless the answer to the last word was lost.
    pub async fn take_over(mut self) -> Result<Vec<Changed>, Error> {
        let mut changed = Vec::new();
        for table in &TABLES {
            let removed = self.run(differing(table, &self.live, &self.next)).await?;
            let added = self.run(missing(table, &self.live, &self.next)).await?;
            changed.push(Changed { table: table.name, removed, added });
        }
        self.run("COMMIT".to_owned()).await?;
        self.let_go().await;
        Ok(changed)
    }

    /// Leaves the live views as they are.
    pub async fn let_go(self) {
        // What was not committed is undone by the store, whatever becomes of the connection.
        let _ = match self.store {
            Held::Postgres(connection) => connection.close().await,
            Held::Sqlite(connection) => connection.close().await,
        };
    }

    async fn run(&mut self, sql: String) -> Result<u64, Error> {
        let sql = AssertSqlSafe(sql);
        let touched = match &mut self.store {
            Held::Postgres(connection) => connection.execute(sql).await.map(|done| done.rows_affected()),
            Held::Sqlite(connection) => connection.execute(sql).await.map(|done| done.rows_affected()),
        };
        touched.map_err(unheld)
    }
}

fn unheld(source: sqlx::Error) -> Error {
    Error::of("putting the new views in place", source)
}

fn columns(table: &Table, count: usize) -> String {
    table.columns[..count].iter().fold(String::new(), |mut text, (name, _)| {
        let comma = if text.is_empty() { "" } else { ", " };
        write!(text, "{comma}\"{name}\"").expect("a String takes everything");
        text
    })
}

/// All rows of one place that the other does not have as they are.
fn except(table: &Table, of: &str, without: &str) -> String {
    let (all, name) = (columns(table, table.columns.len()), table.name);
    format!("SELECT {all} FROM {of}{name} EXCEPT SELECT {all} FROM {without}{name}")
}

fn differing(table: &Table, live: &str, next: &str) -> String {
    let key = columns(table, table.key);
    let rows = except(table, live, next);
    format!("DELETE FROM {live}{} WHERE ({key}) IN (SELECT {key} FROM ({rows}) AS d)", table.name)
}

fn missing(table: &Table, live: &str, next: &str) -> String {
    let all = columns(table, table.columns.len());
    format!("INSERT INTO {live}{} ({all}) {}", table.name, except(table, next, live))
}
