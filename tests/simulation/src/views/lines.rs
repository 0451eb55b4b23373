//! The rows of the database in the canonical form of `judge::views`: a JSON array of the columns, in their order.

use ledger_core::event::Slice;
use ledger_core::{Charge, Timestamp};
use projector::delta::UsageChange;
use projector::{AccountRow, ChainPosition, JournalRow, LotRow};
use serde_json::json;

use super::database::{Source, SourceKey, UsageKey};

pub(super) fn account_line(row: &AccountRow) -> String {
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
        row.paused,
        row.forced,
    ])
    .to_string()
}

pub(super) fn lot_line(row: &LotRow) -> String {
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

pub(super) fn journal_line(row: &JournalRow) -> String {
    let place = &row.position;
    let (items, asked) = match &row.charge {
        Some(Charge::Items(items)) => (Some(serde_json::to_string(items).expect("texts are JSON")), None),
        Some(Charge::Amount(amount)) => (None, Some(amount.credits())),
        None => (None, None),
    };
    let lot = |slice: &Slice| format!(r#"{{"lot":{},"amount":"{}"}}"#, slice.lot, slice.amount);
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

pub(super) fn position_line(position: &ChainPosition) -> String {
    let ChainPosition { log, partition, read, sequence, hash, time, term, foreign } = position;
    let [log, hash, term] = [log.to_string(), hash.to_string(), term.to_string()];
    json!([log, partition.0, read, sequence, hash, time.0, term, foreign]).to_string()
}

pub(super) fn usage_line(((account, meter, hour), used): (&UsageKey, &UsageChange)) -> String {
    let (Timestamp(hour), UsageChange { count, charged, fees }) = (hour, used);
    json!([account.app.as_str(), account.user.as_str(), meter.as_str(), hour, count, charged, fees])
        .to_string()
}

pub(super) fn source_line(((app, source), row): (&SourceKey, &Source)) -> String {
    let Source { upto, digest, debits, charged, declined } = row;
    json!([app.as_str(), source.as_str(), 0, upto, digest.to_string(), debits, charged, declined]).to_string()
}
