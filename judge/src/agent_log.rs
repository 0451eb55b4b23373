//! The log for people as the log tells it: one row a signal, in the canonical form of [`crate::views`].

use crate::line::Line;
use crate::wire::{
    CheckoutStepped, CheckoutTold, Commit, Event, LifecycleStepped, LifecycleTold, NoticeStepped, NoticeTold,
    SolvencyChecked,
};

/// What a row says, with nothing in it yet.
#[derive(Debug, Default)]
struct Row<'a> {
    kind: &'static str,
    account: Option<usize>,
    step: Option<&'static str>,
    subject: Option<&'a str>,
    amount: Option<i64>,
    balance: Option<i64>,
    text: Option<&'a str>,
    actor: Option<usize>,
}

/// The row of an event; none of one that is no signal. Text indexes and steps must have been checked.
pub(crate) fn agent_line(commit: &Commit<'_>, index: u32, event: &Event<'_>) -> Option<String> {
    let row = row(event)?;
    let text = |index: usize| commit.body.texts[index];
    let account = row.account.map(|account| commit.body.accounts[account]);
    let line = Line::default()
        .number(commit.partition)
        .number(commit.sequence)
        .number(index)
        .time(commit.body.time)
        .opt_text(account.map(|(app, _)| text(app)))
        .opt_text(account.map(|(_, user)| user))
        .text(row.kind)
        .opt_text(row.step)
        .opt_text(row.subject)
        .opt_number(row.amount)
        .opt_number(row.balance)
        .opt_text(row.text)
        .opt_text(row.actor.map(text));
    Some(line.done())
}

fn row<'a>(event: &Event<'a>) -> Option<Row<'a>> {
    Some(match event {
        Event::AccountOpened(_) | Event::Granted(_) | Event::Deposited(_) => return money(event),
        Event::Crossed(event) => Row {
            subject: Some(event.line.word()),
            amount: Some(event.baseline),
            balance: Some(event.balance),
            ..of("crossed", event.account)
        },
        Event::AccountClosed(event) => still("closed", event.account, event.balance, event.actor),
        Event::ContainerSet(event) => {
            Row { text: Some(event.image), actor: Some(event.actor), ..of("container_set", event.account) }
        }
        Event::Paused(event) => still("paused", event.account, event.balance, event.actor),
        Event::Resumed(event) => Row {
            subject: event.forced.then_some("forced"),
            ..still("resumed", event.account, event.balance, event.actor)
        },
        Event::LifecycleStepped(event) => lifecycle(event),
        Event::NoticeStepped(event) => notice(event),
        Event::CheckoutStepped(event) => checkout(event),
        Event::SolvencyChecked(event) => solvency(event),
        Event::Genesis(_) | Event::TermOpened(_) | Event::PolicySet(_) | Event::HorizonRaised(_) => {
            return None;
        }
        Event::Debited(_) | Event::Declined(_) | Event::SourceMarked(_) => return None,
    })
}

fn of<'a>(kind: &'static str, account: usize) -> Row<'a> {
    Row { kind, account: Some(account), ..Row::default() }
}

/// Of what somebody does without moving money.
fn still<'a>(kind: &'static str, account: usize, balance: i64, actor: usize) -> Row<'a> {
    Row { balance: Some(balance), actor: Some(actor), ..of(kind, account) }
}

fn money<'a>(event: &Event<'a>) -> Option<Row<'a>> {
    let (kind, account, amount, balance, actor) = match event {
        Event::AccountOpened(event) => {
            ("opened", event.account, event.initial_balance, event.initial_balance, event.actor)
        }
        Event::Granted(event) => ("granted", event.account, event.amount, event.balance, event.actor),
        Event::Deposited(event) => ("deposited", event.account, event.amount, event.balance, event.actor),
        _ => return None,
    };
    Some(Row { amount: Some(amount), ..still(kind, account, balance, actor) })
}

fn lifecycle<'a>(event: &LifecycleStepped<'a>) -> Row<'a> {
    let (subject, text) = match event.told() {
        Some(LifecycleTold::Claimed { operation, .. }) => (Some(operation.word()), None),
        Some(LifecycleTold::ProjectCreated { id } | LifecycleTold::EnvironmentCreated { id }) => {
            (Some(id), None)
        }
        Some(LifecycleTold::ServiceCreated { id, url }) => (Some(id), Some(url)),
        Some(LifecycleTold::DeploymentStarted { id }) => (Some(id), None),
        Some(LifecycleTold::ScaledDown { strategy }) => (Some(strategy.word()), None),
        Some(LifecycleTold::Failed { reason, .. }) => (None, Some(reason)),
        _ => (None, None),
    };
    let (step, actor) = (Some(event.step.word()), Some(event.worker));
    Row { step, subject, text, actor, ..of("lifecycle", event.account) }
}

fn notice<'a>(event: &NoticeStepped<'a>) -> Row<'a> {
    let text = match event.told() {
        Some(NoticeTold::Sent { message_id }) => Some(message_id),
        Some(NoticeTold::Failed { reason, .. } | NoticeTold::Abandoned { reason }) => Some(reason),
        _ => None,
    };
    let (step, subject) = (Some(event.step.word()), Some(event.kind.word()));
    Row { step, subject, text, actor: Some(event.worker), ..of("notice", event.account) }
}

fn checkout<'a>(event: &CheckoutStepped<'a>) -> Row<'a> {
    let (amount, text) = match event.told() {
        Some(CheckoutTold::Opened { amount, .. }) => (Some(amount), None),
        Some(CheckoutTold::Paid { transaction }) => (None, transaction),
        Some(CheckoutTold::Parked { reason, paid }) => (paid, Some(reason.word())),
        Some(CheckoutTold::Dismissed) | None => (None, None),
    };
    let (step, subject) = (Some(event.step.word()), Some(event.session));
    Row { step, subject, amount, text, actor: Some(event.actor), ..of("checkout", event.account) }
}

fn solvency<'a>(event: &SolvencyChecked) -> Row<'a> {
    let there_is = event.wallet.and_then(|wallet| wallet.checked_add(event.promo.unwrap_or(0)));
    Row {
        kind: "solvency",
        subject: Some(event.wallet_level.word()),
        amount: Some(event.balances),
        balance: there_is,
        text: Some(event.build_level.word()),
        actor: Some(event.worker),
        ..Row::default()
    }
}
