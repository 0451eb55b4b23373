//! The shell of the projectors, as thin as the real one: carries out what they want, and crashes in between. The streams
//! that bring them the log, and the transactions, with all that goes wrong with both.

use event_log::anchors::Difference;
use projector::Applied;
use projector::machine::Output;

use super::*;

/// What becomes of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is applied and answered.
    Answered,
    /// Nothing of it is applied, and that is not known.
    Fails,
    /// It is applied, and that is not known.
    AnswerLost,
    /// It was given up by who asked, and is applied all the same.
    Late,
}

/// One projector, and the stream that it follows.
pub(super) struct Projector {
    machine: Machine,
    stream: u64,
    /// The last sequence that the stream has brought.
    brought: u64,
    /// How many entries in a row were lost on their way.
    lost: u64,
    /// How far the views are, as it has let it be known.
    pub(super) published: u64,
    /// A delta is with the database, and so many entries came since.
    ahead: Option<u64>,
    /// Asleep with all its memory until then, and what came meanwhile.
    paused_until: Timestamp,
    asleep: Vec<Input>,
    /// A bug on purpose: what is sent next is taken to begin wherever the views are.
    rebased: bool,
}

fn unreadable() -> ReadError {
    ReadError::Unavailable { doing: "reading", source: "no responders".into() }
}

fn lost() -> Error {
    Error::Unavailable { doing: "asking the database", source: "the connection is gone".into() }
}

impl Views {
    pub(super) fn start(&mut self) {
        if self.projectors.len() >= self.wanted {
            return;
        }
        self.next += 1;
        let id = self.next;
        self.note(format!("projector {id} starts"));
        let projector = Projector {
            machine: Machine::new(&self.config, self.log, PartitionId(0)),
            stream: 0,
            brought: 0,
            lost: 0,
            published: 0,
            ahead: None,
            paused_until: self.now,
            asleep: Vec::new(),
            rebased: false,
        };
        self.projectors.insert(id, projector);
        self.input(id, Input::Tick);
    }

    fn crash(&mut self, id: u64) {
        self.note(format!("projector {id} crashes"));
        self.seen.crashes += 1;
        self.projectors.remove(&id);
        self.plan(5 * SECOND, Event::Start);
    }

    fn input(&mut self, id: u64, input: Input) {
        let Some(projector) = self.projectors.get_mut(&id) else { return };
        if self.now < projector.paused_until {
            return projector.asleep.push(input);
        }
        let mut out = Vec::new();
        projector.machine.step(self.now, input, &mut out);
        self.carry_out(id, out);
    }

    pub(super) fn wake(&mut self, id: u64) {
        let awake = self.projectors.get_mut(&id).filter(|projector| projector.paused_until <= self.now);
        for input in awake.map(|projector| std::mem::take(&mut projector.asleep)).unwrap_or_default() {
            self.input(id, input);
        }
        self.input(id, Input::Tick);
    }

    /// Carries out one after the other; it may crash before each, and behind the last.
    fn carry_out(&mut self, id: u64, out: Vec<Output>) {
        for output in out {
            if self.rng.chance(self.faults.crash) {
                return self.crash(id);
            }
            match output {
                Output::ReadPositions => self.plan(5_000, Event::Asks(id)),
                Output::Compare(position) => self.plan(5_000, Event::Compares(id, position)),
                Output::Follow(after) => self.follow(id, after),
                Output::Apply(delta) => self.send(id, delta),
                Output::Publish(read) => self.published(id, read),
                Output::Stop(error) => return self.stopped(id, &error),
            }
        }
        if let Some(wake) = self.projectors.get(&id).and_then(|projector| projector.machine.wake_at()) {
            self.plan_at(wake.max(self.now), Event::Wake(id));
        }
    }

    /// Only ever what is there, so that who waits for a position finds its rows.
    fn published(&mut self, id: u64, read: u64) {
        if read > self.database.read() {
            let here = self.database.read();
            self.wrong = Some(format!("I10: projector {id} publishes {read}, the views are at {here}"));
        }
        self.projectors.get_mut(&id).expect("it is alive").published = read;
    }

    fn stopped(&mut self, id: u64, error: &ProjectorError) {
        self.projectors.remove(&id);
        self.note(format!("projector {id} stops: {error}"));
        match error {
            ProjectorError::LogDiffers { .. } if self.refusing => self.seen.refused += 1,
            error => self.wrong = Some(format!("I13: projector {id} stops: {error}")),
        }
    }

    fn follow(&mut self, id: u64, after: u64) {
        self.next += 1;
        let stream = self.next;
        let projector = self.projectors.get_mut(&id).expect("it is alive");
        (projector.stream, projector.brought, projector.ahead) = (stream, after, None);
        self.note(format!("projector {id} follows from {after}"));
        self.plan(5_000, Event::Brings(id, stream));
    }

