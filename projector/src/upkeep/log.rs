//! Signals as rows of the agent log.

use ledger_core::event::{CheckoutStepped, Event, LifecycleStepped, NoticeStepped, SolvencyChecked};
use ledger_core::upkeep::{CheckoutStep, NoticeStep, Step};
use ledger_core::{Position, Timestamp, Usdc};

use super::rows::{LogKind, LogRow};
use super::words::{
    checkout_step_text, notice_kind_text, notice_step_text, operation_text, park_text, solvency_text,
    step_text, strategy_text,
};
use crate::words::line_text;

/// The row of an event; none of one that is no signal.
pub(super) fn row(position: Position, recorded_at: Timestamp, event: &Event) -> Option<LogRow> {
    let empty = |kind| LogRow {
        position,
        recorded_at,
        account: event.account().cloned(),
        kind,
        step: None,
        subject: None,
        amount: None,
        balance: None,
        text: None,
        actor: None,
    };
    let money = |kind, amount, balance, actor: &dyn ToString| LogRow {
        amount,
        balance: Some(balance),
        actor: Some(actor.to_string()),
        ..empty(kind)
    };
    Some(match event {
        Event::AccountOpened(event) => {
            let balance = event.initial_balance;
            money(LogKind::Opened, Some(balance), balance, &event.actor)
        }
        Event::Granted(event) => money(LogKind::Granted, Some(event.amount), event.balance, &event.actor),
        Event::Deposited(event) => money(LogKind::Deposited, Some(event.amount), event.balance, &event.actor),
        Event::Crossed(event) => LogRow {
            subject: Some(line_text(event.line).to_owned()),
            amount: Some(event.baseline),
            balance: Some(event.balance),
            ..empty(LogKind::Crossed)
        },
        Event::AccountClosed(event) => money(LogKind::Closed, None, event.balance, &event.actor),
        Event::ContainerSet(event) => LogRow {
            text: Some(event.settings.image.to_string()),
            actor: Some(event.actor.to_string()),
            ..empty(LogKind::ContainerSet)
        },
        Event::Paused(event) => money(LogKind::Paused, None, event.balance, &event.actor),
        Event::Resumed(event) => LogRow {
            subject: event.forced.then(|| "forced".to_owned()),
            ..money(LogKind::Resumed, None, event.balance, &event.actor)
        },
        Event::LifecycleStepped(event) => lifecycle(event, empty(LogKind::Lifecycle)),
        Event::NoticeStepped(event) => notice(event, empty(LogKind::Notice)),
        Event::CheckoutStepped(event) => checkout(event, empty(LogKind::Checkout)),
        Event::SolvencyChecked(event) => solvency(event, empty(LogKind::Solvency)),
        Event::Genesis(_) | Event::TermOpened(_) | Event::PolicySet(_) | Event::Debited(_) => return None,
        Event::Declined(_) | Event::SourceMarked(_) | Event::HorizonRaised(_) => return None,
    })
}

fn lifecycle(event: &LifecycleStepped, row: LogRow) -> LogRow {
    let (subject, text) = match &event.step {
        Step::Claimed { operation, .. } => (Some(operation_text(*operation).to_owned()), None),
        Step::ProjectCreated { id } | Step::EnvironmentCreated { id } => (Some(id.to_string()), None),
        Step::ServiceCreated { id, url } => (Some(id.to_string()), Some(url.to_string())),
        Step::DeploymentStarted { id } => (Some(id.to_string()), None),
        Step::ScaledDown { strategy } => (Some(strategy_text(*strategy).to_owned()), None),
        Step::Failed { reason, .. } => (None, Some(reason.to_string())),
        Step::VariablesSet | Step::ScaledUp | Step::Running | Step::Asleep => (None, None),
        Step::ServiceDeleted | Step::ProjectDeleted => (None, None),
    };
    let (step, actor) = (Some(step_text(&event.step).to_owned()), Some(event.worker.to_string()));
    LogRow { step, subject, text, actor, ..row }
}

fn notice(event: &NoticeStepped, row: LogRow) -> LogRow {
    let text = match &event.step {
        NoticeStep::Sent { message_id } => Some(message_id.to_string()),
        NoticeStep::Failed { reason, .. } | NoticeStep::Abandoned { reason } => Some(reason.to_string()),
        NoticeStep::Claimed { .. } | NoticeStep::Superseded => None,
    };
    let step = Some(notice_step_text(&event.step).to_owned());
    let subject = Some(notice_kind_text(event.kind).to_owned());
    LogRow { step, subject, text, actor: Some(event.worker.to_string()), ..row }
}

fn checkout(event: &CheckoutStepped, row: LogRow) -> LogRow {
    let (amount, text) = match &event.step {
        CheckoutStep::Opened { amount, .. } => (Some(*amount), None),
        CheckoutStep::Paid { transaction } => (None, transaction.as_ref().map(ToString::to_string)),
        CheckoutStep::Parked { reason, paid } => (*paid, Some(park_text(*reason).to_owned())),
        CheckoutStep::Dismissed => (None, None),
    };
    let step = Some(checkout_step_text(&event.step).to_owned());
    let (subject, actor) = (Some(event.session.to_string()), Some(event.actor.to_string()));
    LogRow { step, subject, amount, text, actor, ..row }
}

fn solvency(event: &SolvencyChecked, row: LogRow) -> LogRow {
    let promo = event.promo.unwrap_or(Usdc::ZERO);
    LogRow {
        subject: Some(solvency_text(event.wallet_level).to_owned()),
        text: Some(solvency_text(event.build_level).to_owned()),
        amount: Some(event.balances),
        balance: event.wallet.and_then(|wallet| wallet.checked_add(promo)),
        actor: Some(event.worker.to_string()),
        ..row
    }
}
