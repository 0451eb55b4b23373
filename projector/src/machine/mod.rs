//! The projector of one partition: a state machine without IO.
//!
//! It takes inputs ([`Input`]) and the time, and gives outputs ([`Output`]): positions to read, a log to follow, deltas
//! to apply. A thin shell ([`crate::projector`]) carries them out; a simulation can do it as well.
//!
//! The rules it keeps:
//!
//! - It begins where the store says that the views stand, and only if the log still holds that place. A log that says
//!   otherwise is asked again for a while before it is believed.
//! - One delta at a time is with the store. Meanwhile the entries that come are folded into the next one, so that folding
//!   and the store work at once. Each delta begins where the one before ended.
//! - Whenever the store does not stand where it was expected, or nobody knows whether a delta was applied, all that is
//!   in memory is dropped, and it begins anew. So a lost answer, a restart of the store and a second projector are one
//!   and the same case.
//! - What is wrong with an entry is told when everything before it is applied.

mod batch;
mod bugs;
#[cfg(test)]
mod tests;

use std::time::Duration;

use event_log::anchors::{Difference, Doubt, Verdict};
use event_log::{Entry, ReadError};
use ledger_core::{LogId, PartitionId, Sequence, Timestamp};

use crate::check::{differs, require_log, warn_of};
use crate::config::Config;
use crate::delta::Delta;
use crate::error::{Error, ProjectorError};
use crate::outage::Outage;
use crate::rows::ChainPosition;
use crate::store::Applied;
use batch::Batch;

pub(crate) use batch::decode;

/// How often in a row something may be missing between two entries before the log is taken for damaged: who brings
/// entries can lose one on the way.
const GAPS_MAX: u32 = 5;

/// What happens to a projector.
#[derive(Debug)]
pub enum Input {
    /// The answer to [`Output::ReadPositions`]: all that the store has.
    Positions(Result<Vec<ChainPosition>, Error>),
    /// The answer to [`Output::Compare`]: how the log differs.
    Compared(Result<Option<Difference>, ReadError>),
    /// The next entry of the log that is followed. To be handed in while [`Machine::takes_entries`].
    Entry(Entry),
    /// No more entries come.
    Failed(ReadError),
    /// No entry is at hand: what is folded need not wait for more.
    Idle,
    /// The answer to [`Output::Apply`].
    Applied(Result<Applied, Error>),
    /// Time passes.
    Tick,
}

/// What a projector wants done.
#[derive(Debug)]
pub enum Output {
    /// Ask the store how far the views are.
    ReadPositions,
    /// Ask the log whether it still holds what the views were folded from up to here.
    Compare(ChainPosition),
    /// Follow the log from behind this sequence; what was followed before is of no use any more.
    Follow(Sequence),
    /// Apply this.
    Apply(Box<Delta>),
    /// Let it be known that the views are so far.
    Publish(Sequence),
    /// This projector is done for.
    Stop(ProjectorError),
}

/// What it is at.
#[derive(Debug)]
enum Phase {
    Pausing { until: Timestamp, then: Then },
    Reading,
    Comparing(ChainPosition),
    Following(Box<Following>),
    Stopped,
}

/// What comes after a pause.
#[derive(Debug, Clone, Copy)]
enum Then {
    Read,
    Compare(ChainPosition),
}

#[derive(Debug)]
struct Following {
    /// Where the views stand when the delta that is with the store is applied.
    in_flight: Option<Sequence>,
    /// What comes behind it.
    ahead: Batch,
    /// Why no more entries come: told when all before it is applied.
    failed: Option<ProjectorError>,
}

/// The projector of one partition.
#[derive(Debug)]
pub struct Machine {
    config: Config,
    log: LogId,
    partition: PartitionId,
    phase: Phase,
    doubt: Doubt,
    /// How often in a row something was missing between two entries.
    gaps: u32,
    reading: Outage,
    comparing: Outage,
    following: Outage,
    applying: Outage,
}

