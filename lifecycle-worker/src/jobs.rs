//! All accounts that something is due for, each worked on by one job, beside each other: one user's broken upstream
//! delays nobody.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use event_log::{EventLog, News};
use ledger_core::{AccountId, LogId, Timestamp};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::config::Config;
use crate::containers::Containers;
use crate::job::{Ended, Job, Shared};
use crate::ledger::{Due, Ledger, Refused};
use crate::solvency::{self, Wallet};
use crate::{Error, signals};

/// A job that runs.
struct Running {
    signal: Arc<Notify>,
    /// Something happened since it began.
    again: bool,
}

pub(crate) struct Jobs {
    shared: Arc<Shared>,
    wallet: Option<Arc<Wallet>>,
    running: HashMap<AccountId, Running>,
    /// Waits for room.
    waiting: VecDeque<AccountId>,
    /// To be looked at then.
    later: BTreeSet<(Instant, AccountId)>,
    tasks: JoinSet<(AccountId, Ended)>,
    sweeps: u32,
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
            shared: Arc::new(Shared { config, ledger, containers, log }),
            wallet: wallet.map(Arc::new),
            running: HashMap::new(),
            waiting: VecDeque::new(),
            later: BTreeSet::new(),
            tasks: JoinSet::new(),
            sweeps: 0,
        }
    }

    /// For ever. Errors: the log can not be followed any more.
    pub(crate) async fn work(mut self, log: &Arc<dyn EventLog>) -> Result<(), Error> {
        let mut news = News::of(log);
        let mut clock = tokio::time::interval(self.shared.config.sweep);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sweeping = JoinSet::new();
        loop {
            let next = self.later.first().map(|(at, _)| *at);
            tokio::select! {
                biased;
                commit = news.next() => {
                    let commit = commit.map_err(Error::Log)?;
                    signals::of_commit(&commit).for_each(|account| self.look(account.clone()));
                }
                Some(done) = self.tasks.join_next() => self.ended(done),
                () = sleep_until(next) => self.time_is_come(),
                _ = clock.tick(), if sweeping.is_empty() => {
                    let solvency = self.solvency_is_due();
                    sweeping.spawn(sweep(Arc::clone(&self.shared), solvency));
                }
                Some(swept) = sweeping.join_next() => self.swept(swept.unwrap_or_default()),
            }
        }
    }

    fn solvency_is_due(&mut self) -> Option<Arc<Wallet>> {
        let due = self.sweeps.is_multiple_of(self.shared.config.solvency_every.max(1));
        self.sweeps = self.sweeps.wrapping_add(1);
        self.wallet.clone().filter(|_| due)
    }

    /// Something happened to an account, or it is time to look at it.
    fn look(&mut self, account: AccountId) {
        if let Some(running) = self.running.get_mut(&account) {
            running.again = true;
            running.signal.notify_one();
            return;
        }
        if self.running.len() >= self.shared.config.at_once {
            if !self.waiting.contains(&account) {
                self.waiting.push_back(account);
            }
            return;
        }
        self.start(account);
    }

    fn start(&mut self, account: AccountId) {
        let signal = Arc::new(Notify::new());
        self.running.insert(account.clone(), Running { signal: Arc::clone(&signal), again: false });
        let job = Job { shared: Arc::clone(&self.shared), account: account.clone(), signal };
        self.tasks.spawn(async move { (account, job.run().await) });
    }

    fn ended(&mut self, done: Result<(AccountId, Ended), tokio::task::JoinError>) {
        let (account, ended) = match done {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let again = self.running.remove(&account).is_some_and(|running| running.again);
        match ended {
            _ if again => self.look(account),
            Ended::Again(pause) => {
                self.later.insert((Instant::now() + pause, account));
            }
            Ended::Done => {}
        }
        if let Some(next) = self.waiting.pop_front() {
            self.look(next);
        }
    }

    fn time_is_come(&mut self) {
        let now = Instant::now();
        while self.later.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, account)) = self.later.pop_first() else { return };
            self.look(account);
        }
    }

    fn swept(&mut self, due: Vec<Due>) {
        let now = Timestamp(service_kit::clock::now());
        for Due { account, retry_at } in due {
            let wait = retry_at.map_or(0, |at| at.since(now));
            match u64::try_from(wait) {
                Ok(micros) if micros > 0 => self.remind(account, Duration::from_micros(micros)),
                _ if self.running.contains_key(&account) => {}
                _ => self.look(account),
            }
        }
    }

    /// Looks at it then, unless that is known already.
    fn remind(&mut self, account: AccountId, pause: Duration) {
        let known = self.running.contains_key(&account);
        if !known && !self.later.iter().any(|(_, other)| *other == account) {
            self.later.insert((Instant::now() + pause, account));
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What is due, page by page; and, when it is time, how solvent the house is.
async fn sweep(shared: Arc<Shared>, wallet: Option<Arc<Wallet>>) -> Vec<Due> {
    if let Some(wallet) = wallet {
        solvency::look(&*shared.ledger, &wallet, shared.config.floor).await;
    }
    let mut all: Vec<Due> = Vec::new();
    loop {
        let after = all.last().map(|due| &due.account);
        match shared.ledger.due(after).await {
            Ok(page) if page.is_empty() => return all,
            Ok(page) => all.extend(page),
            Err(Refused::Trouble(reason)) => {
                tracing::warn!(reason, "what is due could not be read");
                return all;
            }
            Err(_) => return all,
        }
    }
}
