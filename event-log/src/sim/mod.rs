//! The third backend (feature `sim`): one partition in memory that answers as JetStream does, lies included.
//!
//! [`SimLog`] is a state machine without IO: something is asked ([`SimLog::append`], [`SimLog::read`]), and what comes
//! of it is given out later ([`SimLog::step`]), by its own virtual clock and its own seed. What it does to a request is
//! drawn from its [`Faults`]; what it keeps to, whatever happens, is the contract of [`EventLog`](crate::EventLog).
//! It deliberately knows nothing of owners: who asks is a [`Token`].

mod damage;
mod faults;
mod rng;
mod served;

use std::collections::{BTreeMap, VecDeque};

use ledger_core::commit::EncodedCommit;
use ledger_core::time::SECOND;
use ledger_core::{LogId, PartitionId, Sequence, Timestamp};
use planted::Bug;

pub use faults::{Counts, Faults};
pub use rng::Rng;
pub use served::ServedSim;

use crate::anchors::Difference;
use crate::{Anchor, AppendOutcome, Entry, ReadError, Refusal, StoredCommit};

/// Names a request, so that its answer finds who asked.
pub type Token = u64;

/// For how long an append waits for its answer, in microseconds.
const ACK_TIMEOUT: i64 = 5 * SECOND;

/// How many servers hold the stream: it decides what a resend is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replicas {
    /// One: the expected sequence is looked at before the id, so a resend of what is stored is a conflict.
    One,
    /// Three: the id is looked at first. A resend of what is stored is stored; of what is in flight, not known.
    Three,
}

/// What is given out for a request.
#[derive(Debug)]
pub enum Answer {
    /// To an append.
    Appended(AppendOutcome),
    /// To a read.
    Read(Result<Option<Entry>, ReadError>),
    /// To a comparison with an anchor.
    Compared(Anchor, Result<Option<Difference>, ReadError>),
}

/// What happens at a moment.
#[derive(Debug)]
enum Event {
    Arrives(Token, EncodedCommit, Arrival),
    Replicated(Token, EncodedCommit),
    Answers(Token, Answer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    InTime,
    Late,
}

/// One partition of a log that lies.
#[derive(Debug)]
pub struct SimLog {
    log: LogId,
    replicas: Replicas,
    rng: Rng,
    /// What it does wrong from now on.
    pub faults: Faults,
    /// A bug on purpose, to see that the judge catches it: it stores without a look at the sequence.
    pub blind: bool,
    counts: Counts,
    entries: Vec<Entry>,
    /// What is being replicated, in the order in which it will stand.
    proposed: VecDeque<EncodedCommit>,
    /// When the last of it will stand.
    replicated_at: Timestamp,
    leaderless_until: Timestamp,
    /// By time and order of asking.
    agenda: BTreeMap<(Timestamp, u64), Event>,
    asked: u64,
}

impl SimLog {
    /// An empty partition 0.
    pub fn new(log: LogId, replicas: Replicas, seed: u64) -> Self {
        Self {
            log,
            replicas,
            rng: Rng::new(seed),
            faults: Faults::default(),
            blind: false,
            counts: Counts::default(),
            entries: Vec::new(),
            proposed: VecDeque::new(),
            replicated_at: Timestamp(0),
            leaderless_until: Timestamp(0),
            agenda: BTreeMap::new(),
            asked: 0,
        }
    }

    /// All that is stored: what nobody can lie about. For the judge, and for the beginning of a log.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How often what happened.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// When something happens next.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.agenda.keys().next().map(|(at, _)| *at)
    }

    /// Stores a commit at once: the beginning of a log.
    pub fn begin(&mut self, commit: &EncodedCommit) {
        self.store(commit);
    }

    /// Stores somebody else's message at once. Nothing may be on its way to being replicated.
    pub fn stranger(&mut self) {
        assert!(self.proposed.is_empty(), "behind what is being replicated it would have to wait");
        self.counts.foreign += 1;
        let sequence = self.entries.len() as u64 + 1;
        self.entries.push(Entry::Foreign { sequence, reason: "it has no Drip-Prefix header".to_owned() });
    }

    /// Nobody leads until then.
    pub fn lose_leader(&mut self, until: Timestamp) {
        self.leaderless_until = self.leaderless_until.max(until);
    }

    /// Appends; its answer is an [`Answer::Appended`].
    pub fn append(&mut self, now: Timestamp, token: Token, commit: EncodedCommit) {
        if self.rng.chance(self.faults.lost) {
            self.counts.lost += 1;
            return self.times_out(now, token);
        }
        if self.rng.chance(self.faults.late) {
            self.wait_in_client(now, token);
            let delay = self.rng.micros(ACK_TIMEOUT, 4 * ACK_TIMEOUT);
            return self.arrive_late(now.plus(delay), token, commit);
        }
        let at = self.soon(now);
        self.plan(at, Event::Arrives(token, commit, Arrival::InTime));
    }

