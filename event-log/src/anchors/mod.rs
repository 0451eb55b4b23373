//! Anchors: positions of a log that are known outside of it, with the hashes that stood there.
//!
//! A damaged disk can cut a log to a prefix, and that prefix is whole in itself: the chain of hashes is valid,
//! the server says nothing, and the next append lands in the middle of what was acknowledged. Only somebody who
//! remembers how far the log had come can tell. So writers and projectors keep anchors, and nobody writes to a
//! log or folds it before it was compared with all of them that are known.
//!
//! A replicated log can answer from the past for a moment, so a difference must be heard for a while, in
//! answers that agree, before it is believed ([`Doubt`]).
//!
//! An anchor that is older than it could be is only weaker, never wrong: what it names must stand there for ever.

mod doubt;

use std::fmt;
use std::time::Duration;

use ledger_core::commit::Hash;
use ledger_core::{LogId, PartitionId, Sequence, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{Entry, EventLog, ReadError};

pub use doubt::{Doubt, Verdict};

/// A commit that is known to have been durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The log.
    pub log: LogId,
    /// The partition.
    pub partition: PartitionId,
    /// The commit.
    pub sequence: Sequence,
    /// And its hash.
    pub hash: Hash,
    /// Who knows it.
    pub kept_by: Keeper,
    /// When it was kept, by its keeper's clock.
    pub kept_at: Timestamp,
}

/// Who keeps anchors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keeper {
    /// A writer, of what was acknowledged to it.
    Writer,
    /// A projector, of what it has applied; kept beside the log.
    Projector,
    /// The views themselves, which say how far they are folded.
    Views,
    /// A snapshot of a writer's state.
    Snapshot,
}

impl Keeper {
    /// The word for it in keys and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::Projector => "projector",
            Self::Views => "views",
            Self::Snapshot => "snapshot",
        }
    }

    /// Who knows, as the beginning of a sentence.
    pub fn knows(self) -> String {
        let verb = if self == Self::Views { "know" } else { "knows" };
        format!("{self} {verb}")
    }

    /// What an operator does who knows that what the anchor names is lost for good.
    fn way_to_accept(self) -> &'static str {
        match self {
            Self::Writer | Self::Projector => {
                "if these commits are lost for good, `drip anchors forget --yes-data-is-lost` gives them up"
            }
            Self::Views => {
                "if these commits are lost for good, give them up: `drip anchors forget` where the log is on NATS, then \
                 drop the views and run `drip init`"
            }
            Self::Snapshot => {
                "if this log is the right one, remove the folder `snapshots` of the data folder: the state is replayed from the log"
            }
        }
    }
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Writer => "the writer",
            Self::Projector => "the projector",
            Self::Views => "the views",
            Self::Snapshot => "a snapshot",
        })
    }
}

/// How a log differs from an anchor; shown as the end of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// It is another log.
    #[error("this is log {0}")]
    OtherLog(LogId),
    /// It is shorter.
    #[error("the log ends at {0}")]
    EndsAt(Sequence),
    /// It is long enough and has nothing there.
    #[error("nothing stands at {0}")]
    NothingAt(Sequence),
    /// Another commit stands there.
    #[error("another one stands at {sequence}, with the hash {hash}")]
    OtherAt {
        /// Where.
        sequence: Sequence,
        /// What it hashes to.
        hash: Hash,
    },
    /// A message that is no commit of this log stands there.
    #[error("a foreign message stands at {0}")]
    ForeignAt(Sequence),
}

/// A log that is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    /// What was known.
    pub anchor: Anchor,
    /// What the log holds.
    pub found: Difference,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Anchor { log, partition, sequence, hash, kept_by, .. } = self.anchor;
        let kept_at = self.anchor.kept_at_text();
        write!(
            f,
            "the log was cut or replaced: {} since {kept_at} that commit {sequence} of partition \
             {partition} of log {log} has the hash {hash}, but {}. Nothing is appended to it. Heal or restore the log's \
             storage and start again; or, {}",
            kept_by.knows(),
            self.found,
            kept_by.way_to_accept()
        )
    }
}

impl std::error::Error for Alarm {}

impl Alarm {
    /// What is said while it is not believed yet.
    pub fn in_doubt(&self) -> String {
        let Anchor { partition, sequence, kept_by, .. } = self.anchor;
        format!(
            "in doubt whether the log is whole: {} commit {sequence} of partition {partition}, but {}; looking again",
            kept_by.knows(),
            self.found
        )
    }
}

