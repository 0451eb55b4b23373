//! Containers: what people ask of them, and what workers tell of them.
//!
//! A worker first claims: of two that act for the same account, one is refused. What it tells afterwards names how many
//! steps it knows of, so that a worker which was thought dead can not speak over its successor.

use super::{Accepted, account_of};
use crate::account::Account;
use crate::command::{ClaimLifecycle, Hibernate, RecordStep, Restore, SetContainer};
use crate::digest::{ContentDigest, KeyFingerprint};
use crate::event::{ContainerSet, Event, LifecycleStepped, Paused, Resumed};
use crate::ids::{AccountId, Key, Label, Position};
use crate::ledger::{App, Ledger};
use crate::level::Level;
use crate::rejection::{Code, Rejection};
use crate::time::MINUTE;
use crate::upkeep::{Container, Holder, Step};

/// The longest claim, in microseconds: a worker that died is replaced after it.
const HOLD_MAX: i64 = 10 * MINUTE;

pub(super) fn set_container(ledger: &Ledger, command: &SetContainer) -> Result<Accepted, Rejection> {
    let (app, account) = account_of(ledger, &command.account)?;
    let content = || ContentDigest::of_container(&command.settings);
    if let Some(position) = used(ledger, app, &command.account, command.key.as_ref(), content)? {
        return Ok(Accepted::Duplicate(position));
    }
    check_open(account)?;
    Ok(Accepted::Events(vec![Event::ContainerSet(ContainerSet {
        account: command.account.clone(),
        key: command.key.clone(),
        settings: command.settings.clone(),
        actor: command.actor.clone(),
    })]))
}

pub(super) fn hibernate(ledger: &Ledger, command: &Hibernate) -> Result<Accepted, Rejection> {
    let (app, account) = account_of(ledger, &command.account)?;
    let key = command.key.as_ref();
    if let Some(position) = used(ledger, app, &command.account, key, ContentDigest::of_hibernate)? {
        return Ok(Accepted::Duplicate(position));
    }
    check_open(account)?;
    if account.is_paused() {
        return Ok(Accepted::Unchanged);
    }
    let balance = account.balance();
    let (account, key, actor) = (command.account.clone(), command.key.clone(), command.actor.clone());
    Ok(Accepted::Events(vec![Event::Paused(Paused { account, key, balance, actor })]))
}

pub(super) fn restore(ledger: &Ledger, command: &Restore) -> Result<Accepted, Rejection> {
    let (app, account) = account_of(ledger, &command.account)?;
    let key = command.key.as_ref();
    if let Some(position) = used(ledger, app, &command.account, key, ContentDigest::of_restore)? {
        return Ok(Accepted::Duplicate(position));
    }
    check_open(account)?;
    let exhausted = account.level() == Level::Exhausted;
    if exhausted && !command.force {
        return Err(Code::RestoreWithoutCredit.into());
    }
    // What failed is tried again at once: that is a change too.
    let forced = exhausted && command.force;
    let waits = account.container().is_some_and(|container| container.progress.is_some());
    if !account.is_paused() && account.is_forced() == forced && !waits {
        return Ok(Accepted::Unchanged);
    }
    let balance = account.balance();
    let (account, key, actor) = (command.account.clone(), command.key.clone(), command.actor.clone());
    Ok(Accepted::Events(vec![Event::Resumed(Resumed { account, key, forced, balance, actor })]))
}

pub(super) fn claim(ledger: &Ledger, command: &ClaimLifecycle) -> Result<Accepted, Rejection> {
    let (_, account) = account_of(ledger, &command.account)?;
    let container = account.container().ok_or(Code::ContainerUnknown)?;
    let operation = account.due().ok_or(Code::NothingDue)?;
    let now = ledger.time();
    let held = |worker: &Label| *worker != command.worker;
    if container.holder.as_ref().is_some_and(|holder| held(&holder.worker) && holder.until > now) {
        return Err(Code::Claimed.into());
    }
    let waits = |since| since > now;
    if container.progress.is_some_and(|known| known.operation == operation && waits(known.retry_at)) {
        return Err(Code::TooEarly.into());
    }
    let until = now.plus(command.hold.clamp(0, HOLD_MAX));
    let step = Step::Claimed { operation, until, attempts: container.attempts(operation) };
    Ok(Accepted::Events(vec![stepped(&command.account, container, step, &command.worker, ledger)]))
}

pub(super) fn record(ledger: &Ledger, command: &RecordStep) -> Result<Accepted, Rejection> {
    let (_, account) = account_of(ledger, &command.account)?;
    let container = account.container().ok_or(Code::ContainerUnknown)?;
    if command.after != container.steps {
        return Err(Code::Moved.into());
    }
    let held = |holder: &&Holder| holder.worker != command.worker && holder.until > ledger.time();
    if container.holder.as_ref().filter(held).is_some() {
        return Err(Code::Claimed.into());
    }
    // A claim is asked for, not told; and only who claimed, or looked, has something to tell.
    if matches!(command.step, Step::Claimed { .. }) || !container.can(&command.step) {
        return Err(Code::StepOutOfPlace.into());
    }
    let mut step = command.step.clone();
    if let Step::Failed { attempts, .. } = &mut step {
        let progress = container.progress.ok_or(Code::StepOutOfPlace)?;
        *attempts = progress.attempts.saturating_add(1);
    }
    Ok(Accepted::Events(vec![stepped(&command.account, container, step, &command.worker, ledger)]))
}

fn stepped(account: &AccountId, container: &Container, step: Step, worker: &Label, ledger: &Ledger) -> Event {
    let mut after = container.clone();
    after.apply(ledger.time(), worker, &step);
    Event::LifecycleStepped(LifecycleStepped {
        account: account.clone(),
        number: after.steps,
        step,
        phase: after.phase,
        worker: worker.clone(),
    })
}

fn check_open(account: &Account) -> Result<(), Rejection> {
    if account.is_closed() { Err(Code::AccountClosed.into()) } else { Ok(()) }
}

/// Where an earlier command with this key stands.
pub(super) fn used(
    ledger: &Ledger,
    app: &App,
    account: &AccountId,
    key: Option<&Key>,
    content: impl FnOnce() -> ContentDigest,
) -> Result<Option<Position>, Rejection> {
    let Some(key) = key else { return Ok(None) };
    let used = app.used_key(KeyFingerprint::of(account, key), key, content)?;
    Ok(used.map(|used| ledger.position_of(used)))
}
