//! What is stored from now on, in all partitions: for workers, whom it is enough to hear of it, because they have another
//! way (a sweep) to find what happened before, or what they missed.
//!
//! Not only the signals of a log, though their class stands where a backend could filter by it (a subject, a column):
//! a follower proves by the gapless row of sequences that nothing is missing, damaged or swallowed, and a filtered row
//! has gaps. And a debit that raises a level is of the class of usage, and is to be heard of.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use ledger_core::commit::{Commit, DecodeError};
use ledger_core::{PartitionId, Sequence};

use crate::{Entry, EventLog, ReadError};

/// How long an outage is waited for before the log is asked again where it ends: twice as long each time, up to the most.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Why nothing more is heard, which does not change by itself.
#[derive(Debug, thiserror::Error)]
pub enum NewsError {
    /// The log is damaged, or unusable until somebody acts.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// A commit that can not be decoded: to pass over it would be to miss what it tells.
    #[error("partition {partition}, commit {sequence} of the log can not be read")]
    Commit {
        /// The partition.
        partition: PartitionId,
        /// Its sequence.
        sequence: Sequence,
        /// Why.
        source: DecodeError,
    },
}

/// The commits of all partitions, each partition from its end on.
pub struct News(BoxStream<'static, Result<Entry, ReadError>>);

impl News {
    /// Of this log. Where its partitions end is asked with the first look at [`next`](Self::next).
    pub fn of(log: &Arc<dyn EventLog>) -> Self {
        let partitions = log.identity().partitions();
        let entries = partitions.map(|partition| from_the_end(Arc::clone(log), partition));
        Self(stream::select_all(entries).boxed())
    }

    /// The next commit, of any partition; of each they come in order. Foreign messages are stepped over, outages waited
    /// for. It may be dropped and asked for again: nothing is lost.
    ///
    /// Errors: nothing more can be heard. Who asks on may miss something.
    pub async fn next(&mut self) -> Result<Commit, NewsError> {
        loop {
            let entry = self.0.next().await.unwrap_or_else(|| Err(ended()))?;
            let Entry::Commit(stored) = entry else { continue };
            let (partition, sequence) = (stored.prefix.partition, stored.prefix.sequence);
            let undecodable = |source| NewsError::Commit { partition, sequence, source };
            return Commit::decode(&stored.bytes).map_err(undecodable);
        }
    }
}

/// No follower ends by itself.
fn ended() -> ReadError {
    ReadError::Unavailable { doing: "following it", source: "it ended".into() }
}

fn from_the_end(
    log: Arc<dyn EventLog>,
    partition: PartitionId,
) -> BoxStream<'static, Result<Entry, ReadError>> {
    let entries = async move {
        match end(&*log, partition).await {
            Ok(end) => log.follow(partition, end),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    };
    stream::once(entries).flatten().boxed()
}

/// Where the partition ends now.
async fn end(log: &dyn EventLog, partition: PartitionId) -> Result<Sequence, ReadError> {
    let mut pause = PAUSE;
    loop {
        match log.head(partition).await {
            Err(error @ ReadError::Unavailable { .. }) => {
                tracing::warn!(%partition, %error, "can not ask where the log ends; trying again");
                tokio::time::sleep(pause).await;
                pause = (2 * pause).min(PAUSE_MAX);
            }
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use ledger_core::LogId;
    use ledger_core::commit::EncodedCommit;
    use tokio::time::Instant;

    use super::*;
    use crate::{AppendOutcome, LogIdentity};

    /// A log that says where it ends only so.
    struct Ends(fn(Duration) -> Result<Sequence, ReadError>, Instant);

    #[async_trait]
    impl EventLog for Ends {
        fn identity(&self) -> LogIdentity {
            LogIdentity { log: LogId([1; 16]), partitions: 3 }
        }

        async fn append(&self, _: &EncodedCommit) -> AppendOutcome {
            unreachable!("nobody writes here")
        }

        async fn read(&self, _: PartitionId, _: Sequence) -> Result<Option<Entry>, ReadError> {
            unreachable!("nobody reads single commits here")
        }

        async fn head(&self, _: PartitionId) -> Result<Sequence, ReadError> {
            self.0(self.1.elapsed())
        }

        fn follow(&self, _: PartitionId, after: Sequence) -> BoxStream<'static, Result<Entry, ReadError>> {
            stream::iter([Ok(Entry::Foreign { sequence: after + 1, reason: String::new() })]).boxed()
        }
    }

    async fn first(head: fn(Duration) -> Result<Sequence, ReadError>) -> (ReadError, Duration) {
        let begun = Instant::now();
        let log: Arc<dyn EventLog> = Arc::new(Ends(head, begun));
        let first = tokio::time::timeout(60 * OUTAGE, News::of(&log).next()).await.expect("something comes");
        match first {
            Err(NewsError::Log(error)) => (error, begun.elapsed()),
            other => panic!("the log can not be followed, and this came: {other:?}"),
        }
    }

    const OUTAGE: Duration = Duration::from_secs(60);

    fn away_for_a_while(since: Duration) -> Result<Sequence, ReadError> {
        let away = || ReadError::Unavailable { doing: "asking", source: "away".into() };
        if since < OUTAGE { Err(away()) } else { Ok(7) }
    }

    fn damaged(_: Duration) -> Result<Sequence, ReadError> {
        Err(ReadError::Damaged { partition: PartitionId(0), sequence: 7, reason: "a test".to_owned() })
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_waited_for_and_anything_else_is_told() {
        // Behind a stranger's message the followers of this log end, which none does by itself.
        let (error, after) = first(away_for_a_while).await;
        assert!(matches!(error, ReadError::Unavailable { doing: "following it", .. }), "{error}");
        assert!((OUTAGE..OUTAGE + 2 * PAUSE_MAX).contains(&after), "{after:?}");
        let (error, after) = first(damaged).await;
        assert!(matches!(error, ReadError::Damaged { sequence: 7, .. }), "{error}");
        assert_eq!(after, Duration::ZERO);
    }
}
