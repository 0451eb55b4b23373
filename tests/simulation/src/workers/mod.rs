//! The workers: the real ones, as they are shipped, on one thread and a clock that is stopped, over a ledger and
//! providers on roads on which requests and answers get lost, killed between any two of their steps.
//!
//! The ledger is always right here: that is played in the rest of this crate. At the end the faults stop; then every
//! container must stand as its account wants it, every mail must have come to its end, and the judge holds what the
//! providers have really done against the log. In reading order: this page (one seed), `house` (the ledger), `site`
//! and `post` (the providers), `road` (the way to them), `doors` and `providers` (what workers ask, on that way), `people`
//! (what happens meanwhile), `lives` (how workers live and die), `verdict`.

mod doors;
mod house;
mod lives;
mod people;
mod post;
mod providers;
mod road;
mod site;
mod verdict;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use event_log::sim::Rng;
use ledger_core::time::SECOND;
use ledger_core::{AppId, Label, LogId, LongText, Timestamp};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::world::START;
use house::House;
use people::People;
use post::Post;
use road::Road;
use site::{Scaling, Site};

const LOG: LogId = LogId([9; 16]);
/// How long things go wrong.
const STORM: Duration = Duration::from_secs(30 * 60);
/// How long everything may take to come to rest when nothing goes wrong any more.
const HEAL: Duration = Duration::from_secs(90 * 60);

/// The longest way, in microseconds.
const WAY_MOST: i64 = 100 * SECOND;

/// How long workers read the log once more.
const REPLAY: Duration = Duration::from_secs(10 * 60);
/// The place of those who do.
const REPLAYING: u64 = 9;

/// What a seed that went well has seen of workers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// Workers that were killed.
    pub crashes: u64,
    /// As before: when what they had asked for was done, before they heard of it.
    pub crashes_unheard: u64,
    /// Workers that stopped in order.
    pub stops: u64,
    /// Requests that got lost.
    pub lost: u64,
    /// Answers that did.
    pub answers_lost: u64,
    /// Containers that were made, put to sleep, woken, taken away.
    pub provisioned: u64,
    /// As before: put to sleep.
    pub slept: u64,
    /// As before: woken.
    pub woken: u64,
    /// As before: taken away.
    pub taken_away: u64,
    /// Steps that failed.
    pub failures: u64,
    /// Sleeps that took more than the first way.
    pub escalations: u64,
    /// Mails that were sent.
    pub mails: u64,
    /// Mails that took more than one attempt.
    pub mails_retried: u64,
    /// Mails that were given up, or not true any more.
    pub mails_ended: u64,
    /// Containers that slept, and were given an instance by the provider.
    pub woken_outside: u64,
    /// What providers did.
    pub deeds: u64,
}

/// What goes wrong on each road.
#[derive(Debug, Clone, Copy, Default)]
struct Roads {
    ledger: Road,
    site: Road,
    post: Road,
    /// Of the log, whose entries come late and are never lost.
    log: Road,
}

/// How often a worker dies or stops by itself: once in so many seconds, if at all.
#[derive(Debug, Clone, Copy, Default)]
struct Deaths {
    every: Option<u64>,
}

struct World {
    house: Mutex<House>,
    site: Mutex<Site>,
    post: Mutex<Post>,
    rng: Mutex<Rng>,
    roads: Mutex<Roads>,
    deaths: Mutex<Deaths>,
    /// Who is told to die, by its name.
    dooms: Mutex<BTreeMap<Label, Arc<Notify>>>,
    seen: Mutex<Seen>,
    /// Whoever follows the log gets all of it.
    replays: AtomicBool,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().expect("nobody panics while it is held")
}

fn label(text: &str) -> Label {
    Label::new(text).expect("a short text")
}

fn long(text: &str) -> LongText {
    LongText::new(text).expect("a short text")
}

fn app() -> AppId {
    AppId::new("demo").expect("a name")
}

/// Plays the workers of one seed.
///
/// Errors: what is wrong, behind what happened last.
pub fn play(seed: u64) -> Result<Seen, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| format!("the runtime can not be made: {error}"))?;
    runtime.block_on(story(Rng::new(seed)))
}

async fn story(mut rng: Rng) -> Result<Seen, String> {
    let mut chance = Rng::new(rng.draw());
    let _simulated = service_kit::sim::simulate(START.0, move || chance.draw());
    let world = Arc::new(World::new(&mut rng));
    let mut living = JoinSet::new();
    for role in [lives::Role::Lifecycle, lives::Role::Notifier] {
        for slot in 0..1 + u64::from(rng.chance(600)) {
            living.spawn(lives::live(Arc::clone(&world), role, slot));
        }
    }
    living.spawn(lives::die(Arc::clone(&world)));
    let mut people = JoinSet::new();
    people.spawn(People::new(Arc::clone(&world), rng.draw()).live());
    sleep(STORM).await;
    people.abort_all();
    world.heal();
    sleep(HEAL).await;
    if let Some(ended) = living.try_join_next() {
        return Err(format!("I13: a worker has ended: {ended:?}"));
    }
    living.abort_all();
    let seen = verdict::of(&world)?;
    replay(&world).await?;
    Ok(seen)
}

