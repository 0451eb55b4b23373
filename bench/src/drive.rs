//! Drives a target: many callers at once, in a closed or an open loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;

use crate::check::{Checker, Tally};
use crate::latency::{Latency, Recorder};
use crate::load::{Load, Rhythm};
use crate::pace::Pace;
use crate::target::{Line, Target};

/// How many callers an open loop has: so many requests can be without an answer before others wait to be sent (which
/// counts into their latency).
const OPEN_LOOP_CALLERS: usize = 1_024;
/// How many accounts are opened at once.
const OPENERS: usize = 128;
/// What the callers have to be ready by.
const LEAD: Duration = Duration::from_millis(50);

/// What was seen in the counted time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Debits that were answered as paid.
    pub paid: u64,
    /// How long was counted.
    pub time: Duration,
    /// How long requests took: from the moment they were meant for, in an open loop.
    pub latency: Latency,
    /// All of the run, warm-up included.
    pub tally: Tally,
}

impl Seen {
    /// Paid debits a second.
    pub fn per_second(&self) -> u64 {
        per_second(self.paid, self.time)
    }
}

/// So many in this time, a second.
pub fn per_second(count: u64, time: Duration) -> u64 {
    let micros = time.as_micros().max(1);
    u64::try_from(u128::from(count) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

/// Opens the accounts of a load. Error: one could not be opened.
pub async fn open_accounts<T: Target>(target: &Arc<T>, load: &Load) -> Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let mut openers: JoinSet<Result<()>> = JoinSet::new();
    for number in 0..OPENERS.min(load.accounts as usize) {
        let (mut line, next, load) = (target.line(number).await?, Arc::clone(&next), *load);
        openers.spawn(async move {
            loop {
                let account = u32::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(u32::MAX);
                if account >= load.accounts {
                    return Ok(());
                }
                line.open(account, load.opening()).await?;
            }
        });
    }
    while let Some(opened) = openers.join_next().await {
        opened.context("an opener panicked")??;
    }
    Ok(())
}

/// Runs a load whose accounts are open. Error: a caller could not begin.
pub async fn drive<T: Target>(target: &Arc<T>, load: &Load) -> Result<Seen> {
    let callers = match load.rhythm {
        Rhythm::InFlight(callers) => callers,
        Rhythm::Rate(_) => OPEN_LOOP_CALLERS,
    };
    let mut lines = Vec::with_capacity(callers);
    for number in 0..callers {
        lines.push(target.line(number).await?);
    }
    let run = Arc::new(Run::new(*load));
    let mut tasks = JoinSet::new();
    for (number, line) in lines.into_iter().enumerate() {
        tasks.spawn(Arc::clone(&run).caller(number, line));
    }
    if run.pace.is_some() {
        let run = Arc::clone(&run);
        let clock = move || run.pace.as_ref().into_iter().for_each(|pace| pace.run(callers));
        tokio::task::spawn_blocking(clock).await.context("the open loop's clock panicked")?;
    }
    let mut tally = Tally::default();
    while let Some(ended) = tasks.join_next().await {
        tally.merge(ended.context("a caller panicked")?);
    }
    Ok(run.seen(tally))
}

/// What the callers of one run share.
struct Run {
    load: Load,
    begin: Instant,
    /// From here on is counted.
    from: Instant,
    end: Instant,
    pace: Option<Pace>,
    recorder: Recorder,
    paid: AtomicU64,
}

impl Run {
    fn new(load: Load) -> Self {
        let begin = Instant::now() + LEAD;
        let from = begin + load.warm_up;
        let pace = match load.rhythm {
            Rhythm::InFlight(_) => None,
            Rhythm::Rate(rate) => Some(Pace::new(begin, rate, load.warm_up + load.time)),
        };
        let (recorder, paid) = (Recorder::default(), AtomicU64::new(0));
        Self { load, begin, from, end: from + load.time, pace, recorder, paid }
    }

    /// One caller, until the end.
    async fn caller<L: Line>(self: Arc<Self>, number: usize, mut line: L) -> Tally {
        let (mut debits, mut outcomes, mut checker) = (Vec::new(), Vec::new(), Checker::default());
        tokio::time::sleep_until(self.begin.into()).await;
        while let Some(meant) = self.next().await {
            self.load.next(&mut debits);
            outcomes.clear();
            line.debit(&debits, &mut outcomes).await;
            let paid_before = checker.paid_count();
            checker.check(&debits, &outcomes);
            self.note(number, meant, checker.paid_count() - paid_before);
        }
        checker.into_tally()
    }

    /// The moment the next request is meant for; none at the end.
    async fn next(&self) -> Option<Instant> {
        match &self.pace {
            Some(pace) => pace.take().await,
            None => Some(Instant::now()).filter(|now| *now < self.end),
        }
    }

    /// A closed loop counts what is answered in the counted time, an open loop what was meant for it.
    fn note(&self, caller: usize, meant: Instant, paid: u64) {
        let now = Instant::now();
        let counts = if self.pace.is_some() { meant } else { now };
        if (self.from..self.end).contains(&counts) {
            self.recorder.note(caller, now.saturating_duration_since(meant));
            self.paid.fetch_add(paid, Ordering::Relaxed);
        }
    }

    fn seen(&self, tally: Tally) -> Seen {
        let paid = self.paid.load(Ordering::Relaxed);
        Seen { paid, time: self.load.time, latency: self.recorder.latency(), tally }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{CHARGE, Debit};
    use crate::target::{Outcome, Paid};
    use ledger_core::{PartitionId, Position, Usdc};
    use std::sync::Mutex;

    /// Answers at once, but for one stall of the whole server.
    struct Stalling {
        begin: Instant,
        stall: std::ops::Range<Duration>,
        next: Arc<Mutex<u64>>,
    }

    struct StallingLine {
        begin: Instant,
        stall: std::ops::Range<Duration>,
        next: Arc<Mutex<u64>>,
    }

    impl Target for Stalling {
        type Line = StallingLine;

        async fn line(&self, _: usize) -> Result<StallingLine> {
            Ok(StallingLine { begin: self.begin, stall: self.stall.clone(), next: Arc::clone(&self.next) })
        }
    }

    impl Line for StallingLine {
        async fn open(&mut self, _: u32, _: Usdc) -> Result<()> {
            Ok(())
        }

        async fn debit(&mut self, debits: &[Debit], outcomes: &mut Vec<Outcome>) {
            if self.stall.contains(&self.begin.elapsed()) {
                tokio::time::sleep_until((self.begin + self.stall.end).into()).await;
            }
            let mut next = self.next.lock().unwrap();
            outcomes.extend(debits.iter().map(|debit| {
                *next += 1;
                let position = Position { partition: PartitionId(0), sequence: *next, index: 0 };
                Outcome::Paid(Paid {
                    account: Some(debit.account),
                    charged: CHARGE,
                    position: Some(position),
                    duplicate: false,
                })
            }));
        }
    }

    fn load(rhythm: Rhythm) -> Load {
        let (warm_up, time) = (Duration::ZERO, Duration::from_millis(800));
        Load { accounts: 10, batch: 1, rhythm, warm_up, time }
    }

    fn stalling() -> Arc<Stalling> {
        let stall = Duration::from_millis(200)..Duration::from_millis(600);
        Arc::new(Stalling { begin: Instant::now(), stall, next: Arc::default() })
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_stall_shows_with_every_request_that_was_meant_for_it() {
        let seen = drive(&stalling(), &load(Rhythm::Rate(4_000))).await.unwrap();
        // Half of the run's requests were meant for the stall, more than there are callers; a quarter waited for at
        // least half of it.
        assert_eq!(seen.latency.count, 3_200);
        assert!(seen.latency.p90 >= 200_000, "{:?}", seen.latency);
        assert_eq!((seen.tally.wrong, seen.tally.paid, seen.paid), (0, 3_200, 3_200));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_closed_loop_hides_a_stall_which_is_why_it_tells_throughput_only() {
        let seen = drive(&stalling(), &load(Rhythm::InFlight(4))).await.unwrap();
        assert!(seen.latency.p90 < 200_000, "{:?}", seen.latency);
        assert!(seen.latency.max >= 300_000, "{:?}", seen.latency);
        assert!(seen.per_second() > 0 && seen.paid <= seen.tally.paid);
    }
}
