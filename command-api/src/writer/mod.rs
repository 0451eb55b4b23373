//! The writer of one partition: a state machine without IO.
//!
//! It takes inputs ([`Input`]) and the time, and gives outputs ([`Output`]): bytes to append, places to read, answers.
//! A thin shell ([`crate::partition`]) carries them out; a simulation can do it as well.
//!
//! The rules it keeps:
//!
//! - Commands are decided at once against the state, which their events change at once. One commit is in flight;
//!   what is decided meanwhile gathers in the draft of the next (group commit, without an artificial delay).
//! - An answer is given when everything it rests on is durable: it waits for the newest commit that was begun
//!   before it. Reads and refusals too.
//! - The outcome of an append is never guessed. Unknown: the same bytes again. Conflict: what stands there is read;
//!   ours is success, another's ends this writer, nothing yet means again, a foreign message is stepped over.
//! - The first commit of a term names the head that was replayed. Its success proves the replay was whole and
//!   fences the owner before. Until then nothing is decided.
//! - While it is in doubt whether the log still holds what was acknowledged, nothing is appended.

mod bugs;
mod decide;
mod declines;
mod doubt;
mod draft;
mod opening;
mod renumber;
mod resolve;
mod snapshots;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use event_log::anchors::{Difference, Doubt};
use event_log::{Alarm, Anchor, AppendOutcome, Entry, ReadError};
use ledger_core::commit::EncodedCommit;
use ledger_core::event::Event;
use ledger_core::{AppId, Chain, Label, Ledger, Policy, Position, Sequence, Snapshot, Timestamp};

use crate::ask::{Answer, Call, Failure, SourceAnswer};
use declines::Declines;
use draft::{Draft, Flight};
use snapshots::SnapshotRhythm;

pub use opening::{CLOCK_SKEW_MAX, OpenError};

/// Names a call until it is answered. Chosen by the shell.
pub type Ticket = u64;

/// What a writer needs to know beside the log.
#[derive(Debug, Clone)]
pub struct WriterConfig {
    /// What opens terms here, "drip 0.1.0".
    pub program: Label,
    /// The rules each app should have.
    pub policies: Vec<(AppId, Policy)>,
    /// How many calls may wait to be decided.
    pub queue_max: usize,
}

/// What happens to a writer.
#[derive(Debug)]
pub enum Input {
    /// Somebody asks.
    Call(Ticket, Call),
    /// The append that was given out last has this outcome.
    Appended(AppendOutcome),
    /// The place that was to be read holds this.
    ReadBack(Result<Option<Entry>, ReadError>),
    /// The event that was to be fetched for this call.
    Fetched(Ticket, Result<(Position, Event), String>),
    /// While nothing was in flight, this was seen behind the last known commit: something means that somebody else
    /// wrote, an error that the log is out of reach.
    Seen(Result<Option<Entry>, ReadError>),
    /// This is how the log differs from what was known to be durable when it was asked ([`Writer::anchor`]). To be asked
    /// now and then while [`Writer::wants_comparison`].
    Compared(Anchor, Result<Option<Difference>, ReadError>),
    /// Time passes.
    Tick,
}

/// What a writer wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Append this, and say what became of it ([`Input::Appended`]).
    Append(EncodedCommit),
    /// Read what stands there ([`Input::ReadBack`]).
    ReadBack(Sequence),
    /// Fetch an old event ([`Input::Fetched`]).
    Fetch(Ticket, Position),
    /// The answer to a call.
    Answer(Ticket, Answer),
    /// Keep this, if there is a place for it: the state at a commit that is durable.
    Snapshot(Box<Snapshot>),
    /// The term is open: commands are decided from now on.
    Opened,
    /// Another owner wrote since the replay: replay on, then open again.
    Overtaken,
    /// This writer is done for; all calls were answered.
    Stop(Stop),
}

