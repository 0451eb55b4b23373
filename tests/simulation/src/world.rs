//! One seed: the agenda of all that happens, and how it ends.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use command_api::ask;
use command_api::init::genesis_commit;
use command_api::writer::Ticket;
use event_log::anchors::Doubt;
use event_log::sim::{Rng, SimLog};
use event_log::{Anchor, Entry};
use judge::history::{Line, What};
use ledger_core::commit::Commit;
use ledger_core::time::SECOND;
use ledger_core::{LogId, PartitionId, Policy, Timestamp};

use crate::client::Client;
use crate::faults::{Cut, Swarm};
use crate::feeder::Feeder;
use crate::outcome::{Bug, Outcome};
use crate::owner::{Kept, Owner};
use crate::owners::Asked;
use crate::script::Running;
use crate::{verdict, views, workers};

pub(crate) const LOG: LogId = LogId([7; 16]);
pub(crate) const START: Timestamp = Timestamp(1_800_000_000 * SECOND);
const STORM: i64 = 120 * SECOND;
const HEAL: i64 = 90 * SECOND;
const STEPS_KEPT: usize = 50;
/// For how long a log must look other than it was before that is believed.
const PATIENCE: Duration = Duration::from_secs(30);

/// What happens at a moment, but for the log's own doings.
pub(crate) enum Event {
    /// A client asks something.
    Client(usize),
    /// Its call reaches an owner.
    Call(usize, u64),
    /// It does not wait any longer.
    GiveUp(usize, u64),
    /// An answer reaches it.
    Told(usize, u64, What),
    /// The source sends a batch.
    Feed,
    /// An answer to a batch.
    Fed(u64, Box<ask::Answer>),
    /// The source does not wait any longer.
    FedNothing(u64),
    /// An owner looks at the log, once a second.
    Look(Ticket),
    /// An owner wakes up, or its time has come.
    Wake(Ticket),
    /// Somebody starts an owner.
    Start,
    /// Owners fall asleep one by one.
    Swizzle,
    /// The log loses its tail.
    Cut(Cut),
    /// A bit of the log turns.
    Flip,
}

pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) rng: Rng,
    pub(crate) log: SimLog,
    pub(crate) bug: Option<Bug>,
    pub(crate) swarm: Swarm,
    pub(crate) script: Option<Running>,
    pub(crate) owners: BTreeMap<u64, Owner>,
    pub(crate) next: u64,
    /// Whose request to the log: owner and what it was for.
    pub(crate) asked: BTreeMap<u64, (u64, Asked)>,
    pub(crate) clients: Vec<Client>,
    pub(crate) feeder: Feeder,
    /// Keys of calls that had no answer.
    pub(crate) unsettled: BTreeSet<String>,
    pub(crate) history: Vec<Line>,
    agenda: BTreeMap<(Timestamp, u64), Event>,
    trace: VecDeque<String>,
    pub(crate) snapshots: Vec<Kept>,
    /// What is known of the log beside it, and whether a start has found it otherwise.
    pub(crate) anchor: Option<Anchor>,
    pub(crate) doubt: Doubt,
    /// The log as it was before it lost its tail, or when a bit of it had turned.
    lost: Option<Vec<Entry>>,
    pub(crate) seen: Outcome,
}

/// Plays one seed.
///
/// Errors: what is wrong, and the last steps as readable lines.
pub fn run(seed: u64, bug: Option<Bug>) -> Result<Outcome, String> {
    let mut rng = Rng::new(seed);
    let swarm = Swarm::draw(&mut rng);
    let world = World::new(rng, swarm, bug);
    let (mut seen, entries) = world.run(&format!("seed {seed}"), &format!("drip-sim --seed {seed}"))?;
    let views = caught(|| views::play(&course(entries), seed, None));
    let again = |wrong| format!("seed {seed}: {wrong}\nagain: drip-sim --seed {seed}");
    seen.views = views.map_err(again)?;
    seen.workers = caught(|| workers::play(seed)).map_err(again)?;
    Ok(seen)
}

/// A panic of what is played is wrong as well, and tells its seed like everything else that is.
fn caught<T>(play: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panic: {}", text.unwrap_or("without a text")))
    })
}

