//! The embedded backend: one SQLite file in a data folder, written by one process, read by any.
//!
//! `log.db` is kept with a write-ahead log and `synchronous=FULL`: an append returns after its fsync. The
//! process that writes holds a lock on `log.lock`, which ends with the process, however that ends.

mod files;
mod follow;
mod open;

use std::fs::File;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use ledger_core::commit::EncodedCommit;
use ledger_core::{PartitionId, Sequence};
use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::{Mutex, watch};

use self::files::{Files, Lost, Still};
use crate::{AppendOutcome, Entry, EventLog, LogIdentity, ReadError, Refusal, class_name};

/// A log in a SQLite file. Nothing is foreign here: what does not fit is damage.
#[derive(Debug)]
pub struct SqliteLog {
    shared: Arc<Shared>,
    writer: Option<Writer>,
}

/// What followers need too; they may outlive the log they came from.
#[derive(Debug)]
struct Shared {
    identity: LogIdentity,
    readers: SqlitePool,
    /// Set where it is read as a file that nobody writes: then nobody must.
    still: Option<Still>,
    /// Wakes the followers of this process. Those of others look from time to time.
    grown: watch::Sender<()>,
}

#[derive(Debug)]
struct Writer {
    connection: Mutex<SqliteConnection>,
    files: Files,
    /// Held for its lock.
    _lock: File,
}

/// Stores the commit only right behind its predecessor: one statement, and so one transaction and one fsync.
const APPEND: &str = "INSERT INTO commits (partition, sequence, class, hash, bytes) SELECT ?1, ?2, ?3, ?4, ?5 \
     WHERE ?2 = 1 + coalesce((SELECT max(sequence) FROM commits WHERE partition = ?1), 0)";

/// Brings all that stands in the write-ahead log into the database.
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

const HEAD: &str = "SELECT coalesce(max(sequence), 0) FROM commits WHERE partition = ?1";

impl Writer {
    async fn append(&self, commit: &EncodedCommit) -> AppendOutcome {
        let append = sqlx::query(APPEND)
            .bind(i64::from(commit.prefix.partition.0))
            .bind(number(commit.prefix.sequence))
            .bind(class_name(commit.class))
            .bind(&commit.hash.0[..])
            .bind(&commit.bytes[..]);
        let done = append.execute(&mut *self.connection.lock().await).await;
        match done {
            // Behind the append: what was written to a file that had lost its name was not stored.
            Ok(done) if done.rows_affected() == 1 => match self.is_there().await {
                Ok(()) => AppendOutcome::Stored,
                Err(lost) => AppendOutcome::Fatal(lost.to_string()),
            },
            Ok(_) => AppendOutcome::Conflict,
            Err(error) => outcome(result_code(&error), format!("SQLite can not append: {error}")),
        }
    }
}

impl Writer {
    /// What is written stands under the names it is looked for. A write-ahead log that lost its name is brought into the
    /// database first: with the process it would be gone.
    async fn is_there(&self) -> Result<(), Lost> {
        let lost = self.files.check();
        if let Err(Lost::Wal(_)) = lost
            && let Err(error) = sqlx::query(CHECKPOINT).execute(&mut *self.connection.lock().await).await
        {
            tracing::error!(%error, "the write-ahead log that lost its name can not be brought into log.db");
        }
        lost
    }
}

/// A sequence as SQLite knows numbers. Beyond its range nothing stands and nothing can be appended.
fn number(sequence: Sequence) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

/// What a failed append means, by SQLite's primary result code.
fn outcome(code: Option<i32>, reason: String) -> AppendOutcome {
    match code {
        // BUSY, LOCKED: somebody looks at the file with other tools.
        Some(5 | 6) => AppendOutcome::Refused(Refusal::Unavailable, reason),
        // FULL: the disk is.
        Some(13) => AppendOutcome::Refused(Refusal::Full, reason),
        // CONSTRAINT: something stands there.
        Some(19) => AppendOutcome::Conflict,
        // ERROR, PERM, READONLY, CORRUPT, TOOBIG, MISMATCH, MISUSE, NOTADB: not to be cured by trying again.
        Some(1 | 3 | 8 | 11 | 18 | 20 | 21 | 26) => AppendOutcome::Fatal(reason),
        // IOERR and whatever else: it may have reached the disk.
        _ => AppendOutcome::Unknown(reason),
    }
}

/// SQLite's primary result code (the low byte of the extended one).
fn result_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

impl SqliteLog {
    /// Whoever writes it, and can not see it any more, must not answer from what it remembers.
    async fn is_there(&self) -> Result<(), ReadError> {
        let Some(writer) = &self.writer else { return Ok(()) };
        let lost = writer.is_there().await;
        lost.map_err(|lost| ReadError::Unavailable {
            doing: "looking for the log",
            source: lost.to_string().into(),
        })
    }
}

