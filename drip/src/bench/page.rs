//! A file that a measurement goes to.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::failure::{Exit, Failure};

/// A file that can be written.
#[derive(Debug)]
pub(super) struct Page(PathBuf);

impl Page {
    /// Before anything is measured, for that takes long. What is in the file stays, and no empty one is left. Failure: it
    /// can not be written.
    pub(super) fn of(flag: &str, file: &Path) -> Result<Self, Failure> {
        let there = file.exists();
        File::options().append(true).create(true).open(file).map_err(|error| {
            unwritable(Exit::Usage, file, &error)
                .try_this(format!("Nothing was measured. Name a file that can be written by {flag}."))
        })?;
        if !there {
            std::fs::remove_file(file)?;
        }
        Ok(Self(file.to_owned()))
    }

    pub(super) fn write(self, text: &str) -> Result<(), Failure> {
        std::fs::write(&self.0, text).map_err(|error| unwritable(Exit::Failed, &self.0, &error))
    }
}

fn unwritable(exit: Exit, file: &Path, error: &std::io::Error) -> Failure {
    Failure::new(exit, format!("can not write {}", file.display())).because(error)
}
