//! Projectors and the database of their views.
//!
//! The projectors are the real machines, carried by a small shell that crashes and is paused; the database is a fake
//! whose transactions fail before they are committed, or lose their answer, or are slow; the log is read by streams
//! that lie. Nobody who writes to the log depends on them, so they are played when it is whole, as it came to be. In
//! reading order: this page (what happens when), `shell` (carrying out what projectors want), `streams` (the log as it is
//! brought to them), `transactions`, `database`, `audit` (the
//! judge's fold against the rows, as `lines`).

mod audit;
mod database;
mod lines;
mod shell;
mod streams;
#[cfg(test)]
mod tests;
mod transactions;

use std::collections::{BTreeMap, VecDeque};

use event_log::sim::Rng;
use event_log::{Entry, ReadError};
use ledger_core::time::SECOND;
use ledger_core::{LogId, PartitionId, Timestamp};
use projector::machine::Input;
use projector::{ChainPosition, Config, Delta, Error};

use audit::Audit;
use database::Database;
use shell::Projector;
use transactions::Fate;

/// How long the views may take to reach the head when all faults have stopped.
const CATCH_UP: i64 = 60 * SECOND;
/// How long a log must be cut until it is believed, and some more.
const BELIEVED: i64 = 90 * SECOND;
const STEPS_KEPT: usize = 50;

/// A bug on purpose, to see that the judge catches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Rows are changed in one transaction, and the position in the next.
    PositionAfterRows,
    /// The position is moved in one transaction, and the rows are changed in the next.
    PositionBeforeRows,
    /// A projector takes no heed that somebody else has moved the views.
    ElsewhereIsHere,
    /// What was folded ahead is applied after a delta of which nobody knows whether it was.
    AheadKept,
    /// What is brought again is folded again.
    FoldedTwice,
}

/// What a seed that went well has seen of projectors.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// Deltas that were applied.
    pub applied: u64,
    /// Deltas that found the views elsewhere.
    pub elsewhere: u64,
    /// Transactions that were committed and their answer lost.
    pub answers_lost: u64,
    /// Transactions that failed.
    pub failed: u64,
    /// Transactions that were committed when their projector had given them up.
    pub late: u64,
    /// Deltas that were folded ahead and dropped.
    pub dropped: u64,
    /// Crashes of projectors, between any two of their steps.
    pub crashes: u64,
    /// Pauses of projectors.
    pub pauses: u64,
    /// Entries that were brought again.
    pub again: u64,
    /// Entries that were lost on their way.
    pub gaps: u64,
    /// Streams that ended.
    pub ended: u64,
    /// Moments at which all rows were compared.
    pub audits: u64,
    /// Logs that were cut or replaced, and refused.
    pub refused: u64,
}

/// How often what goes wrong, in cases of a thousand.
#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    crash: u64,
    pause: u64,
    fails: u64,
    answer_lost: u64,
    late: u64,
    slow: u64,
    down: u64,
    unreadable: u64,
    stale: u64,
    again: u64,
    gap: u64,
    recreated: u64,
    ended: u64,
    silent: u64,
}

/// What happens at a moment.
enum Event {
    Start,
    Wake(u64),
    /// A stream brings what is there.
    Brings(u64, u64),
    /// The database is asked where it is.
    Asks(u64),
    /// The log is asked whether it is what it was.
    Compares(u64, ChainPosition),
    Transaction(u64, Box<Delta>, Fate),
    /// The second one, when a bug makes two of them.
    Second(Box<Delta>),
    Answers(u64, Input),
    Audit,
}

/// A log as it came to be.
#[derive(Debug)]
pub struct Course {
    /// The log; its only partition is 0.
    pub log: LogId,
    /// All of it.
    pub entries: Vec<Entry>,
    /// From when on each entry is there.
    pub times: Vec<Timestamp>,
    /// The beginning, when the faults stop, the end.
    pub moments: [Timestamp; 3],
}

/// Plays the projectors of one seed.
///
/// Errors: what is wrong, and the last steps as readable lines.
pub fn play(course: &Course, seed: u64, bug: Option<Bug>) -> Result<Seen, String> {
    let mut views = Views::new(course.log, seed, bug, course.moments[0]);
    views.all(course).map_err(|wrong| {
        let steps: Vec<String> = views.trace.iter().cloned().collect();
        format!("{}\n\nseed {seed}: {wrong}", steps.join("\n"))
    })?;
    Ok(views.seen)
}

/// Projectors, their database, and what is wrong with both.
struct Views {
    log: LogId,
    rng: Rng,
    bug: Option<Bug>,
    faults: Faults,
    config: Config,
    /// How many projectors there should be.
    wanted: usize,
    projectors: BTreeMap<u64, Projector>,
    database: Database,
    down_until: Timestamp,
    audit: Audit,
    agenda: BTreeMap<(Timestamp, u64), Event>,
    next: u64,
    now: Timestamp,
    /// Why a projector stopped, when it must not.
    wrong: Option<String>,
    /// A log that was cut or replaced: now every projector must refuse it.
    refusing: bool,
    begun: Timestamp,
    trace: VecDeque<String>,
    seen: Seen,
}