impl Anchor {
    /// When it was kept, for people.
    pub fn kept_at_text(&self) -> String {
        let time = chrono::DateTime::from_timestamp_micros(self.kept_at.0).unwrap_or_default();
        time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }
}

/// Why nobody may go on with a log.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// It is not what it was.
    #[error(transparent)]
    Differs(#[from] Alarm),
    /// It, or what is kept beside it, can not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Compares a log with these anchors, wherever they come from. To be asked before anybody appends to it.
///
/// Errors: it differs from one of them, in answers that agreed for the log's [patience](EventLog::patience); it
/// can not be read now.
pub async fn check(log: &dyn EventLog, anchors: &[Anchor]) -> Result<(), AnchorError> {
    check_telling(log, anchors, |alarm| tracing::warn!("{}", alarm.in_doubt())).await
}

/// The same, with all anchors of a partition that are kept beside the log.
///
/// Errors: as [`check`]; they can not be read now.
pub async fn check_kept(log: &dyn EventLog, partition: PartitionId) -> Result<(), AnchorError> {
    check(log, &log.anchors(partition).await?).await
}

/// The same, telling of each difference when it is first heard.
///
/// Errors: as [`check`].
pub async fn check_telling(
    log: &dyn EventLog,
    anchors: &[Anchor],
    mut tell: impl FnMut(Alarm) + Send,
) -> Result<(), AnchorError> {
    for anchor in anchors {
        let tell = |found| tell(Alarm { anchor: *anchor, found });
        if let Some(found) = settled(log.patience(), || difference(log, anchor), tell).await? {
            return Err(Alarm { anchor: *anchor, found }.into());
        }
    }
    Ok(())
}

/// How the log differs from an anchor, as it answers now.
///
/// Errors: it can not be read now, or is damaged there.
pub async fn difference(log: &dyn EventLog, anchor: &Anchor) -> Result<Option<Difference>, ReadError> {
    let identity = log.identity();
    if anchor.log != identity.log || anchor.partition.0 >= identity.partitions {
        return Ok(Some(Difference::OtherLog(identity.log)));
    }
    match anchor.sequence {
        0 => Ok(None),
        sequence => difference_at(log, anchor.partition, sequence, anchor.hash).await,
    }
}

/// How the log differs from holding the commit of this hash there, as it answers now.
///
/// Errors: it can not be read now, or is damaged there; it has no such partition.
pub async fn difference_at(
    log: &dyn EventLog,
    partition: PartitionId,
    sequence: Sequence,
    hash: Hash,
) -> Result<Option<Difference>, ReadError> {
    let head = log.head(partition).await?;
    if head < sequence {
        return Ok(Some(Difference::EndsAt(head)));
    }
    Ok(match log.read(partition, sequence).await? {
        Some(Entry::Commit(commit)) if commit.hash == hash => None,
        Some(Entry::Commit(commit)) => Some(Difference::OtherAt { sequence, hash: commit.hash }),
        Some(Entry::Foreign { .. }) => Some(Difference::ForeignAt(sequence)),
        None => Some(Difference::NothingAt(sequence)),
    })
}

/// Asks until there is no difference, or until the answers have agreed on one for the patience. Tells of each when it
/// is first heard.
///
/// Errors: the first of the question's. Who asks again after one begins anew, for no answer agrees with nothing.
pub async fn settled<E, F>(
    patience: Duration,
    mut ask: impl FnMut() -> F,
    mut tell: impl FnMut(Difference),
) -> Result<Option<Difference>, E>
where
    F: Future<Output = Result<Option<Difference>, E>>,
{
    let begin = Instant::now();
    let mut doubt = Doubt::new(patience);
    loop {
        let found = ask().await?;
        if found != doubt.found() {
            found.into_iter().for_each(&mut tell);
        }
        let elapsed = i64::try_from(begin.elapsed().as_micros()).unwrap_or(i64::MAX);
        match doubt.hear(Timestamp(elapsed), found) {
            Verdict::Agrees => return Ok(None),
            Verdict::Believed => return Ok(found),
            Verdict::InDoubt => tokio::time::sleep(pause(patience)).await,
        }
    }
}

/// Between two questions: some ten answers must agree.
fn pause(patience: Duration) -> Duration {
    (patience / 10).clamp(Duration::from_millis(5), Duration::from_secs(3))
}

#[cfg(test)]
mod tests;
