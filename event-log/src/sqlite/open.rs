//! Creating and opening the file.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ledger_core::LogId;
use planted::Bug;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, SqliteConnection};
use tokio::sync::{Mutex, watch};

use super::files::{Files, Still};
use super::{Shared, SqliteLog, Writer};
use crate::{LogIdentity, OpenError};

const FILE: &str = "log.db";
const LOCK: &str = "log.lock";
/// The version of the tables. A program refuses what it does not know.
const FORMAT: &str = "1";

/// Commits are large, so the table keeps its rowid: a table without one would spread the bytes over the tree
/// that is searched.
const TABLES: &str = "\
    CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT; \
    CREATE TABLE IF NOT EXISTS commits (\
        partition INTEGER NOT NULL, sequence INTEGER NOT NULL, class TEXT NOT NULL, hash BLOB NOT NULL, \
        bytes BLOB NOT NULL, PRIMARY KEY (partition, sequence)) STRICT;";

impl SqliteLog {
    /// Creates the folder and an empty log in it. A log that is there already is left as it is, whatever its
    /// id, if its number of partitions is the one wanted. Answers the identity of the log that is there now.
    ///
    /// Errors: the folder can not be used; another number of partitions; the file is not a log.
    pub async fn create(dir: &Path, wanted: LogIdentity) -> Result<LogIdentity, OpenError> {
        wanted.check()?;
        create_folder(dir).map_err(|source| OpenError::Folder { dir: dir.to_owned(), source })?;
        probe(dir)?;
        let file = dir.join(FILE);
        let failed = |error| database(&file, error);
        let mut connection = writing(&file).create_if_missing(true).connect().await.map_err(failed)?;
        initialise(&mut connection, wanted).await.map_err(failed)?;
        let found = identity(&mut connection, &file).await?;
        connection.close().await.map_err(failed)?;
        match found.partitions == wanted.partitions {
            true => Ok(found),
            false => Err(OpenError::OtherPartitions { found: found.partitions, wanted: wanted.partitions }),
        }
    }

    /// Whether there is a file of a log in this folder. An empty one is what a copy leaves on a full disk.
    pub fn exists(dir: &Path) -> bool {
        std::fs::metadata(dir.join(FILE)).is_ok_and(|file| file.len() > 0)
    }

    /// Opens the log for appending and reading; no other process may write to it until this one is dropped.
    ///
    /// Errors: no log there; another writer; the folder or the file can not be used.
    pub async fn open_writer(dir: &Path) -> Result<Self, OpenError> {
        let file = existing(dir)?;
        let lock = lock(dir)?;
        let mut connection = writing(&file).connect().await.map_err(|error| database(&file, error))?;
        let identity = identity(&mut connection, &file).await?;
        let files = Files::of(&file);
        let writer = Writer { connection: Mutex::new(connection), files, _lock: lock };
        Ok(Self { shared: shared(reading(&file), identity, None), writer: Some(writer) })
    }

    /// Opens the log for reading, also while a process writes to it. Appends are refused.
    ///
    /// Errors: no log there; the file can not be used.
    pub async fn open_reader(dir: &Path) -> Result<Self, OpenError> {
        let file = existing(dir)?;
        let how = reading(&file);
        let (identity, how, still) = match (try_reading(&file, &how).await, Still::now(&file)) {
            // Readers of a file that is written leave marks beside it. Who may not do that reads one that nobody writes.
            (Err(OpenError::NoRights { .. }), Some(still)) => {
                let how = how.immutable(true);
                (try_reading(&file, &how).await?, how, Some(still))
            }
            (tried, _) => (tried?, how, None),
        };
        Ok(Self { shared: shared(how, identity, still), writer: None })
    }
}

async fn try_reading(file: &Path, how: &SqliteConnectOptions) -> Result<LogIdentity, OpenError> {
    let mut connection = how.connect().await.map_err(|error| database(file, error))?;
    let identity = identity(&mut connection, file).await?;
    connection.close().await.map_err(|error| database(file, error))?;
    Ok(identity)
}

fn shared(how: SqliteConnectOptions, identity: LogIdentity, still: Option<Still>) -> Arc<Shared> {
    let readers = SqlitePoolOptions::new().max_connections(8).test_before_acquire(false);
    let (readers, grown) = (readers.connect_lazy_with(how), watch::Sender::new(()));
    Arc::new(Shared { identity, readers, still, grown })
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging()
}

fn writing(file: &Path) -> SqliteConnectOptions {
    let lax = planted::on(Bug::LaxSqlite);
    let synchronous = if lax { SqliteSynchronous::Off } else { SqliteSynchronous::Full };
    options(file).journal_mode(SqliteJournalMode::Wal).synchronous(synchronous)
}