/// The log as it came to be, for the projectors.
fn course(entries: Vec<Entry>) -> views::Course {
    let moments = [START, START.plus(STORM), START.plus(STORM + HEAL)];
    let mut last = START;
    let mut time = |entry: &Entry| {
        let commit = match entry {
            Entry::Commit(stored) => Commit::decode(&stored.bytes).ok(),
            Entry::Foreign { .. } => None,
        };
        // Some owners' clocks were ahead.
        last = last.max(commit.map_or(last, |commit| commit.time)).min(moments[2]);
        last
    };
    let times = entries.iter().map(&mut time).collect();
    views::Course { log: LOG, entries, times, moments }
}

impl World {
    pub(crate) fn new(mut rng: Rng, swarm: Swarm, bug: Option<Bug>) -> Self {
        let mut log = SimLog::new(LOG, swarm.replicas, rng.draw());
        log.begin(&genesis_commit(LOG, PartitionId(0), 1, 1, START));
        log.blind = bug == Some(Bug::SkipExpectedSequence);
        log.faults = swarm.log;
        Self {
            now: START,
            rng,
            log,
            bug,
            swarm,
            script: None,
            owners: BTreeMap::new(),
            next: 0,
            asked: BTreeMap::new(),
            clients: vec![Client::default(); swarm.clients],
            feeder: Feeder::new(),
            unsettled: BTreeSet::new(),
            history: Vec::new(),
            agenda: BTreeMap::new(),
            trace: VecDeque::new(),
            snapshots: Vec::new(),
            anchor: None,
            doubt: Doubt::new(PATIENCE),
            lost: None,
            seen: Outcome::default(),
        }
    }

    /// To its end: what was seen, and the log. `name` and `again`: which run this is, and how it is played again.
    pub(crate) fn run(mut self, name: &str, again: &str) -> Result<(Outcome, Vec<Entry>), String> {
        caught(|| self.play()).map_err(|wrong| {
            let steps: Vec<String> = self.trace.iter().cloned().collect();
            format!("{}\n\n{name}: {wrong}\nagain: {again}", steps.join("\n"))
        })?;
        self.seen.log = self.log.counts();
        self.seen.seconds = (STORM + HEAL).unsigned_abs() / SECOND.unsigned_abs();
        let entries = self.log.entries();
        let readable = self
            .log
            .damaged(entries.len() as u64)
            .map_or(entries.len(), |place| usize::try_from(place).expect("small") - 1);
        Ok((self.seen, entries[..readable].to_vec()))
    }

    fn play(&mut self) -> Result<(), String> {
        self.plan(0, Event::Start);
        for client in 0..self.clients.len() {
            self.plan(SECOND, Event::Client(client));
        }
        self.plan(5 * SECOND, Event::Feed);
        self.plan(STORM, Event::Swizzle);
        if let Some(cut) = self.swarm.cut {
            self.plan(STORM, Event::Cut(cut));
        }
        if self.swarm.flip {
            self.plan(STORM, Event::Flip);
        }
        while self.now < START.plus(STORM) {
            self.advance()?;
        }
        self.heal();
        while self.now < START.plus(STORM + HEAL) {
            self.advance()?;
        }
        self.end()
    }

    /// All faults stop.
    fn heal(&mut self) {
        self.note("the faults stop");
        self.swarm.heal();
        self.log.faults = self.swarm.log;
        // Whose clock is set right finds that it has jumped, ends, and is started again.
        self.owners.retain(|_, owner| owner.clock == 0);
        self.plan(2 * SECOND, Event::Start);
    }

    /// The tail behind what is known beside the log is cut off and a little more, so that it must be noticed.
    fn cut(&mut self, cut: Cut) {
        let Some(anchor) = self.anchor.filter(|anchor| anchor.sequence > 3) else {
            return self.plan(5 * SECOND, Event::Cut(cut));
        };
        self.lost = Some(self.log.entries().to_vec());
        self.swarm.heal();
        self.log.faults = self.swarm.log;
        // One that knows less than what is known could go on where the log ends now, and nobody could tell.
        let knows = |owner: &Owner| owner.writer.chain().sequence >= anchor.sequence;
        self.owners.retain(|_, owner| cut == Cut::UnderWay && knows(owner));
        self.plan(SECOND, Event::Start);
        let kept = anchor.sequence - 1 - self.rng.below(anchor.sequence.min(12) - 2);
        self.note(&format!("the log loses what stands behind {kept}"));
        self.log.lose_tail(kept);
    }

