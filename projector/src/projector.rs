//! The task that keeps the views up to the log.
//!
//! For each partition: read the position from the store, check that the log still holds that commit, follow the
//! log from there, fold what is ready, apply it. Whenever the store does not stand where it was expected, all of
//! that begins anew; so a lost answer, a restart of Postgres and a second projector are one and the same case.

use std::sync::Arc;
use std::time::Duration;

use event_log::{Entry, EventLog, ReadError, StoredCommit};
use futures::future::try_join_all;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use ledger_core::commit::Commit;
use ledger_core::{PartitionId, Sequence};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::anchors::{self, Guard};
use crate::check::{check_position, require_log};
use crate::delta::Delta;
use crate::error::ProjectorError;
use crate::fold::Fold;
use crate::outage::Outage;
use crate::positions::Positions;
use crate::rows::ChainPosition;
use crate::store::{Applied, ViewStore};

/// How a projector works. The default is for production.
#[derive(Debug, Clone)]
pub struct Config {
    /// The most entries of the log in one transaction.
    pub batch_entries: usize,
    /// No more entries once the commits in a transaction have so many bytes.
    pub batch_bytes: usize,
    /// For how long the log must look other than the views remember it before that is believed: a replicated log
    /// can answer from the past for a moment.
    pub patience: Duration,
    /// How long to stand by after somebody else has moved the views.
    pub standby: Duration,
    /// The longest pause between two tries while the store or the log is out of reach.
    pub longest_pause: Duration,
    /// How often what is folded is kept as an anchor, and the log is compared with all anchors.
    pub look_every: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            batch_entries: 256,
            batch_bytes: 1024 * 1024,
            patience: Duration::from_secs(30),
            standby: Duration::from_millis(250),
            longest_pause: Duration::from_secs(2),
            look_every: Duration::from_secs(10),
        }
    }
}

/// Keeps the views up to the log until `shutdown`, and publishes how far they are. An unreachable store or log is
/// waited for, however long it takes.
///
/// Errors: the log was cut, replaced or damaged, the views are another log's, or a bug; nothing was changed then.
pub async fn run(
    config: Config,
    log: Arc<dyn EventLog>,
    store: Arc<dyn ViewStore>,
    shutdown: CancellationToken,
    positions: watch::Sender<Positions>,
) -> Result<(), ProjectorError> {
    let projector = |partition| Projector {
        config: config.clone(),
        log: log.clone(),
        store: store.clone(),
        positions: positions.clone(),
        partition,
    };
    let partitions: Vec<_> =
        log.identity().partitions().map(|partition| projector(partition).work()).collect();
    let mut guard = Guard::new(&config, &*log, &*store);
    let work = async {
        anchors::compare(&config, &*log).await?;
        tokio::select! {
            ended = try_join_all(partitions) => ended.map(|_| ()),
            alarm = guard.watch() => Err(alarm),
        }
    };
    tokio::select! {
        biased;
        () = shutdown.cancelled() => {}
        ended = work => return ended,
    }
    guard.leave().await;
    Ok(())
}

/// The work on one partition.
struct Projector {
    config: Config,
    log: Arc<dyn EventLog>,
    store: Arc<dyn ViewStore>,
    positions: watch::Sender<Positions>,
    partition: PartitionId,
}

impl Projector {
    async fn work(self) -> Result<(), ProjectorError> {
        let mut views = self.outage("working on the views");
        let mut following = self.outage("following the log");
        loop {
            let position = self.position(&mut views).await?;
            check_position(&self.config, &*self.log, &position).await?;
            self.publish(position.read);
            match self.follow(position, &mut views, &mut following).await {
                Ok(()) => tokio::time::sleep(self.config.standby).await,
                Err(error) => following.wait(error).await?,
            }
        }
    }

    fn outage(&self, doing: &'static str) -> Outage {
        Outage::new(doing, self.config.longest_pause)
    }

    fn publish(&self, read: Sequence) {
        self.positions.send_if_modified(|positions| positions.advance(self.partition, read));
    }

    /// Where the views stand.
    async fn position(&self, views: &mut Outage) -> Result<ChainPosition, ProjectorError> {
        let log = self.log.identity().log;
        let positions = views.outlast(|| self.store.positions()).await?;
        require_log(log, &positions)?;
        let here = positions.into_iter().find(|position| position.partition == self.partition);
        Ok(here.unwrap_or_else(|| ChainPosition::start(log, self.partition)))
    }

    /// Applies what comes, until the views stand elsewhere than expected or the log ends the stream.
    async fn follow(
        &self,
        mut position: ChainPosition,
        views: &mut Outage,
        following: &mut Outage,
    ) -> Result<(), ProjectorError> {
        let entries = self.log.follow(self.partition, position.read);
        let mut feed = Feed { entries, failed: None };
        while let Some(delta) = feed.next(&self.config, position).await? {
            following.over();
            match views.outlast(|| self.store.apply(&delta)).await? {
                Applied::Here => position = delta.to,
                Applied::Elsewhere => return Ok(()),
            }
            self.publish(position.read);
        }
        Ok(())
    }
}

/// The entries of a partition, folded in batches.
struct Feed {
    entries: BoxStream<'static, Result<Entry, ReadError>>,
    /// What stopped the batch before: it is told after what had come before it is applied.
    failed: Option<ProjectorError>,
}

impl Feed {
    /// Waits for an entry, and takes with it all that are ready, up to the limits.
    async fn next(&mut self, config: &Config, from: ChainPosition) -> Result<Option<Delta>, ProjectorError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut fold = Fold::new(from);
        let (mut count, mut bytes) = (0, 0);
        let mut next = self.entries.next().await;
        while let Some(entry) = next {
            match take(&mut fold, entry) {
                Ok(more) => bytes += more,
                Err(error) if count == 0 => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
            count += 1;
            if count >= config.batch_entries || bytes >= config.batch_bytes {
                break;
            }
            next = self.entries.next().now_or_never().flatten();
        }
        Ok((count > 0).then(|| fold.finish()))
    }
}

/// Folds one entry; how many bytes it had.
fn take(fold: &mut Fold, entry: Result<Entry, ReadError>) -> Result<usize, ProjectorError> {
    match entry.map_err(ProjectorError::Log)? {
        Entry::Commit(stored) => {
            fold.commit(&decode(&stored)?)?;
            Ok(stored.bytes.len())
        }
        Entry::Foreign { sequence, reason } => {
            let partition = fold.position().partition;
            tracing::warn!(%partition, sequence, "stepped over a foreign message in the log: {reason}");
            fold.step_over(sequence)?;
            Ok(0)
        }
    }
}

/// A commit of the log, read.
pub(crate) fn decode(stored: &StoredCommit) -> Result<Commit, ProjectorError> {
    let (partition, sequence) = (stored.prefix.partition, stored.prefix.sequence);
    Commit::decode(&stored.bytes).map_err(|source| ProjectorError::Commit { partition, sequence, source })
}
