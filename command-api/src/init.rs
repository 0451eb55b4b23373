//! The beginning of a log: a genesis in each partition. A step apart from running.

use event_log::{AnchorError, AppendOutcome, Entry, EventLog, ReadError, anchors};
use ledger_core::commit::{Commit, CommitBuilder, EncodedCommit, Hash, Head, VERSION};
use ledger_core::event::{Event, Genesis};
use ledger_core::slots::SlotMap;
use ledger_core::{LogId, PartitionId, Sequence, TermNonce, Timestamp};

use crate::log_clock::{self, ClockError};

/// Why a log could not be begun.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// It can not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It had a beginning once, and more.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// Its server's clock is another one.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// It can not be written.
    #[error("the beginning of partition {partition} could not be written: {reason}")]
    Append {
        /// The partition.
        partition: PartitionId,
        /// What the log answered.
        reason: String,
    },
    /// Its first commit is not a genesis.
    #[error("partition {partition} does not begin as a log does")]
    NoGenesis {
        /// The partition.
        partition: PartitionId,
    },
}

/// Gives every partition its genesis, unless it has one. May be run again at any time.
pub async fn init(log: &dyn EventLog, now: Timestamp) -> Result<(), InitError> {
    log_clock::check(log).await?;
    let identity = log.identity();
    for partition in identity.partitions() {
        while genesis_of(log, partition).await?.is_none() {
            anchors::check_kept(log, partition).await?;
            begin(log, partition, now).await?;
        }
    }
    Ok(())
}

/// Who owns which slots, as the log's beginning says. Error: the log has none.
pub async fn slot_map(log: &dyn EventLog) -> Result<SlotMap, InitError> {
    let partition = PartitionId(0);
    let genesis = genesis_of(log, partition).await?;
    genesis.map(|genesis| genesis.slots).ok_or(InitError::NoGenesis { partition })
}

async fn begin(log: &dyn EventLog, partition: PartitionId, now: Timestamp) -> Result<(), InitError> {
    let identity = log.identity();
    let sequence = first_free(log, partition).await?;
    let commit = genesis_commit(identity.log, partition, identity.partitions, sequence, now);
    match log.append(&commit).await {
        // A conflict is looked at by the caller, who reads what stands there now.
        AppendOutcome::Stored | AppendOutcome::Conflict => Ok(()),
        AppendOutcome::Unknown(reason) | AppendOutcome::Refused(_, reason) | AppendOutcome::Fatal(reason) => {
            Err(InitError::Append { partition, reason })
        }
    }
}

async fn first_free(log: &dyn EventLog, partition: PartitionId) -> Result<Sequence, ReadError> {
    let mut sequence = 1;
    while log.read(partition, sequence).await?.is_some() {
        sequence += 1;
    }
    Ok(sequence)
}

/// The first commit, behind what foreign messages may stand before it.
async fn genesis_of(log: &dyn EventLog, partition: PartitionId) -> Result<Option<Genesis>, InitError> {
    let mut sequence = 1;
    loop {
        match log.read(partition, sequence).await? {
            None => return Ok(None),
            Some(Entry::Foreign { .. }) => sequence += 1,
            Some(Entry::Commit(stored)) => {
                let commit = Commit::decode(&stored.bytes).ok();
                return match commit.as_ref().and_then(|commit| commit.events.first()) {
                    Some(Event::Genesis(genesis)) => Ok(Some(genesis.clone())),
                    _ => Err(InitError::NoGenesis { partition }),
                };
            }
        }
    }
}

/// The first commit of a partition. Two that begin the same log at once write different times: one of them wins.
pub fn genesis_commit(
    log: LogId,
    partition: PartitionId,
    partitions: u16,
    sequence: Sequence,
    time: Timestamp,
) -> EncodedCommit {
    let slots = SlotMap::even(partitions);
    let mut builder = CommitBuilder::default();
    builder.push(&Event::Genesis(Genesis { log, format: VERSION, partitions, slots }));
    let term = TermNonce([0; 16]);
    builder.seal(&Head { log, partition, sequence, previous: 0, previous_hash: Hash::ZERO, term, time })
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use event_log::{Anchor, Keeper, LogIdentity};
    use futures::stream::BoxStream;

    use super::*;

    /// A log that has lost all it had, and says so.
    struct Emptied(Vec<Anchor>);

    const IDENTITY: LogIdentity = LogIdentity { log: LogId([7; 16]), partitions: 1 };

    #[async_trait]
    impl EventLog for Emptied {
        fn identity(&self) -> LogIdentity {
            IDENTITY
        }

        async fn append(&self, _: &EncodedCommit) -> AppendOutcome {
            AppendOutcome::Fatal("it was appended to".to_owned())
        }

        async fn read(&self, _: PartitionId, _: Sequence) -> Result<Option<Entry>, ReadError> {
            Ok(None)
        }

        async fn head(&self, _: PartitionId) -> Result<Sequence, ReadError> {
            Ok(0)
        }

        async fn anchors(&self, _: PartitionId) -> Result<Vec<Anchor>, ReadError> {
            Ok(self.0.clone())
        }

        fn follow(&self, _: PartitionId, _: Sequence) -> BoxStream<'static, Result<Entry, ReadError>> {
            unreachable!("nobody follows a log that is being begun")
        }
    }

    #[tokio::test]
    async fn a_log_that_lost_even_its_beginning_is_not_begun_again() {
        let (partition, sequence, kept_at) = (PartitionId(0), 7, Timestamp(0));
        let (hash, kept_by) = (Hash::of(b"a commit"), Keeper::Writer);
        let anchor = Anchor { log: IDENTITY.log, partition, sequence, hash, kept_by, kept_at };
        let error = init(&Emptied(vec![anchor]), Timestamp(0)).await.unwrap_err().to_string();
        assert!(error.contains("commit 7") && error.contains("the log ends at 0"), "{error}");
        let error = init(&Emptied(vec![]), Timestamp(0)).await.unwrap_err().to_string();
        assert!(error.contains("it was appended to"), "a new log is: {error}");
    }
}