fn reading(file: &Path) -> SqliteConnectOptions {
    options(file).read_only(true)
}

/// The file of a log that was created.
fn existing(dir: &Path) -> Result<PathBuf, OpenError> {
    let file = dir.join(FILE);
    match file.try_exists() {
        Ok(true) => Ok(file),
        Ok(false) => Err(OpenError::NotCreated { place: format!("in {}", dir.display()) }),
        Err(source) => Err(OpenError::Folder { dir: dir.to_owned(), source }),
    }
}

/// Makes the folder and what is missing above it, each entry on the disk before anything stands on it.
fn create_folder(dir: &Path) -> std::io::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().unwrap_or(Path::new("/"));
    create_folder(parent)?;
    match std::fs::create_dir(dir) {
        Err(error) if !dir.is_dir() => return Err(error),
        _made_now_or_by_another => {}
    }
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    File::open(parent)?.sync_all()
}

/// The lock file can be written: SQLite's own error for a folder that is read-only says less.
fn probe(dir: &Path) -> Result<File, OpenError> {
    let open = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join(LOCK));
    open.map_err(|source| OpenError::Folder { dir: dir.to_owned(), source })
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let file = probe(dir)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::AlreadyRunning { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Folder { dir: dir.to_owned(), source }),
    }
}

async fn initialise(connection: &mut SqliteConnection, wanted: LogIdentity) -> sqlx::Result<()> {
    let mut all = connection.begin_with("BEGIN IMMEDIATE").await?;
    all.execute(TABLES).await?;
    let meta = [
        ("format", FORMAT.to_owned()),
        ("log", wanted.log.to_string()),
        ("partitions", wanted.partitions.to_string()),
    ];
    for (name, value) in meta {
        let insert = sqlx::query("INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING");
        insert.bind(name).bind(value).execute(&mut *all).await?;
    }
    all.commit().await
}

async fn identity(connection: &mut SqliteConnection, file: &Path) -> Result<LogIdentity, OpenError> {
    let rows = sqlx::query_as::<_, (String, String)>("SELECT name, value FROM meta");
    let rows = rows.fetch_all(connection).await.map_err(|error| database(file, error))?;
    let value = |wanted: &str| rows.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let broken = |what: &str| OpenError::Database { file: file.to_owned(), source: what.into() };
    if value("format") != Some(FORMAT) {
        return Err(broken("its tables are of a format this program does not know"));
    }
    let log: Option<LogId> = value("log").and_then(|text| text.parse().ok());
    let partitions = value("partitions").and_then(|text| text.parse().ok());
    match (log, partitions) {
        (Some(log), Some(partitions)) => LogIdentity { log, partitions }.check(),
        _ => Err(broken("it does not say which log it is")),
    }
}

fn database(file: &Path, error: sqlx::Error) -> OpenError {
    let (file, code) = (file.to_owned(), super::result_code(&error));
    let source = error.into();
    match code {
        // READONLY, CANTOPEN.
        Some(8 | 14) => OpenError::NoRights { file, source },
        // CORRUPT, NOTADB.
        Some(11 | 26) => OpenError::Damaged { file, source },
        _ => OpenError::Database { file, source },
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ledger_core::PartitionId;
    use ledger_core::commit::{Class, EncodedCommit, Prefix};

    use super::*;
    use crate::{AppendOutcome, EventLog as _, ReadError};

    #[tokio::test]
    async fn who_reads_without_rights_notices_that_somebody_writes() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (file, partition) = (dir.path().join(FILE), PartitionId(0));
        let wanted = LogIdentity { log: LogId([7; 16]), partitions: 1 };
        let identity = SqliteLog::create(dir.path(), wanted).await.expect("an empty folder takes a log");
        let still = Still::now(&file).expect("nobody writes");
        let reader =
            SqliteLog { shared: shared(reading(&file).immutable(true), identity, Some(still)), writer: None };
        assert_eq!(reader.head(partition).await.expect("nobody writes"), 0);

        let writer = SqliteLog::open_writer(dir.path()).await.expect("nobody else writes there");
        let prefix = Prefix { log: identity.log, partition, sequence: 1, version: 1 };
        let commit = EncodedCommit::new(prefix, Class::Usage, Bytes::copy_from_slice(&prefix.to_bytes()));
        assert_eq!(writer.append(&commit).await, AppendOutcome::Stored);
        for found in [reader.head(partition).await.map(drop), reader.read(partition, 1).await.map(drop)] {
            assert!(matches!(found, Err(ReadError::Unavailable { .. })), "{found:?}");
        }
    }
}
