//! The judge's own fold of the log, held against the rows of the database: I10.

use event_log::Entry;
use judge::{Fold, views};
use ledger_core::{Charge, LogId};
use projector::{AccountRow, ChainPosition, JournalRow, LotRow};
use serde_json::json;

use super::database::{Database, Source};

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
    /// Errors: the first row that is not as the log tells it; a position that goes back.
    pub(super) fn compare(&mut self, log: &[Entry], database: &Database, all: bool) -> Result<(), String> {
        self.advance(log, database.read())?;
        if all {
            self.compared = 0;
        }
        let rows = database.journal.values().skip(self.compared).map(journal_line);
        same("journal", self.journal[self.compared..].iter().cloned(), rows)?;
        self.compared = self.journal.len();
        let (log, views) = (self.log.0, &self.views);
        let usage = |((account, meter, hour), used): (&(_, _, ledger_core::Timestamp), &_)| {
            let used: &projector::delta::UsageChange = used;
            let ledger_core::AccountId { app, user } = account;
            json!([
                app.as_str(),
                user.as_str(),
                ledger_core::Meter::as_str(meter),
                hour.0,
                used.count,
                used.charged,
                used.fees
            ])
            .to_string()
        };
        let source = |((app, source), row): (&(ledger_core::AppId, ledger_core::SourceName), &_)| {
            let Source { upto, digest, debits, charged, declined } = row;
            json!([app.as_str(), source.as_str(), 0, upto, digest.to_string(), debits, charged, declined])
                .to_string()
        };
        same("accounts", views::accounts(views), database.accounts.values().map(account_line))?;
        same("lots", views::lots(views), database.lots.values().map(lot_line))?;
        same("usage_hours", views::usage_hours(views), database.usage.iter().map(usage))?;
        same("sources", views::sources(views), database.sources.iter().map(source))?;
        let position = database.position.iter().map(position_line);
        same("chain_positions", views::chain_positions(views, log), position)
    }

    fn advance(&mut self, log: &[Entry], read: u64) -> Result<(), String> {
        if read < self.read {
            return Err(format!("I10: the position went back from {} to {read}", self.read));
        }
        let number = |sequence| usize::try_from(sequence).expect("a log in memory");
        for entry in &log[number(self.read)..number(read)] {
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

fn account_line(row: &AccountRow) -> String {
    let money = [row.deposited, row.granted, row.charged, row.fees].map(|total| total.credits());
    let [deposited, granted, charged, fees] = money;
    json!([
        row.account.app.as_str(),
        row.account.user.as_str(),
        row.balance.credits(),
        row.baseline.credits(),
        row.level,
        row.epoch,
        row.dusted,
        row.closed,
        row.carry,
        deposited,
        granted,
        charged,
        fees,
        row.email,
        row.metadata,
        row.opened_at.0,
        row.opened.partition.0,
        row.opened.sequence,
        row.opened.index,
        row.last.partition.0,
        row.last.sequence,
        row.last.index,
    ])
    .to_string()
}

fn lot_line(row: &LotRow) -> String {
    let place = &row.position;
    json!([
        row.account.app.as_str(),
        row.account.user.as_str(),
        row.lot,
        row.kind,
        row.priority,
        place.partition.0,
        place.sequence,
        place.index,
        row.amount.credits(),
        row.left.credits(),
    ])
    .to_string()
}

fn journal_line(row: &JournalRow) -> String {
    let place = &row.position;
    let (items, asked) = match &row.charge {
        Some(Charge::Items(items)) => (Some(serde_json::to_string(items).expect("texts are JSON")), None),
        Some(Charge::Amount(amount)) => (None, Some(amount.credits())),
        None => (None, None),
    };
    let lot =
        |slice: &ledger_core::event::Slice| format!(r#"{{"lot":{},"amount":"{}"}}"#, slice.lot, slice.amount);
    let lots: Vec<String> = row.lots.iter().map(lot).collect();
    json!([
        place.partition.0,
        place.sequence,
        place.index,
        row.account.app.as_str(),
        row.account.user.as_str(),
        row.kind,
        row.recorded_at.0,
        row.occurred_at.map(|at| at.0),
        row.amount.credits(),
        row.balance.credits(),
        row.level,
        row.fee.credits(),
        row.meter.as_ref().map(|meter| meter.as_str()),
        row.scope.as_ref().map(|scope| scope.as_str()),
        row.key.as_ref().map(|key| key.to_string()),
        row.item.as_ref().map(|item| item.source.as_str()),
        row.item.as_ref().map(|item| item.number),
        items,
        asked,
        row.code.map(|code| code.as_str()),
        row.line,
        (!lots.is_empty()).then(|| format!("[{}]", lots.join(","))),
        row.actor.as_ref().map(|actor| actor.as_str()),
        row.metadata,
    ])
    .to_string()
}

fn position_line(position: &ChainPosition) -> String {
    let ChainPosition { log, partition, read, sequence, hash, time, term, foreign } = position;
    let [log, hash, term] = [log.to_string(), hash.to_string(), term.to_string()];
    json!([log, partition.0, read, sequence, hash, time.0, term, foreign]).to_string()
}
