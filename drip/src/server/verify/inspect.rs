//! The judge, fed: folds the log, and holds every row of the views against it.

use std::time::Instant;

use event_log::{Entry, LogIdentity, ReadError};
use judge::{Beside, Fold, Rule, Totals, Views, Violation, views};
use projector::tables::{
    ACCOUNTS, AGENT_LOG, CHAIN_POSITIONS, CHECKOUTS, CONTAINERS, JOURNAL, LOTS, NOTICES, SOLVENCY, SOURCES,
    Table, USAGE_HOURS,
};
use serde_json::Value;
use tokio::sync::mpsc::Receiver;

use super::compare::Rows;
use super::feed::{Food, Part, Scope, Start};
use super::finding::Finding;
use super::record::Record;
use super::report::{Foreign, PartitionReport, Report, ViewsReport};
use crate::failure::Exit;
use crate::server::digest::{TableDigest, digest_of_all};
use crate::server::progress::Progress;

/// So many foreign messages are named; all are counted.
const FOREIGN_NAMED: usize = 100;

/// What is known before anything is read.
pub(super) struct Inspector {
    identity: LogIdentity,
    place: Option<&'static str>,
    starts: Vec<Start>,
    since: bool,
    record: Option<Record>,
}

/// Ends the inspection with what it found.
type Found = Result<(), Finding>;

impl Inspector {
    pub(super) fn new(
        identity: LogIdentity,
        place: Option<&'static str>,
        scope: &Scope,
        record: Option<Record>,
    ) -> Self {
        Self { identity, place, starts: scope.starts.clone(), since: scope.since.is_some(), record }
    }

    /// Reads to the end, or to the first thing that is wrong.
    pub(super) fn run(mut self, food: Food) -> Report {
        let begin = Instant::now();
        let progress = Progress::new(messages(&self.starts));
        let views = self.starts.iter().map(|start| Views::new(start.fold())).collect();
        let mut work = Work {
            progress,
            entries: Entries { from: food.entries, batch: Vec::new().into_iter() },
            rows: Rows::new(food.rows),
            beside: Rows::new(food.beside),
            views,
            folds: Vec::new(),
            foreign: Vec::new(),
            tables: Vec::new(),
            events: 0,
            difference: None,
            record: self.record.take(),
        };
        let finding = match (self.all(&mut work).err(), work.difference.take()) {
            (Some(finding), Some(difference)) if finding.exit != Exit::FoundWrong => {
                Some(difference.undecided(&finding))
            }
            (finding, difference) => finding.or(difference),
        };
        work.progress.finish();
        self.report(work, finding, begin)
    }

    fn all(&self, work: &mut Work) -> Found {
        for start in &self.starts {
            shrunk(start)?;
        }
        for (index, start) in self.starts.iter().enumerate() {
            work.viewed(index, start.viewed_part(), self.place.is_some())?;
        }
        if self.place.is_some() && work.difference.is_none() {
            let compared = self.tables(work);
            work.note(compared)?;
        }
        work.folds = std::mem::take(&mut work.views).into_iter().map(Views::into_fold).collect();
        for (index, start) in self.starts.iter().enumerate() {
            work.later(index, start.later_part())?;
        }
        work.folds.iter().try_for_each(Fold::check_sums).map_err(Finding::from)
    }

    /// The tables that are read beside the log have no more; then the others.
    fn tables(&self, work: &mut Work) -> Found {
        work.rows.expect(&JOURNAL, None).map_err(Finding::from)?;
        work.ended(&JOURNAL);
        work.beside.expect(&AGENT_LOG, None).map_err(Finding::from)?;
        let digest = work.beside.finish(&AGENT_LOG);
        work.tables.push(digest);
        if self.since {
            return work.touched_accounts();
        }
        let views = std::mem::take(&mut work.views);
        let compared = self.folded_tables(work, &views);
        work.views = views;
        compared
    }

    fn folded_tables(&self, work: &mut Work, views: &[Views]) -> Found {
        work.table(&ACCOUNTS, views::accounts(views))?;
        work.table(&LOTS, views::lots(views))?;
        work.table(&USAGE_HOURS, views::usage_hours(views))?;
        work.table(&CONTAINERS, views::containers(views))?;
        work.table(&NOTICES, views::notices(views))?;
        work.table(&CHECKOUTS, views::checkouts(views))?;
        work.table(&SOLVENCY, views::solvency(views))?;
        work.table(&SOURCES, views::sources(views))?;
        work.table(&CHAIN_POSITIONS, views::chain_positions(views, self.identity.log.0))
    }

