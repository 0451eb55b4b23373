//! How long a writer takes until it can be asked: on a log that is there, without a snapshot and with one.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use command_api::SnapshotConfig;
use event_log::{EventLog, SqliteLog};
use ledger_core::{AppId, Policy};
use serde::Serialize;
use service_kit::Supervisor;

use crate::core::Size;
use crate::engines::APP;
use crate::projection::write_log;

/// How long an orderly stop may take: the last snapshot is written in it.
const STOP: Duration = Duration::from_secs(60);

/// What opening one partition takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Opening {
    /// How many accounts it has.
    pub accounts: u32,
    /// How many keys are remembered.
    pub keys: u32,
    /// Milliseconds by a replay of the whole log.
    pub replay_ms: u64,
    /// Milliseconds to stop, its last snapshot included.
    pub stop_ms: u64,
    /// The bytes of that snapshot, generations of keys included.
    pub snapshot_bytes: u64,
    /// Milliseconds from that snapshot, with nothing behind it but the terms.
    pub restore_ms: u64,
}

/// Measures with a log of this size on the embedded engine. Error: it can not be made or opened, or no snapshot is
/// written.
pub async fn measure(size: Size) -> Result<Opening> {
    let dir = tempfile::Builder::new().prefix("drip-bench-").tempdir()?;
    write_log(dir.path(), size).await?;
    let snapshots = SnapshotConfig { folder: dir.path().join("snapshots"), after: u64::MAX };
    let (replay_ms, stop_ms) = open_and_stop(dir.path(), &snapshots).await?;
    let snapshot_bytes = bytes_in(&snapshots.folder)?;
    ensure!(snapshot_bytes > 0, "no snapshot was written");
    let (restore_ms, _) = open_and_stop(dir.path(), &snapshots).await?;
    let (accounts, keys) = (size.accounts, size.debits);
    Ok(Opening { accounts, keys, replay_ms, stop_ms, snapshot_bytes, restore_ms })
}

/// Milliseconds until it can be asked, and until it has stopped again.
async fn open_and_stop(dir: &Path, snapshots: &SnapshotConfig) -> Result<(u64, u64)> {
    let supervisor = Supervisor::new(STOP);
    let begin = Instant::now();
    let log: Arc<dyn EventLog> = Arc::new(SqliteLog::open_writer(dir).await?);
    let apps = vec![(AppId::new(APP).expect("a short fixed name"), Policy::default())];
    let desk = command_api::writers::start(log, apps, Some(snapshots), &supervisor).await?;
    desk.ready().await.map_err(anyhow::Error::msg).context("the writer did not start")?;
    let opened = millis(begin);
    let begin = Instant::now();
    supervisor.shutdown();
    supervisor.run_until_stopped().await?;
    Ok((opened, millis(begin)))
}

fn millis(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Of all files in a folder and in those below it.
fn bytes_in(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => bytes_in(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_partition_is_opened_by_replay_and_from_its_snapshot() {
        let opening = measure(Size { accounts: 20, debits: 30, a_commit: 10 }).await.unwrap();
        assert!(opening.snapshot_bytes > 20 * 100, "{opening:?}");
    }
}
