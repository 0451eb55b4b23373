//! One seed: the agenda of all that happens, and the faults.

use std::collections::{BTreeMap, VecDeque};

use command_api::init::genesis_commit;
use command_api::writer::{Input, Output, Ticket};
use event_log::sim::{Answer, Counts, Faults, Replicas, Rng, SimLog};
use event_log::{AppendOutcome, ReadError};
use judge::history::{Line, What};
use ledger_core::commit::Commit;
use ledger_core::time::SECOND;
use ledger_core::{LogId, PartitionId, Snapshot, TermNonce, Timestamp};

use crate::client::{self, Client};
use crate::owner::{self, Owner};
use crate::verdict;

const LOG: LogId = LogId([7; 16]);
const START: Timestamp = Timestamp(1_800_000_000 * SECOND);
const STORM: i64 = 120 * SECOND;
const HEAL: i64 = 90 * SECOND;
const STEPS_KEPT: usize = 50;

/// A bug on purpose, to see that the judge catches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// No answer of the log is taken for "stored".
    AnswerBeforeAck,
    /// What stands in our place is taken for ours: a stale owner goes on.
    StaleOwnerKeepsAnswering,
    /// A conflict is answered as "nothing was done".
    ConflictIsNotStored,
    /// The log stores without a look at the expected sequence.
    SkipExpectedSequence,
    /// A start takes the state of an older snapshot for that of the newest.
    StateOfAnotherMoment,
}

/// What a seed that went well has seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome {
    /// Attempts of clients.
    pub attempts: u64,
    /// Answers that were not known.
    pub unknown: u64,
    /// Crashes of owners, between any two of their steps.
    pub crashes: u64,
    /// Pauses of owners.
    pub pauses: u64,
    /// Owners that were fenced.
    pub fenced: u64,
    /// Snapshots that were kept.
    pub snapshots: u64,
    /// Starts that went on from the newest snapshot, and from an older one.
    pub restored: u64,
    /// As before: from an older one.
    pub restored_old: u64,
    /// What the log did.
    pub log: Counts,
}

enum Event {
    Client(usize),
    Call(usize, u64),
    GiveUp(usize, u64),
    Told(usize, u64, What),
    Look(Ticket),
    Wake(Ticket),
    Start,
}

struct World {
    now: Timestamp,
    rng: Rng,
    log: SimLog,
    bug: Option<Bug>,
    key_budget: u32,
    crash: u64,
    pause: u64,
    one_owner: bool,
    healing: bool,
    owners: BTreeMap<u64, Owner>,
    next: u64,
    /// Whose request to the log: owner and what it was for.
    asked: BTreeMap<u64, (u64, Asked)>,
    clients: Vec<Client>,
    history: Vec<Line>,
    agenda: BTreeMap<(Timestamp, u64), Event>,
    trace: VecDeque<String>,
    snapshots: Vec<Snapshot>,
    seen: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Append,
    ReadBack,
    Fetch(Ticket, ledger_core::Position),
    Seen,
    Compared,
}

/// Plays one seed.
///
/// Errors: what is wrong, and the last steps as readable lines.
pub fn run(seed: u64, bug: Option<Bug>) -> Result<Outcome, String> {
    let mut world = World::new(seed, bug);
    world.play().map_err(|wrong| {
        let steps: Vec<String> = world.trace.iter().cloned().collect();
        format!("{}\n\nseed {seed}: {wrong}\nagain: drip-sim --seed {seed}", steps.join("\n"))
    })?;
    world.seen.log = world.log.counts();
    Ok(world.seen)
}