#[async_trait]
impl EventLog for SqliteLog {
    fn identity(&self) -> LogIdentity {
        self.shared.identity
    }

    async fn append(&self, commit: &EncodedCommit) -> AppendOutcome {
        if let Some(reason) = self.identity().refuses(&commit.prefix) {
            return AppendOutcome::Fatal(reason);
        }
        let Some(writer) = &self.writer else {
            return AppendOutcome::Fatal("this log was opened for reading only".to_owned());
        };
        let outcome = writer.append(commit).await;
        self.shared.grown.send_replace(());
        outcome
    }

    async fn read(&self, partition: PartitionId, sequence: Sequence) -> Result<Option<Entry>, ReadError> {
        self.identity().has(partition)?;
        self.is_there().await?;
        let Some(before) = sequence.checked_sub(1) else { return Ok(None) };
        let mut found = self.shared.batch(partition, before, 1).await?;
        found.pop_front().transpose()
    }

    async fn head(&self, partition: PartitionId) -> Result<Sequence, ReadError> {
        self.identity().has(partition)?;
        self.is_there().await?;
        self.shared.is_still()?;
        let head = sqlx::query_scalar::<_, i64>(HEAD).bind(i64::from(partition.0));
        let head = head.fetch_one(&self.shared.readers).await;
        head.map(i64::cast_unsigned).map_err(|error| ReadError::Unavailable {
            doing: "asking SQLite for the head",
            source: error.into(),
        })
    }

    /// Leaves all in the one file, so that it can be read without rights beside it, and copied.
    async fn close(&self) {
        self.shared.readers.close().await;
        if let Some(writer) = &self.writer {
            let done = sqlx::query(CHECKPOINT).execute(&mut *writer.connection.lock().await).await;
            done.inspect_err(|error| tracing::warn!(%error, "log.db-wal stays beside log.db")).ok();
        }
    }

    fn follow(
        &self,
        partition: PartitionId,
        after: Sequence,
    ) -> BoxStream<'static, Result<Entry, ReadError>> {
        follow::follow(Arc::clone(&self.shared), partition, after)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ledger_core::LogId;
    use ledger_core::commit::{Class, Prefix};
    use sqlx::Executor as _;

    use super::*;

    const IDENTITY: LogIdentity = LogIdentity { log: LogId([7; 16]), partitions: 1 };

    fn commit(sequence: Sequence, size: usize) -> EncodedCommit {
        let prefix = Prefix { log: IDENTITY.log, partition: PartitionId(0), sequence, version: 1 };
        let bytes = [&prefix.to_bytes()[..], &vec![7; size]].concat();
        EncodedCommit::new(prefix, Class::Usage, Bytes::from(bytes))
    }

    async fn fresh(dir: &std::path::Path) -> SqliteLog {
        SqliteLog::create(dir, IDENTITY).await.expect("an empty folder takes a log");
        SqliteLog::open_writer(dir).await.expect("nobody else writes there")
    }

    /// Runs SQL behind the log's back.
    async fn tamper(log: &SqliteLog, sql: &'static str) {
        let writer = log.writer.as_ref().expect("opened for writing");
        writer.connection.lock().await.execute(sql).await.expect("the SQL is right");
    }

    #[test]
    fn every_result_code_has_its_outcome() {
        let name = |code| match outcome(code, String::new()) {
            AppendOutcome::Stored => "stored",
            AppendOutcome::Conflict => "conflict",
            AppendOutcome::Unknown(_) => "unknown",
            AppendOutcome::Refused(Refusal::Unavailable, _) => "refused",
            AppendOutcome::Refused(Refusal::Full, _) => "full",
            AppendOutcome::Fatal(_) => "fatal",
        };
        let (busy, readonly, io, corrupt, full, constraint) = (5, 8, 10, 11, 13, 19);
        assert_eq!(name(Some(busy)), "refused");
        assert_eq!(name(Some(readonly)), "fatal");
        assert_eq!(name(Some(io)), "unknown");
        assert_eq!(name(Some(corrupt)), "fatal");
        assert_eq!(name(Some(full)), "full");
        assert_eq!(name(Some(constraint)), "conflict");
        assert_eq!(name(None), "unknown");
    }

