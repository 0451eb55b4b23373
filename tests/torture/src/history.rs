//! The history of this run: every request before it is sent, every outcome after it is known.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result};
use judge::history::{Line, Request, What, Writer};

/// One file, written by all clients of this run, read by one clock that never goes back.
pub(crate) struct History {
    file: PathBuf,
    writer: Mutex<Numbered>,
    began: Instant,
    began_at: i64,
}

struct Numbered {
    writer: Writer<File>,
    next: u64,
}

impl History {
    /// An empty history in this file.
    pub(crate) fn create(file: &Path) -> Result<Self> {
        let opened = OpenOptions::new().create_new(true).append(true).open(file);
        let opened = opened.with_context(|| format!("the history {} can not be written", file.display()))?;
        let writer = Mutex::new(Numbered { writer: Writer::new(opened), next: 1 });
        let (began, began_at) = (Instant::now(), service_kit::clock::now());
        Ok(Self { file: file.to_owned(), writer, began, began_at })
    }

    /// Now, in microseconds since 1970, by the clock of the history.
    pub(crate) fn now(&self) -> i64 {
        let since = i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.began_at.saturating_add(since)
    }

    /// Notes that this is about to be sent; its number.
    pub(crate) fn invoke(&self, client: u32, request: Request) -> Result<u64> {
        let mut numbered = self.lock();
        let op = numbered.next;
        numbered.next += 1;
        let line = Line { client, op, at: self.now(), what: What::Invoke(request) };
        numbered.writer.write(&line)?;
        Ok(op)
    }

    /// Notes what became of it.
    pub(crate) fn outcome(&self, client: u32, op: u64, what: What) -> Result<()> {
        let mut numbered = self.lock();
        let line = Line { client, op, at: self.now(), what };
        Ok(numbered.writer.write(&line)?)
    }

    /// All of it so far.
    pub(crate) fn read(&self) -> Result<Vec<Line>> {
        let file = File::open(&self.file)?;
        Ok(judge::history::read(std::io::BufReader::new(file))?)
    }

    /// A line is whole whoever panicked.
    fn lock(&self) -> std::sync::MutexGuard<'_, Numbered> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