impl World {
    fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut rng = Rng::new(seed);
        let replicas = if rng.chance(500) { Replicas::One } else { Replicas::Three };
        let mut log = SimLog::new(LOG, replicas, rng.draw());
        log.begin(&genesis_commit(LOG, PartitionId(0), 1, 1, START));
        log.blind = bug == Some(Bug::SkipExpectedSequence);
        let mut often = |most: u64| if rng.chance(500) { 1 + rng.below(most) } else { 0 };
        log.faults = Faults {
            lost: often(100),
            ack_lost: often(150),
            late: often(60),
            stepdown: often(60),
            full: often(50),
            foreign: often(20),
            stale: often(200),
            unreadable: often(50),
        };
        let (crash, pause) = (often(30), often(300));
        let key_budget = if often(1) > 0 { 16 } else { 10_000 };
        let clients =
            vec![Client { asked: None, again: None }; 3 + usize::try_from(rng.below(18)).expect("small")];
        let one_owner = rng.chance(500);
        Self {
            now: START,
            rng,
            log,
            bug,
            key_budget,
            crash,
            pause: if one_owner { 0 } else { pause },
            one_owner,
            healing: false,
            owners: BTreeMap::new(),
            next: 0,
            asked: BTreeMap::new(),
            clients,
            history: Vec::new(),
            agenda: BTreeMap::new(),
            trace: VecDeque::new(),
            snapshots: Vec::new(),
            seen: Outcome::default(),
        }
    }

    fn play(&mut self) -> Result<(), String> {
        self.plan(0, Event::Start);
        for client in 0..self.clients.len() {
            self.plan(SECOND, Event::Client(client));
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
        (self.healing, self.crash, self.pause) = (true, 0, 0);
        self.log.faults = Faults::default();
    }

    fn end(&mut self) -> Result<(), String> {
        let since = START.plus(STORM + HEAL / 2).0;
        let late = self.history.iter().filter(|line| line.at > since);
        if late.filter(|line| matches!(line.what, What::Ok(_))).count() == 0 {
            return Err("I13: long after the faults have stopped nothing gets through".to_owned());
        }
        let mut fresh = Owner::new(self.key_budget);
        self.snapshots_are_replays(&mut fresh)?;
        fresh.replay(self.log.entries())?;
        verdict::judge(self.log.entries(), &self.history, fresh.writer.ledger(), self.one_owner)
    }

    /// I11: each snapshot is what a replay up to its commit knows, to the last byte.
    fn snapshots_are_replays(&self, fresh: &mut Owner) -> Result<(), String> {
        let mut snapshots: Vec<_> = self.snapshots.iter().collect();
        snapshots.sort_by_key(|snapshot| snapshot.chain.read);
        for snapshot in snapshots {
            let read = usize::try_from(snapshot.chain.read).expect("small");
            fresh.replay(&self.log.entries()[..read])?;
            if Snapshot::take(fresh.writer.chain(), fresh.writer.ledger()) != *snapshot {
                return Err(format!("I11: the snapshot at {read} is not what a replay up to there knows"));
            }
        }
        Ok(())
    }

    /// The next thing that happens.
    fn advance(&mut self) -> Result<(), String> {
        let log = self.log.next_at();
        let first = self.agenda.keys().next().map(|(at, _)| *at);
        let at = log.into_iter().chain(first).min().ok_or("nothing happens any more")?;
        // Strictly later than what was before, so that before and after are never in doubt.
        self.now = at.max(self.now.plus(1));
        if log == Some(at) {
            for (token, answer) in self.log.step(self.now) {
                self.log_answers(token, answer);
            }
            return Ok(());
        }
        match self.agenda.pop_first().expect("it was there").1 {
            Event::Client(client) => self.client_asks(client),
            Event::Call(client, op) => self.call(client, op),
            Event::Told(client, op, what) => self.told(client, op, what),
            Event::GiveUp(client, op) => {
                self.told(client, op, What::Unknown { reason: "no answer in time".to_owned() });
            }
            Event::Look(owner) => self.look(owner),
            Event::Wake(owner) => self.wake(owner),
            Event::Start => self.start()?,
        }
        Ok(())
    }

    fn plan(&mut self, most: i64, event: Event) {
        let at = self.now.plus(self.rng.micros(most / 10, most));
        self.plan_at(at, event);
    }

    fn plan_at(&mut self, at: Timestamp, event: Event) {
        self.next += 1;
        self.agenda.insert((at, self.next), event);
    }

    fn note(&mut self, what: &str) {
        self.trace.push_back(format!("{:>12} {what}", self.now.since(START)));
        if self.trace.len() > STEPS_KEPT {
            self.trace.pop_front();
        }
    }

    fn client_asks(&mut self, client: usize) {
        let again = self.clients[client].again.take();
        let mut request = again.unwrap_or_else(|| client::request(&mut self.rng, self.now));
        if request.deadline.is_none_or(|deadline| deadline <= self.now.0) {
            request.deadline = Some(self.now.plus(10 * SECOND).0);
        }
        self.next += 1;
        let op = self.next;
        self.seen.attempts += 1;
        self.write(client, op, What::Invoke(request.clone()));
        self.clients[client].asked = Some((op, request));
        self.plan(4_000, Event::Call(client, op));
        self.plan_at(self.now.plus(12 * SECOND), Event::GiveUp(client, op));
    }

    fn write(&mut self, client: usize, op: u64, what: What) {
        let client = u32::try_from(client).expect("few clients");
        self.history.push(Line { client, op, at: self.now.0, what });
    }

    /// The call reaches an owner: mostly the newest, at times one that thinks it still is.
    fn call(&mut self, client: usize, op: u64) {
        let Some((_, request)) = self.clients[client].asked.clone().filter(|(asked, _)| *asked == op) else {
            return;
        };
        let mut owners: Vec<u64> = self.owners.keys().copied().collect();
        if owners.len() > 1 && self.rng.chance(700) {
            owners.drain(..owners.len() - 1);
        }
        if owners.is_empty() {
            return;
        }
        let place = usize::try_from(self.rng.below(owners.len() as u64)).expect("small");
        let owner = owners[place];
        self.owners.get_mut(&owner).expect("it is alive").calls.insert(op, (client, op));
        self.input(owner, Input::Call(op, client::call(&request)));
    }

    fn told(&mut self, client: usize, op: u64, what: What) {
        let asked = &mut self.clients[client].asked;
        let Some((_, request)) = asked.take_if(|(asked, _)| *asked == op) else { return };
        self.seen.unknown += u64::from(matches!(what, What::Unknown { .. }));
        let unsettled = match &what {
            What::Unknown { .. } => true,
            What::Refused(refusal) => refusal.code == "unavailable" || refusal.code == "deadline_passed",
            _ => false,
        };
        self.write(client, op, what);
        let again = (unsettled && self.rng.chance(700)) || self.rng.chance(50);
        self.clients[client].again = again.then_some(request);
        let most = if again && self.rng.chance(200) { 60 * SECOND } else { SECOND };
        self.plan(most, Event::Client(client));
    }

    /// A new owner replays what a head, perhaps an old one, tells of, and asks for the term.
    fn start(&mut self) -> Result<(), String> {
        if self.owners.len() >= if self.one_owner { 1 } else { 3 } {
            return Ok(());
        }
        self.next += 1;
        let id = self.next;
        let owner = self.new_owner()?;
        self.owners.insert(id, owner);
        self.note(&format!("owner {id} starts"));
        self.open(id)?;
        self.plan(2 * SECOND, Event::Look(id));
        Ok(())
    }

    /// With nothing in memory, or with what the newest snapshot holds, or an older one.
    fn new_owner(&mut self) -> Result<Owner, String> {
        let count = self.snapshots.len();
        if count == 0 || self.rng.chance(300) {
            return Ok(Owner::new(self.key_budget));
        }
        let old = self.rng.chance(500);
        let any = usize::try_from(self.rng.below(count as u64)).expect("small");
        let place = if old { any } else { count - 1 };
        let mut state = owner::restore(&self.snapshots[place])?;
        if self.bug == Some(Bug::StateOfAnotherMoment) {
            state.0 = self.snapshots[count - 1].chain;
        }
        self.seen.restored += u64::from(place == count - 1);
        self.seen.restored_old += u64::from(place < count - 1);
        self.note(&format!("a snapshot of commit {} is taken up", state.0.sequence));
        Ok(Owner::restored(self.key_budget, state, self.snapshots[place].size()))
    }

    fn open(&mut self, id: u64) -> Result<(), String> {
        let head = self.log.head(self.now);
        let owner = self.owners.get_mut(&id).expect("it is alive");
        let Ok(head) = head else {
            self.owners.remove(&id);
            self.plan(3 * SECOND, Event::Start);
            return Ok(());
        };
        let head = usize::try_from(head).expect("small");
        owner.replay(&self.log.entries()[..head])?;
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.rng.draw().to_le_bytes());
        let mut out = Vec::new();
        owner.writer.open(self.now, TermNonce(nonce), &mut out).map_err(|error| error.to_string())?;
        self.carry_out(id, out);
        Ok(())
    }

    fn input(&mut self, id: u64, input: Input) {
        let Some(owner) = self.owners.get_mut(&id) else { return };
        if self.now < owner.paused_until {
            return owner.asleep.push(input);
        }
        let mut out = Vec::new();
        owner.writer.step(self.now, input, &mut out);
        owner.writer.flush(self.now, &mut out);
        self.carry_out(id, out);
    }

    /// Time passes; what came while it was asleep is taken in now, with the memory of then.
    fn wake(&mut self, id: u64) {
        let awake = self.owners.get_mut(&id).filter(|owner| owner.paused_until <= self.now);
        for input in awake.map(|owner| std::mem::take(&mut owner.asleep)).unwrap_or_default() {
            self.input(id, input);
        }
        self.input(id, Input::Tick);
    }

    /// Carries out one after the other; it may crash before each, and behind the last.
    fn carry_out(&mut self, id: u64, out: Vec<Output>) {
        for output in out {
            if self.rng.chance(self.crash) {
                return self.crash(id);
            }
            self.note(&format!("owner {id} {}", owner::name(&output)));
            match output {
                Output::Append(commit) => {
                    let token = self.token(id, Asked::Append);
                    self.log.append(self.now, token, commit);
                }
                Output::ReadBack(sequence) => {
                    let token = self.token(id, Asked::ReadBack);
                    self.log.read(self.now, token, sequence, true);
                }
                Output::Fetch(ticket, position) => {
                    let token = self.token(id, Asked::Fetch(ticket, position));
                    self.log.read(self.now, token, position.sequence, true);
                }
                Output::Answer(ticket, answer) => {
                    let owner = self.owners.get_mut(&id).expect("it is alive");
                    if let Some((client, op)) = owner.calls.remove(&ticket) {
                        self.plan(4_000, Event::Told(client, op, client::told(answer)));
                    }
                }
                Output::Overtaken => {
                    if self.open(id).is_err() {
                        return self.crash(id);
                    }
                }
                Output::Stop(stop) => {
                    self.seen.fenced += u64::from(matches!(stop, command_api::writer::Stop::Fenced { .. }));
                    self.owners.remove(&id);
                    return self.plan(2 * SECOND, Event::Start);
                }
                Output::Snapshot(snapshot) => {
                    self.seen.snapshots += 1;
                    self.snapshots.push(*snapshot);
                }
                Output::Opened => {}
            }
            if !self.owners.contains_key(&id) {
                return;
            }
        }
        if let Some(wake) = self.owners.get(&id).and_then(|owner| owner.writer.wake_at()) {
            self.plan_at(wake.max(self.now), Event::Wake(id));
        }
    }

    fn token(&mut self, id: u64, asked: Asked) -> u64 {
        self.next += 1;
        self.asked.insert(self.next, (id, asked));
        self.next
    }

    fn crash(&mut self, id: u64) {
        self.note(&format!("owner {id} crashes"));
        self.seen.crashes += 1;
        self.owners.remove(&id);
        self.plan(5 * SECOND, Event::Start);
    }

    /// Once a second an owner looks whether somebody else has written, and whether the log is what it was.
    fn look(&mut self, id: u64) {
        let Some(owner) = self.owners.get(&id) else { return };
        if self.now < owner.paused_until {
            return self.plan_at(owner.paused_until, Event::Look(id));
        }
        let (idle, next) = (owner.writer.is_idle(), owner.writer.chain().read + 1);
        let anchor = owner.writer.anchor().filter(|_| owner.writer.wants_comparison(self.now));
        if idle {
            let token = self.token(id, Asked::Seen);
            self.log.read(self.now, token, next, true);
        }
        if let Some(anchor) = anchor {
            let token = self.token(id, Asked::Compared);
            self.log.compare(self.now, token, anchor);
        }
        self.plan_at(self.now.plus(SECOND), Event::Look(id));
        if self.rng.chance(self.pause) && !self.healing {
            let until = self.now.plus(self.rng.micros(0, 30 * SECOND));
            self.note(&format!("owner {id} falls asleep"));
            self.seen.pauses += 1;
            self.owners.get_mut(&id).expect("it is alive").paused_until = until;
            self.plan_at(until, Event::Wake(id));
            self.plan(10 * SECOND, Event::Start);
        }
    }

    fn log_answers(&mut self, token: u64, answer: Answer) {
        let Some((id, asked)) = self.asked.remove(&token) else { return };
        self.note(&format!("the log tells owner {id}: {}", heard(&answer)));
        let input = match (answer, asked) {
            (Answer::Appended(outcome), _) => match self.bug_of(id, outcome) {
                Some(outcome) => Input::Appended(outcome),
                None => return,
            },
            (Answer::Read(found), Asked::ReadBack) => Input::ReadBack(found),
            (Answer::Read(found), Asked::Fetch(ticket, position)) => {
                Input::Fetched(ticket, fetched(found, position))
            }
            (Answer::Read(found), _) => Input::Seen(found),
            (Answer::Compared(anchor, found), _) => Input::Compared(anchor, found),
        };
        self.input(id, input);
    }

    /// What the bug of this run, if there is one, makes of an outcome. None: the owner is gone.
    fn bug_of(&mut self, id: u64, outcome: AppendOutcome) -> Option<AppendOutcome> {
        match (self.bug, &outcome) {
            (Some(Bug::AnswerBeforeAck), AppendOutcome::Unknown(_)) => Some(AppendOutcome::Stored),
            (Some(Bug::StaleOwnerKeepsAnswering), AppendOutcome::Conflict) => Some(AppendOutcome::Stored),
            (Some(Bug::ConflictIsNotStored), AppendOutcome::Conflict) => {
                for (client, op) in
                    self.owners.remove(&id).into_iter().flat_map(|owner| owner.calls.into_values())
                {
                    let refusal =
                        judge::history::Refusal { code: "unavailable".to_owned(), ..Default::default() };
                    self.plan(4_000, Event::Told(client, op, What::Refused(refusal)));
                }
                self.plan(2 * SECOND, Event::Start);
                None
            }
            _ => Some(outcome),
        }
    }
}

/// An answer of the log in a few words, for the trace.
fn heard(answer: &Answer) -> String {
    match answer {
        Answer::Appended(outcome) => format!("{outcome:?}"),
        Answer::Read(Ok(entry)) => {
            format!("there stands {:?}", entry.as_ref().map(event_log::Entry::sequence))
        }
        Answer::Read(Err(error)) => error.to_string(),
        Answer::Compared(anchor, found) => format!("against {}: {found:?}", anchor.sequence),
    }
}

fn fetched(
    found: Result<Option<event_log::Entry>, ReadError>,
    position: ledger_core::Position,
) -> Result<(ledger_core::Position, ledger_core::event::Event), String> {
    let Ok(Some(event_log::Entry::Commit(stored))) = found else {
        return Err("it can not be read".to_owned());
    };
    let commit = Commit::decode(&stored.bytes).map_err(|error| error.to_string())?;
    let place = usize::try_from(position.index).expect("small");
    let event = commit.events.get(place).cloned().ok_or("there is no such event")?;
    Ok((position, event))
}
