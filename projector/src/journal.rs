//! The rows of the journal on their way into a table. Nearly all that the stores are handed is journal, one row an event,
//! so its rows have a way of their own: cell by cell into what the store sends, with nothing collected in between.

use std::fmt::Write as _;

use ledger_core::event::Slice;
use ledger_core::{Charge, Key, Position, Timestamp};

use crate::rows::JournalRow;
use crate::store::big;
use crate::words::{code_text, items_json, kind_text, level_text, line_text};

/// The columns, in the order in which [`write`] hands over their cells.
pub(crate) const COLUMNS: [&str; 24] = [
    "partition",
    "sequence",
    "idx",
    "app",
    "user_id",
    "kind",
    "recorded_at",
    "occurred_at",
    "amount",
    "balance",
    "level",
    "fee",
    "meter",
    "scope",
    "key",
    "source",
    "number",
    "items",
    "asked",
    "code",
    "line",
    "lots",
    "actor",
    "metadata",
];

/// Takes the cells of a row, one by one.
pub(crate) trait Cells {
    fn text(&mut self, text: Option<&str>);
    fn int(&mut self, number: Option<i64>);
    fn time(&mut self, time: Option<Timestamp>);
}

/// Hands over one row. `json` is only there to be used again.
pub(crate) fn write(row: &JournalRow, json: &mut String, to: &mut impl Cells) {
    let Position { partition, sequence, index } = row.position;
    to.int(Some(partition.0.into()));
    to.int(Some(big(sequence)));
    to.int(Some(index.into()));
    to.text(Some(row.account.app.as_str()));
    to.text(Some(row.account.user.as_str()));
    to.text(Some(kind_text(row.kind)));
    to.time(Some(row.recorded_at));
    to.time(row.occurred_at);
    to.int(Some(row.amount.credits()));
    to.int(Some(row.balance.credits()));
    to.text(row.level.map(level_text));
    to.int(Some(row.fee.credits()));
    to.text(row.meter.as_ref().map(|meter| meter.as_str()));
    to.text(row.scope.as_ref().map(|scope| scope.as_str()));
    to.text(row.key.as_ref().map(Key::text).as_deref());
    to.text(row.item.as_ref().map(|item| item.source.as_str()));
    to.int(row.item.as_ref().map(|item| big(item.number)));
    charge(row.charge.as_ref(), to);
    to.text(row.code.map(code_text));
    to.text(row.line.map(line_text));
    to.text(lots(&row.lots, json));
    to.text(row.actor.as_ref().map(|actor| actor.as_str()));
    to.text(row.metadata.as_deref());
}

/// The items of a charge, or its amount when it has none.
fn charge(charge: Option<&Charge>, to: &mut impl Cells) {
    match charge {
        Some(Charge::Items(items)) => {
            to.text(Some(&items_json(items)));
            to.int(None);
        }
        Some(Charge::Amount(amount)) => {
            to.text(None);
            to.int(Some(amount.credits()));
        }
        None => {
            to.text(None);
            to.int(None);
        }
    }
}

/// `[{"lot", "amount"}]`; nothing for none. Numbers and amounts need no escapes, so this is written by hand.
fn lots<'a>(lots: &[Slice], json: &'a mut String) -> Option<&'a str> {
    json.clear();
    for Slice { lot, amount } in lots {
        let before = if json.is_empty() { '[' } else { ',' };
        write!(json, r#"{before}{{"lot":{lot},"amount":"{amount}"}}"#).expect("a String takes everything");
    }
    (!json.is_empty()).then(|| {
        json.push(']');
        json.as_str()
    })
}
