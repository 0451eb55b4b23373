//! The views by the plainest means: the ledger's own state for what an account is, and sums over the events for
//! what it ever did.

use std::collections::BTreeMap;

use ledger_core::event::{Event, Usage};
use ledger_core::time::HOUR;
use ledger_core::{AccountId, Position, Usdc};
use projector::{JournalKind, SourceReport, Views};

use crate::stores::journal;
use crate::world::{World, decode, name};

/// Compares every view with the worlds they were folded from.
pub(crate) async fn check(views: &Views, worlds: &[World]) {
    let mut usage = Vec::new();
    let mut source = SourceTotals::default();
    for world in worlds {
        let events = events(world);
        for id in &world.users {
            let of_id = events.iter().filter(|(_, _, event)| event.account() == Some(id));
            check_account(views, world, id, of_id.clone()).await;
        }
        usage.extend(usage_of(&events));
        source.add(&events);
    }
    let known: usize = worlds.iter().map(|world| world.ledger.account_count()).sum();
    let accounts = views.accounts(&name("demo"), None, None, 10_000).await.expect("accounts");
    assert_eq!(accounts.len(), known, "every account has its row, and nobody else has");
    check_usage(views, usage).await;
    check_source(views, &source).await;
}

type Positioned = (Position, i64, Event);

/// All events of a partition, each with the time of its commit.
fn events(world: &World) -> Vec<Positioned> {
    let commits = world.entries.iter().filter_map(decode);
    let of = |commit: ledger_core::commit::Commit| {
        let events = commit.positioned().map(|(position, event)| (position, commit.time.0, event.clone()));
        events.collect::<Vec<_>>()
    };
    commits.flat_map(of).collect()
}

async fn check_account<'a>(
    views: &Views,
    world: &World,
    id: &AccountId,
    events: impl Iterator<Item = &'a Positioned> + Clone,
) {
    let row = views.account(id).await.expect("account");
    let Some(account) = world.ledger.account(id) else {
        assert_eq!(row, None, "a decline for nobody opens no account");
        return;
    };
    let row = row.expect("the ledger knows it");
    assert_eq!((row.balance, row.baseline), (account.balance(), account.baseline()), "{id}");
    assert_eq!(
        (row.level, row.dusted, row.closed),
        (account.level(), account.is_dusted(), account.is_closed())
    );
    assert_eq!((row.paused, row.forced), (account.is_paused(), account.is_forced()), "{id}");
    assert_eq!((row.opened, row.last), (account.opened(), account.last()), "{id}");
    assert_eq!(u64::try_from(row.carry), Ok(account.carry().atto()), "{id}");
    assert_eq!(row.epoch, epoch(events.clone()), "{id}");
    let (deposited, granted, charged, fees) = totals(events.clone());
    assert_eq!((row.deposited, row.granted), (deposited, granted), "{id}");
    assert_eq!((row.charged, row.fees), (charged, fees), "{id}");
    check_lots(views, id, account).await;
    check_journal(views, id, events).await;
}

async fn check_lots(views: &Views, id: &AccountId, account: &ledger_core::account::Account) {
    let lots = views.lots(id).await.expect("lots");
    let mut left: Vec<_> =
        account.lots().iter().map(|lot| (lot.number, lot.kind, lot.position, lot.left)).collect();
    left.sort_by_key(|(number, ..)| *number);
    let held = lots.iter().filter(|lot| !lot.left.is_zero());
    assert_eq!(held.map(|lot| (lot.lot, lot.kind, lot.position, lot.left)).collect::<Vec<_>>(), left, "{id}");
    assert!(lots.iter().all(|lot| lot.left >= Usdc::ZERO && lot.left <= lot.amount), "{id}");
}

fn epoch<'a>(events: impl Iterator<Item = &'a Positioned>) -> u32 {
    let started = events.filter_map(|(_, _, event)| match event {
        Event::Granted(event) | Event::Deposited(event) => event.epoch_started,
        Event::Debited(event) => event.epoch_started,
        _ => None,
    });
    started.last().unwrap_or(1)
}

fn totals<'a>(events: impl Iterator<Item = &'a Positioned>) -> (Usdc, Usdc, Usdc, Usdc) {
    let (mut deposited, mut granted, mut charged, mut fees) = Default::default();
    for (_, _, event) in events {
        match event {
            Event::AccountOpened(event) => granted += event.initial_balance,
            Event::Granted(event) => granted += event.amount,
            Event::Deposited(event) => deposited += event.amount,
            Event::Debited(event) => {
                charged += event.charged;
                fees += event.fee;
            }
            _ => {}
        }
    }
    (deposited, granted, charged, fees)
}

