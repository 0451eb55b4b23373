//! Is the log still what it was? Before a projector begins, the log is compared with all anchors that are kept beside
//! it, a writer's too; while it runs, with those and with what is folded. What is folded is kept beside the log, so
//! that a writer which does not see the views knows it.
//!
//! A log that lost its tail while it is followed would otherwise be waited for in silence.

use std::time::Duration;

use event_log::{Anchor, AnchorError, EventLog, Keeper, anchors};
use ledger_core::{Sequence, Timestamp};

use crate::config::Config;
use crate::error::ProjectorError;
use crate::rows::ChainPosition;
use crate::store::ViewStore;

/// How long the last anchor may take when the projector ends.
const LAST_ONE: Duration = Duration::from_secs(2);

/// Compares the log with what is kept beside it. Outages are waited for.
///
/// Errors: it differs; what is kept can not be used.
pub(crate) async fn compare(config: &Config, log: &dyn EventLog) -> Result<(), ProjectorError> {
    loop {
        match check(log, Vec::new()).await {
            Err(error) if error.is_transient() => {
                tracing::warn!("the log can not be compared with its anchors ({error}); trying again");
                tokio::time::sleep(config.longest_pause).await;
            }
            checked => return checked,
        }
    }
}

/// Keeps what is folded, and looks whether the log still holds it, until it does not.
pub(crate) struct Guard<'a> {
    config: &'a Config,
    log: &'a dyn EventLog,
    store: &'a dyn ViewStore,
    /// The last commit that is kept of each partition.
    kept: Vec<Sequence>,
}

impl<'a> Guard<'a> {
    pub(crate) fn new(config: &'a Config, log: &'a dyn EventLog, store: &'a dyn ViewStore) -> Self {
        let kept = vec![0; usize::from(log.identity().partitions)];
        Self { config, log, store, kept }
    }

    /// Only ever ends by the alarm.
    pub(crate) async fn watch(&mut self) -> ProjectorError {
        loop {
            tokio::time::sleep(self.config.look_every).await;
            match self.look().await {
                // Who works on the views and the log tells of their outages.
                Err(error) if error.is_transient() => {
                    tracing::debug!("no comparison with the log now: {error}")
                }
                Err(error) => return error,
                Ok(()) => {}
            }
        }
    }

    /// The last anchor, when the projector ends.
    pub(crate) async fn leave(&mut self) {
        let last = async {
            let folded = self.folded().await?;
            self.keep(&folded).await;
            Ok::<_, ProjectorError>(())
        };
        match tokio::time::timeout(LAST_ONE, last).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!("the last anchor could not be kept, an older one stays: {error}")
            }
            Err(_) => tracing::warn!("the last anchor could not be kept in time: an older one stays"),
        }
    }

    async fn look(&mut self) -> Result<(), ProjectorError> {
        let folded = self.folded().await?;
        check(self.log, folded.clone()).await?;
        self.keep(&folded).await;
        Ok(())
    }

    async fn folded(&self) -> Result<Vec<Anchor>, ProjectorError> {
        let log = self.log.identity().log;
        let positions = self.store.positions().await?;
        let ours = positions.iter().filter(|position| position.log == log);
        Ok(ours.filter_map(ChainPosition::anchor).collect())
    }

    /// Keeps what moved. What fails is told, and tried again the next time.
    async fn keep(&mut self, folded: &[Anchor]) {
        let kept_at = Timestamp(service_kit::clock::now());
        for anchor in folded {
            let Some(kept) = self.kept.get_mut(usize::from(anchor.partition.0)) else { continue };
            if anchor.sequence <= *kept {
                continue;
            }
            match self.log.keep_anchor(&Anchor { kept_by: Keeper::Projector, kept_at, ..*anchor }).await {
                Ok(()) => *kept = anchor.sequence,
                Err(error) => {
                    tracing::warn!(partition = %anchor.partition, "an anchor could not be kept: {error}");
                }
            }
        }
    }
}

/// Compares the log with these anchors and with all that are kept beside it.
async fn check(log: &dyn EventLog, mut known: Vec<Anchor>) -> Result<(), ProjectorError> {
    for partition in log.identity().partitions() {
        known.extend(log.anchors(partition).await.map_err(ProjectorError::Log)?);
    }
    anchors::check(log, &known).await.map_err(|error| match error {
        AnchorError::Differs(alarm) => ProjectorError::Differs(alarm),
        AnchorError::Read(error) => ProjectorError::Log(error),
    })
}
