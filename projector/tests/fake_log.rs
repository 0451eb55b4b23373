//! A log in memory that can be cut, replaced, and caught in the past.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use event_log::{Anchor, AppendOutcome, Entry, EventLog, LogIdentity, ReadError};
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
    asked: Arc<AtomicU32>,
    /// What was kept, in order.
    pub(crate) kept: Arc<Mutex<Vec<Anchor>>>,
}

impl FakeLog {
    pub(crate) fn new(partitions: Vec<Vec<Entry>>) -> Self {
        let partitions = Arc::new(Mutex::new(partitions));
        let (grown, stale) = (watch::Sender::new(()), Arc::default());
        Self { id: LOG, partitions, grown, stale, asked: Arc::default(), kept: Arc::default() }
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

    /// Another keeper's anchor.
    pub(crate) fn keep(&self, anchor: Anchor) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(anchor);
    }

    /// How often the head was asked for.
    pub(crate) fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    /// Loses all behind so many entries.
    pub(crate) fn cut(&self, partition: usize, entries: usize) {
        self.lock()[partition].truncate(entries);
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
        self.asked.fetch_add(1, Ordering::SeqCst);
        let fresh = |stale: u32| stale.checked_sub(1);
        let is_stale = self.stale.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fresh).is_ok();
        let head = self.lock()[usize::from(partition.0)].len() as Sequence;
        Ok(if is_stale { 0 } else { head })
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(200)
    }

    async fn anchors(&self, partition: PartitionId) -> Result<Vec<Anchor>, ReadError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(kept.iter().filter(|anchor| anchor.partition == partition).copied().collect())
    }

    async fn keep_anchor(&self, anchor: &Anchor) -> Result<(), ReadError> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(*anchor);
        Ok(())
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
