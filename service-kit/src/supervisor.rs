//! The tasks of a process: named, watched, stopped together.

use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::StopReason;

/// Runs the tasks of a process. If one of them fails, panics, or ends before its time, all are stopped and the process
/// ends with the reason: half a service that still answers is worse than none. Clones are handles to the same tasks.
///
/// A stop is asked for first (the token is cancelled), then waited for (the grace time), then enforced (tasks are
/// aborted). An abort can not reach a thread that blocks; `main` should end its runtime with a time limit.
#[derive(Clone, Debug)]
pub struct Supervisor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stopping: CancellationToken,
    aborting: CancellationToken,
    watchers: TaskTracker,
    grace: Duration,
    /// The first reason wins: what follows is most often its consequence.
    reason: Mutex<Option<StopReason>>,
    overdue: Mutex<Vec<String>>,
}

/// What the end of a task means while nothing has asked it to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lifetime {
    Process,
    Job,
}

impl Supervisor {
    /// A supervisor without tasks. `grace` is the time between asking tasks to stop and aborting them.
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self(Arc::new(Inner {
            stopping: CancellationToken::new(),
            aborting: CancellationToken::new(),
            watchers: TaskTracker::new(),
            grace,
            reason: Mutex::default(),
            overdue: Mutex::default(),
        }))
    }

    /// Cancelled when tasks should end: take no new work, finish what is begun, return. Cancelling it from outside
    /// stops nothing else.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.0.stopping.child_token()
    }

    /// Asks all tasks to stop. May be called again.
    pub fn shutdown(&self) {
        self.0.stopping.cancel();
    }

    /// Runs a task that lives as long as the process: it should return only after [`Self::token`] was cancelled. The
    /// name is what logs and the stop's reason call it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn spawn<F, E>(&self, name: impl Into<String>, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
    {
        self.watch(name.into(), Lifetime::Process, task);
    }

    /// Runs a task that may end well at any time, such as the answer to one request. Its failure or panic stops the
    /// process like any other.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn spawn_job<F, E>(&self, name: impl Into<String>, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
    {
        self.watch(name.into(), Lifetime::Job, task);
    }

    /// Waits until the process should end (SIGINT, SIGTERM, [`Self::shutdown`], or a task's end), stops all tasks, and
    /// returns when they are gone. A second signal cuts the grace time short.
    ///
    /// # Errors
    ///
    /// The first reason why the process did not run or stop as it should.
    pub async fn run_until_stopped(&self) -> Result<(), StopReason> {
        let mut signals = Signals::listen().map_err(StopReason::Signals)?;
        tokio::select! {
            () = self.0.stopping.cancelled() => {}
            name = signals.next() => tracing::info!("{name}: stopping"),
        }
        self.shutdown();
        self.0.watchers.close();
        tokio::select! {
            () = self.0.watchers.wait() => {}
            () = tokio::time::sleep(self.0.grace) => self.abort().await,
            name = signals.next() => {
                tracing::warn!("{name} again: not waiting any longer");
                self.abort().await;
            }
        }
        lock(&self.0.reason).take().map_or(Ok(()), Err)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where tasks begin, each with its watcher")]
    fn watch<F, E>(&self, name: String, lifetime: Lifetime, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
    {
        let mut running = tokio::spawn(task);
        let this = self.clone();
        self.0.watchers.spawn(async move {
            let result = tokio::select! {
                result = &mut running => result,
                () = this.0.aborting.cancelled() => {
                    running.abort();
                    lock(&this.0.overdue).push(name);
                    return;
                }
            };
            let reason = match result {
                Ok(Ok(())) => this.ended(name, lifetime),
                Ok(Err(error)) => Some(StopReason::Failed { task: name, source: error.into() }),
                Err(error) => StopReason::of_join_error(name, error),
            };
            reason.into_iter().for_each(|reason| this.stop_because(reason));
        });
    }

    fn ended(&self, task: String, lifetime: Lifetime) -> Option<StopReason> {
        let early = lifetime == Lifetime::Process && !self.0.stopping.is_cancelled();
        early.then_some(StopReason::Ended { task })
    }

    fn stop_because(&self, reason: StopReason) {
        let causes = std::iter::successors(reason.source(), |error| (**error).source());
        let causes: Vec<String> = causes.map(ToString::to_string).collect();
        tracing::error!(cause = causes.join(": "), "{reason}");
        lock(&self.0.reason).get_or_insert(reason);
        self.shutdown();
    }

    async fn abort(&self) {
        self.0.aborting.cancel();
        self.0.watchers.wait().await;
        let mut overdue = std::mem::take(&mut *lock(&self.0.overdue));
        overdue.sort();
        self.stop_because(StopReason::Overdue { tasks: overdue.join(", "), grace: self.0.grace });
    }
}

/// The two signals that ask a process to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// Nothing here panics while it holds a lock, and what it holds is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "supervisor_tests.rs"]
mod tests;
