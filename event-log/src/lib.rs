//! The port to the log: one trait whose documentation is the contract, and its backends.
//!
//! A log is a number of partitions; each is a gapless row of commits that never change once they are stored.
//! To a log a commit is a frozen prefix and opaque bytes. It deliberately does not decode what stands
//! behind the prefix, does not check the chain of hashes from one commit to the next, does not retry an
//! append, and does not decide who may write: all of that belongs to those who know what a commit means.
//!
//! In reading order: this page (the port), [`error`] (what can go wrong outside of an append), `classify`
//! (ours, foreign or damaged), `sqlite` (one file, one writer process), `jetstream` (NATS, production), [`anchors`]
//! (is the log still what it was?), [`News`] (what comes from now on, for workers), `sim` (feature `sim`: one that
//! lies on purpose), and `contract` (feature `contract-tests`: the tests every backend must pass). What the simulated
//! log answers is pinned to the real server: it passes the contract as they do, and `tests/answers.rs` asks it and a
//! real nats-server the same questions.

pub mod anchors;
mod classify;
#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;
pub mod error;
mod jetstream;
mod news;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
mod sqlite;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use ledger_core::commit::{Class, EncodedCommit, Hash, Prefix};
use ledger_core::{LogId, PartitionId, Sequence, Timestamp};

pub use anchors::{Alarm, Anchor, AnchorError, Keeper};
pub use error::{OpenError, ReadError};
pub use jetstream::{JetStreamLog, JetStreamOptions, connect};
pub use news::{News, NewsError};
pub use sqlite::SqliteLog;

/// The most partitions a log can have: their numbers are written with two digits.
pub const PARTITIONS_MAX: u16 = 100;

/// Which log this is. Set when the log is created, never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogIdentity {
    /// Drawn at random when the log was created; every commit repeats it.
    pub log: LogId,
    /// How many partitions there are, 1 to [`PARTITIONS_MAX`]. They are numbered from 0.
    pub partitions: u16,
}

impl LogIdentity {
    /// The number of partitions is one that a log can have.
    fn check(self) -> Result<Self, OpenError> {
        match self.partitions {
            1..=PARTITIONS_MAX => Ok(self),
            count => Err(OpenError::Partitions { count }),
        }
    }

    /// All partitions, in order.
    pub fn partitions(self) -> impl Iterator<Item = PartitionId> {
        (0..self.partitions).map(PartitionId)
    }

    /// The partition is one of this log's.
    fn has(self, partition: PartitionId) -> Result<(), ReadError> {
        match partition.0 < self.partitions {
            true => Ok(()),
            false => Err(ReadError::NoSuchPartition { partition, partitions: self.partitions }),
        }
    }

    /// Why this commit can never be appended to this log, if so.
    fn refuses(self, prefix: &Prefix) -> Option<String> {
        if prefix.log != self.log {
            return Some(format!("the commit belongs to log {}, this is log {}", prefix.log, self.log));
        }
        if prefix.sequence == 0 {
            return Some("sequences begin at 1".to_owned());
        }
        self.has(prefix.partition).err().map(|error| error.to_string())
    }
}

