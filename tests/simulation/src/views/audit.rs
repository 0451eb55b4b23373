//! The judge's own fold of the log, held against the rows of the database: I10.

use event_log::Entry;
use judge::{Fold, views};
use ledger_core::LogId;

use super::database::Database;
use super::lines::{account_line, journal_line, lot_line, position_line, source_line, usage_line};

/// What the views must hold, as far as the log was read.
pub(super) struct Audit {
    log: LogId,
    views: [judge::Views; 1],
    read: u64,
    /// The rows of the journal, and how many of them were compared.
    journal: Vec<String>,
    compared: usize,
}

impl Audit {
    pub(super) fn new(log: LogId) -> Self {
        Self { log, views: [judge::Views::new(Fold::new(0))], read: 0, journal: Vec::new(), compared: 0 }
    }

    /// Compares every row, up to where the database says it is; of the journal those that were not compared before, or
    /// `all`.
    ///
    /// Errors: the first row that is not as the log tells it; a position that went back, or beyond the log.
    pub(super) fn compare(&mut self, log: &[Entry], database: &Database, all: bool) -> Result<(), String> {
        self.advance(log, database.read())?;
        if all {
            self.compared = 0;
        }
        let rows = database.journal.values().skip(self.compared).map(journal_line);
        same("journal", self.journal[self.compared..].iter().cloned(), rows)?;
        self.compared = self.journal.len();
        let (log, views) = (self.log.0, &self.views);
        same("accounts", views::accounts(views), database.accounts.values().map(account_line))?;
        same("lots", views::lots(views), database.lots.values().map(lot_line))?;
        same("usage_hours", views::usage_hours(views), database.usage.iter().map(usage_line))?;
        same("sources", views::sources(views), database.sources.iter().map(source_line))?;
        let position = database.position.iter().map(position_line);
        same("chain_positions", views::chain_positions(views, log), position)
    }

    fn advance(&mut self, log: &[Entry], read: u64) -> Result<(), String> {
        let number = |sequence| usize::try_from(sequence).expect("a log in memory");
        let (from, to) = (number(self.read), number(read));
        let Some(entries) = log.get(from..to) else {
            return Err(format!("I10: the views went from {from} to {to}, the log ends at {}", log.len()));
        };
        for entry in entries {
            let took = match entry {
                Entry::Commit(stored) => {
                    let lines = &mut self.journal;
                    self.views[0].commit(entry.sequence(), &stored.bytes, |_, line| lines.push(line))
                }
                Entry::Foreign { sequence, .. } => self.views[0].foreign(*sequence),
            };
            took.map_err(|violation| violation.to_string())?;
        }
        self.read = read;
        Ok(())
    }
}

/// Row by row.
fn same(
    table: &str,
    expected: impl Iterator<Item = String>,
    found: impl Iterator<Item = String>,
) -> Result<(), String> {
    let (mut expected, mut found) = (expected, found);
    loop {
        match (expected.next(), found.next()) {
            (None, None) => return Ok(()),
            (expected, found) if expected == found => {}
            (expected, found) => {
                let say = |row: Option<String>| row.unwrap_or_else(|| "no row".to_owned());
                let (expected, found) = (say(expected), say(found));
                return Err(format!("I10: {table} holds {found}, the log tells {expected}"));
            }
        }
    }
}