    #[tokio::test]
    async fn an_append_is_synced_to_the_disk() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = fresh(dir.path()).await;
        let mut connection = log.writer.as_ref().expect("opened for writing").connection.lock().await;
        let mode: String =
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await.expect("it says");
        let level: i64 =
            sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await.expect("it says");
        let full = 2;
        assert_eq!((mode.as_str(), level), ("wal", full));
    }

    #[tokio::test]
    async fn a_full_disk_refuses_and_the_same_bytes_land_when_there_is_room() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = fresh(dir.path()).await;
        tamper(&log, "PRAGMA max_page_count = 20").await;
        let large = commit(1, 200_000);
        let outcome = log.append(&large).await;
        assert!(matches!(outcome, AppendOutcome::Refused(Refusal::Full, _)), "{outcome:?}");
        assert_eq!(log.head(PartitionId(0)).await.expect("readable"), 0);
        tamper(&log, "PRAGMA max_page_count = 1000000").await;
        assert_eq!(log.append(&large).await, AppendOutcome::Stored);
    }

    #[tokio::test]
    async fn what_is_written_to_a_file_that_lost_its_name_is_not_stored() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = fresh(dir.path()).await;
        assert_eq!(log.append(&commit(1, 10)).await, AppendOutcome::Stored);
        std::fs::remove_file(dir.path().join("log.db")).expect("it is there");
        let outcome = log.append(&commit(2, 10)).await;
        let told = matches!(&outcome, AppendOutcome::Fatal(reason) if reason.contains("was removed, moved or replaced"));
        assert!(told, "{outcome:?}");
        let unreadable = log.head(PartitionId(0)).await.expect_err("it is not there");
        assert!(matches!(unreadable, ReadError::Unavailable { .. }), "{unreadable}");
    }

    #[tokio::test]
    async fn a_log_that_was_closed_is_one_file() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = fresh(dir.path()).await;
        assert_eq!(log.append(&commit(1, 10)).await, AppendOutcome::Stored);
        assert_eq!(log.head(PartitionId(0)).await.expect("readable"), 1);
        log.close().await;
        let beside = std::fs::metadata(dir.path().join("log.db-wal")).map_or(0, |file| file.len());
        assert_eq!(beside, 0);
    }

    #[tokio::test]
    async fn what_stands_in_a_write_ahead_log_that_lost_its_name_is_saved() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = fresh(dir.path()).await;
        for sequence in 1..=3 {
            assert_eq!(log.append(&commit(sequence, 10)).await, AppendOutcome::Stored);
        }
        std::fs::remove_file(dir.path().join("log.db-wal")).expect("it is there");
        let outcome = log.append(&commit(4, 10)).await;
        let told =
            matches!(&outcome, AppendOutcome::Fatal(reason) if reason.contains("log.db-wal was removed"));
        assert!(told, "{outcome:?}");
        // As a process that was killed leaves it.
        let copy = tempfile::tempdir().expect("a temporary folder");
        std::fs::copy(dir.path().join("log.db"), copy.path().join("log.db")).expect("there is room");
        let saved = SqliteLog::open_reader(copy.path()).await.expect("it is whole");
        assert_eq!(saved.head(PartitionId(0)).await.expect("readable"), 4);
    }

    #[tokio::test]
    async fn damage_is_found_by_read_and_by_follow_and_ends_the_following() {
        use futures::StreamExt as _;
        let cases = [
            (
                "UPDATE commits SET bytes = CAST(bytes || x'00' AS BLOB) WHERE sequence = 2",
                "its bytes do not hash to its id",
            ),
            ("UPDATE commits SET hash = x'00' WHERE sequence = 2", "its bytes do not hash to its id"),
            ("UPDATE commits SET bytes = x'00' WHERE sequence = 2", "its bytes do not begin with a prefix"),
            (
                "UPDATE commits SET bytes = (SELECT c.bytes FROM commits c WHERE c.sequence = 3), hash = (SELECT \
              c.hash FROM commits c WHERE c.sequence = 3) WHERE sequence = 2",
                "it was meant for sequence 3",
            ),
            ("DELETE FROM commits WHERE sequence = 2", "it is missing"),
        ];
        for (sql, expected) in cases {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let log = fresh(dir.path()).await;
            for sequence in 1..=3 {
                assert_eq!(log.append(&commit(sequence, 10)).await, AppendOutcome::Stored);
            }
            tamper(&log, sql).await;
            let read = log.read(PartitionId(0), 2).await.expect_err("damaged");
            assert!(read.to_string().contains(expected), "{sql}: {read}");
            let mut followed = log.follow(PartitionId(0), 0);
            assert_eq!(followed.next().await.expect("first").expect("whole").sequence(), 1);
            let error = followed.next().await.expect("an error item").expect_err("damaged");
            assert!(matches!(error, ReadError::Damaged { sequence: 2, .. }), "{sql}: {error}");
            assert!(followed.next().await.is_none(), "{sql}: it ends there");
        }
    }
}