impl Machine {
    /// A projector that knows nothing yet. It begins with the first [`Input::Tick`].
    pub fn new(config: &Config, log: LogId, partition: PartitionId) -> Self {
        let outage = |doing| Outage::new(doing, config.longest_pause);
        Self {
            log,
            partition,
            phase: Phase::Pausing { until: Timestamp(i64::MIN), then: Then::Read },
            doubt: Doubt::new(config.patience),
            gaps: 0,
            reading: outage("reading from the views"),
            comparing: outage("reading the log"),
            following: outage("following the log"),
            applying: outage("writing to the views"),
            config: config.clone(),
        }
    }

    /// Whether it has room for more entries.
    pub fn takes_entries(&self) -> bool {
        match &self.phase {
            Phase::Following(at) => at.failed.is_none() && !at.ahead.is_full(&self.config),
            _ => false,
        }
    }

    /// Whether it holds something back in the hope of more entries: tell it when there are none ([`Input::Idle`]).
    pub fn holds_back(&self) -> bool {
        matches!(&self.phase, Phase::Following(at) if at.in_flight.is_none() && !at.ahead.is_empty())
    }

    /// When it wants a [`Input::Tick`].
    pub fn wake_at(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Pausing { until, .. } => Some(until),
            _ => None,
        }
    }

    /// Takes one input. `now` is any clock that never goes back.
    pub fn step(&mut self, now: Timestamp, input: Input, out: &mut Vec<Output>) {
        let stepped = match input {
            Input::Positions(answer) => self.on_positions(now, answer, out),
            Input::Compared(answer) => self.on_compared(now, answer, out),
            Input::Entry(entry) => self.on_entry(now, &entry, out),
            Input::Failed(error) => self.on_failed(now, ProjectorError::Log(error), out),
            Input::Applied(answer) => self.on_applied(now, answer, out),
            Input::Idle => {
                self.send(out);
                Ok(())
            }
            Input::Tick => {
                self.on_tick(now, out);
                Ok(())
            }
        };
        if let Err(error) = stepped {
            self.phase = Phase::Stopped;
            out.push(Output::Stop(error));
        }
    }

    fn on_tick(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        let Phase::Pausing { until, then } = self.phase else { return };
        if now < until {
            return;
        }
        match then {
            Then::Read => {
                self.phase = Phase::Reading;
                out.push(Output::ReadPositions);
            }
            Then::Compare(position) => self.compare(position, out),
        }
    }

    fn on_positions(
        &mut self,
        now: Timestamp,
        answer: Result<Vec<ChainPosition>, Error>,
        out: &mut Vec<Output>,
    ) -> Result<(), ProjectorError> {
        let positions = match answer {
            Ok(positions) => positions,
            Err(error) => {
                let pause = self.reading.pause(now, error.into())?;
                self.pause(now, pause, Then::Read);
                return Ok(());
            }
        };
        self.reading.over();
        require_log(self.log, &positions)?;
        let here = positions.into_iter().find(|position| position.partition == self.partition);
        self.doubt = Doubt::new(self.config.patience);
        self.compare(here.unwrap_or_else(|| ChainPosition::start(self.log, self.partition)), out);
        Ok(())
    }

    fn compare(&mut self, position: ChainPosition, out: &mut Vec<Output>) {
        self.phase = Phase::Comparing(position);
        out.push(Output::Compare(position));
    }

    fn on_compared(
        &mut self,
        now: Timestamp,
        answer: Result<Option<Difference>, ReadError>,
        out: &mut Vec<Output>,
    ) -> Result<(), ProjectorError> {
        let Phase::Comparing(position) = self.phase else { return Ok(()) };
        let found = match answer {
            Ok(found) => found,
            Err(error) => {
                self.doubt.unanswered();
                let pause = self.comparing.pause(now, ProjectorError::Log(error))?;
                self.pause(now, pause, Then::Compare(position));
                return Ok(());
            }
        };
        self.comparing.over();
        match (self.doubt.hear(now, found), found) {
            (Verdict::Believed, Some(found)) => return Err(differs(&position, found)),
            (_, Some(found)) => {
                warn_of(&position, found);
                self.pause(now, self.config.patience / 10, Then::Compare(position));
            }
            (_, None) => self.follow(position, out),
        }
        Ok(())
    }

    fn follow(&mut self, position: ChainPosition, out: &mut Vec<Output>) {
        out.push(Output::Publish(position.read));
        out.push(Output::Follow(position.read));
        let ahead = Batch::new(position);
        self.phase = Phase::Following(Box::new(Following { in_flight: None, ahead, failed: None }));
    }

    fn on_entry(
        &mut self,
        now: Timestamp,
        entry: &Entry,
        out: &mut Vec<Output>,
    ) -> Result<(), ProjectorError> {
        let Phase::Following(at) = &mut self.phase else { return Ok(()) };
        let (read, sequence) = (at.ahead.read(), entry.sequence());
        if at.failed.is_some() || sequence <= read {
            // Brought once more, or left over from before.
            return Ok(());
        }
        if sequence > read + 1 && self.gaps + 1 < GAPS_MAX {
            self.gaps += 1;
            return self.on_failed(now, gap(read, sequence), out);
        }
        if let Err(error) = at.ahead.take(entry) {
            return self.on_failed(now, error, out);
        }
        self.gaps = 0;
        self.following.over();
        if at.ahead.is_full(&self.config) {
            self.send(out);
        }
        Ok(())
    }

    /// Nothing more comes. What had come before goes its way first.
    fn on_failed(
        &mut self,
        now: Timestamp,
        error: ProjectorError,
        out: &mut Vec<Output>,
    ) -> Result<(), ProjectorError> {
        let Phase::Following(at) = &mut self.phase else { return Ok(()) };
        if at.in_flight.is_none() && at.ahead.is_empty() {
            let pause = self.following.pause(now, error)?;
            self.pause(now, pause, Then::Read);
            return Ok(());
        }
        at.failed = Some(error);
        self.send(out);
        Ok(())
    }

    /// Gives what is folded to the store, unless it is still at the last delta.
    fn send(&mut self, out: &mut Vec<Output>) {
        let Phase::Following(at) = &mut self.phase else { return };
        if at.in_flight.is_some() || at.ahead.is_empty() {
            return;
        }
        let delta = at.ahead.split_off();
        at.in_flight = Some(delta.to.read);
        out.push(Output::Apply(Box::new(delta)));
    }

    fn on_applied(
        &mut self,
        now: Timestamp,
        answer: Result<Applied, Error>,
        out: &mut Vec<Output>,
    ) -> Result<(), ProjectorError> {
        let Phase::Following(at) = &mut self.phase else { return Ok(()) };
        let Some(to) = at.in_flight.take() else { return Ok(()) };
        match bugs::heard(answer) {
            Ok(Applied::Here) => {
                out.push(Output::Publish(to));
                self.applying.over();
                self.go_on(now, out)
            }
            Ok(Applied::Elsewhere) => {
                self.pause(now, self.config.standby, Then::Read);
                Ok(())
            }
            // Applied or not: the position will tell.
            Err(error) => {
                let pause = self.applying.pause(now, error.into())?;
                self.pause(now, pause, Then::Read);
                Ok(())
            }
        }
    }

    /// The store is free.
    fn go_on(&mut self, now: Timestamp, out: &mut Vec<Output>) -> Result<(), ProjectorError> {
        let Phase::Following(at) = &mut self.phase else { return Ok(()) };
        match at.failed.take() {
            Some(error) => self.on_failed(now, error, out),
            None => {
                self.send(out);
                Ok(())
            }
        }
    }

    /// All that is in memory is dropped.
    fn pause(&mut self, now: Timestamp, pause: Duration, then: Then) {
        let micros = i64::try_from(pause.as_micros()).unwrap_or(i64::MAX);
        self.phase = Phase::Pausing { until: now.plus(micros), then };
    }
}

/// Something is missing before this entry: it may come when it is asked for again.
fn gap(read: Sequence, sequence: Sequence) -> ProjectorError {
    let source = format!("{sequence} came right after {read}").into();
    ProjectorError::Log(ReadError::Unavailable { doing: "reading it in order", source })
}