    /// An append waits in a client whose connection is lost: its sender is told that the time is over.
    pub fn wait_in_client(&mut self, now: Timestamp, token: Token) {
        self.counts.late += 1;
        self.times_out(now, token);
    }

    /// What has waited in a client arrives then.
    pub fn arrive_late(&mut self, at: Timestamp, token: Token, commit: EncodedCommit) {
        self.plan(at, Event::Arrives(token, commit, Arrival::Late));
    }

    /// Reads; its answer is an [`Answer::Read`]. `from_leader`: never from the past.
    pub fn read(&mut self, now: Timestamp, token: Token, sequence: Sequence, from_leader: bool) {
        let found = self.found(now, sequence, from_leader);
        self.answer(now, token, Answer::Read(found));
    }

    /// Compares; its answer is an [`Answer::Compared`].
    pub fn compare(&mut self, now: Timestamp, token: Token, anchor: Anchor) {
        let found = self.differs(now, &anchor);
        self.answer(now, token, Answer::Compared(anchor, found));
    }

    /// How it differs from an anchor, as it answers now.
    ///
    /// Errors: there is no leader now.
    pub fn differs(&mut self, now: Timestamp, anchor: &Anchor) -> Result<Option<Difference>, ReadError> {
        self.head(now).and_then(|head| self.difference(now, anchor, head))
    }

    /// The last sequence, perhaps of a moment ago.
    ///
    /// Errors: there is no leader now.
    pub fn head(&mut self, now: Timestamp) -> Result<Sequence, ReadError> {
        self.readable(now)?;
        let head = self.entries.len() as u64;
        if head > 1 && self.rng.chance(self.faults.stale) {
            self.counts.stale += 1;
            return Ok(head - 1 - self.rng.below(3.min(head - 1)));
        }
        Ok(head)
    }

    /// Lets happen what is due, and gives out the answers.
    pub fn step(&mut self, now: Timestamp) -> Vec<(Token, Answer)> {
        let mut answers = Vec::new();
        while let Some(first) = self.agenda.first_entry().filter(|first| first.key().0 <= now) {
            match first.remove() {
                Event::Arrives(token, commit, arrival) => self.arrives(now, token, commit, arrival),
                Event::Replicated(token, commit) => self.replicated(now, token, &commit),
                Event::Answers(token, answer) => answers.push((token, answer)),
            }
        }
        answers
    }

    fn arrives(&mut self, now: Timestamp, token: Token, commit: EncodedCommit, arrival: Arrival) {
        if now < self.leaderless_until {
            self.counts.no_responders += 1;
            let outcome = AppendOutcome::Refused(Refusal::Unavailable, "no responders".to_owned());
            return self.acknowledge(now, token, arrival, outcome);
        }
        // Behind what is being replicated it would have to wait for that.
        if self.proposed.is_empty() && self.rng.chance(self.faults.foreign) {
            self.stranger();
        }
        match self.admits(&commit, arrival) {
            Some(outcome) => self.acknowledge(now, token, arrival, outcome),
            None if self.rng.chance(self.faults.stepdown) => self.steps_down(now, token, &commit),
            None if self.replicas == Replicas::One => {
                self.store(&commit);
                self.acknowledge(now, token, arrival, AppendOutcome::Stored);
            }
            None => self.propose(now, token, commit),
        }
    }

    /// One after the other, however long one of them takes.
    fn propose(&mut self, now: Timestamp, token: Token, commit: EncodedCommit) {
        let slow = self.rng.chance(self.faults.slow);
        self.counts.slow += u64::from(slow);
        let at = match slow {
            true => now.plus(self.rng.micros(ACK_TIMEOUT, 3 * ACK_TIMEOUT)),
            false => self.soon(now),
        };
        self.replicated_at = at.max(self.replicated_at);
        if self.replicated_at.since(now) >= ACK_TIMEOUT {
            self.times_out(now, token);
        }
        self.proposed.push_back(commit.clone());
        self.plan(self.replicated_at, Event::Replicated(token, commit));
    }

    /// What is answered at once, in the order in which the server looks.
    fn admits(&mut self, commit: &EncodedCommit, arrival: Arrival) -> Option<AppendOutcome> {
        if self.replicas == Replicas::Three {
            if self.stored(commit) {
                self.counts.duplicates += 1;
                return Some(AppendOutcome::Stored);
            }
            if self.proposed.contains(commit) {
                self.counts.in_process += 1;
                return Some(AppendOutcome::Unknown("10158, in process".to_owned()));
            }
        }
        let next = (self.entries.len() + self.proposed.len()) as u64 + 1;
        if commit.prefix.sequence != next && !self.blind && !planted::on(Bug::SkipExpectedSequence) {
            self.counts.conflicts += 1;
            self.counts.late_rejected += u64::from(arrival == Arrival::Late && !self.stored(commit));
            return Some(AppendOutcome::Conflict);
        }
        if self.rng.chance(self.faults.full) {
            self.counts.full += 1;
            return Some(AppendOutcome::Refused(Refusal::Full, "10077, the store is full".to_owned()));
        }
        None
    }