    fn report(self, work: Work, finding: Option<Finding>, begin: Instant) -> Report {
        let folds: Vec<&Fold> = work.folds.iter().chain(work.views.iter().map(Views::fold)).collect();
        let totals = folds.iter().map(|fold| fold.totals()).fold(Totals::default(), sum);
        let partitions =
            folds.iter().zip(&self.starts).map(|(fold, start)| PartitionReport::new(fold, start));
        // Of a log that is wrong nothing is known that a record could be held against.
        let log_is_right = finding.as_ref().is_none_or(Finding::is_of_views);
        let record = work.record.as_ref().filter(|_| log_is_right).map(Record::report);
        let whole = finding.is_none() && !self.since;
        let views = self.place.map(|place| ViewsReport {
            store: place,
            at: self.starts.iter().map(|start| format!("{}-{}", start.partition, start.viewed)).collect(),
            sha256: whole.then(|| digest_of_all(&work.tables)),
            tables: work.tables,
        });
        Report {
            log: self.identity.log.to_string(),
            since: self.since,
            partitions: partitions.collect(),
            totals,
            foreign: work.foreign,
            views,
            noted: Vec::new(),
            finding: finding.or_else(|| record.as_ref()?.finding()),
            record,
            time: begin.elapsed(),
        }
    }
}

/// How many there are to read.
fn messages(starts: &[Start]) -> u64 {
    let parts = starts.iter().flat_map(|start| [start.viewed_part(), start.later_part()]);
    parts.map(|Part { count, .. }| count).sum()
}

/// What is read, and what came of it.
struct Work {
    progress: Progress,
    entries: Entries,
    rows: Rows,
    /// Those of the agent log.
    beside: Rows,
    /// While the views are compared, one a partition; then only their folds are of use.
    views: Vec<Views>,
    folds: Vec<Fold>,
    foreign: Vec<Foreign>,
    tables: Vec<TableDigest>,
    events: u64,
    /// The first row of the views that is not as the log tells. It is the views' fault only if the whole log is right,
    /// for a commit that was rewritten is shown up by its successor.
    difference: Option<Finding>,
    record: Option<Record>,
}

impl Work {
    /// Keeps what is wrong with the views for the end.
    fn note(&mut self, compared: Found) -> Found {
        match compared {
            Err(finding) if finding.is_of_views() => {
                self.difference = Some(finding);
                self.rows.end();
                self.beside.end();
                Ok(())
            }
            other => other,
        }
    }

    /// What the views have read too: each event has its rows in the journal and in the agent log.
    fn viewed(&mut self, index: usize, part: Part, compare: bool) -> Found {
        for _ in 0..part.count {
            let entry = self.entries.next(part)?;
            let (views, rows, beside) = (&mut self.views[index], &mut self.rows, &mut self.beside);
            match entry {
                Entry::Commit(commit) => {
                    let (mut compared, so_far) = (Ok(()), compare && self.difference.is_none());
                    let before = views.fold().totals_so_far().events;
                    views.commit_beside(commit.prefix.sequence, &commit.bytes, |table, _, line| {
                        if so_far && compared.is_ok() {
                            compared = match table {
                                Beside::Journal => rows.expect(&JOURNAL, Some(&line)),
                                Beside::AgentLog => beside.expect(&AGENT_LOG, Some(&line)),
                            };
                        }
                    })?;
                    self.record.iter_mut().for_each(|record| record.take(&commit.bytes));
                    self.events += views.fold().totals_so_far().events - before;
                    self.note(compared.map_err(Finding::from))?;
                }
                Entry::Foreign { sequence, reason } => {
                    views.foreign(sequence)?;
                    self.stranger(part.partition, sequence, reason);
                }
            }
            self.progress.advance(1, self.events);
        }
        Ok(())
    }

    /// What came later.
    fn later(&mut self, index: usize, part: Part) -> Found {
        for _ in 0..part.count {
            let entry = self.entries.next(part)?;
            match entry {
                Entry::Commit(commit) => {
                    self.folds[index].commit(commit.prefix.sequence, &commit.bytes)?;
                    self.record.iter_mut().for_each(|record| record.take(&commit.bytes));
                }
                Entry::Foreign { sequence, reason } => {
                    self.folds[index].foreign(sequence)?;
                    self.stranger(part.partition, sequence, reason);
                }
            }
            self.progress.advance(1, self.folds[index].totals_so_far().events);
        }
        Ok(())
    }

