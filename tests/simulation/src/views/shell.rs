//! The shell of the projectors, as thin as the real one: carries out what they want, and crashes in between.

use event_log::anchors::Difference;
use projector::machine::{Machine, Output};
use projector::{Applied, ProjectorError};

use super::*;

/// One projector, and the stream that it follows.
pub(super) struct Projector {
    pub(super) machine: Machine,
    pub(super) stream: u64,
    /// The last sequence that the stream has brought.
    pub(super) brought: u64,
    /// How many entries were lost on their way since one came that was new.
    pub(super) lost: u64,
    /// The last sequence that was new when it came.
    pub(super) furthest: u64,
    /// How far the views are, as it has let it be known.
    pub(super) published: u64,
    /// A delta is with the database, and so many entries came since.
    pub(super) ahead: Option<u64>,
    /// Asleep with all its memory until then, and what came meanwhile.
    pub(super) paused_until: Timestamp,
    pub(super) asleep: Vec<Input>,
    /// A bug on purpose: what is sent next is taken to begin wherever the views are.
    pub(super) rebased: bool,
}

pub(super) fn unreadable() -> ReadError {
    ReadError::Unavailable { doing: "reading", source: "no responders".into() }
}

pub(super) fn lost() -> Error {
    Error::Unavailable { doing: "asking the database", source: "the connection is gone".into() }
}

impl Views {
    pub(super) fn start(&mut self) {
        if self.projectors.len() >= self.wanted {
            return;
        }
        self.next += 1;
        let id = self.next;
        self.note(&format!("projector {id} starts"));
        let projector = Projector {
            machine: Machine::new(&self.config, self.log, PartitionId(0)),
            stream: 0,
            brought: 0,
            lost: 0,
            furthest: 0,
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
        self.note(&format!("projector {id} crashes"));
        self.seen.crashes += 1;
        self.projectors.remove(&id);
        self.plan(5 * SECOND, Event::Start);
    }

    pub(super) fn input(&mut self, id: u64, input: Input) {
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
        self.note(&format!("projector {id} stops: {error}"));
        match error {
            ProjectorError::LogDiffers { .. } if self.refusing => self.seen.refused += 1,
            error => self.wrong = Some(format!("I13: projector {id} stops: {error}")),
        }
    }

    pub(super) fn fall_asleep(&mut self, id: u64) {
        let Some(projector) = self.projectors.get_mut(&id).filter(|_| self.rng.chance(self.faults.pause))
        else {
            return;
        };
        let until = self.now.plus(self.rng.micros(0, 30 * SECOND));
        projector.paused_until = until;
        self.seen.pauses += 1;
        self.note(&format!("projector {id} falls asleep"));
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
        let heard: String = format!("{input:?}").chars().take(120).collect();
        self.note(&format!("projector {id} hears: {heard}"));
        self.input(id, input);
    }
}