    /// A stream brings what is there, or what it takes for that.
    pub(super) fn bring(&mut self, id: u64, stream: u64, log: &[Entry]) {
        let Some(projector) = self.projectors.get_mut(&id).filter(|projector| projector.stream == stream)
        else {
            return;
        };
        if self.now < projector.paused_until {
            let until = projector.paused_until;
            return self.plan_at(until, Event::Brings(id, stream));
        }
        if self.rng.chance(self.faults.recreated) {
            projector.brought = projector.brought.saturating_sub(1 + self.rng.below(5));
        }
        if self.rng.chance(self.faults.ended) {
            self.seen.ended += 1;
            return self.input(id, Input::Failed(unreadable()));
        }
        for _ in 0..self.rng.below(6) {
            self.bring_one(id, stream, log);
        }
        if self.follows(id, stream).is_some_and(|projector| projector.machine.holds_back()) {
            self.input(id, Input::Idle);
        }
        let most = if self.rng.chance(self.faults.silent) { 20 * SECOND } else { 200_000 };
        self.plan(most, Event::Brings(id, stream));
        self.fall_asleep(id);
    }

    fn follows(&mut self, id: u64, stream: u64) -> Option<&mut Projector> {
        self.projectors.get_mut(&id).filter(|projector| projector.stream == stream)
    }

    fn bring_one(&mut self, id: u64, stream: u64, log: &[Entry]) {
        let (lose, again) = (self.rng.chance(self.faults.gap), self.rng.chance(self.faults.again));
        let back = self.rng.below(3);
        let Some(projector) = self.follows(id, stream).filter(|projector| projector.machine.takes_entries())
        else {
            return;
        };
        let at = |place: u64| usize::try_from(place).ok().and_then(|place| log.get(place)).cloned();
        // What is missing five times in a row is missing: so unlucky nobody is.
        let lose = lose && projector.lost < 3 && at(projector.brought + 1).is_some();
        let Some(entry) = at(projector.brought + u64::from(lose)) else { return };
        projector.lost = if lose { projector.lost + 1 } else { 0 };
        projector.brought = entry.sequence();
        projector.ahead = projector.ahead.map(|entries| entries + 1);
        let earlier = at((entry.sequence() - 1).saturating_sub(back));
        self.seen.gaps += u64::from(lose);
        self.input(id, Input::Entry(entry));
        if let Some(entry) = earlier.filter(|_| again && !lose) {
            self.seen.again += 1;
            self.brought_again(id, &entry, log);
            self.input(id, Input::Entry(entry));
        }
    }

    /// A bug on purpose: it is folded once more.
    fn brought_again(&mut self, id: u64, entry: &Entry, log: &[Entry]) {
        if self.bug != Some(Bug::FoldedTwice) || !self.projectors.contains_key(&id) {
            return;
        }
        let mut fold = Fold::new(ChainPosition::start(self.log, PartitionId(0)));
        for earlier in log.iter().take_while(|earlier| earlier.sequence() < entry.sequence()) {
            take(&mut fold, earlier);
        }
        let mut once_more = Fold::new(*fold.position());
        take(&mut once_more, entry);
        let mut delta = once_more.finish();
        // What must be unique is noticed by every database: this is what is not.
        delta.accounts.values_mut().for_each(|change| change.opened = None);
        delta.lots.clear();
        delta.journal.clear();
        self.database.change(&delta).expect("nothing in it is new");
    }

    fn fall_asleep(&mut self, id: u64) {
        let Some(projector) = self.projectors.get_mut(&id).filter(|_| self.rng.chance(self.faults.pause))
        else {
            return;
        };
        let until = self.now.plus(self.rng.micros(0, 30 * SECOND));
        projector.paused_until = until;
        self.seen.pauses += 1;
        self.note(format!("projector {id} falls asleep"));
        self.plan_at(until, Event::Wake(id));
    }

    pub(super) fn tell_position(&mut self, id: u64) {
        let down = self.now < self.down_until || self.rng.chance(self.faults.unreadable);
        let positions = if down { Err(lost()) } else { Ok(self.database.position.into_iter().collect()) };
        self.plan(5_000, Event::Answers(id, Input::Positions(positions)));
    }

    pub(super) fn tell_difference(&mut self, id: u64, position: &ChainPosition, log: &[Entry]) {
        let answer = match self.rng.chance(self.faults.unreadable) {
            true => Err(unreadable()),
            false => Ok(self.difference(position, log)),
        };
        self.plan(5_000, Event::Answers(id, Input::Compared(answer)));
    }

    fn difference(&mut self, position: &ChainPosition, log: &[Entry]) -> Option<Difference> {
        let stale = if self.rng.chance(self.faults.stale) { self.rng.below(4) } else { 0 };
        let head = (log.len() as u64).saturating_sub(stale);
        if head < position.read {
            return Some(Difference::EndsAt(head));
        }
        let place = usize::try_from(position.sequence.checked_sub(1)?).expect("a log in memory");
        match &log[place] {
            Entry::Commit(commit) if commit.hash == position.hash => None,
            Entry::Commit(commit) => {
                Some(Difference::OtherAt { sequence: position.sequence, hash: commit.hash })
            }
            Entry::Foreign { sequence, .. } => Some(Difference::ForeignAt(*sequence)),
        }
    }

