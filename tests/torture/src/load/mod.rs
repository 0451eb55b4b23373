//! The clients: an open loop at a set rate, which keeps asking whatever the answers are, repeats what has no answer
//! under the same key, and asks some things twice on purpose.

mod doors;
mod mix;
mod payers;
mod tally;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use judge::history::{Verb, What};
use tokio::task::JoinSet;

use crate::history::History;
use crate::world::{World, tick};
use doors::{Door, Doors};
use mix::{Mix, Wish};

pub(crate) use mix::APP;
pub(crate) use tally::Tally;

/// How much may be under way at once.
const UNDER_WAY_MAX: usize = 4_000;
/// How often a wish is tried at most.
const ATTEMPTS_MAX: u32 = 8;
/// Something without an answer is asked again within this time.
const REPEAT_WITHIN: Duration = Duration::from_secs(60);
/// A deadline that the Rust client makes for itself may be so much later than the one we note.
const CLIENT_SLACK: i64 = 250_000;
/// How long the accounts may take to be opened, and the last repeats to be answered.
const PATIENCE: Duration = Duration::from_secs(120);

/// All clients, and what they have seen.
pub(crate) struct Load {
    world: Arc<World>,
    doors: Doors,
    pub(crate) history: History,
    tally: Mutex<Tally>,
    seen: Mutex<Seen>,
    draining: AtomicBool,
}

/// What answers have shown.
#[derive(Default)]
struct Seen {
    /// When the newest debit that was answered had been sent, by partition.
    debits: BTreeMap<u16, Instant>,
    /// The highest commit that an answer named, by partition.
    heads: BTreeMap<u16, u64>,
}

/// Wishes that wait for their next attempt.
#[derive(Default)]
struct Later {
    waiting: BTreeMap<(Instant, u64), Wish>,
    number: u64,
}

impl Later {
    fn put(&mut self, after: Duration, wish: Wish) {
        self.number += 1;
        self.waiting.insert((Instant::now() + after, self.number), wish);
    }

    /// The next one whose time has come, or any.
    fn take(&mut self, any: bool) -> Option<Wish> {
        let entry = self.waiting.first_entry()?;
        (any || entry.key().0 <= Instant::now()).then(|| entry.remove())
    }
}

impl Load {
    /// Nobody asks yet.
    pub(crate) async fn new(world: Arc<World>) -> Result<Self> {
        let doors = Doors::to(&world).await?;
        let history = History::create(&world.folder().join("history.jsonl"))?;
        let (tally, seen) = (Mutex::default(), Mutex::default());
        Ok(Self { world, doors, history, tally, seen, draining: AtomicBool::new(false) })
    }

    /// Nothing new is asked from now on: what waits for a repeat is asked at once, until everything has its answer.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// What came of everything so far.
    pub(crate) fn tally(&self) -> Tally {
        lock(&self.tally).clone()
    }

    /// The highest commit that an answer named, by partition.
    pub(crate) fn heads(&self) -> Vec<(u16, u64)> {
        lock(&self.seen).heads.iter().map(|(partition, head)| (*partition, *head)).collect()
    }

