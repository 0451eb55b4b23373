//! All writers of a log in one process.

use std::sync::Arc;

use event_log::EventLog;
use ledger_core::{AppId, Label, Policy};
use service_kit::Supervisor;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::anchor_keeper;
use crate::desk::{Counter, Desk};
use crate::init::{InitError, slot_map};
use crate::partition::Partition;
use crate::snapshots::{SnapshotConfig, Snapshots};
use crate::writer::WriterConfig;

/// How many calls may be under way in one partition.
pub const CALLS_MAX: usize = 16_384;

/// Starts a writer for every partition under the supervisor, and gives the desk to ask them at. Returns at once:
/// what is asked waits until the log is replayed, from the newest snapshot on if there is one.
pub async fn start(
    log: Arc<dyn EventLog>,
    apps: Vec<(AppId, Policy)>,
    snapshots: Option<&SnapshotConfig>,
    supervisor: &Supervisor,
) -> Result<Desk, InitError> {
    let slots = slot_map(&*log).await?;
    let program = Label::new(concat!("drip ", env!("CARGO_PKG_VERSION"))).expect("a short fixed text");
    let config = WriterConfig { program, policies: apps, queue_max: CALLS_MAX };
    let counters = log.identity().partitions().map(|id| {
        let (letters, inbox) = mpsc::channel(CALLS_MAX);
        let (health, seen) = watch::channel(Err("starting".to_owned()));
        let (acknowledged, newest) = watch::channel(None);
        let mut partition = Partition::new(id, Arc::clone(&log), config.clone(), inbox, health, acknowledged);
        if let Some(SnapshotConfig { folder, after }) = snapshots {
            partition = partition.with_snapshots(Snapshots::new(folder, log.identity().log, id), *after);
        }
        let keeper = anchor_keeper::keep(Arc::clone(&log), newest, supervisor.token());
        supervisor.spawn_job(format!("anchors {id}"), keeper);
        supervisor.spawn(format!("writer {id}"), partition.run(supervisor.token()));
        Counter { letters, room: Arc::new(Semaphore::new(CALLS_MAX)), health: seen }
    });
    Ok(Desk::new(slots, counters.collect()))
}