/// I17: workers that read the whole log once more, where everything has come to rest, do nothing.
async fn replay(world: &Arc<World>) -> Result<(), String> {
    let before = (providers::record(world), world.house().head());
    world.replays.store(true, Ordering::Relaxed);
    let mut living = JoinSet::new();
    for role in [lives::Role::Lifecycle, lives::Role::Notifier] {
        living.spawn(lives::live(Arc::clone(world), role, REPLAYING));
    }
    sleep(REPLAY).await;
    let after = (providers::record(world), world.house().head());
    match before == after {
        true => Ok(()),
        false => Err(format!("I17: a replay did something: {:?}", after.0[before.0.len()..].first())),
    }
}

impl World {
    fn new(rng: &mut Rng) -> Self {
        let scalings = [Scaling::AtOnce, Scaling::AtOnce, Scaling::NextDeployment, Scaling::NeverZero];
        let scaling = match rng.below(5) {
            4 => Scaling::ZeroRefused,
            which => scalings[usize::try_from(which).expect("small")],
        };
        let mut often = |most: u64| if rng.chance(500) { 1 + rng.below(most) } else { 0 };
        let mut road =
            || Road { lost: often(60), answer_lost: often(100), slow: often(100), dies: often(40) };
        let roads = Roads { ledger: road(), site: road(), post: road(), log: road() };
        let site = site::Faults {
            deployment_fails: often(200),
            scale_ignored: often(200),
            untold: often(200),
            no_answer: often(200),
            away: often(100),
            forgets: often(40),
        };
        let post = post::Faults { busy: often(200), broken: often(200), refused: often(50) };
        let every = rng.chance(600).then(|| 5 + rng.below(120));
        let has_keys = rng.chance(600);
        Self {
            house: Mutex::new(House::new(START)),
            site: Mutex::new(Site::new(scaling, site, rng.draw())),
            post: Mutex::new(Post::new(has_keys, post, rng.draw())),
            rng: Mutex::new(Rng::new(rng.draw())),
            roads: Mutex::new(roads),
            deaths: Mutex::new(Deaths { every }),
            dooms: Mutex::new(BTreeMap::new()),
            seen: Mutex::default(),
            replays: AtomicBool::new(false),
        }
    }

    /// All faults stop. What the provider never does in one way it does not do now either.
    fn heal(&self) {
        *lock(&self.roads) = Roads::default();
        *lock(&self.deaths) = Deaths::default();
        let mut site = self.site();
        site.faults = site::Faults::default();
        self.seen().woken_outside += site.wakes(Timestamp(service_kit::clock::now()));
        drop(site);
        self.post().faults = post::Faults::default();
    }

    fn house(&self) -> MutexGuard<'_, House> {
        lock(&self.house)
    }

    fn site(&self) -> MutexGuard<'_, Site> {
        lock(&self.site)
    }

    fn post(&self) -> MutexGuard<'_, Post> {
        lock(&self.post)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    fn roads(&self) -> Roads {
        *lock(&self.roads)
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut lock(&self.rng))
    }

    /// How long one way takes.
    fn way(&self, road: Road) -> Duration {
        let micros = self.draw(|rng| {
            let most = match rng.chance(road.slow) {
                // Whoever asked has long given up.
                true if rng.chance(200) => WAY_MOST,
                true => 8 * SECOND,
                false => 50_000,
            };
            rng.micros(1_000, most)
        });
        Duration::from_micros(micros.unsigned_abs())
    }

    /// Whether a request gets lost, its answer does, or whoever sent it dies.
    fn fate(&self, road: Road) -> (bool, bool, bool) {
        let (lost, answer_lost, dies) =
            self.draw(|rng| (rng.chance(road.lost), rng.chance(road.answer_lost), rng.chance(road.dies)));
        let mut seen = self.seen();
        seen.lost += u64::from(lost);
        seen.answers_lost += u64::from(answer_lost && !lost);
        (lost, answer_lost, dies)
    }

    /// This worker dies now, if it lives.
    fn doom(&self, worker: &Label) {
        if let Some(doom) = lock(&self.dooms).get(worker) {
            self.seen().crashes_unheard += 1;
            doom.notify_one();
        }
    }

    /// Things go wrong.
    fn storms(&self) -> bool {
        service_kit::clock::now() < START.0 + i64::try_from(STORM.as_micros()).expect("minutes")
    }
}
