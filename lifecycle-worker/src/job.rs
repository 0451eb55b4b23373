//! One account: claim, then one step after the other, until nothing is due.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ledger_core::upkeep::{Container, Operation, Progress, Step, Strategy};
use ledger_core::{AccountId, LogId, LongText, Timestamp};
use service_kit::Backoff;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use crate::act::{Actor, Did, Trouble};
use crate::bugs;
use crate::config::{Config, Timing};
use crate::containers::Containers;
use crate::ledger::{Ledger, Refused, Work};
use crate::plan::{self, Act, Known};

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All is as it is wanted.
    Done,
    /// It is to be looked at again after this.
    Again(Duration),
}

/// What all jobs share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) containers: Arc<dyn Containers>,
    pub(crate) log: LogId,
    /// At the provider.
    pub(crate) room: Semaphore,
    /// How many jobs there are.
    pub(crate) jobs: AtomicUsize,
    /// How many of them only wait.
    pub(crate) waiting: AtomicUsize,
    /// A job has begun to wait.
    pub(crate) waits: Notify,
    /// How often containers that slept were seen with an instance.
    awake: Mutex<HashMap<AccountId, usize>>,
}

/// So many accounts are remembered for having been seen awake.
const AWAKE_MAX: usize = 10_000;

/// A job that waits until it is dropped.
struct Waits<'a>(&'a Shared);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(crate) fn new(
        config: Config,
        ledger: Arc<dyn Ledger>,
        containers: Arc<dyn Containers>,
        log: LogId,
    ) -> Self {
        let room = Semaphore::new(config.at_once.max(1));
        let (jobs, waiting, waits) = (AtomicUsize::new(0), AtomicUsize::new(0), Notify::new());
        let awake = Mutex::default();
        Self { config, ledger, containers, log, room, jobs, waiting, waits, awake }
    }

    /// It slept, and has an instance.
    pub(crate) fn seen_awake(&self, account: &AccountId) {
        let mut awake = self.awake();
        if awake.len() >= AWAKE_MAX {
            awake.clear();
        }
        *awake.entry(account.clone()).or_default() += 1;
    }

    /// How an account's container is put to sleep, in the order in which it is tried: not in a way again in which it did
    /// not stay asleep.
    fn strategies(&self, account: &AccountId) -> &[Strategy] {
        let all = &self.config.strategies[..];
        let tried = self.awake().get(account).map_or(0, |times| times.saturating_sub(1));
        &all[tried.min(all.len().saturating_sub(1))..]
    }

    fn awake(&self) -> MutexGuard<'_, HashMap<AccountId, usize>> {
        self.awake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who only waits leaves its place to others: what never starts must not keep another from falling asleep.
    fn waits(&self) -> Waits<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.waits.notify_one();
        Waits(self)
    }

    /// Until when this worker holds it.
    fn holds(&self, container: &Container) -> Option<Timestamp> {
        let holder = container.holder.as_ref()?;
        (holder.worker == self.config.worker).then_some(holder.until)
    }
}

/// The work on one account.
pub(crate) struct Job {
    pub(crate) shared: Arc<Shared>,
    pub(crate) account: AccountId,
    /// Something happened to it: what is due may be another thing now.
    pub(crate) signal: Arc<Notify>,
}

/// How one operation ended.
enum Turn {
    /// Another one may be due.
    Over,
    /// It goes on later.
    Later(Duration),
}

impl Job {
    pub(crate) async fn run(&self) -> Ended {
        bugs::before_claim(self).await;
        loop {
            let work = match self.shared.ledger.claim(&self.account).await {
                Ok(work) => work,
                Err(Refused::Nothing) => return Ended::Done,
                Err(Refused::Moved) => continue,
                Err(Refused::Later) => return Ended::Again(self.shared.config.hold / 4),
                Err(Refused::Trouble(reason)) => return self.shaken(&reason),
            };
            match self.operate(work).await {
                Ok(Turn::Over) => {}
                Ok(Turn::Later(pause)) => return Ended::Again(pause),
                Err(Refused::Nothing) => return Ended::Done,
                Err(Refused::Moved) => {}
                Err(Refused::Later) => return Ended::Again(self.shared.config.hold / 4),
                Err(Refused::Trouble(reason)) => return self.shaken(&reason),
            }
        }
    }

    /// Drip can not be asked now.
    fn shaken(&self, reason: &str) -> Ended {
        tracing::warn!(account = %self.account, reason, "the ledger could not be told or asked");
        Ended::Again(self.shared.config.timing.retry_first)
    }

    async fn operate(&self, mut work: Work) -> Result<Turn, Refused> {
        let (Some(operation), Some(settings)) = (work.due, work.settings.clone()) else {
            return Ok(Turn::Over);
        };
        let Shared { config, containers, log, .. } = &*self.shared;
        let mut again = attempts(work.container.as_ref()) > 0;
        let in_force = work.container.as_ref().map(|container| container.settings);
        let mut actor = Actor::new(config, containers, *log, &self.account, settings);
        let strategies = self.shared.strategies(&self.account);
        let mut instead = None;
        loop {
            let Some(container) = work.container.clone().filter(|_| work.due == Some(operation)) else {
                return Ok(Turn::Over);
            };
            // Others are in force by now: they come with a claim.
            if Some(container.settings) != in_force {
                return Ok(Turn::Over);
            }
            let known = Known { again, scaled: actor.scaled };
            let planned = || plan::next(operation, &container, strategies, known);
            let act = instead.take().unwrap_or_else(planned);
            // Before the look at the claim, which is to last while the step is done. Who waits or tells takes no room.
            let room = self.shared.room.acquire().await;
            if let Some(renewed) = self.renewed(&container).await? {
                work = renewed;
                instead = Some(act);
                continue;
            }
            again = false;
            // What is not done when the claim is about to end is left: another worker may be at it soon.
            let acted = timeout(self.left(&container), actor.act(act, &container)).await;
            let acted = acted.unwrap_or_else(|_| Err(Trouble::late()));
            drop(room);
            match acted {
                Ok(Did::Step(step)) => work = self.tell(&container, &step).await?,
                Ok(Did::Wait(pause)) => work = self.wait(pause).await?,
                Ok(Did::Instead(other)) => instead = Some(other),
                Err(trouble) => return self.fail(&container, operation, act, trouble).await,
            }
        }
    }

