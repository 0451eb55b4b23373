//! Keeps anchors of what is acknowledged, beside the log, so that a log which lost its tail is found out by whoever
//! opens it next. A task of its own: keeping never holds up an append, and what fails is told and tried again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use event_log::{Anchor, EventLog};
use ledger_core::{Sequence, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often, when there is something new.
const KEEP_EVERY: Duration = Duration::from_secs(10);
/// How long the last one may take when the process ends.
const LAST_ONE: Duration = Duration::from_secs(2);

/// Keeps the newest acknowledged commit until the writer is gone, and then the last one.
pub(crate) async fn keep(
    log: Arc<dyn EventLog>,
    mut newest: watch::Receiver<Option<Anchor>>,
    shutdown: CancellationToken,
) -> Result<(), Infallible> {
    let mut kept = 0;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(KEEP_EVERY) => {}
        }
        let anchor = *newest.borrow();
        kept = keep_one(&*log, anchor, kept).await;
    }
    // Told to stop, the writer still finishes what it has begun.
    while newest.changed().await.is_ok() {}
    let anchor = *newest.borrow();
    if tokio::time::timeout(LAST_ONE, keep_one(&*log, anchor, kept)).await.is_err() {
        tracing::warn!("the last anchor could not be kept in time: an older one stays");
    }
    Ok(())
}

/// Keeps the anchor if it is newer than what is kept. How far is kept then.
async fn keep_one(log: &dyn EventLog, anchor: Option<Anchor>, kept: Sequence) -> Sequence {
    let Some(anchor) = anchor.filter(|anchor| anchor.sequence > kept) else { return kept };
    let anchor = Anchor { kept_at: Timestamp(service_kit::clock::now()), ..anchor };
    match log.keep_anchor(&anchor).await {
        Ok(()) => anchor.sequence,
        Err(error) => {
            let (partition, cause) =
                (anchor.partition, std::error::Error::source(&error).map(ToString::to_string));
            tracing::warn!(%partition, sequence = anchor.sequence, cause, "an anchor could not be kept: {error}");
            kept
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use event_log::{AppendOutcome, Entry, Keeper, LogIdentity, ReadError};
    use futures::stream::BoxStream;
    use ledger_core::commit::{EncodedCommit, Hash};
    use ledger_core::{LogId, PartitionId};

    use super::*;

    /// Remembers what was kept; fails so often first.
    #[derive(Default)]
    struct Kept(Mutex<(u32, Vec<Sequence>)>);

    #[async_trait]
    impl EventLog for Kept {
        fn identity(&self) -> LogIdentity {
            LogIdentity { log: LogId([7; 16]), partitions: 1 }
        }

        async fn append(&self, _: &EncodedCommit) -> AppendOutcome {
            unreachable!("keepers do not append")
        }

        async fn read(&self, _: PartitionId, _: Sequence) -> Result<Option<Entry>, ReadError> {
            unreachable!("keepers do not read")
        }

        async fn head(&self, _: PartitionId) -> Result<Sequence, ReadError> {
            unreachable!("keepers do not read")
        }

        async fn keep_anchor(&self, anchor: &Anchor) -> Result<(), ReadError> {
            let (failures, kept) = &mut *self.0.lock().unwrap();
            if *failures > 0 {
                *failures -= 1;
                return Err(ReadError::Unavailable { doing: "keeping an anchor", source: "a test".into() });
            }
            kept.push(anchor.sequence);
            Ok(())
        }

        fn follow(&self, _: PartitionId, _: Sequence) -> BoxStream<'static, Result<Entry, ReadError>> {
            unreachable!("keepers do not read")
        }
    }

    fn anchor(sequence: Sequence) -> Option<Anchor> {
        let (log, kept_at) = (LogId([7; 16]), Timestamp(0));
        let (partition, hash, kept_by) = (PartitionId(0), Hash::ZERO, Keeper::Writer);
        Some(Anchor { log, partition, sequence, hash, kept_by, kept_at })
    }

    #[tokio::test(start_paused = true)]
    async fn anchors_are_kept_now_and_then_when_they_moved_and_at_the_end() {
        let log = Arc::new(Kept::default());
        log.0.lock().unwrap().0 = 1;
        let (newest, seen) = watch::channel(None);
        let shutdown = CancellationToken::new();
        let kept = || log.0.lock().unwrap().1.clone();
        let drive = async {
            newest.send_replace(anchor(5));
            tokio::time::sleep(KEEP_EVERY + LAST_ONE).await;
            assert_eq!(kept(), [0; 0], "the first try fails");
            tokio::time::sleep(KEEP_EVERY).await;
            assert_eq!(kept(), [5], "and is made again");
            newest.send_replace(anchor(6));
            tokio::time::sleep(KEEP_EVERY).await;
            assert_eq!(kept(), [5, 6]);
            tokio::time::sleep(3 * KEEP_EVERY).await;
            assert_eq!(kept(), [5, 6], "nothing is new");
            shutdown.cancel();
            newest.send_replace(anchor(7));
            tokio::time::sleep(LAST_ONE).await;
            newest.send_replace(anchor(8));
            drop(newest);
        };
        let (ended, ()) = tokio::join!(keep(log.clone(), seen, shutdown.clone()), drive);
        ended.unwrap();
        assert_eq!(kept(), [5, 6, 8]);
    }
}