    /// A bit of the log turns while nobody is there. Without snapshots, so that whoever starts reads the place: what
    /// stands before a snapshot is read beside the work, by a task that is not played here.
    fn flip(&mut self) {
        if self.log.entries().len() < 4 {
            return self.plan(5 * SECOND, Event::Flip);
        }
        self.swarm.heal();
        self.log.faults = self.swarm.log;
        self.owners.clear();
        self.snapshots.clear();
        // Not of the first, so that there is something to read.
        let sequence = 2 + self.rng.below(self.log.entries().len() as u64 - 1);
        self.note(&format!("a bit of {sequence} turns"));
        self.log.flip_bit(sequence, self.rng.draw());
        self.lost = self.log.damaged(sequence).map(|_| self.log.entries().to_vec());
        self.plan(SECOND, Event::Start);
    }

    fn end(&mut self) -> Result<(), String> {
        if let Some(before) = &self.lost {
            return verdict::of_damaged(before, self.log.entries(), self.seen.alarms);
        }
        let since = START.plus(STORM + HEAL / 2).0;
        let late = self.history.iter().filter(|line| line.at > since);
        let alive = late.filter(|line| matches!(line.what, What::Ok(_))).count() > 0;
        let mut fresh = Owner::new(Policy::default());
        self.snapshots_are_replays(&mut fresh)?;
        fresh.replay(self.log.entries())?;
        let (ledger, one_owner) = (fresh.writer.ledger(), self.swarm.one_owner);
        verdict::judge(self.log.entries(), &self.history, ledger, one_owner)?;
        verdict::count(self.log.entries(), self.feeder.acknowledged(), &mut self.seen)?;
        match alive {
            true => Ok(()),
            false => Err("I13: long after the faults have stopped nothing gets through".to_owned()),
        }
    }

    /// I11: each snapshot is what a replay up to its commit knows, to the last byte.
    fn snapshots_are_replays(&self, fresh: &mut Owner) -> Result<(), String> {
        let mut snapshots: Vec<_> = self.snapshots.iter().collect();
        snapshots.sort_by_key(|kept| kept.snapshot.chain.read);
        for kept in snapshots {
            let read = usize::try_from(kept.snapshot.chain.read).expect("small");
            let before = self.log.entries().get(..read);
            fresh.replay(before.ok_or("I11: a snapshot is of a commit that is not there")?)?;
            if !kept.is_what_is_known(&fresh.writer)? {
                return Err(format!("I11: the snapshot at {read} is not what a replay up to there knows"));
            }
        }
        Ok(())
    }

    /// The next thing that happens.
    fn advance(&mut self) -> Result<(), String> {
        let log = self.log.next_at();
        let first = self.agenda.keys().next().map(|(at, _)| *at);
        let at = log.into_iter().chain(first).min().ok_or("I13: nothing happens any more")?;
        // Strictly later than what was before, so that before and after are never in doubt.
        self.now = at.max(self.now.plus(1));
        if log == Some(at) {
            for (token, answer) in self.log.step(self.now) {
                self.log_answers(token, answer);
            }
            return Ok(());
        }
        let event = self.agenda.pop_first().expect("it was there").1;
        self.happens(event)
    }

    fn happens(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Client(client) => self.client_asks(client),
            Event::Call(client, op) => self.call(client, op),
            Event::Told(client, op, what) => self.told(client, op, what),
            Event::GiveUp(client, op) => {
                self.told(client, op, What::Unknown { reason: "no answer in time".to_owned() });
            }
            Event::Feed => self.feed(),
            Event::Fed(op, answer) => self.fed(op, Some(&answer))?,
            Event::FedNothing(op) => self.fed(op, None)?,
            Event::Look(owner) => self.look(owner),
            Event::Wake(owner) => self.wake(owner),
            Event::Start => self.start()?,
            Event::Swizzle => self.swizzle(),
            Event::Cut(cut) => self.cut(cut),
            Event::Flip => self.flip(),
        }
        Ok(())
    }

    pub(crate) fn plan(&mut self, most: i64, event: Event) {
        let at = self.now.plus(self.rng.micros(most / 10, most));
        self.plan_at(at, event);
    }

    pub(crate) fn plan_at(&mut self, at: Timestamp, event: Event) {
        self.next += 1;
        self.agenda.insert((at, self.next), event);
    }

    pub(crate) fn note(&mut self, what: &str) {
        self.trace.push_back(format!("{:>12} {what}", self.now.since(START)));
        if self.trace.len() > STEPS_KEPT {
            self.trace.pop_front();
        }
    }
}