impl Views {
    fn new(log: LogId, seed: u64, bug: Option<Bug>, now: Timestamp) -> Self {
        // Another row of numbers than that of the writers.
        let mut rng = Rng::new(!seed);
        let mut often = |most: u64| if rng.chance(500) { 1 + rng.below(most) } else { 0 };
        let faults = Faults {
            crash: often(20),
            pause: often(20),
            fails: often(100),
            answer_lost: often(200),
            late: often(200),
            slow: often(200),
            down: often(20),
            unreadable: often(100),
            stale: often(200),
            again: often(300),
            gap: often(100),
            recreated: often(100),
            ended: often(60),
            silent: often(60),
        };
        let batch_entries = 1 + usize::try_from(rng.below(8)).expect("small");
        let wanted = 1 + usize::from(rng.chance(500));
        let mut views = Self {
            log,
            rng,
            bug,
            faults,
            config: Config { batch_entries, ..Config::default() },
            wanted,
            projectors: BTreeMap::new(),
            database: Database::default(),
            down_until: now,
            audit: Audit::new(log),
            agenda: BTreeMap::new(),
            next: 0,
            now,
            wrong: None,
            refusing: false,
            begun: now,
            trace: VecDeque::new(),
            seen: Seen::default(),
        };
        (0..wanted).for_each(|_| views.plan(SECOND, Event::Start));
        views.plan(5 * SECOND, Event::Audit);
        views
    }

    /// First with faults, then without.
    fn all(&mut self, course: &Course) -> Result<(), String> {
        let Course { entries, times, moments: [_, healed, end], .. } = course;
        for until in [*healed, *end] {
            while let Some(at) = self.next_at().filter(|at| *at < until) {
                let there = times.partition_point(|time| *time <= at);
                self.step(at, &entries[..there])?;
            }
            self.faults = Faults::default();
        }
        self.now = *end;
        self.end(entries)
    }

    /// When something happens next.
    fn next_at(&self) -> Option<Timestamp> {
        self.agenda.keys().next().map(|(at, _)| *at)
    }

    /// The next thing that happens.
    ///
    /// Errors: what is wrong.
    fn step(&mut self, now: Timestamp, log: &[Entry]) -> Result<(), String> {
        let before = self.database.read();
        self.now = now;
        match self.agenda.pop_first().expect("somebody knew that there is something").1 {
            Event::Start => self.start(),
            Event::Wake(id) => self.wake(id),
            Event::Brings(id, stream) => self.bring(id, stream, log),
            Event::Asks(id) => self.tell_position(id),
            Event::Compares(id, position) => self.tell_difference(id, &position, log),
            Event::Transaction(id, delta, fate) => self.transaction(id, &delta, fate)?,
            Event::Second(delta) => self.second(&delta)?,
            Event::Answers(id, input) => self.answer(id, input),
            Event::Audit => {
                self.compare(log, false)?;
                self.plan(5 * SECOND, Event::Audit);
            }
        }
        if self.database.read() < before {
            return Err(format!("I10: the position went back from {before} to {}", self.database.read()));
        }
        self.wrong.take().map_or(Ok(()), Err)
    }

    /// The faults have stopped and the log grows no more: the views reach its head, and hold what it tells. Then the log
    /// is cut or replaced, and every projector refuses it.
    ///
    /// Errors: what is wrong.
    fn end(&mut self, log: &[Entry]) -> Result<(), String> {
        let until = self.now.plus(CATCH_UP);
        self.play(until, log)?;
        let (read, head) = (self.database.read(), log.len() as u64);
        if read != head {
            return Err(format!("I13: long after the faults have stopped the views are at {read} of {head}"));
        }
        if let Some((id, behind)) = self.projectors.iter().find(|(_, projector)| projector.published != head)
        {
            let published = behind.published;
            return Err(format!(
                "I13: the views are at {head}, projector {id} has told of {published} alone"
            ));
        }
        self.compare(log, true)?;
        self.refuse(log)
    }

    /// I15.
    fn refuse(&mut self, log: &[Entry]) -> Result<(), String> {
        let before = format!("{:?}", self.database);
        let other = self.other_log(log);
        self.refusing = true;
        self.projectors.clear();
        (0..self.wanted).for_each(|_| self.plan(SECOND, Event::Start));
        let (until, refused) = (self.now.plus(BELIEVED), self.seen.refused);
        self.play(until, &other)?;
        if self.seen.refused - refused != self.wanted as u64 {
            return Err("I15: a projector goes on with a log that was cut or replaced".to_owned());
        }
        if format!("{:?}", self.database) != before {
            return Err("I15: the views were changed from a log that was cut or replaced".to_owned());
        }
        Ok(())
    }

    /// The log without its end, or with another commit at the end of the views.
    fn other_log(&mut self, log: &[Entry]) -> Vec<Entry> {
        let mut other = log.to_vec();
        if self.rng.chance(500) {
            let keep = self.rng.below(log.len() as u64);
            other.truncate(usize::try_from(keep).expect("small"));
        } else {
            let last = other.iter_mut().rev().find_map(|entry| match entry {
                Entry::Commit(stored) => Some(stored),
                Entry::Foreign { .. } => None,
            });
            last.expect("a log has a genesis").hash.0[0] ^= 1;
        }
        other
    }

    fn play(&mut self, until: Timestamp, log: &[Entry]) -> Result<(), String> {
        while let Some(at) = self.next_at().filter(|at| *at < until) {
            self.step(at.max(self.now), log)?;
        }
        self.now = until;
        Ok(())
    }

    fn compare(&mut self, log: &[Entry], all: bool) -> Result<(), String> {
        if self.refusing {
            return Ok(());
        }
        self.seen.audits += 1;
        self.audit.compare(log, &self.database, all)
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
        self.trace.push_back(format!("{:>12} {what}", self.now.since(self.begun)));
        if self.trace.len() > STEPS_KEPT {
            self.trace.pop_front();
        }
    }
}