/// A log that can be appended to and read. Every backend keeps the same promises:
///
/// - **Durable on [`Stored`](AppendOutcome::Stored).** The commit survives a power cut of the machine that
///   holds the log (of a minority of them, when the log is replicated).
/// - **The log is the lock.** A commit names its own sequence and is stored there or nowhere: right behind
///   the commit before it, and only if nothing stands there yet. Of several who append at one sequence at
///   most one gets `Stored`, whatever happens on the way.
/// - **Order.** A partition is a gapless row from sequence 1. What stands in it never changes or moves, and
///   all readers see the same, in the same order. Partitions know nothing of each other.
/// - **What was `Stored` can be read** by all. What is still on its way can appear later, and a replica that
///   was away can answer from an old state for a moment: that nothing stands at a sequence is never a proof
///   that nothing was stored or nothing is coming.
/// - Dropping the future of an append leaves its outcome unknown, like [`Unknown`](AppendOutcome::Unknown).
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Which log this is.
    fn identity(&self) -> LogIdentity;

    /// Appends at the sequence in the commit's prefix, if all before it stands and nothing stands there.
    ///
    /// One append at a time for each partition; resolve its outcome before the next one.
    async fn append(&self, commit: &EncodedCommit) -> AppendOutcome;

    /// What stands at this sequence, as the one who accepts appends knows it. `None`: nothing yet.
    ///
    /// Errors: the log is damaged there, or can not be read now.
    async fn read(&self, partition: PartitionId, sequence: Sequence) -> Result<Option<Entry>, ReadError>;

    /// The last sequence that stands, 0 when the partition is empty.
    ///
    /// Errors: the log can not be read now. A replicated log can answer an old head for a moment.
    async fn head(&self, partition: PartitionId) -> Result<Sequence, ReadError>;

    /// The time by the clock of the log's server. `None` when the log has no clock but this machine's.
    ///
    /// Errors: the log can not be asked now.
    async fn time(&self) -> Result<Option<Timestamp>, ReadError> {
        Ok(None)
    }

    /// Nothing is asked of it any more, by nobody in this process: what has to be brought into order at the end is.
    async fn close(&self) {}

    /// For how long this log may answer from the past: what contradicts something known is believed only when it is
    /// said for as long. Zero: the first answer counts.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }

    /// The anchors of a partition that are kept beside the log, one a keeper; also those of another log that was here
    /// before. None where the log has no place for them apart from itself.
    ///
    /// Errors: they can not be read now, or somebody else wrote there. An answer from the past is only weaker.
    async fn anchors(&self, _partition: PartitionId) -> Result<Vec<Anchor>, ReadError> {
        Ok(vec![])
    }

    /// Keeps an anchor in place of the same keeper's last one, unless that one is higher or of another log: what is
    /// kept never goes backwards. Where the log has no place for anchors, nothing happens.
    ///
    /// Errors: it can not be kept now.
    async fn keep_anchor(&self, _anchor: &Anchor) -> Result<(), ReadError> {
        Ok(())
    }

    /// Everything after this sequence: first what stands, then what comes, for ever, in order, without a gap.
    ///
    /// Outages are waited for. The stream ends by an error item alone: the log is damaged, or unusable until
    /// somebody acts. A follower that begins behind the end of the log waits until the log has grown so far:
    /// who knows a position must first ask [`head`](Self::head) whether the log still has it.
    fn follow(&self, partition: PartitionId, after: Sequence)
    -> BoxStream<'static, Result<Entry, ReadError>>;
}

/// What became of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppendOutcome {
    /// The commit stands at its sequence, durably.
    Stored,
    /// Something stands at that sequence, perhaps this very commit; or something before it is missing. Read
    /// back what stands there and compare: ours is success, another's is a lost race.
    Conflict,
    /// May be stored now, or later, or never. Append the same bytes again until the outcome is another one.
    Unknown(String),
    /// Certainly not stored by this try (an earlier, unknown one may still land). Keep the commit and append
    /// the same bytes again later: soon, or slowly, as the kind says.
    Refused(Refusal, String),
    /// Wrong configuration or our own bug: it can not succeed by trying again. Stop.
    Fatal(String),
}

/// Why an append was refused for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody takes appends at this moment, as while a leader is elected. Try again soon.
    Unavailable,
    /// Out of space, a limit, overload: somebody may have to act. Try again slowly, take no new work.
    Full,
}

/// What stands at a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A commit of this log.
    Commit(StoredCommit),
    /// Somebody else's message in our stream (JetStream only). It can not be removed and means nothing: step
    /// over it, count it, raise an alarm.
    Foreign {
        /// Where it stands.
        sequence: Sequence,
        /// How it was told from a commit of ours.
        reason: String,
    },
}

impl Entry {
    /// Where it stands.
    pub fn sequence(&self) -> Sequence {
        match self {
            Self::Commit(commit) => commit.prefix.sequence,
            Self::Foreign { sequence, .. } => *sequence,
        }
    }
}

/// A commit as it was read. Its bytes begin with the prefix and hash to the hash: that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCommit {
    /// The first bytes, decoded.
    pub prefix: Prefix,
    /// SHA-256 of the bytes: the commit's id.
    pub hash: Hash,
    /// The exact bytes, prefix included.
    pub bytes: Bytes,
    /// When the server stored it, by its own clock. JetStream only.
    pub stored_at: Option<Timestamp>,
}

/// The name of a class where it is written down: the last token of a subject, a column of the table.
fn class_name(class: Class) -> &'static str {
    match class {
        Class::Usage => "usage",
        Class::Signal => "signal",
    }
}
