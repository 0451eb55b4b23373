//! Whether the log is the one the views were folded from.

use event_log::{Entry, EventLog};
use futures::future::try_join_all;
use ledger_core::LogId;
use tokio::time::Instant;

use crate::error::ProjectorError;
use crate::outage::Outage;
use crate::projector::Config;
use crate::rows::ChainPosition;
use crate::store::ViewStore;

/// Checks that the log holds what the views were folded from: to be asked before anybody writes to a log.
///
/// Errors: the log was cut or replaced, the views are another log's, or they can not be read.
pub async fn check(config: &Config, log: &dyn EventLog, store: &dyn ViewStore) -> Result<(), ProjectorError> {
    let positions = store.positions().await?;
    require_log(log.identity().log, &positions)?;
    let checks: Vec<_> = positions.iter().map(|position| check_position(config, log, position)).collect();
    try_join_all(checks).await.map(|_| ())
}

/// The views hold nothing of another log.
pub(crate) fn require_log(log: LogId, positions: &[ChainPosition]) -> Result<(), ProjectorError> {
    match positions.iter().find(|position| position.log != log) {
        Some(other) => Err(ProjectorError::OtherLog { views: other.log, log }),
        None => Ok(()),
    }
}

/// The log still holds what one partition was folded from. What says otherwise must say so for a while.
pub(crate) async fn check_position(
    config: &Config,
    log: &dyn EventLog,
    position: &ChainPosition,
) -> Result<(), ProjectorError> {
    let mut reading = Outage::new("reading the log", config.longest_pause);
    let mut since = None;
    while let Some(found) = reading.outlast(|| difference(log, position)).await? {
        let (partition, folded) = (position.partition, position.read);
        if since.get_or_insert_with(Instant::now).elapsed() >= config.patience {
            return Err(ProjectorError::LogDiffers { partition, folded, found });
        }
        tracing::warn!(%partition, folded, "the log differs from the views ({found}); looking again");
        tokio::time::sleep(config.patience / 10).await;
    }
    Ok(())
}

/// How the log differs from what the views were folded from, as the end of a sentence.
async fn difference(log: &dyn EventLog, position: &ChainPosition) -> Result<Option<String>, ProjectorError> {
    let head = log.head(position.partition).await.map_err(ProjectorError::Log)?;
    if head < position.read {
        return Ok(Some(format!("the log ends at {head}")));
    }
    if position.sequence == 0 {
        return Ok(None);
    }
    let entry = log.read(position.partition, position.sequence).await.map_err(ProjectorError::Log)?;
    Ok(match entry {
        Some(Entry::Commit(commit)) if commit.hash == position.hash => None,
        Some(_) => Some(format!("another one stands at {}", position.sequence)),
        None => Some(format!("nothing stands at {}", position.sequence)),
    })
}
