//! The owners' side of the world: they start, carry out what their writers want, look at the log, crash and sleep.

use command_api::ask;
use command_api::writer::{Input, OpenError, Output, Stop, Ticket};
use event_log::anchors::Verdict;
use event_log::sim::Answer;
use event_log::{Anchor, AppendOutcome, Entry, ReadError};
use judge::history::{Refusal, What};
use ledger_core::TermNonce;
use ledger_core::commit::{Commit, CommitBuilder, EncodedCommit, Head};
use ledger_core::time::SECOND;

use crate::client;
use crate::outcome::Bug;
use crate::owner::{self, Asker, Owner};
use crate::world::{Event, World};

/// What an owner has asked of the log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Append,
    ReadBack,
    Fetch(Ticket, ledger_core::Position),
    Seen,
    Compared,
}

impl World {
    /// A new owner replays what a head, perhaps an old one, tells of, and asks for the term. Before that it holds the log
    /// against what is known of it, as the real one does.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        if self.owners.len() >= if self.swarm.one_owner { 1 } else { 3 } {
            return Ok(());
        }
        match self.holds_what_is_known() {
            Verdict::Agrees => {}
            Verdict::InDoubt => {
                self.plan(3 * SECOND, Event::Start);
                return Ok(());
            }
            Verdict::Believed => {
                self.seen.alarms += 1;
                self.note("an owner does not start: the log has lost what is known of it");
                return Ok(());
            }
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

    fn holds_what_is_known(&mut self) -> Verdict {
        let known = self.anchor.filter(|_| self.bug != Some(Bug::AnchorsNotAsked));
        match known.map(|anchor| self.log.differs(self.now, &anchor)) {
            None => Verdict::Agrees,
            Some(Ok(found)) => self.doubt.hear(self.now, found),
            Some(Err(_)) => {
                self.doubt.unanswered();
                Verdict::InDoubt
            }
        }
    }

    /// With nothing in memory, or with what the newest snapshot holds, or an older one.
    fn new_owner(&mut self) -> Result<Owner, String> {
        let mut owner = self.restored()?;
        owner.clock = self.swarm.clock_offset(&mut self.rng);
        self.seen.clock_wrong += u64::from(owner.clock != 0);
        Ok(owner)
    }

    fn restored(&mut self) -> Result<Owner, String> {
        let count = self.snapshots.len();
        if count == 0 || self.rng.chance(300) {
            return Ok(Owner::new(self.swarm.key_budget));
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
        Ok(Owner::restored(self.swarm.key_budget, state, self.snapshots[place].size()))
    }

    fn open(&mut self, id: u64) -> Result<(), String> {
        let head = self.log.head(self.now);
        let Ok(head) = head else {
            self.owners.remove(&id);
            self.plan(3 * SECOND, Event::Start);
            return Ok(());
        };
        if let Some(place) = self.log.damaged(head) {
            self.seen.alarms += 1;
            self.note(&format!("owner {id} does not start: the log is damaged at {place}"));
            self.owners.remove(&id);
            return Ok(());
        }
        let owner = self.owners.get_mut(&id).expect("it is alive");
        let head = usize::try_from(head).expect("small");
        let tail = self.bug != Some(Bug::TailNotReplayed) || owner.writer.chain().read == 0;
        owner.replay(if tail { &self.log.entries()[..head] } else { &[] })?;
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.rng.draw().to_le_bytes());
        let (mut out, now) = (Vec::new(), self.now.plus(owner.clock));
        match owner.writer.open(now, TermNonce(nonce), &mut out) {
            Ok(()) => self.carry_out(id, out),
            Err(OpenError::ClockBehind { .. }) => {
                self.seen.clock_behind += 1;
                self.owners.remove(&id);
                self.plan(3 * SECOND, Event::Start);
            }
            Err(error) => return Err(format!("I13: {error}")),
        }
        Ok(())
    }

    /// One by one they fall asleep, and wake up in another order.
    pub(crate) fn swizzle(&mut self) {
        if self.swarm.one_owner || self.swarm.pause == 0 {
            return;
        }
        self.seen.swizzles += 1;
        let ids: Vec<u64> = self.owners.keys().copied().collect();
        for id in ids {
            self.falls_asleep(id);
        }
    }

    pub(crate) fn falls_asleep(&mut self, id: u64) {
        let until = self.now.plus(self.rng.micros(0, 30 * SECOND));
        self.note(&format!("owner {id} falls asleep"));
        self.seen.pauses += 1;
        self.owners.get_mut(&id).expect("it is alive").paused_until = until;
        self.plan_at(until, Event::Wake(id));
        self.plan(10 * SECOND, Event::Start);
    }

    pub(crate) fn input(&mut self, id: u64, input: Input) {
        let Some(owner) = self.owners.get_mut(&id) else { return };
        if self.now < owner.paused_until {
            return owner.asleep.push(input);
        }
        let (mut out, now) = (Vec::new(), self.now.plus(owner.clock));
        owner.writer.step(now, input, &mut out);
        owner.writer.flush(now, &mut out);
        self.carry_out(id, out);
    }

    /// Time passes; what came while it was asleep is taken in now, with the memory of then.
    pub(crate) fn wake(&mut self, id: u64) {
        let awake = self.owners.get_mut(&id).filter(|owner| owner.paused_until <= self.now);
        for input in awake.map(|owner| std::mem::take(&mut owner.asleep)).unwrap_or_default() {
            self.input(id, input);
        }
        self.input(id, Input::Tick);
    }

    /// Carries out one after the other; it may crash before each, and behind the last.
    fn carry_out(&mut self, id: u64, out: Vec<Output>) {
        for output in out {
            if self.rng.chance(self.swarm.crash) {
                return self.crash(id);
            }
            self.note(&format!("owner {id} {}", owner::name(&output)));
            if !self.carry_out_one(id, output) {
                return;
            }
        }
        let Some(owner) = self.owners.get(&id) else { return };
        if let Some(wake) = owner.writer.wake_at() {
            let at = wake.plus(-owner.clock).max(self.now);
            self.plan_at(at, Event::Wake(id));
        }
    }

    /// Whether the owner is there to go on.
    fn carry_out_one(&mut self, id: u64, output: Output) -> bool {
        match output {
            Output::Append(commit) => self.append(id, commit),
            Output::ReadBack(sequence) => {
                let token = self.token(id, Asked::ReadBack);
                self.log.read(self.now, token, sequence, true);
            }
            Output::Fetch(ticket, position) => {
                self.seen.across_terms += u64::from(self.owners[&id].term_began > position.sequence);
                let token = self.token(id, Asked::Fetch(ticket, position));
                self.log.read(self.now, token, position.sequence, true);
            }
            Output::Answer(ticket, answer) => {
                self.answer(id, ticket, answer);
                if self.dies_between_answers(id) {
                    self.crash(id);
                }
            }
            Output::Overtaken => {
                if self.open(id).is_err() {
                    self.crash(id);
                }
            }
            Output::Stop(stop) => {
                self.seen.fenced += u64::from(matches!(stop, Stop::Fenced { .. }));
                self.seen.alarms += u64::from(matches!(stop, Stop::Differs(_)));
                self.owners.remove(&id);
                self.plan(2 * SECOND, Event::Start);
            }
            Output::Snapshot(snapshot) => {
                self.seen.snapshots += 1;
                self.snapshots.push(*snapshot);
            }
            Output::Opened => {
                let owner = self.owners.get_mut(&id).expect("it is alive");
                owner.term_began = owner.writer.chain().sequence;
            }
        }
        self.owners.contains_key(&id)
    }

    fn append(&mut self, id: u64, commit: EncodedCommit) {
        let token = self.token(id, Asked::Append);
        let commit = match self.bug == Some(Bug::ResendIsAnother) {
            true => self.another(&commit),
            false => commit,
        };
        self.before_append();
        self.log.append(self.now, token, commit);
        self.after_append(id);
    }

    fn answer(&mut self, id: u64, ticket: Ticket, answer: ask::Answer) {
        let owner = self.owners.get_mut(&id).expect("it is alive");
        match owner.calls.remove(&ticket) {
            Some((Asker::Client(client), op)) => {
                self.plan(4_000, Event::Told(client, op, client::told(answer)));
            }
            Some((Asker::Feeder, op)) => self.plan(4_000, Event::Fed(op, Box::new(answer))),
            Some((Asker::DryRun, _)) | None => {}
        }
    }

    fn token(&mut self, id: u64, asked: Asked) -> u64 {
        self.next += 1;
        self.asked.insert(self.next, (id, asked));
        self.next
    }

    pub(crate) fn crash(&mut self, id: u64) {
        self.note(&format!("owner {id} crashes"));
        self.seen.crashes += 1;
        self.owners.remove(&id);
        self.plan(5 * SECOND, Event::Start);
    }

    /// Once a second an owner looks whether somebody else has written, and whether the log is what it was.
    pub(crate) fn look(&mut self, id: u64) {
        let Some(owner) = self.owners.get(&id) else { return };
        if self.now < owner.paused_until {
            return self.plan_at(owner.paused_until, Event::Look(id));
        }
        let (idle, next) = (owner.writer.is_idle(), owner.writer.chain().read + 1);
        let now = self.now.plus(owner.clock);
        let known = owner.writer.anchor();
        let anchor = known.filter(|_| owner.writer.wants_comparison(now));
        self.keep_anchor(known);
        if idle {
            let token = self.token(id, Asked::Seen);
            self.log.read(self.now, token, next, true);
        }
        if let Some(anchor) = anchor {
            let token = self.token(id, Asked::Compared);
            self.log.compare(self.now, token, anchor);
        }
        self.plan_at(self.now.plus(SECOND), Event::Look(id));
        if self.rng.chance(self.swarm.pause) {
            self.falls_asleep(id);
        }
    }

    /// Beside the log, where those who start after it will find it. Never a lower one.
    fn keep_anchor(&mut self, known: Option<Anchor>) {
        let higher = |anchor: &Anchor| self.anchor.is_none_or(|kept| kept.sequence < anchor.sequence);
        if let Some(anchor) = known.filter(higher) {
            self.anchor = Some(anchor);
        }
    }

    pub(crate) fn log_answers(&mut self, token: u64, answer: Answer) {
        let Some((id, asked)) = self.asked.remove(&token) else { return };
        self.note(&format!("the log tells owner {id}: {}", heard(&answer)));
        let input = match (answer, asked) {
            (Answer::Appended(outcome), _) => match self.bug_of(id, outcome) {
                Some(outcome) => Input::Appended(outcome),
                None => return,
            },
            (Answer::Read(found), Asked::ReadBack) => {
                self.seen.ours += u64::from(self.is_ours(id, &found));
                Input::ReadBack(found)
            }
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
                self.says_nothing_was_done(id);
                None
            }
            _ => Some(outcome),
        }
    }

    fn says_nothing_was_done(&mut self, id: u64) {
        let calls = self.owners.remove(&id).map(|owner| owner.calls).unwrap_or_default();
        for (asker, op) in calls.into_values() {
            let Asker::Client(client) = asker else { continue };
            let refusal = Refusal { code: "unavailable".to_owned(), ..Refusal::default() };
            self.plan(4_000, Event::Told(client, op, What::Refused(refusal)));
        }
        self.plan(2 * SECOND, Event::Start);
    }

    /// The same commit at another moment, for the bug that makes one of each resend.
    fn another(&self, commit: &EncodedCommit) -> EncodedCommit {
        let decoded = Commit::decode(&commit.bytes).expect("it was just encoded");
        let mut builder = CommitBuilder::default();
        decoded.events.iter().for_each(|event| builder.push(event));
        builder.seal(&Head {
            log: decoded.prefix.log,
            partition: decoded.prefix.partition,
            sequence: decoded.prefix.sequence,
            previous: decoded.previous,
            previous_hash: decoded.previous_hash,
            term: decoded.term,
            time: self.now.max(decoded.time),
        })
    }

    /// What stands there was written in the term of this owner.
    fn is_ours(&self, id: u64, found: &Result<Option<Entry>, ReadError>) -> bool {
        let Ok(Some(Entry::Commit(stored))) = found else { return false };
        let term = Commit::decode(&stored.bytes).map(|commit| commit.term);
        self.owners.get(&id).is_some_and(|owner| term.is_ok_and(|term| term == owner.writer.chain().term))
    }
}

/// An answer of the log in a few words, for the trace.
fn heard(answer: &Answer) -> String {
    match answer {
        Answer::Appended(outcome) => format!("{outcome:?}"),
        Answer::Read(Ok(entry)) => {
            format!("there stands {:?}", entry.as_ref().map(Entry::sequence))
        }
        Answer::Read(Err(error)) => error.to_string(),
        Answer::Compared(anchor, found) => format!("against {}: {found:?}", anchor.sequence),
    }
}

fn fetched(
    found: Result<Option<Entry>, ReadError>,
    position: ledger_core::Position,
) -> Result<(ledger_core::Position, ledger_core::event::Event), String> {
    let Ok(Some(Entry::Commit(stored))) = found else {
        return Err("it can not be read".to_owned());
    };
    let commit = Commit::decode(&stored.bytes).map_err(|error| error.to_string())?;
    let place = usize::try_from(position.index).expect("small");
    let event = commit.events.get(place).cloned().ok_or("there is no such event")?;
    Ok((position, event))
}