    /// Waits until a debit is answered that was sent after this moment; in this partition, or in any. How long that
    /// was after the moment.
    pub(crate) async fn debit_after(
        &self,
        moment: Instant,
        partition: Option<u16>,
        bound: Duration,
    ) -> Result<Duration> {
        while moment.elapsed() < bound {
            let found = lock(&self.seen)
                .debits
                .iter()
                .any(|(at, newest)| partition.is_none_or(|wanted| wanted == *at) && *newest >= moment);
            if found {
                return Ok(moment.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let write = self.world.time_a_write().await?;
        bail!("no debit was answered within {bound:?}; a write to the same disk took {write:?} then")
    }

    /// Asks until told to drain, and then until nothing is left. `rate`: a second.
    pub(crate) async fn run(self: &Arc<Self>, seed: u64, rate: u32) -> Result<()> {
        let mut mix = Mix::new(seed, self.world.has_workers);
        self.open_accounts(&mut mix).await?;
        let mut clients =
            Clients { load: Arc::clone(self), mix, running: JoinSet::new(), later: Later::default() };
        let paying = payers::pay_until(&self.draining, &self.world, seed);
        let (asked, ()) = tokio::join!(clients.ask(rate), paying);
        asked?;
        clients.finish(rate).await
    }

    async fn open_accounts(self: &Arc<Self>, mix: &mut Mix) -> Result<()> {
        let begin = Instant::now();
        let mut left = mix.openings();
        while !left.is_empty() {
            if begin.elapsed() > PATIENCE {
                bail!("the accounts could not be opened in {PATIENCE:?}: {:?}", self.tally());
            }
            let attempts = left.into_iter().map(|wish| self.attempt(wish));
            let ended = futures::future::join_all(attempts).await;
            let ended = ended.into_iter().collect::<Result<Vec<_>>>()?;
            left = ended
                .into_iter()
                .filter(|(_, what)| !matches!(what, What::Ok(_)))
                .map(|(wish, _)| wish)
                .collect();
        }
        Ok(())
    }

    /// One attempt: noted before it is sent and after it has ended.
    async fn attempt(&self, mut wish: Wish) -> Result<(Wish, What)> {
        let now = self.history.now();
        if !wish.same_call || wish.request.deadline.is_none() {
            wish.request.deadline = Some(now.saturating_add(micros(wish.patience)));
        }
        let left = wish.request.deadline.unwrap_or(now).saturating_sub(now);
        let left = Duration::from_micros(u64::try_from(left).unwrap_or(0));
        let mut noted = wish.request.clone();
        if wish.door == Door::Client {
            noted.deadline = noted.deadline.map(|deadline| deadline.saturating_add(CLIENT_SLACK));
        }
        let (client, sent) = (wish.door.number(), Instant::now());
        let op = self.history.invoke(client, noted)?;
        let what = self.doors.send(wish.door, &self.world, &wish.request, left).await;
        self.history.outcome(client, op, what.clone())?;
        self.note(&wish, sent, &what);
        wish.attempts += 1;
        Ok((wish, what))
    }

    fn note(&self, wish: &Wish, sent: Instant, what: &What) {
        let mut tally = lock(&self.tally);
        tally.note(wish, what);
        if wish.doubt {
            tally.resolved(what);
        }
        drop(tally);
        let What::Ok(answer) = what else { return };
        let Some(position) = answer.position else { return };
        let mut seen = lock(&self.seen);
        let head = seen.heads.entry(position.partition).or_default();
        *head = (*head).max(position.sequence);
        if wish.request.verb == Verb::Debit && !answer.duplicate {
            let newest = seen.debits.entry(position.partition).or_insert(sent);
            *newest = (*newest).max(sent);
        }
    }
}

/// The loop itself.
struct Clients {
    load: Arc<Load>,
    mix: Mix,
    running: JoinSet<Result<(Wish, What)>>,
    later: Later,
}

impl Clients {
    /// New wishes at their times, and repeats when theirs has come.
    async fn ask(&mut self, rate: u32) -> Result<()> {
        let mut beat = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
        // An open loop: beats that were missed are made up for, as independent clients would.
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        while !self.load.draining.load(Ordering::Relaxed) {
            tokio::select! {
                _ = beat.tick() => {
                    while let Some(wish) = self.later.take(false) {
                        self.send(wish);
                    }
                    self.send_new();
                }
                Some(ended) = self.running.join_next() => self.ended(ended.context("a client panicked")??),
            }
        }
        Ok(())
    }

    /// Everything that is under way or waits.
    async fn finish(&mut self, rate: u32) -> Result<()> {
        let begin = Instant::now();
        let pause = Duration::from_secs(1) / rate.max(1);
        loop {
            if let Some(wish) = self.later.take(true) {
                self.send(wish);
                tokio::time::sleep(pause).await;
            }
            match self.running.try_join_next() {
                Some(ended) => self.ended(ended.context("a client panicked")??),
                None if self.running.is_empty() && self.later.waiting.is_empty() => return Ok(()),
                None => tick().await,
            }
            if begin.elapsed() > PATIENCE {
                bail!(
                    "{} requests have no answer {PATIENCE:?} after everything was healed",
                    self.running.len()
                );
            }
        }
    }

    fn send_new(&mut self) {
        let wish = self.mix.draw();
        if self.mix.chance(4) {
            let twin = self.mix.twin(&wish);
            self.send(twin);
        }
        self.send(wish);
    }

    fn send(&mut self, wish: Wish) {
        if self.running.len() >= UNDER_WAY_MAX {
            lock(&self.load.tally).not_sent += 1;
            return;
        }
        let load = Arc::clone(&self.load);
        self.running.spawn(async move { load.attempt(wish).await });
    }

    /// What a client does after an answer, or without one.
    fn ended(&mut self, (mut wish, what): (Wish, What)) {
        if wish.attempts >= ATTEMPTS_MAX || wish.request.verb == Verb::Read {
            return;
        }
        wish.same_call = false;
        match what {
            What::Unknown { .. } if self.mix.chance(90) => {
                wish.doubt = true;
                wish.same_call =
                    wish.door != Door::Client && self.mix.chance(30) && self.may_still_be_decided(&wish);
                let within = if wish.same_call { Duration::from_millis(50) } else { REPEAT_WITHIN };
                self.later.put(self.mix.pause(within), wish);
            }
            What::Refused(refusal) if is_for_now(&refusal.code) && (wish.doubt || self.mix.chance(70)) => {
                self.later.put(self.mix.pause(Duration::from_secs(5)), wish);
            }
            What::Ok(_) if wish.attempts == 1 && self.mix.chance(4) => {
                self.later.put(self.mix.pause(Duration::from_secs(10)), self.mix.twin(&wish));
            }
            What::Ok(_) if wish.attempts == 1 && wish.has_amount() && self.mix.chance(1) => {
                self.later.put(Duration::ZERO, self.mix.impostor(&wish));
            }
            _ => {}
        }
    }

    fn may_still_be_decided(&self, wish: &Wish) -> bool {
        wish.request.deadline.is_some_and(|deadline| deadline > self.load.history.now() + 300_000)
    }
}

/// Nothing was done, and soon something might be.
fn is_for_now(code: &str) -> bool {
    ["unavailable", "overloaded", "unreachable", "no_responders", "deadline_passed"].contains(&code)
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Whole whoever panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