/// Each event of money has its row, the movements lead to the balances, and what was asked stands there as it was asked.
async fn check_journal<'a>(views: &Views, id: &AccountId, events: impl Iterator<Item = &'a Positioned>) {
    let rows = journal(views, id).await;
    let mut balance = Usdc::ZERO;
    let mut count = 0;
    let of_money = events.filter_map(|(position, time, event)| Some((position, time, event, kind(event)?)));
    for ((position, time, event, kind), row) in of_money.zip(&rows) {
        assert_eq!((row.position, row.recorded_at.0), (*position, *time), "{id}");
        assert_eq!(row.kind, kind, "{position}");
        balance += row.amount;
        assert_eq!(row.balance, balance, "{position}");
        if let Some(usage) = usage(event) {
            assert_eq!((&row.key, &row.item), (&usage.key, &usage.item), "{position}");
            assert_eq!((row.charge.as_ref(), row.meter.as_ref()), (Some(&usage.charge), Some(&usage.meter)));
            assert_eq!((&row.scope, row.occurred_at), (&usage.scope, usage.occurred_at), "{position}");
            let metadata = usage.metadata.as_ref().and_then(|sealed| sealed.plain_text());
            assert_eq!(row.metadata.as_deref(), metadata, "{position}");
        }
        let moved: Usdc = row.lots.iter().map(|slice| slice.amount).sum();
        assert!(moved == row.amount || moved == row.amount.negated(), "{position}: the lots tell the amount");
        count += 1;
    }
    assert_eq!(rows.len(), count, "{id}");
}

/// None: it is of the upkeep.
fn kind(event: &Event) -> Option<JournalKind> {
    Some(match event {
        Event::AccountOpened(_) => JournalKind::Opened,
        Event::Granted(_) => JournalKind::Granted,
        Event::Deposited(_) => JournalKind::Deposited,
        Event::Debited(_) => JournalKind::Debited,
        Event::Declined(_) => JournalKind::Declined,
        Event::Crossed(_) => JournalKind::Crossed,
        Event::AccountClosed(_) => JournalKind::Closed,
        _ => return None,
    })
}

fn usage(event: &Event) -> Option<&Usage> {
    match event {
        Event::Debited(event) => Some(&event.usage),
        Event::Declined(event) => Some(&event.usage),
        _ => None,
    }
}

type Used = (i64, String, String, u64, i64, i64);

fn usage_of(events: &[Positioned]) -> Vec<Used> {
    let mut hours: BTreeMap<(i64, String, String), (u64, i64, i64)> = BTreeMap::new();
    for (_, time, event) in events {
        let Event::Debited(event) = event else { continue };
        let at = event.usage.occurred_at.map_or(*time, |at| at.0);
        let (user, meter) = (event.usage.account.user.to_string(), event.usage.meter.to_string());
        let used = hours.entry((at - at.rem_euclid(HOUR), user, meter)).or_default();
        *used = (used.0 + 1, used.1 + event.charged.credits(), used.2 + event.fee.credits());
    }
    let flat = |((hour, user, meter), (count, charged, fees))| (hour, user, meter, count, charged, fees);
    hours.into_iter().map(flat).collect()
}

async fn check_usage(views: &Views, mut expected: Vec<Used>) {
    expected.sort();
    let (first, last) = (ledger_core::Timestamp(0), ledger_core::Timestamp(i64::MAX / 2));
    let rows = views.usage(&name("demo"), None, first, last).await.expect("usage");
    let found = rows.iter().map(|row| {
        let (user, meter) = (row.account.user.to_string(), row.meter.to_string());
        (row.hour.0, user, meter, row.count, row.charged.credits(), row.fees.credits())
    });
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

#[derive(Default)]
struct SourceTotals {
    debits: u64,
    charged: Usdc,
    declined: u64,
    marks: Vec<(u64, ledger_core::commit::Hash)>,
}

impl SourceTotals {
    fn add(&mut self, events: &[Positioned]) {
        let mut mark = None;
        for (_, _, event) in events {
            match event {
                Event::Debited(event) if event.usage.item.is_some() => {
                    self.debits += 1;
                    self.charged += event.charged;
                }
                Event::Declined(event) if event.usage.item.is_some() => self.declined += 1,
                Event::SourceMarked(event) => mark = Some((event.to, event.digest)),
                _ => {}
            }
        }
        self.marks.extend(mark);
    }
}

async fn check_source(views: &Views, expected: &SourceTotals) {
    let (app, source) = (name("demo"), name("calls.csv"));
    let report = views.source(&app, &source).await.expect("source");
    let Some(SourceReport { debits, charged, declined, partitions, .. }) = report else {
        assert!(expected.marks.is_empty(), "a source that was applied has its row");
        return;
    };
    assert_eq!((debits, charged, declined), (expected.debits, expected.charged, expected.declined));
    let marks: Vec<_> = partitions.iter().map(|row| (row.upto, row.digest)).collect();
    assert_eq!(marks, expected.marks);
    let declines = views.source_declines(&app, &source, 0, 100_000).await.expect("declines");
    assert_eq!(declines.len() as u64, declined);
}
