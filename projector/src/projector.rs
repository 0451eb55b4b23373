//! The tasks that keep the views up to the log: the shell of the [machines](crate::machine), one a partition.
//!
//! Each partition is a task, and what its machine asks of the store is another, so that a transaction goes on while
//! the entries for the next one are folded. All of them end with [`run`].

use std::panic::resume_unwind;
use std::sync::Arc;

use event_log::{Entry, EventLog, ReadError};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use ledger_core::{PartitionId, Timestamp};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use crate::anchors::{self, Guard};
use crate::check::difference;
use crate::config::Config;
use crate::error::ProjectorError;
use crate::machine::{Input, Machine, Output};
use crate::positions::Positions;
use crate::store::ViewStore;

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
    let mut guard = Guard::new(&config, &*log, &*store);
    let work = async {
        anchors::compare(&config, &*log).await?;
        let partitions = log.identity().partitions();
        let mut tasks: JoinSet<ProjectorError> = partitions
            .map(|partition| Projector::new(&config, &log, &store, &positions, partition).work())
            .collect();
        tokio::select! {
            Some(ended) = tasks.join_next() => Err(outcome(ended).await),
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
    machine: Machine,
    log: Arc<dyn EventLog>,
    store: Arc<dyn ViewStore>,
    positions: watch::Sender<Positions>,
    partition: PartitionId,
    /// What is followed.
    entries: BoxStream<'static, Result<Entry, ReadError>>,
    /// What is asked of the store or of the log: one thing at a time.
    asked: JoinSet<Input>,
    begun: Instant,
}

impl Projector {
    fn new(
        config: &Config,
        log: &Arc<dyn EventLog>,
        store: &Arc<dyn ViewStore>,
        positions: &watch::Sender<Positions>,
        partition: PartitionId,
    ) -> Self {
        Self {
            machine: Machine::new(config, log.identity().log, partition),
            log: Arc::clone(log),
            store: Arc::clone(store),
            positions: positions.clone(),
            partition,
            entries: stream::pending().boxed(),
            asked: JoinSet::new(),
            begun: Instant::now(),
        }
    }

    /// Only ever ends by an error.
    async fn work(mut self) -> ProjectorError {
        let mut out = Vec::new();
        loop {
            let input = self.next().await;
            self.machine.step(self.now(), input, &mut out);
            for output in out.drain(..) {
                if let Some(error) = self.carry_out(output) {
                    return error;
                }
            }
        }
    }

    /// What happens next. Answers come before entries, so that the store is never kept waiting for more.
    async fn next(&mut self) -> Input {
        let Self { machine, entries, asked, begun, .. } = self;
        let wake = machine.wake_at().map(|at| *begun + Duration::from_micros(at.0.max(0).unsigned_abs()));
        tokio::select! {
            biased;
            Some(answer) = asked.join_next() => outcome(answer).await,
            entry = entries.next(), if machine.takes_entries() => input_of(entry),
            () = std::future::ready(()), if machine.holds_back() => Input::Idle,
            () = tokio::time::sleep_until(wake.unwrap_or(*begun)), if wake.is_some() => Input::Tick,
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp(i64::try_from(self.begun.elapsed().as_micros()).unwrap_or(i64::MAX))
    }

    /// Does what the machine wants; the error it stops with.
    fn carry_out(&mut self, output: Output) -> Option<ProjectorError> {
        let (log, store) = (Arc::clone(&self.log), Arc::clone(&self.store));
        match output {
            Output::ReadPositions => {
                self.asked.spawn(async move { Input::Positions(store.positions().await) });
            }
            Output::Compare(position) => {
                self.asked.spawn(async move { Input::Compared(difference(&*log, &position).await) });
            }
            Output::Apply(delta) => {
                self.asked.spawn(async move { Input::Applied(store.apply(&delta).await) });
            }
            Output::Follow(after) => self.entries = log.follow(self.partition, after),
            Output::Publish(read) => {
                self.positions.send_if_modified(|positions| positions.advance(self.partition, read));
            }
            Output::Stop(error) => return Some(error),
        }
        None
    }
}

fn input_of(entry: Option<Result<Entry, ReadError>>) -> Input {
    match entry {
        Some(Ok(entry)) => Input::Entry(entry),
        Some(Err(error)) => Input::Failed(error),
        None => Input::Failed(ReadError::Unavailable { doing: "following it", source: "it ended".into() }),
    }
}

/// What a task of ours gave. Its panic goes on here. One that was cut off ended with the runtime, and so does this one.
async fn outcome<T>(ended: Result<T, JoinError>) -> T {
    match ended.map_err(JoinError::try_into_panic) {
        Ok(given) => given,
        Err(Ok(panic)) => resume_unwind(panic),
        Err(Err(_cut_off)) => std::future::pending().await,
    }
}
