//! Whether the log is the one the views were folded from.

use event_log::anchors::{self, Difference};
use event_log::{EventLog, ReadError};
use futures::future::try_join_all;
use ledger_core::{LogId, Timestamp};
use service_kit::clock;

use crate::config::Config;
use crate::error::ProjectorError;
use crate::outage::Outage;
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
async fn check_position(
    config: &Config,
    log: &dyn EventLog,
    position: &ChainPosition,
) -> Result<(), ProjectorError> {
    let mut reading = Outage::new("reading the log", config.longest_pause);
    loop {
        let tell = |found| warn_of(position, found);
        match anchors::settled(config.patience, || difference(log, position), tell).await {
            Ok(None) => return Ok(()),
            Ok(Some(found)) => return Err(differs(position, found)),
            Err(error) => {
                let now = Timestamp(clock::now());
                tokio::time::sleep(reading.pause(now, ProjectorError::Log(error))?).await;
            }
        }
    }
}

/// How the log differs from what the views were folded from, as it answers now.
///
/// Errors: it can not be read now, or is damaged there.
pub(crate) async fn difference(
    log: &dyn EventLog,
    position: &ChainPosition,
) -> Result<Option<Difference>, ReadError> {
    // Foreign messages behind the last commit have no hash to be known by; that they are gone shows all the same.
    if position.read > position.sequence {
        let head = log.head(position.partition).await?;
        if head < position.read {
            return Ok(Some(Difference::EndsAt(head)));
        }
    }
    match position.anchor() {
        Some(anchor) => anchors::difference(log, &anchor).await,
        None => Ok(None),
    }
}

/// Said while it is not believed yet.
pub(crate) fn warn_of(position: &ChainPosition, found: Difference) {
    let (partition, folded) = (position.partition, position.read);
    tracing::warn!(%partition, folded, "the log differs from the views ({found}); looking again");
}

/// It is believed.
pub(crate) fn differs(position: &ChainPosition, found: Difference) -> ProjectorError {
    let (partition, folded) = (position.partition, position.read);
    ProjectorError::LogDiffers { partition, folded, found: found.to_string() }
}
