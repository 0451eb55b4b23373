//! All accounts that something is due for, each worked on by one job, beside each other: one user's broken upstream
//! delays nobody.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use event_log::{EventLog, News};
use ledger_core::{AccountId, LogId, Timestamp};
use service_kit::{Queue, outcome};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::config::Config;
use crate::containers::Containers;
use crate::job::{Ended, Job, Shared};
use crate::ledger::{Due, Ledger, Refused};
use crate::solvency::{self, Wallet};
use crate::{Error, signals, sleepers};

/// How many jobs there are at most, by how many may be at work.
const WAITING_MOST: usize = 4;

pub(crate) struct Jobs {
    shared: Arc<Shared>,
    wallet: Option<Arc<Wallet>>,
    queue: Queue<AccountId, Instant>,
    /// How the jobs that run hear that something happened to their accounts.
    running: HashMap<AccountId, Arc<Notify>>,
    tasks: JoinSet<(AccountId, Ended)>,
    sweeps: u32,
    /// The last one that sleeps and was looked at.
    sleeper: Option<AccountId>,
}

impl Jobs {
    pub(crate) fn new(
        config: Config,
        ledger: Arc<dyn Ledger>,
        containers: Arc<dyn Containers>,
        log: LogId,
        wallet: Option<Wallet>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared::new(config, ledger, containers, log)),
            wallet: wallet.map(Arc::new),
            queue: Queue::default(),
            running: HashMap::new(),
            tasks: JoinSet::new(),
            sweeps: 0,
            sleeper: None,
        }
    }

    /// For ever. Errors: the log can not be followed any more.
    ///
    /// Of what is there at once, that comes first which is there least often: news of a busy log never end.
    pub(crate) async fn work(mut self, log: &Arc<dyn EventLog>) -> Result<(), Error> {
        let mut news = News::of(log);
        let mut clock = tokio::time::interval(self.shared.config.sweep);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // One page waits for room, and one more for that: a sweep is as fast as the work that it finds.
        let (found, mut pages) = mpsc::channel(1);
        let (mut sweeping, mut looking, mut counting) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
        loop {
            self.begin();
            let wake_at = self.wake_at();
            tokio::select! {
                biased;
                Some(swept) = sweeping.join_next() => outcome(swept).await,
                Some(counted) = counting.join_next() => outcome(counted).await,
                Some(looked) = looking.join_next() => self.looked(outcome(looked).await),
                // None of the three waits for another: a sweep takes as long as the work that it finds.
                _ = clock.tick() => {
                    let shared = || Arc::clone(&self.shared);
                    if sweeping.is_empty() {
                        sweeping.spawn(sweep(shared(), found.clone()));
                    }
                    if looking.is_empty() {
                        looking.spawn(look_at_sleepers(shared(), self.sleeper.clone()));
                    }
                    if counting.is_empty() && let Some(wallet) = self.solvency_is_due() {
                        counting.spawn(look_at_solvency(Arc::clone(&self.shared), wallet));
                    }
                }
                Some(done) = self.tasks.join_next() => self.ended(outcome(done).await),
                Some(page) = pages.recv(), if self.has_room() => self.found(page),
                () = self.shared.waits.notified() => {}
                () = sleep_until(wake_at) => {}
                commit = news.next() => {
                    signals::of_commit(&commit.map_err(Error::Log)?).for_each(|account| self.heard(account));
                }
            }
        }
    }

    fn solvency_is_due(&mut self) -> Option<Arc<Wallet>> {
        let due = self.sweeps.is_multiple_of(self.shared.config.solvency_every.max(1));
        self.sweeps = self.sweeps.wrapping_add(1);
        self.wallet.clone().filter(|_| due)
    }

    /// Begins what there is time and room for.
    fn begin(&mut self) {
        while self.has_place()
            && let Some(account) = self.queue.next(Instant::now())
        {
            self.start(account);
        }
        self.shared.jobs.store(self.queue.busy(), Ordering::Relaxed);
    }

    fn start(&mut self, account: AccountId) {
        let signal = Arc::new(Notify::new());
        self.running.insert(account.clone(), Arc::clone(&signal));
        let job = Job { shared: Arc::clone(&self.shared), account: account.clone(), signal };
        self.tasks.spawn(async move { (account, job.run().await) });
    }

    fn jobs_max(&self) -> usize {
        self.shared.config.accounts.max(1)
    }

    /// For one more job. Those that wait take none, up to a number that memory and claims can bear.
    fn has_place(&self) -> bool {
        let (jobs, most) = (self.queue.busy(), self.jobs_max());
        let at_work = jobs.saturating_sub(self.shared.waiting.load(Ordering::Relaxed));
        at_work < most && jobs < most.saturating_mul(WAITING_MOST)
    }

    /// Not much waits: a page more of work is no hoard.
    fn has_room(&self) -> bool {
        self.queue.waiting() < self.jobs_max()
    }

    /// When the next one's time comes, if it could begin then.
    fn wake_at(&self) -> Option<Instant> {
        self.queue.wake_at().filter(|_| self.has_place())
    }

    /// What does not sleep is work.
    fn looked(&mut self, looked: sleepers::Looked) {
        self.sleeper = looked.after;
        looked.awake.into_iter().for_each(|account| self.queue.look(account));
    }

    /// Something happened to an account.
    fn heard(&mut self, account: &AccountId) {
        if let Some(signal) = self.running.get(account) {
            signal.notify_one();
        }
        self.queue.look(account.clone());
    }

    fn ended(&mut self, (account, ended): (AccountId, Ended)) {
        self.running.remove(&account);
        let later = match ended {
            Ended::Again(pause) => Some(Instant::now() + pause),
            Ended::Done => None,
        };
        self.queue.ended(account, later);
    }

    /// What is worked on is due until it is done: its job knows.
    fn found(&mut self, page: Vec<Due>) {
        let now = Timestamp(service_kit::clock::now());
        for Due { account, retry_at } in page {
            if self.queue.is_busy(&account) {
                continue;
            }
            match retry_at.filter(|at| *at > now) {
                Some(at) => {
                    let wait = Duration::from_micros(at.since(now).unsigned_abs());
                    self.queue.look_at(account, Instant::now() + wait);
                }
                None => self.queue.look(account),
            }
        }
    }
}

async fn look_at_sleepers(shared: Arc<Shared>, after: Option<AccountId>) -> sleepers::Looked {
    sleepers::look(&shared, after).await
}

async fn look_at_solvency(shared: Arc<Shared>, wallet: Arc<Wallet>) {
    solvency::look(&*shared.ledger, &wallet, shared.config.floor).await;
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What is due, page by page.
async fn sweep(shared: Arc<Shared>, found: mpsc::Sender<Vec<Due>>) {
    let mut after = None;
    loop {
        let page = match shared.ledger.due(after.as_ref()).await {
            Ok(page) => page,
            Err(Refused::Trouble(reason)) => return tracing::warn!(reason, "what is due could not be read"),
            Err(_) => return,
        };
        after = page.data.last().map(|due| due.account.clone());
        if after.is_none() || found.send(page.data).await.is_err() || !page.more {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
