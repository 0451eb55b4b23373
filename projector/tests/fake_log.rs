//! A log in memory that can be cut, replaced, and caught in the past.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use event_log::{AppendOutcome, Entry, EventLog, LogIdentity, ReadError};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use ledger_core::commit::EncodedCommit;
use ledger_core::{LogId, PartitionId, Sequence};
use tokio::sync::watch;

use crate::world::{LOG, World};

#[derive(Clone)]
pub(crate) struct FakeLog {
    id: LogId,
    partitions: Arc<Mutex<Vec<Vec<Entry>>>>,
    grown: watch::Sender<()>,
    /// So many more questions for the head are answered from the past.
    pub(crate) stale: Arc<AtomicU32>,
}

impl FakeLog {
    pub(crate) fn new(partitions: Vec<Vec<Entry>>) -> Self {
        let partitions = Arc::new(Mutex::new(partitions));
        Self { id: LOG, partitions, grown: watch::Sender::new(()), stale: Arc::default() }
    }

    pub(crate) fn of(worlds: &[World]) -> Self {
        Self::new(worlds.iter().map(|world| world.entries.clone()).collect())
    }

    pub(crate) fn with_id(self, id: LogId) -> Self {
        Self { id, ..self }
    }

    /// Lets the log grow to what the world has become.
    pub(crate) fn catch_up(&self, partition: usize, world: &World) {
        self.lock()[partition].clone_from(&world.entries);
        self.grown.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<Entry>>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self, partition: PartitionId, sequence: Sequence) -> Option<Entry> {
        let place = usize::try_from(sequence.checked_sub(1)?).ok()?;
        self.lock()[usize::from(partition.0)].get(place).cloned()
    }
}

#[async_trait]
impl EventLog for FakeLog {
    fn identity(&self) -> LogIdentity {
        let partitions = u16::try_from(self.lock().len()).expect("a few");
        LogIdentity { log: self.id, partitions }
    }

    async fn append(&self, _: &EncodedCommit) -> AppendOutcome {
        AppendOutcome::Fatal("this log only grows by its test".to_owned())
    }

    async fn read(&self, partition: PartitionId, sequence: Sequence) -> Result<Option<Entry>, ReadError> {
        Ok(self.at(partition, sequence))
    }

    async fn head(&self, partition: PartitionId) -> Result<Sequence, ReadError> {
        let fresh = |stale: u32| stale.checked_sub(1);
        let is_stale = self.stale.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fresh).is_ok();
        let head = self.lock()[usize::from(partition.0)].len() as Sequence;
        Ok(if is_stale { 0 } else { head })
    }

    fn follow(
        &self,
        partition: PartitionId,
        after: Sequence,
    ) -> BoxStream<'static, Result<Entry, ReadError>> {
        let next = move |(log, mut grown, after): (Self, watch::Receiver<()>, Sequence)| async move {
            loop {
                grown.borrow_and_update();
                if let Some(entry) = log.at(partition, after + 1) {
                    return Some((Ok(entry), (log, grown, after + 1)));
                }
                grown.changed().await.ok()?;
            }
        };
        stream::unfold((self.clone(), self.grown.subscribe(), after), next).boxed()
    }
}