    /// A delta is on its way to the database.
    fn send(&mut self, id: u64, mut delta: Box<Delta>) {
        let projector = self.projectors.get_mut(&id).expect("it is alive");
        if projector.ahead.replace(0).is_some() {
            self.wrong = Some(format!("projector {id} has two deltas under way"));
        }
        if std::mem::take(&mut projector.rebased) {
            delta.from = self.database.position.unwrap_or(delta.from);
        }
        self.note(format!("projector {id} applies {}..{}", delta.from.read, delta.to.read));
        if self.rng.chance(self.faults.down) {
            self.down_until = self.now.plus(self.rng.micros(0, 10 * SECOND));
        }
        let fate = self.fate();
        let most = match fate {
            Fate::Late => {
                self.plan(SECOND, Event::Answers(id, Input::Applied(Err(lost()))));
                2 * SECOND
            }
            _ if self.rng.chance(self.faults.slow) => 3 * SECOND,
            _ => 20_000,
        };
        self.plan(most, Event::Transaction(id, delta, fate));
    }

    fn fate(&mut self) -> Fate {
        if self.rng.chance(self.faults.fails) {
            Fate::Fails
        } else if self.rng.chance(self.faults.answer_lost) {
            Fate::AnswerLost
        } else if self.rng.chance(self.faults.late) {
            Fate::Late
        } else {
            Fate::Answered
        }
    }

    pub(super) fn transaction(&mut self, id: u64, delta: Box<Delta>, fate: Fate) -> Result<(), String> {
        let fate = if self.now < self.down_until { Fate::Fails } else { fate };
        if self.two_transactions(&delta, fate)? {
            return Ok(self.plan(20_000, Event::Answers(id, Input::Applied(answer_of(fate)))));
        }
        if fate == Fate::Fails {
            self.seen.failed += 1;
            return Ok(self.plan(20_000, Event::Answers(id, Input::Applied(Err(lost())))));
        }
        let applied = self.database.apply(&delta)?;
        self.seen.applied += u64::from(applied == Applied::Here);
        self.seen.elsewhere += u64::from(applied == Applied::Elsewhere);
        let (from, to) = (delta.from.read, delta.to.read);
        self.note(format!("the database takes {from}..{to} of projector {id}: {applied:?}"));
        match fate {
            Fate::AnswerLost => {
                self.seen.answers_lost += 1;
                self.plan(3 * SECOND, Event::Answers(id, Input::Applied(Err(lost()))));
            }
            Fate::Late => self.seen.late += 1,
            Fate::Answered | Fate::Fails => self.plan(5_000, Event::Answers(id, Input::Applied(Ok(applied)))),
        }
        Ok(())
    }

    /// A bug on purpose: rows and position each in a transaction of its own. The second one may fail by itself.
    fn two_transactions(&mut self, delta: &Delta, fate: Fate) -> Result<bool, String> {
        if !self.database.is_at(&delta.from) || fate == Fate::Late {
            return Ok(false);
        }
        match self.bug {
            Some(Bug::PositionAfterRows) => self.database.change(delta)?,
            Some(Bug::PositionBeforeRows) => self.database.position = Some(delta.to),
            _ => return Ok(false),
        }
        if fate != Fate::Fails {
            self.plan(5_000, Event::Second(Box::new(delta.clone())));
        }
        Ok(true)
    }

    pub(super) fn second(&mut self, delta: &Delta) -> Result<(), String> {
        match self.bug {
            Some(Bug::PositionBeforeRows) => self.database.change(delta)?,
            _ => self.database.position = Some(delta.to),
        }
        Ok(())
    }

    /// An answer arrives, as the bug of this run has it.
    pub(super) fn answer(&mut self, id: u64, input: Input) {
        let Some(projector) = self.projectors.get_mut(&id) else { return };
        let input = match (input, self.bug) {
            (Input::Applied(Ok(Applied::Elsewhere)), Some(Bug::ElsewhereIsHere)) => {
                Input::Applied(Ok(Applied::Here))
            }
            (Input::Applied(Err(_)), Some(Bug::AheadKept)) => {
                projector.rebased = true;
                Input::Applied(Ok(Applied::Here))
            }
            (input, _) => input,
        };
        if let Input::Applied(answer) = &input {
            let ahead = projector.ahead.take();
            let dropped = !matches!(answer, Ok(Applied::Here)) && ahead.is_some_and(|entries| entries > 0);
            self.seen.dropped += u64::from(dropped);
        }
        self.note(format!("projector {id} hears: {input:?}").chars().take(160).collect());
        self.input(id, input);
    }
}

fn answer_of(fate: Fate) -> Result<Applied, Error> {
    if fate == Fate::Answered { Ok(Applied::Here) } else { Err(lost()) }
}

fn take(fold: &mut Fold, entry: &Entry) {
    let took = match entry {
        Entry::Commit(stored) => {
            let commit = ledger_core::commit::Commit::decode(&stored.bytes);
            fold.commit(&commit.expect("what was stored can be read"))
        }
        Entry::Foreign { sequence, .. } => fold.step_over(*sequence),
    };
    took.expect("what was stored continues the chain");
}
