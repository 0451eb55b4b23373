//! The tasks of a notifier: one that listens, sweeps and hands out accounts, and one for each account that is worked
//! on.

use std::sync::Arc;
use std::time::Duration;

use event_log::News;
use ledger_core::commit::Commit;
use ledger_core::{AccountId, Timestamp};
use service_kit::{Queue, outcome};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::account::{Notifier, now};
use crate::bugs;
use crate::config::Config;
use crate::error::Error;
use crate::signals;
use crate::work::Refused;

/// How long the wall clock may jump before it is noticed.
const LONGEST_NAP: Duration = Duration::from_secs(10);

/// Sends the mails that the ledger says are due, until `shutdown`. An unreachable Drip, log or provider is waited for,
/// however long it takes.
///
/// # Errors
///
/// At the start: a template or the address for topping up is not usable. Later: the log can not be read, and that will
/// not change by itself.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    let stopping = shutdown.child_token();
    let notifier = Notifier::new(config, stopping.clone())?;
    let mut shell = Shell {
        news: News::of(&notifier.config.log),
        notifier,
        queue: Queue::default(),
        looks: JoinSet::new(),
        sweep: JoinSet::new(),
        sweep_at: Instant::now(),
        has_swept: false,
    };
    let ended = shell.work(&shutdown).await;
    stopping.cancel();
    shell.stop().await;
    ended
}

/// The end of a look at an account.
type Looked = (AccountId, Option<Timestamp>);
/// What a sweep found.
type Swept = Result<Vec<(AccountId, Option<Timestamp>)>, Refused>;

struct Shell {
    notifier: Arc<Notifier>,
    queue: Queue<AccountId, Timestamp>,
    news: News,
    looks: JoinSet<Looked>,
    /// At most one.
    sweep: JoinSet<Swept>,
    sweep_at: Instant,
    has_swept: bool,
}

impl Shell {
    async fn work(&mut self, shutdown: &CancellationToken) -> Result<(), Error> {
        loop {
            self.begin();
            let wake_at = self.wake_at();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                Some(looked) = self.looks.join_next() => {
                    let (account, next) = outcome(looked).await;
                    self.queue.ended(account, next);
                }
                Some(swept) = self.sweep.join_next() => self.swept(outcome(swept).await),
                commit = self.news.next() => self.take(&commit.map_err(Error::Log)?),
                () = tokio::time::sleep_until(wake_at) => {}
            }
        }
    }

    /// Begins what there is time and room for.
    fn begin(&mut self) {
        while self.queue.busy() < self.notifier.config.at_once.max(1)
            && let Some(account) = self.queue.next(now())
        {
            let notifier = Arc::clone(&self.notifier);
            self.looks.spawn(async move {
                let next = notifier.look(&account).await;
                (account, next)
            });
        }
        if self.sweep.is_empty() && Instant::now() >= self.sweep_at {
            let door = Arc::clone(&self.notifier.config.door);
            self.sweep.spawn(async move { door.open().await });
        }
    }

    fn wake_at(&self) -> Instant {
        let now_there = now();
        let until = |at: Timestamp| Duration::from_micros(at.since(now_there).max(0).unsigned_abs());
        let has_room = self.queue.busy() < self.notifier.config.at_once.max(1);
        let due = self.queue.wake_at().filter(|_| has_room).map(until);
        let nap = Instant::now() + due.unwrap_or(LONGEST_NAP).min(LONGEST_NAP);
        if self.sweep.is_empty() { nap.min(self.sweep_at) } else { nap }
    }

    fn swept(&mut self, swept: Swept) {
        let timing = &self.notifier.config.timing;
        self.sweep_at = Instant::now() + timing.sweep;
        match swept {
            Ok(open) => {
                // What this worker left behind by a crash need not wait for the end of its claim.
                let all = !std::mem::replace(&mut self.has_swept, true);
                open.into_iter().for_each(|(account, at)| self.look(account, at.filter(|_| !all)));
            }
            Err(refused) => {
                self.notifier.refused(&refused);
                if matches!(refused, Refused::Away) {
                    self.sweep_at = Instant::now() + timing.first_pause.min(timing.sweep);
                }
            }
        }
    }

    fn look(&mut self, account: AccountId, at: Option<Timestamp>) {
        match at.filter(|at| *at > now()) {
            Some(at) => self.queue.look_at(account, at),
            None => self.queue.look(account),
        }
    }

    fn take(&mut self, commit: &Commit) {
        bugs::act_on(commit, &self.notifier.config.transport);
        let notifier = Arc::clone(&self.notifier);
        let signals = signals::of_commit(commit, &notifier.config.worker);
        signals.for_each(|(account, at)| self.look(account, at));
    }

    /// Lets the attempts under way end, for a while.
    async fn stop(&mut self) {
        let all = async {
            while let Some(looked) = self.looks.join_next().await {
                outcome(looked).await;
            }
        };
        if tokio::time::timeout(self.notifier.config.timing.stop, all).await.is_err() {
            tracing::info!(mails = self.looks.len(), "attempts under way are left: they are taken up later");
        }
    }
}
