//! What is printed: what was folded, where to, what was not as the log tells it, and the digest.

use std::io::{BufWriter, Write};
use std::time::Duration;

use event_log::EventLog;
use projector::{Changed, Folded};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;
use crate::server::digest::{TableDigest, digest_of_all};

/// Everything that a replay has to say.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    log: String,
    /// Where the views are.
    views: String,
    /// How far they are folded: the last message of each partition.
    at: Vec<String>,
    messages: u64,
    commits: u64,
    events: u64,
    tables: Vec<Table>,
    /// Over all tables.
    sha256: String,
    seconds: String,
    events_per_second: u64,
}

/// A table of the views.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    #[serde(flatten)]
    digest: TableDigest,
    /// Rows that were wrong, or should not have been there. Absent for a file, which held nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<u64>,
    /// Rows that came in their place, or were missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    added: Option<u64>,
}

impl Table {
    pub(super) fn new(digest: TableDigest) -> Self {
        Self { digest, removed: None, added: None }
    }

    pub(super) fn changed(digest: TableDigest, changed: Changed) -> Self {
        Self { digest, removed: Some(changed.removed), added: Some(changed.added) }
    }

    /// How it was found, for people.
    fn was(&self) -> String {
        match (self.removed, self.added) {
            (Some(0), Some(0)) => "  was right".to_owned(),
            (Some(removed), Some(added)) => format!("  {removed} rows removed, {added} added"),
            _ => String::new(),
        }
    }
}

impl Report {
    pub(super) fn new(
        log: &dyn EventLog,
        views: String,
        at: Vec<String>,
        folded: Folded,
        tables: Vec<Table>,
        time: Duration,
    ) -> Self {
        let Folded { messages, commits, events } = folded;
        let digests: Vec<_> = tables.iter().map(|table| table.digest.clone()).collect();
        let micros = time.as_micros().max(1);
        Self {
            log: log.identity().log.to_string(),
            views,
            at,
            messages,
            commits,
            events,
            tables,
            sha256: digest_of_all(&digests),
            seconds: format!("{}.{:03}", time.as_secs(), time.subsec_millis()),
            events_per_second: u64::try_from(u128::from(events) * 1_000_000 / micros).unwrap_or(u64::MAX),
        }
    }

    pub(super) fn print(&self, output: Output) -> Result<(), Failure> {
        if output.json {
            return output.object(self, |_| vec![]);
        }
        let mut out = BufWriter::new(std::io::stdout().lock());
        self.people(&mut out)?;
        Ok(out.flush()?)
    }

    /// How far they are folded, for people.
    fn moment(&self) -> String {
        match self.at[..] {
            [] => "before the first commit: they are empty".to_owned(),
            _ => format!("at {}", self.at.join(", ")),
        }
    }

    fn people(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Self { log, views, messages, commits, events, seconds, events_per_second, .. } = self;
        writeln!(out, "Folded from the log {log}")?;
        writeln!(out, "  {messages} messages: {commits} commits with {events} events")?;
        writeln!(out, "  {seconds} seconds in all, {events_per_second} events a second")?;
        writeln!(out, "\nThe views in {views}, as they stand {}", self.moment())?;
        for table in &self.tables {
            let TableDigest { table: name, rows, sha256 } = &table.digest;
            writeln!(out, "  {name:<16}{rows:>12} rows  SHA-256 {sha256}{}", table.was())?;
        }
        writeln!(out, "  {:<33} SHA-256 {}", "all of them", self.sha256)
    }
}
