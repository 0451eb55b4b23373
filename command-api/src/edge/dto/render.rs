//! What the writers and the views answer, as callers are told.

use ledger_core::account::Lot;
use ledger_core::charge::Item;
use ledger_core::event::{Debited, Event, Usage};
use ledger_core::{Charge, Level, Usdc, UserId};
use projector::{AccountRow, JournalKind, JournalRow, SourceReport};

use crate::ask::{AccountView, Receipt, SourceAnswer, WouldCharge};
use crate::edge::dto::answers::{
    AccountBody, JournalBody, LotBody, ReceiptBody, SourceBody, SourceResultBody,
};
use crate::edge::dto::upkeep::ContainerBody;
use crate::edge::metadata::JsonText;
use crate::edge::time::to_rfc3339;

impl AccountBody {
    /// As its owner knows it.
    pub fn of(view: AccountView, lots: bool) -> Self {
        Self {
            user_id: view.id.user,
            balance: view.balance,
            available: view.available,
            baseline: view.baseline,
            level: view.level,
            status: view.status,
            epoch: view.epoch,
            position: view.last,
            email: None,
            metadata: None,
            opened_at: None,
            lots: lots.then(|| view.lots.iter().map(LotBody::of).collect()),
            container: view
                .upkeep
                .as_ref()
                .and_then(|upkeep| upkeep.container.as_deref())
                .map(ContainerBody::of),
            created: None,
            changed: None,
        }
    }

    /// As the views know it.
    pub fn of_row(row: AccountRow) -> Self {
        let status = row.status();
        let body = Self {
            user_id: row.account.user.clone(),
            balance: row.balance,
            available: row.balance,
            baseline: row.baseline,
            level: row.level,
            status,
            epoch: row.epoch,
            position: row.last,
            email: None,
            metadata: None,
            opened_at: None,
            lots: None,
            container: None,
            created: None,
            changed: None,
        };
        body.with_profile(row)
    }

    /// With what only the views know.
    #[must_use]
    pub fn with_profile(self, row: AccountRow) -> Self {
        let metadata = row.metadata.and_then(JsonText::new);
        Self { email: row.email, metadata, opened_at: Some(to_rfc3339(row.opened_at)), ..self }
    }
}

impl LotBody {
    fn of(lot: &Lot) -> Self {
        let Lot { number, kind, priority, position, left } = *lot;
        Self { lot: number, kind, priority, left, position }
    }
}

impl ReceiptBody {
    /// Of an event that a debit, grant or deposit can be answered with.
    pub fn of(receipt: Receipt) -> Self {
        let Receipt { event, position, duplicate } = receipt;
        let mut body = match event {
            Event::Debited(event) => Self::of_debit(event),
            Event::Granted(event) | Event::Deposited(event) => Self {
                key: Some(event.key),
                ..Self::bare(event.account.user, event.amount, event.balance, event.level)
            },
            other => unreachable!("writers answer with debits, grants and deposits, not with {other:?}"),
        };
        body.position = Some(position);
        body.duplicate = duplicate;
        body
    }

    /// Of a dry run.
    pub fn of_dry_run(usage: Usage, would: &WouldCharge) -> Self {
        let bare = Self::bare(usage.account.user, would.charged, would.balance, would.level);
        let items = items_of(usage.charge);
        Self { key: usage.key, items, meter: Some(usage.meter), dry_run: Some(true), ..bare }
    }

    fn of_debit(event: Debited) -> Self {
        let usage = event.usage;
        let bare = Self::bare(usage.account.user, event.charged, event.balance, event.level);
        let items = items_of(usage.charge);
        Self { key: usage.key, fee: Some(event.fee), items, meter: Some(usage.meter), ..bare }
    }

    fn bare(user_id: UserId, amount: Usdc, balance: Usdc, level: Level) -> Self {
        Self {
            user_id,
            key: None,
            amount,
            balance,
            available: balance,
            level,
            position: None,
            duplicate: false,
            fee: None,
            items: None,
            meter: None,
            dry_run: None,
        }
    }
}

impl SourceResultBody {
    /// What became of the batch (from, to].
    pub fn of(source: String, from: u64, to: u64, digest: String, answer: SourceAnswer) -> Self {
        let SourceAnswer { charged, declined, skipped, opened, amount, positions } = answer;
        let positions = positions.into_iter().map(|(id, position)| (id.to_string(), position)).collect();
        Self { source, from, to, digest, charged, declined, skipped, opened, amount, positions }
    }
}

impl JournalBody {
    /// As the views know it.
    pub fn of(row: JournalRow) -> Self {
        let (items, asked) = match row.charge {
            Some(Charge::Items(items)) => (Some(items), None),
            Some(Charge::Amount(amount)) => (None, Some(amount)),
            None => (None, None),
        };
        let (source, number) = row.item.map(|item| (item.source.to_string(), item.number)).unzip();
        Self {
            position: row.position,
            user_id: row.account.user,
            kind: row.kind,
            recorded_at: to_rfc3339(row.recorded_at),
            occurred_at: row.occurred_at.map(to_rfc3339),
            amount: row.amount,
            balance: row.balance,
            level: row.level,
            meter: row.meter,
            scope: row.scope,
            key: row.key,
            fee: (row.kind == JournalKind::Debited).then_some(row.fee),
            items,
            asked,
            source,
            number,
            code: row.code.map(ledger_core::Code::as_str),
            line: row.line,
            actor: row.actor.map(String::from),
            metadata: row.metadata.and_then(JsonText::new),
        }
    }
}

impl SourceBody {
    /// As the views know it.
    pub fn of(report: &SourceReport) -> Self {
        Self {
            source: report.source.to_string(),
            marks: report.partitions.iter().map(|row| (row.partition.to_string(), row.upto)).collect(),
            charged: report.debits,
            declined: report.declined,
            amount: report.charged,
        }
    }
}

fn items_of(charge: Charge) -> Option<Vec<Item>> {
    match charge {
        Charge::Items(items) => Some(items),
        Charge::Amount(_) => None,
    }
}