/// Why a writer ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// A newer owner has taken over.
    #[error(
        "partition {partition} was taken over at commit {sequence}: another process writes this log now, and this one stops"
    )]
    Fenced {
        /// The partition.
        partition: ledger_core::PartitionId,
        /// The commit of the other.
        sequence: Sequence,
    },
    /// The log can not be what was written to it.
    #[error("the log is damaged: {0}")]
    Damaged(String),
    /// The log no longer holds what was acknowledged.
    #[error(transparent)]
    Differs(Alarm),
    /// The log refuses in a way that trying again does not mend.
    #[error("the log can not be written: {0}")]
    Fatal(String),
}

/// Where a writer stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Replaying,
    /// The opening commit is in flight; its events are not in the state yet.
    Opening,
    Serving,
    Stopped(Stop),
}

/// A call that is not answered yet, and what of it was done before.
type Queued = (Ticket, Call, SourceAnswer);

/// The writer of one partition.
#[derive(Debug)]
pub struct Writer {
    config: WriterConfig,
    ledger: Ledger,
    /// The last commit that is known to be durable.
    chain: Chain,
    phase: Phase,
    draft: Draft,
    flight: Option<Flight>,
    /// Calls that wait for room in a draft, in order.
    queue: VecDeque<Queued>,
    declines: Declines,
    /// Why new calls are refused for now, while the log takes nothing or is out of reach.
    refusing: Option<String>,
    /// Since when the log is out of reach, as far as an idle writer can see.
    away_since: Option<Timestamp>,
    /// Whether the log is still what it was.
    doubt: Doubt,
    /// When the next snapshot is due.
    rhythm: SnapshotRhythm,
}

/// For how long a log must look other than it was before that is believed, unless [said otherwise](Writer::with_patience).
const PATIENCE: Duration = Duration::from_secs(30);

impl Writer {
    /// A writer that has read nothing yet.
    pub fn new(partition: ledger_core::PartitionId, config: WriterConfig) -> Self {
        Self {
            config,
            ledger: Ledger::new(partition),
            chain: Chain::start(partition),
            phase: Phase::Replaying,
            draft: Draft::default(),
            flight: None,
            queue: VecDeque::new(),
            declines: Declines::default(),
            refusing: None,
            away_since: None,
            doubt: Doubt::new(PATIENCE),
            rhythm: SnapshotRhythm::NEVER,
        }
    }

