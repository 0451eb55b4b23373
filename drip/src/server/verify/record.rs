//! What providers really did, by a record that one of them kept, against what the log tells of it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use judge::outside::{self, Deed, Told};
use judge::wire::Commit;
use serde::{Deserialize, Serialize};

use super::finding::Finding;
use crate::failure::Failure;

/// What is asked of a record.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct RecordArgs {
    /// Hold the log against what providers really did: FILE is what `GET /record` of a sandbox's control address answers;
    /// `-` is the standard input. Containers, mails and payments must be what the log tells, each once.
    #[arg(long, value_name = "FILE", conflicts_with = "since")]
    record: Option<PathBuf>,
    /// The record was taken when nothing was under way any more: what must be reached is reached.
    #[arg(long, requires = "record")]
    at_rest: bool,
    /// A call that a worker made before its claim ended may take effect so much later.
    #[arg(long, value_name = "SECONDS", requires = "record", default_value_t = 120)]
    late: u32,
}

/// A record, and what the log tells of it so far.
pub(super) struct Record {
    said: Said,
    told: Told,
    at_rest: bool,
    late: i64,
}

/// What a sandbox answers.
#[derive(Deserialize)]
struct Said {
    entries: Vec<Deed>,
    /// When it was taken, in microseconds since 1970. None: not known.
    wall: Option<i64>,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct RecordReport {
    /// How many effects the record holds.
    pub(super) deeds: usize,
    pub(super) at_rest: bool,
    pub(super) complaints: Vec<String>,
}

impl RecordArgs {
    pub(super) fn read(&self) -> Result<Option<Record>, Failure> {
        let Some(file) = &self.record else { return Ok(None) };
        let said = read(file).with_context(|| format!("the record {} can not be read", file.display()))?;
        let late = i64::from(self.late) * 1_000_000;
        Ok(Some(Record { said, told: Told::default(), at_rest: self.at_rest, late }))
    }
}

fn read(file: &Path) -> anyhow::Result<Said> {
    let mut text = Vec::new();
    match file.as_os_str() == "-" {
        true => std::io::stdin().lock().read_to_end(&mut text)?,
        false => std::fs::File::open(file)?.read_to_end(&mut text)?,
    };
    Ok(serde_json::from_slice(&text)?)
}

impl Record {
    /// Takes in a commit that the judge could read. What was told later than the record was taken is not held against it.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let Ok(commit) = Commit::read(bytes) else { return };
        if self.said.wall.is_none_or(|taken| commit.body.time <= taken) {
            self.told.take_commit(&commit);
        }
    }

    pub(super) fn report(&self) -> RecordReport {
        let deeds = &self.said.entries;
        let complaints = outside::check(&self.told, deeds, self.at_rest, self.late);
        RecordReport {
            deeds: deeds.len(),
            at_rest: self.at_rest,
            complaints: complaints.iter().map(ToString::to_string).collect(),
        }
    }
}

impl RecordReport {
    pub(super) fn finding(&self) -> Option<Finding> {
        Some(Finding::not_as_recorded(self.complaints.first()?, self.complaints.len()))
    }
}
