//! SQLite: the contract, and the rules of the data folder.

use std::path::Path;
use std::sync::Arc;

use event_log::{AppendOutcome, EventLog, LogIdentity, OpenError, SqliteLog, contract};
use futures::join;
use ledger_core::LogId;
use tempfile::TempDir;

use crate::setup::{IDENTITY, ZERO};

/// A log in a folder of its own, which goes with it.
struct Fresh {
    log: Arc<dyn EventLog>,
    dir: TempDir,
}

impl Fresh {
    fn log(&self) -> Arc<dyn EventLog> {
        Arc::clone(&self.log)
    }
}

async fn fresh() -> Fresh {
    let dir = tempfile::tempdir().expect("a temporary folder");
    assert_eq!(SqliteLog::create(dir.path(), IDENTITY).await.expect("an empty folder takes a log"), IDENTITY);
    Fresh { log: writer(dir.path()).await, dir }
}

async fn writer(dir: &Path) -> Arc<dyn EventLog> {
    Arc::new(SqliteLog::open_writer(dir).await.expect("nobody else writes there"))
}

async fn reader(dir: &Path) -> Arc<dyn EventLog> {
    Arc::new(SqliteLog::open_reader(dir).await.expect("a log is there"))
}

mod keeps {
    crate::contract!();
}

#[tokio::test]
async fn of_two_racing_appenders_one_wins_each_sequence() {
    let fresh = fresh().await;
    contract::of_two_racing_appenders_one_wins_each_sequence(fresh.log(), fresh.log()).await;
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let Fresh { log, dir } = fresh().await;
    contract::reopening_keeps_everything(log, writer(dir.path())).await;
}

#[tokio::test]
async fn creating_again_answers_the_log_that_is_there() {
    let fresh = fresh().await;
    contract::fill(&*fresh.log, ZERO, 3).await;
    let other = LogIdentity { log: LogId([0x22; 16]), ..IDENTITY };
    assert_eq!(SqliteLog::create(fresh.dir.path(), other).await.expect("it exists"), IDENTITY);
    assert_eq!(fresh.log.head(ZERO).await.expect("readable"), 3);
    let more = LogIdentity { partitions: 4, ..IDENTITY };
    let refused = SqliteLog::create(fresh.dir.path(), more).await.expect_err("the number can not change");
    assert_eq!(
        refused.to_string(),
        "the log exists with 2 partitions, 4 were asked for: the number can not be changed"
    );
}

#[tokio::test]
async fn a_log_has_one_to_a_hundred_partitions() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for partitions in [0, 101] {
        let wanted = LogIdentity { partitions, ..IDENTITY };
        let refused = SqliteLog::create(dir.path(), wanted).await.expect_err("no such log");
        assert!(matches!(refused, OpenError::Partitions { .. }), "{refused}");
    }
}

#[tokio::test]
async fn a_second_writer_is_refused_until_the_first_is_gone() {
    let Fresh { log, dir } = fresh().await;
    let refused = SqliteLog::open_writer(dir.path()).await.expect_err("locked");
    let folder = dir.path().display();
    assert_eq!(
        refused.to_string(),
        format!("another Drip already runs on the folder {folder}: stop it or choose another --data-dir")
    );
    drop(log);
    writer(dir.path()).await;
}

#[tokio::test]
async fn a_reader_beside_the_writer_sees_all_and_can_not_append() {
    let fresh = fresh().await;
    contract::fill(&*fresh.log, ZERO, 2).await;
    let beside = reader(fresh.dir.path()).await;
    let mut following = beside.follow(ZERO, 0);
    for sequence in 1..=2 {
        assert_eq!(contract::next(&mut following).await.sequence(), sequence);
    }
    let third = contract::commit(IDENTITY, ZERO, 3, "live");
    assert!(matches!(beside.append(&third).await, AppendOutcome::Fatal(_)));
    let (seen, stored) = join!(contract::next(&mut following), fresh.log.append(&third));
    assert_eq!((seen.sequence(), stored), (3, AppendOutcome::Stored));
    assert_eq!(beside.head(ZERO).await.expect("readable"), 3);
}

#[tokio::test]
async fn a_reader_alone_sees_what_a_writer_left() {
    let Fresh { log, dir } = fresh().await;
    contract::fill(&*log, ZERO, 2).await;
    drop(log);
    let alone = reader(dir.path()).await;
    assert_eq!(alone.head(ZERO).await.expect("readable"), 2);
    assert_eq!(contract::stored(&*alone, ZERO, 2).await.prefix.sequence, 2);
}

#[tokio::test]
async fn what_can_not_be_opened_says_why_and_what_to_do() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let empty = dir.path().display().to_string();
    let not_created = format!("there is no log in {empty} yet. Create it with `drip init`");
    assert_eq!(SqliteLog::open_writer(dir.path()).await.expect_err("empty").to_string(), not_created);
    assert_eq!(SqliteLog::open_reader(dir.path()).await.expect_err("empty").to_string(), not_created);
    assert!(std::fs::read_dir(dir.path()).expect("readable").next().is_none(), "looking leaves no trace");

    let file = dir.path().join("file");
    std::fs::write(&file, "no folder").expect("writable");
    let refused = SqliteLog::create(&file.join("below"), IDENTITY).await.expect_err("below a file");
    assert!(refused.to_string().starts_with("can not use the data folder "), "{refused}");

    std::fs::write(dir.path().join("log.db"), "no database, but long enough to be one").expect("writable");
    for refused in [
        SqliteLog::open_writer(dir.path()).await.expect_err("no database"),
        SqliteLog::open_reader(dir.path()).await.expect_err("no database"),
        SqliteLog::create(dir.path(), IDENTITY).await.map(drop).expect_err("no database"),
    ] {
        assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    }
}
