//! `drip events`: the log as JSON lines. Reads the log itself, also while Drip runs.

use anyhow::{Context as _, Result};
use event_log::{Entry, EventLog};
use futures::stream::{BoxStream, StreamExt as _, select_all};
use ledger_core::commit::Commit;
use ledger_core::{AppId, Event, Meter, PartitionId, Position, Timestamp, UserId};
use serde_json::Value;
use std::io::Write as _;

use super::args::{EngineArgs, parse_after};
use super::engines;

/// Print the events of the log as JSON lines, in the order of each partition.
#[derive(Debug, clap::Args)]
pub(crate) struct Events {
    #[command(flatten)]
    engines: EngineArgs,
    /// Only events of this app.
    #[arg(long, value_name = "APP")]
    app: Option<AppId>,
    /// Only events of this user.
    #[arg(long, value_name = "USER")]
    user: Option<UserId>,
    /// Only usage of this meter.
    #[arg(long, value_name = "METER")]
    meter: Option<Meter>,
    /// Only events recorded at this moment or later: 2026-11-23T10:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<Timestamp>,
    /// Only events recorded before this moment.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,
    /// Only events behind this position, in its partition: 0-1234-7, or 0-1234 for behind all of that commit.
    #[arg(long, value_name = "POSITION", value_parser = parse_after)]
    after: Option<Position>,
    /// Wait for what comes.
    #[arg(long)]
    follow: bool,
}

impl Events {
    pub(crate) async fn run(self) -> Result<()> {
        let log = engines::open_log_to_read(&self.engines).await?;
        let partitions = log.identity().partitions().filter(|partition| self.wants_partition(*partition));
        let mut streams = Vec::new();
        for partition in partitions {
            streams.push(self.commits(&*log, partition).await?);
        }
        match self.follow {
            true => self.print_all(select_all(streams)).await,
            false => self.print_all(futures::stream::iter(streams).flatten().boxed()).await,
        }
    }

    fn wants_partition(&self, partition: PartitionId) -> bool {
        self.after.is_none_or(|after| after.partition == partition)
    }

    /// The entries of one partition: up to its end, or for ever.
    async fn commits(
        &self,
        log: &dyn EventLog,
        partition: PartitionId,
    ) -> Result<BoxStream<'static, Result<Entry>>> {
        let after = self.after.map_or(0, |after| after.sequence.saturating_sub(1));
        let head = log.head(partition).await?;
        let entries = log.follow(partition, after).map(|entry| entry.map_err(Into::into));
        let left = usize::try_from(head.saturating_sub(after)).unwrap_or(usize::MAX);
        Ok(if self.follow { entries.boxed() } else { entries.take(left).boxed() })
    }

    async fn print_all(&self, mut entries: impl futures::Stream<Item = Result<Entry>> + Unpin) -> Result<()> {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        while let Some(entry) = entries.next().await {
            if let Entry::Commit(stored) = entry? {
                let place = stored.prefix;
                let commit = Commit::decode(&stored.bytes)
                    .with_context(|| format!("commit {} of partition {}", place.sequence, place.partition))?;
                self.print(&mut out, &commit)?;
            }
            if self.follow {
                out.flush()?;
            }
        }
        Ok(out.flush()?)
    }

    fn print(&self, out: &mut impl std::io::Write, commit: &Commit) -> Result<()> {
        let in_time = self.since.is_none_or(|since| commit.time >= since)
            && self.until.is_none_or(|until| commit.time < until);
        for (position, event) in commit.positioned().filter(|_| in_time) {
            if self.wants(position, event) {
                let line = line(position, commit.time, event)?;
                // As an IO error, so that a reader that went away is told from a failure.
                serde_json::to_writer(&mut *out, &line).map_err(std::io::Error::from)?;
                writeln!(out)?;
            }
        }
        Ok(())
    }

    fn wants(&self, position: Position, event: &Event) -> bool {
        let account = event.account();
        let meter = match event {
            Event::Debited(event) => Some(&event.usage.meter),
            Event::Declined(event) => Some(&event.usage.meter),
            _ => None,
        };
        self.after.is_none_or(|after| position > after)
            && self.app.as_ref().is_none_or(|app| account.is_some_and(|account| account.app == *app))
            && self.user.as_ref().is_none_or(|user| account.is_some_and(|account| account.user == *user))
            && self.meter.as_ref().is_none_or(|wanted| meter == Some(wanted))
    }
}

/// The event as `schemas/event.json` says, with its position and the time of its commit.
fn line(position: Position, time: Timestamp, event: &Event) -> Result<Value> {
    let mut line = serde_json::json!({ "position": position, "time": rfc3339(time) });
    let Value::Object(mut fields) = serde_json::to_value(event)? else {
        unreachable!("an event is an object")
    };
    if let Some(occurred_at) = fields.get("occurred_at").and_then(Value::as_i64) {
        fields.insert("occurred_at".to_owned(), rfc3339(Timestamp(occurred_at)).into());
    }
    line.as_object_mut().expect("it was made as an object").append(&mut fields);
    Ok(line)
}

fn rfc3339(time: Timestamp) -> String {
    let time = chrono::DateTime::from_timestamp_micros(time.0).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// A moment, as RFC 3339 writes it.
pub(super) fn parse_time(text: &str) -> Result<Timestamp, String> {
    let time = chrono::DateTime::parse_from_rfc3339(text)
        .map_err(|error| format!("{error}; a time looks like 2026-11-23T10:00:00Z"))?;
    Ok(Timestamp(time.timestamp_micros()))
}