    fn stranger(&mut self, partition: u16, sequence: u64, reason: String) {
        if self.foreign.len() < FOREIGN_NAMED {
            self.foreign.push(Foreign { partition, sequence, reason });
        }
    }

    fn table(&mut self, table: &'static Table, expected: impl Iterator<Item = String>) -> Found {
        self.progress.say(&format!("comparing {}", table.name));
        for line in expected {
            self.rows.expect(table, Some(&line)).map_err(Finding::from)?;
        }
        self.rows.expect(table, None).map_err(Finding::from)?;
        self.ended(table);
        Ok(())
    }

    fn ended(&mut self, table: &'static Table) {
        let digest = self.rows.finish(table);
        self.tables.push(digest);
    }

    /// Of accounts that were touched behind the beginning: what their events say of the balance and of the last event.
    fn touched_accounts(&mut self) -> Found {
        let told = ["app", "user_id", "balance", "last_partition", "last_sequence", "last_idx"];
        let place = |name: &&str| ACCOUNTS.columns.iter().position(|(column, _)| column == name);
        let places: Vec<usize> = told.iter().filter_map(place).collect();
        let cells =
            |line: &str| -> Vec<Value> { serde_json::from_str(line).expect("a line is a JSON array") };
        let mut expected = views::accounts(&self.views).peekable();
        let touched = expected.peek().is_some();
        while let Some(found) = self.rows.next(&ACCOUNTS).filter(|_| touched) {
            let found = cells(&found);
            let Some(next) = expected.peek().map(|line| cells(line)) else { continue };
            let key =
                |row: &[Value]| (row[0].as_str().map(str::to_owned), row[1].as_str().map(str::to_owned));
            if key(&found) < key(&next) {
                continue;
            }
            expected.next();
            // What was not seen is taken over from the row.
            let mut row = found.clone();
            let told = places.iter().filter(|place| !next[**place].is_null());
            told.for_each(|place| row[*place] = next[*place].clone());
            let line = |row: &[Value]| Value::from(row.to_vec()).to_string();
            Rows::same(&ACCOUNTS, Some(&line(&row)), Some(&line(&found))).map_err(Finding::from)?;
        }
        let missing = expected.next();
        Rows::same(&ACCOUNTS, missing.as_deref(), None).map_err(Finding::from)
    }
}

/// The entries of the log, one by one.
struct Entries {
    from: Receiver<Vec<Result<Entry, ReadError>>>,
    batch: std::vec::IntoIter<Result<Entry, ReadError>>,
}

impl Entries {
    fn next(&mut self, part: Part) -> Result<Entry, Finding> {
        loop {
            if let Some(entry) = self.batch.next() {
                return entry.map_err(|error| Finding::unreadable(&error));
            }
            let batch = self.from.blocking_recv().ok_or_else(|| Finding::cut_off(part.partition))?;
            self.batch = batch.into_iter();
        }
    }
}

/// The views can not know what the log does not hold.
fn shrunk(start: &Start) -> Found {
    match start.viewed > start.head {
        true => Err(Finding::shrunk(start.partition, start.viewed, start.head)),
        false => Ok(()),
    }
}

fn sum(a: Totals, b: Totals) -> Totals {
    Totals {
        commits: a.commits + b.commits,
        foreign: a.foreign + b.foreign,
        events: a.events + b.events,
        accounts: a.accounts + b.accounts,
        deposits: a.deposits + b.deposits,
        grants: a.grants + b.grants,
        debits: a.debits + b.debits,
        declines: a.declines + b.declines,
        crossings: a.crossings + b.crossings,
        keys: a.keys + b.keys,
        deposited: a.deposited + b.deposited,
        granted: a.granted + b.granted,
        charged: a.charged + b.charged,
        fees: a.fees + b.fees,
        balances: a.balances + b.balances,
    }
}

impl From<Violation> for Finding {
    fn from(violation: Violation) -> Self {
        match violation.rule {
            Rule::Version => Self::too_new(&violation),
            _ => Self::violation(&violation),
        }
    }
}
