//! Whether the files that are written are still those of the data folder: one that was removed or replaced goes on being
//! written under no name, and everything in it is gone with the process.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The database and its write-ahead log, as they were when they were opened.
#[derive(Debug)]
pub(super) struct Files {
    database: Watched,
    wal: Watched,
}

/// One file, and which one that was.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    /// Device and number. SQLite makes the write-ahead log when it needs it.
    known: OnceLock<(u64, u64)>,
}

/// A file that has lost its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// And with it everything that was written.
    Database(PathBuf),
    /// What it holds can still be brought into the database.
    Wal(PathBuf),
}

impl Files {
    /// Of an open database.
    pub(super) fn of(database: &Path) -> Self {
        let watched = |path| Watched { path, known: OnceLock::new() };
        let files = Self { database: watched(database.to_owned()), wal: watched(wal(database)) };
        // What is not there yet is looked at by the first check.
        let _ = files.check();
        files
    }

    /// Error: which of them is lost.
    pub(super) fn check(&self) -> Result<(), Lost> {
        match (self.database.is_lost(), self.wal.is_lost()) {
            (true, _) => Err(Lost::Database(self.database.path.clone())),
            (_, true) => Err(Lost::Wal(self.wal.path.clone())),
            _ => Ok(()),
        }
    }
}

impl Watched {
    /// Nothing has its name any more, or something else. One that can not be looked at may be there.
    fn is_lost(&self) -> bool {
        match fs::metadata(&self.path) {
            Ok(file) => {
                let now = (file.dev(), file.ino());
                *self.known.get_or_init(|| now) != now
            }
            Err(error) => error.kind() == io::ErrorKind::NotFound && self.known.get().is_some(),
        }
    }
}

/// A database that nobody writes, as it was when that was seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Still {
    path: PathBuf,
    length: u64,
    changed: (i64, i64),
}

impl Still {
    /// None: somebody has it open to write, or was killed then, for its newest commits stand beside it; or it can not be
    /// looked at.
    pub(super) fn now(database: &Path) -> Option<Self> {
        let file = fs::metadata(database).ok()?;
        let is_written = fs::metadata(wal(database)).is_ok_and(|wal| wal.len() > 0);
        let (path, changed) = (database.to_owned(), (file.mtime(), file.mtime_nsec()));
        (!is_written).then_some(Self { path, length: file.len(), changed })
    }

    /// Nobody has begun to write it.
    pub(super) fn is_so(&self) -> bool {
        Self::now(&self.path).is_some_and(|now| now == *self)
    }
}

/// Where SQLite keeps what is not in the database yet.
fn wal(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(file) => write!(
                f,
                "{} was removed, moved or replaced while it was written. Look where it is now, before you restore it \
                 from a backup",
                file.display()
            ),
            Self::Wal(file) => write!(
                f,
                "{} was removed or replaced while it was written. What it held was brought into the log: start again",
                file.display()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_still_until_somebody_writes_it_or_beside_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (database, wal) = (dir.path().join("log.db"), dir.path().join("log.db-wal"));
        assert_eq!(Still::now(&database), None, "which is not there");
        fs::write(&database, "a").expect("there is room");
        fs::write(&wal, "").expect("there is room");
        let still = Still::now(&database).expect("nobody writes");
        assert!(still.is_so());
        fs::write(&wal, "b").expect("there is room");
        assert!(!still.is_so() && Still::now(&database).is_none());
        fs::remove_file(&wal).expect("it is there");
        assert!(still.is_so());
        fs::write(&database, "ab").expect("there is room");
        assert!(!still.is_so());
    }

    #[test]
    fn a_file_that_is_gone_or_another_one_is_told() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (database, wal) = (dir.path().join("log.db"), dir.path().join("log.db-wal"));
        fs::write(&database, "a").expect("there is room");
        let files = Files::of(&database);
        assert_eq!(files.check(), Ok(()), "without a write-ahead log");
        fs::write(&wal, "b").expect("there is room");
        assert_eq!(files.check(), Ok(()), "with one");
        fs::remove_file(&wal).expect("it is there");
        assert_eq!(files.check(), Err(Lost::Wal(wal)));
        fs::write(dir.path().join("old"), "c").expect("there is room");
        fs::rename(dir.path().join("old"), &database).expect("both are there");
        assert_eq!(files.check(), Err(Lost::Database(database)), "which is the worse");
    }
}
