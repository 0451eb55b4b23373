//! Whether the files that are written are still those of the data folder: one that was removed or replaced goes on being
//! written under no name, and everything in it is gone with the process.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The database and its write-ahead log, as they were when they were opened.
#[derive(Debug)]
pub(super) struct Files([Watched; 2]);

/// One file, and which one that was.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    /// Device and number. SQLite makes the write-ahead log when it needs it.
    known: OnceLock<(u64, u64)>,
}

impl Files {
    /// Of an open database.
    pub(super) fn of(database: &Path) -> Self {
        let mut wal = database.as_os_str().to_owned();
        wal.push("-wal");
        let watched = |path: PathBuf| Watched { path, known: OnceLock::new() };
        let files = Self([watched(database.to_owned()), watched(wal.into())]);
        // What is not there yet is looked at by the first check.
        let _ = files.check();
        files
    }

    /// Error: what happened to which of them.
    pub(super) fn check(&self) -> Result<(), String> {
        self.0.iter().try_for_each(Watched::check)
    }
}

impl Watched {
    fn check(&self) -> Result<(), String> {
        let now = match fs::metadata(&self.path) {
            Ok(file) => (file.dev(), file.ino()),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.known.get().is_none() => {
                return Ok(());
            }
            Err(error) => return Err(format!("{}: {error}", self.lost())),
        };
        match *self.known.get_or_init(|| now) == now {
            true => Ok(()),
            false => Err(format!("{}: another file has its name now", self.lost())),
        }
    }

    fn lost(&self) -> String {
        format!("{} was removed or replaced while it was written", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_gone_or_another_one_is_told_by_its_name() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (database, wal) = (dir.path().join("log.db"), dir.path().join("log.db-wal"));
        fs::write(&database, "a").expect("there is room");
        let files = Files::of(&database);
        assert_eq!(files.check(), Ok(()), "without a write-ahead log");
        fs::write(&wal, "b").expect("there is room");
        assert_eq!(files.check(), Ok(()), "with one");
        fs::remove_file(&wal).expect("it is there");
        let told = files.check().expect_err("it is gone");
        assert!(told.contains("log.db-wal was removed or replaced"), "{told}");
        fs::write(dir.path().join("old"), "c").expect("there is room");
        fs::rename(dir.path().join("old"), &database).expect("both are there");
        let told = files.check().expect_err("it is another one");
        assert!(told.contains("log.db was removed or replaced"), "{told}");
        assert!(told.ends_with("another file has its name now"), "{told}");
    }
}