    /// For a log that may answer from the past for so long.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { doubt: Doubt::new(patience), ..self }
    }

    /// The state, the events of commits that are not durable yet included.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How far the log is known to be durable.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Nothing is in flight, drafted or waiting.
    pub fn is_idle(&self) -> bool {
        self.flight.is_none() && self.draft.is_empty() && self.queue.is_empty()
    }

    /// `Err` with the reason while commands are not decided, or decided and not acknowledged.
    pub fn health(&self, now: Timestamp) -> Result<(), String> {
        match (&self.phase, &self.refusing) {
            (Phase::Opening | Phase::Serving, _) if self.in_doubt().is_some() => {
                self.in_doubt().map_or(Ok(()), Err)
            }
            (Phase::Serving, None) if self.flight.as_ref().is_some_and(|flight| flight.is_overdue(now)) => {
                Err("the log does not acknowledge what is appended".to_owned())
            }
            (Phase::Serving, None) => Ok(()),
            (Phase::Serving, Some(reason)) => Err(reason.clone()),
            (Phase::Replaying | Phase::Opening, _) => Err("the log is being replayed".to_owned()),
            (Phase::Stopped(stop), _) => Err(stop.to_string()),
        }
    }

    /// When it wants a [`Input::Tick`], at the latest.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.flight.as_ref().and_then(Flight::wake_at)
    }

    /// Takes one input. What is decided stays in the draft until [`Self::flush`].
    pub fn step(&mut self, now: Timestamp, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Call(ticket, call) => self.on_call(now, ticket, call, out),
            Input::Appended(outcome) => self.on_appended(now, outcome, out),
            Input::ReadBack(found) => self.on_read_back(now, found, out),
            Input::Fetched(ticket, event) => Self::on_fetched(ticket, event, out),
            Input::Seen(seen) => self.on_seen(now, seen, out),
            Input::Compared(anchor, answer) => self.on_compared(now, anchor, answer, out),
            Input::Tick => self.on_tick(now, out),
        }
    }

    /// Sends the draft if nothing is in flight. Called when no more input is at hand, so that all that came
    /// together goes together.
    pub fn flush(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        if self.phase != Phase::Serving || self.flight.is_some() || self.doubt.found().is_some() {
            return;
        }
        if !self.draft.is_empty() {
            self.send_draft(now, out);
        }
        self.drain_queue(now, out);
        if self.flight.is_none() && !self.draft.is_empty() {
            self.send_draft(now, out);
        }
    }

    fn send_draft(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        let next = self.draft.with_its_room();
        let mut flight = std::mem::replace(&mut self.draft, next).seal(now, &self.chain);
        self.on_sealed(&mut flight);
        bugs::on_sealed(&mut flight, out);
        out.push(Output::Append(flight.commit().clone()));
        self.flight = Some(flight);
    }

    fn on_call(&mut self, now: Timestamp, ticket: Ticket, call: Call, out: &mut Vec<Output>) {
        let failure = match &self.phase {
            Phase::Stopped(stop) => Some(Failure::Unavailable(stop.to_string())),
            Phase::Serving if self.doubt.found().is_some() => self.in_doubt().map(Failure::Unavailable),
            _ if self.refusing.is_some() => self.refusing.clone().map(Failure::Unavailable),
            _ if self.queue.len() >= self.config.queue_max => Some(Failure::Overloaded),
            _ => None,
        };
        if let Some(failure) = failure {
            out.push(Output::Answer(ticket, Answer::Failed(failure)));
            return;
        }
        let queued = (ticket, call, SourceAnswer::default());
        if self.queue.is_empty() && self.takes_more(now) {
            self.decide_queued(now, queued, out);
        } else {
            self.queue.push_back(queued);
            self.drain_queue(now, out);
        }
    }

    fn takes_more(&self, now: Timestamp) -> bool {
        self.phase == Phase::Serving && self.draft.takes_more(now)
    }

    /// Decides what waits, until the draft is full.
    fn drain_queue(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        while self.takes_more(now) {
            let Some(queued) = self.queue.pop_front() else { return };
            self.decide_queued(now, queued, out);
        }
    }

    /// What could not be finished in this draft waits on.
    fn decide_queued(&mut self, now: Timestamp, queued: Queued, out: &mut Vec<Output>) {
        let (ticket, call, progress) = queued;
        if let Some(rest) = self.decide_call(now, ticket, call, progress, out) {
            self.queue.push_front(rest);
        }
    }

    /// Gives an answer when everything it rests on is durable: with the draft, with the flight, or now.
    fn answer(&mut self, ticket: Ticket, answer: Answer, out: &mut Vec<Output>) {
        if !self.draft.is_empty() {
            self.draft.hold(ticket, answer);
        } else if let Some(flight) = &mut self.flight {
            flight.hold(ticket, answer);
        } else {
            out.push(Output::Answer(ticket, answer));
        }
    }

    fn stop(&mut self, stop: Stop, out: &mut Vec<Output>) {
        let gone = || Answer::Failed(Failure::Unavailable(stop.to_string()));
        let unknown = || Answer::Failed(Failure::OutcomeUnknown);
        // A newer owner's commit stands in the place of ours, so ours never will: nothing was done. Otherwise the
        // bytes that were sent may still land.
        let fenced = matches!(stop, Stop::Fenced { .. });
        let flight = self.flight.take();
        let flown = flight.iter().flat_map(|flight| flight.draft().tickets());
        out.extend(flown.map(|ticket| Output::Answer(ticket, if fenced { gone() } else { unknown() })));
        let draft = std::mem::take(&mut self.draft);
        out.extend(draft.tickets().map(|ticket| Output::Answer(ticket, gone())));
        // A batch of which parts are in the log already is not "nothing was done".
        let queued = self.queue.drain(..).map(|(ticket, _, progress)| {
            Output::Answer(ticket, if progress == SourceAnswer::default() { gone() } else { unknown() })
        });
        out.extend(queued);
        self.phase = Phase::Stopped(stop.clone());
        out.push(Output::Stop(stop));
    }
}