    async fn tell(&self, container: &Container, step: &Step) -> Result<Work, Refused> {
        self.shared.ledger.tell(&self.account, container.steps, step).await
    }

    /// A claim that will end soon is made anew before anything is done under it.
    async fn renewed(&self, container: &Container) -> Result<Option<Work>, Refused> {
        let hold = micros(self.shared.config.hold);
        let now = Timestamp(service_kit::clock::now());
        match self.shared.holds(container) {
            Some(until) if until.since(now) > hold / 2 => Ok(None),
            _ => self.shared.ledger.claim(&self.account).await.map(Some),
        }
    }

    /// For how long this worker may still act, if it holds the container.
    fn left(&self, container: &Container) -> Duration {
        let now = Timestamp(service_kit::clock::now());
        let left = self.shared.holds(container).map_or(0, |until| until.since(now));
        let left = Duration::from_micros(left.max(0).unsigned_abs());
        left.saturating_sub(self.shared.config.hold / 10)
    }

    /// Until it is time to look again, or something happens.
    async fn wait(&self, pause: Duration) -> Result<Work, Refused> {
        let pause = paced(pause, self.shared.jobs.load(Ordering::Relaxed), &self.shared.config);
        let waits = self.shared.waits();
        tokio::select! {
            biased;
            () = tokio::time::sleep(pause) => {}
            () = self.signal.notified() => {}
        }
        drop(waits);
        self.shared.ledger.show(&self.account).await
    }

    async fn fail(
        &self,
        container: &Container,
        operation: Operation,
        act: Act,
        trouble: Trouble,
    ) -> Result<Turn, Refused> {
        let timing = &self.shared.config.timing;
        let attempts = attempts(Some(container));
        let pause = if trouble.lasting {
            timing.retry_cap
        } else {
            backoff(timing, attempts, service_kit::chance::random())
        };
        let now = Timestamp(service_kit::clock::now());
        let gave_up = container.progress.is_some_and(|progress| is_over(timing, progress, now));
        tracing::warn!(account = %self.account, ?operation, ?act, reason = trouble.reason, "a step failed");
        let reason = LongText::new(&shortened(&trouble.reason)).unwrap_or_else(|_| unspeakable());
        let retry_at = now.plus(micros(pause));
        let step = Step::Failed { reason, attempts: 0, retry_at, gave_up };
        self.tell(container, &step).await?;
        Ok(Turn::Later(pause))
    }
}

/// However many wait, the provider is looked at no more often than by as many as there is room for there; but within the
/// time of a claim.
fn paced(pause: Duration, jobs: usize, config: &Config) -> Duration {
    let times = u32::try_from(jobs.div_ceil(config.at_once.max(1))).unwrap_or(u32::MAX);
    pause.saturating_mul(times.max(1)).min(config.hold / 4).max(pause)
}

fn attempts(container: Option<&Container>) -> u16 {
    container.and_then(|container| container.progress).map_or(0, |progress| progress.attempts)
}

/// The time that was set for an operation is over.
pub(crate) fn is_over(timing: &Timing, progress: Progress, now: Timestamp) -> bool {
    now.since(progress.since) > micros(timing.deadline)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Twice as long each time, up to the cap.
fn backoff(timing: &Timing, attempts: u16, random: u64) -> Duration {
    Backoff::new(timing.retry_first, 2, timing.retry_cap).after(attempts.into()).next_delay(random)
}

/// As much of a reason as the log keeps.
fn shortened(reason: &str) -> String {
    reason.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn unspeakable() -> LongText {
    LongText::new("it failed").expect("a short fixed text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_wait_longer_each_time_up_to_the_cap() {
        let timing = Timing {
            retry_first: Duration::from_secs(4),
            retry_cap: Duration::from_secs(20),
            ..Timing::default()
        };
        let seconds = |attempts, random| backoff(&timing, attempts, random).as_secs();
        assert_eq!([0, 1, 2, 3, 60_000].map(|attempts| seconds(attempts, 0)), [4, 8, 16, 20, 20]);
        assert_eq!(backoff(&timing, 0, 2_000_000_000), Duration::from_secs(2));
    }

    #[test]
    fn the_more_wait_the_longer_each_does_within_the_time_of_a_claim() {
        let hold = Duration::from_secs(150);
        let config = Config { at_once: 10, hold, ..Config::new(ledger_core::Label::new("w").unwrap()) };
        let seconds = |pause, jobs| paced(Duration::from_secs(pause), jobs, &config).as_secs();
        assert_eq!([0, 1, 10, 11, 20, 40, 1_000].map(|jobs| seconds(5, jobs)), [5, 5, 5, 10, 10, 20, 37]);
        assert_eq!(seconds(60, 1_000), 60);
    }
}
