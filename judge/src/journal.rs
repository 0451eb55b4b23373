//! The journal as the log tells it: one row an event of an account, in the canonical form of [`crate::views`].

use serde_json::value::RawValue;

use crate::line::{Line, decimal};
use crate::wire::{Commit, Event, Item, Level, Sealed};

/// What a row of the journal says, with nothing in it yet but what every event of an account has.
#[derive(Debug, Default)]
struct Row<'a> {
    kind: &'static str,
    account: usize,
    amount: i64,
    balance: i64,
    level: Option<Level>,
    fee: i64,
    meter: Option<usize>,
    scope: Option<usize>,
    occurred_at: Option<i64>,
    key: Option<String>,
    item: Option<(usize, u64)>,
    items: Option<&'a [Item]>,
    asked: Option<i64>,
    code: Option<&'a str>,
    line: Option<&'static str>,
    lots: Vec<(u32, i64)>,
    actor: Option<usize>,
    metadata: Option<Sealed<'a>>,
}

/// The row of an event; none of one that neither moves money nor refuses to nor follows from that. Text indexes must have been checked.
pub(crate) fn journal_line(commit: &Commit<'_>, index: u32, event: &Event<'_>) -> Option<String> {
    let row = row(event)?;
    let text = |index: usize| commit.body.texts[index];
    let (app, user) = commit.body.accounts[row.account];
    let items = row.items.map(|items| items_json(commit, items));
    let metadata = row.metadata.map(json);
    let line = Line::default()
        .number(commit.partition)
        .number(commit.sequence)
        .number(index)
        .text(text(app))
        .text(user)
        .text(row.kind)
        .time(commit.body.time)
        .opt_number(row.occurred_at.map(crate::line::storable))
        .number(row.amount)
        .number(row.balance)
        .opt_text(row.level.map(Level::word))
        .number(row.fee)
        .opt_text(row.meter.map(text))
        .opt_text(row.scope.map(text))
        .opt_text(row.key.as_deref())
        .opt_text(row.item.map(|(source, _)| text(source)))
        .opt_number(row.item.map(|(_, number)| number))
        .opt_text(items.as_deref())
        .opt_number(row.asked)
        .opt_text(row.code)
        .opt_text(row.line)
        .opt_text(lots_json(&row.lots).as_deref())
        .opt_text(row.actor.map(text))
        .opt_text(metadata.as_deref());
    Some(line.done())
}

fn row<'a>(event: &'a Event<'a>) -> Option<Row<'a>> {
    let key = |key: &Option<crate::wire::Key<'_>>| key.as_ref().map(ToString::to_string);
    Some(match event {
        Event::Genesis(_) | Event::TermOpened(_) | Event::PolicySet(_) => return None,
        Event::HorizonRaised(_) | Event::SourceMarked(_) | Event::SolvencyChecked(_) => return None,
        Event::ContainerSet(_) | Event::Paused(_) | Event::Resumed(_) => return None,
        Event::LifecycleStepped(_) | Event::NoticeStepped(_) | Event::CheckoutStepped(_) => return None,
        Event::AccountOpened(event) => Row {
            kind: "opened",
            account: event.account,
            amount: event.initial_balance,
            balance: event.initial_balance,
            level: Some(event.level),
            key: key(&event.key),
            lots: (event.initial_balance > 0).then_some((1, event.initial_balance)).into_iter().collect(),
            actor: Some(event.actor),
            ..Row::default()
        },
        Event::Granted(money) | Event::Deposited(money) => Row {
            kind: if matches!(event, Event::Granted(_)) { "granted" } else { "deposited" },
            account: money.account,
            amount: money.amount,
            balance: money.balance,
            level: Some(money.level),
            key: Some(money.key.to_string()),
            lots: vec![(money.lot, money.amount)],
            actor: Some(money.actor),
            metadata: money.metadata,
            ..Row::default()
        },
        Event::Debited(event) => Row {
            kind: "debited",
            account: event.account,
            amount: -event.charged,
            balance: event.balance,
            level: Some(event.level),
            fee: event.fee,
            meter: Some(event.meter),
            scope: event.scope,
            occurred_at: event.occurred_at,
            key: key(&event.key),
            item: event.item,
            items: event.items.as_deref(),
            asked: event.items.is_none().then_some(event.charged),
            lots: event
                .lot
                .map(|lot| (lot, event.charged))
                .into_iter()
                .chain(event.slices.iter().copied())
                .collect(),
            metadata: event.metadata,
            ..Row::default()
        },
        Event::Declined(event) => Row {
            kind: "declined",
            account: event.account,
            balance: event.balance,
            level: event.dusted.then_some(Level::Exhausted),
            meter: Some(event.meter),
            scope: event.scope,
            occurred_at: event.occurred_at,
            key: key(&event.key),
            item: event.item,
            items: event.items.as_deref(),
            asked: event.amount.filter(|_| event.items.is_none()),
            code: Some(event.code),
            metadata: event.metadata,
            ..Row::default()
        },
        Event::Crossed(event) => Row {
            kind: "crossed",
            account: event.account,
            balance: event.balance,
            line: Some(event.line.word()),
            ..Row::default()
        },
        Event::AccountClosed(event) => Row {
            kind: "closed",
            account: event.account,
            balance: event.balance,
            key: key(&event.key),
            actor: Some(event.actor),
            ..Row::default()
        },
    })
}

/// `[{"name", "quantity", "unit_price"}]`, as they were asked.
fn items_json(commit: &Commit<'_>, items: &[Item]) -> String {
    let item = |(name, quantity, price): &Item| {
        let name = serde_json::to_string(commit.body.texts[*name]).expect("a text is always JSON");
        let (quantity, price) = (decimal((*quantity).into(), 6), decimal((*price).into(), 12));
        format!(r#"{{"name":{name},"quantity":"{quantity}","unit_price":"{price}"}}"#)
    };
    format!("[{}]", items.iter().map(item).collect::<Vec<_>>().join(","))
}

/// `[{"lot", "amount"}]`; nothing for none.
fn lots_json(lots: &[(u32, i64)]) -> Option<String> {
    let lot = |(lot, amount): &(u32, i64)| {
        format!(r#"{{"lot":{lot},"amount":"{}"}}"#, decimal((*amount).into(), 6))
    };
    (!lots.is_empty()).then(|| format!("[{}]", lots.iter().map(lot).collect::<Vec<_>>().join(",")))
}

/// The caller's own data: JSON as it was given, or, when it is encrypted or no JSON, its key id and its bytes.
fn json((key_id, bytes): Sealed<'_>) -> String {
    let open = std::str::from_utf8(bytes).ok().filter(|_| key_id == 0);
    let open = open.filter(|text| serde_json::from_str::<&RawValue>(text).is_ok());
    open.map_or_else(|| format!(r#"{{"key_id":{key_id},"sealed":"{}"}}"#, hex::encode(bytes)), str::to_owned)
}