    /// Stored or not, nobody says so.
    fn steps_down(&mut self, now: Timestamp, token: Token, commit: &EncodedCommit) {
        // What was being replicated survives, for its own answer has been promised by a majority.
        if self.proposed.is_empty() && self.rng.chance(500) {
            self.counts.stepdown_stored += 1;
            self.store(commit);
        } else {
            self.counts.stepdown_dropped += 1;
        }
        self.without_leader(now, token);
    }

    fn without_leader(&mut self, now: Timestamp, token: Token) {
        self.leaderless_until = now.plus(self.rng.micros(0, 9 * SECOND));
        self.times_out(now, token);
    }

    fn replicated(&mut self, now: Timestamp, token: Token, commit: &EncodedCommit) {
        if self.proposed.front() != Some(commit) {
            // It was lost with its leader.
            return self.times_out(now, token);
        }
        if self.rng.chance(self.faults.stepdown) {
            self.counts.lost_with_leader += self.proposed.len() as u64;
            self.proposed.clear();
            return self.without_leader(now, token);
        }
        self.proposed.pop_front();
        self.store(commit);
        self.acknowledge(now, token, Arrival::InTime, AppendOutcome::Stored);
    }

    fn store(&mut self, commit: &EncodedCommit) {
        self.counts.stored += 1;
        let EncodedCommit { prefix, hash, bytes, .. } = commit.clone();
        self.entries.push(Entry::Commit(StoredCommit { prefix, hash, bytes, stored_at: None }));
    }

    fn stored(&self, commit: &EncodedCommit) -> bool {
        let stands = |entry: &Entry| matches!(entry, Entry::Commit(stored) if stored.hash == commit.hash);
        self.entries.iter().rev().any(stands)
    }

    fn acknowledge(&mut self, now: Timestamp, token: Token, arrival: Arrival, outcome: AppendOutcome) {
        if arrival == Arrival::Late {
            // Its sender was told long ago that the time is over.
        } else if self.rng.chance(self.faults.ack_lost) {
            self.counts.acks_lost += 1;
            self.times_out(now, token);
        } else {
            self.answer(now, token, Answer::Appended(outcome));
        }
    }

    fn times_out(&mut self, now: Timestamp, token: Token) {
        let outcome = AppendOutcome::Unknown("no answer in time".to_owned());
        self.plan(now.plus(ACK_TIMEOUT), Event::Answers(token, Answer::Appended(outcome)));
    }

    fn answer(&mut self, now: Timestamp, token: Token, answer: Answer) {
        let at = self.soon(now);
        self.plan(at, Event::Answers(token, answer));
    }

    fn readable(&mut self, now: Timestamp) -> Result<(), ReadError> {
        if now < self.leaderless_until || self.rng.chance(self.faults.unreadable) {
            return Err(ReadError::Unavailable { doing: "reading", source: "no responders".into() });
        }
        Ok(())
    }

    fn found(
        &mut self,
        now: Timestamp,
        sequence: Sequence,
        leader: bool,
    ) -> Result<Option<Entry>, ReadError> {
        self.readable(now)?;
        let place = usize::try_from(sequence).expect("a log in memory");
        let entry = place.checked_sub(1).and_then(|place| self.entries.get(place)).cloned();
        if !leader && place == self.entries.len() && self.rng.chance(self.faults.stale) {
            self.counts.stale += 1;
            return Ok(None);
        }
        Ok(entry)
    }

    fn difference(
        &mut self,
        now: Timestamp,
        anchor: &Anchor,
        head: Sequence,
    ) -> Result<Option<Difference>, ReadError> {
        let sequence = anchor.sequence;
        if anchor.log != self.log || anchor.partition != PartitionId(0) {
            return Ok(Some(Difference::OtherLog(self.log)));
        }
        if head < sequence {
            return Ok(Some(Difference::EndsAt(head)));
        }
        Ok(match self.found(now, sequence, true)? {
            Some(Entry::Commit(commit)) if commit.hash == anchor.hash => None,
            Some(Entry::Commit(commit)) => Some(Difference::OtherAt { sequence, hash: commit.hash }),
            Some(Entry::Foreign { .. }) => Some(Difference::ForeignAt(sequence)),
            None => Some(Difference::NothingAt(sequence)),
        })
    }

    /// Mostly some milliseconds, now and then a second.
    fn soon(&mut self, now: Timestamp) -> Timestamp {
        let most = if self.rng.chance(20) { SECOND } else { 5_000 };
        now.plus(self.rng.micros(200, most))
    }

    fn plan(&mut self, at: Timestamp, event: Event) {
        self.asked += 1;
        self.agenda.insert((at, self.asked), event);
    }
}

#[cfg(test)]
mod tests;
