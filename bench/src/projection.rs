//! A projector from position zero: a log that is there is folded into empty views, with the shipped indexes.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use event_log::{AppendOutcome, EventLog, LogIdentity, SqliteLog};
use ledger_core::commit::EncodedCommit;
use ledger_core::{LogId, PartitionId, Timestamp, Usdc};
use projector::{Config, Positions, PostgresViews, SqliteViews, ViewStore};
use rand::RngExt as _;
use serde::Serialize;
use test_servers::Postgres;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::core::{Script, Size};
use crate::cpu::{Used, Watched};
use crate::drive::per_second;
use crate::engines::require_servers;

/// How fast it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProjectorSpeed {
    /// How many events.
    pub events: u64,
    /// Into SQLite.
    pub sqlite: Folded,
    /// Into Postgres with its own settings.
    pub postgres: Option<Folded>,
}

/// Into one store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Folded {
    /// Events a second.
    pub per_second: u64,
    /// Processor time an event.
    pub used: Used,
}

/// Measures; Postgres only if asked. Error: the log can not be written, or the views can not be made.
pub async fn measure(size: Size, postgres: bool) -> Result<ProjectorSpeed> {
    let dir = tempfile::Builder::new().prefix("drip-bench-").tempdir()?;
    write_log(dir.path(), size).await?;
    let log: Arc<dyn EventLog> = Arc::new(SqliteLog::open_reader(dir.path()).await?);
    let events = u64::from(size.accounts) + u64::from(size.debits);
    SqliteViews::create(dir.path()).await?;
    let store = Arc::new(SqliteViews::open(dir.path()).await?);
    let sqlite = fold(&log, store, events, &Watched::client()).await?;
    let postgres = match postgres {
        true => {
            require_servers()?;
            let server = Postgres::start_measured(&[]).await;
            PostgresViews::create(&server.url()).await?;
            let store = Arc::new(PostgresViews::open(&server.url()).await?);
            let watched = Watched::client().and("postgres", server.pid());
            Some(fold(&log, store, events, &watched).await?)
        }
        false => None,
    };
    Ok(ProjectorSpeed { events, sqlite, postgres })
}

/// Writes a log of one partition into a folder. Error: it can not be written.
pub async fn write_log(dir: &Path, size: Size) -> Result<()> {
    let (mut script, begun) = Script::begin(Timestamp(service_kit::clock::now()));
    let log_id: LogId = begun[0].prefix.log;
    SqliteLog::create(dir, LogIdentity { log: log_id, partitions: 1 }).await?;
    let log = SqliteLog::open_writer(dir).await?;
    for commit in begun {
        append(&log, &commit).await?;
    }
    for first in (0..size.accounts).step_by(size.a_commit as usize) {
        let accounts = first..(first + size.a_commit).min(size.accounts);
        append(&log, &script.open(accounts, Usdc::from_credits(1_000_000_000))).await?;
    }
    for first in (0..size.debits).step_by(size.a_commit as usize) {
        let count = size.a_commit.min(size.debits - first);
        let debits: Vec<_> =
            (0..count).map(|_| script.debit(rand::rng().random_range(0..size.accounts))).collect();
        append(&log, &script.commit(&debits)).await?;
    }
    Ok(())
}

async fn append(log: &SqliteLog, commit: &EncodedCommit) -> Result<()> {
    match log.append(commit).await {
        AppendOutcome::Stored => Ok(()),
        other => bail!("the log did not take a commit: {other:?}"),
    }
}

async fn fold(
    log: &Arc<dyn EventLog>,
    store: Arc<dyn ViewStore>,
    events: u64,
    watched: &Watched,
) -> Result<Folded> {
    let partition = PartitionId(0);
    let head = log.head(partition).await?;
    let (positions, mut seen) = watch::channel(Positions::default());
    let stop = CancellationToken::new();
    let (count, begin) = (watched.begin(), Instant::now());
    let running = projector::run(Config::default(), Arc::clone(log), store, stop.clone(), positions);
    let caught_up = async {
        let there = seen.wait_for(|positions| positions.get(partition) >= head).await;
        let took = begin.elapsed();
        stop.cancel();
        there.map(|_| took).context("the projector ended early")
    };
    let (ended, took) = tokio::join!(running, caught_up);
    ended?;
    Ok(Folded { per_second: per_second(events, took?), used: watched.end(&count, events) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_log_that_was_made_is_folded_to_its_end() {
        let size = Size { accounts: 20, debits: 30, a_commit: 8 };
        let speed = measure(size, false).await.unwrap();
        assert_eq!((speed.events, speed.postgres), (50, None));
        assert!(speed.sqlite.per_second > 0);
    }
}
