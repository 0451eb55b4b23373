//! Decide: a command against the state gives events, or a reason not to.
//!
//! Each command is a column of early returns, one rule a line, in the order of [`Code`]; after the last of them
//! nothing can fail. Nothing here changes the state: the caller evolves it with the events.

mod checkout;
mod close;
mod debit;
mod lifecycle;
mod money_in;
mod notice;
mod open;
mod source;

#[cfg(test)]
mod tests;

use crate::account::{Account, Movement};
use crate::command::Command;
use crate::digest::KeyFingerprint;
use crate::event::{Crossed, CrossingReason, Event};
use crate::ids::{AccountId, AppId, Key, Position};
use crate::ledger::{App, Ledger};
use crate::level::Level;
use crate::money::{AMOUNT_MAX, Usdc};
use crate::rejection::{Code, Rejection};

pub use source::{BatchHead, BatchItem, SourceBatch};

/// What was decided. The events are to be appended even when the outcome is a rejection: a decline may dust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// What the caller is told once the events are durable.
    pub outcome: Result<Outcome, Rejection>,
    /// What happened; the first of them is the answer.
    pub events: Vec<Event>,
    /// The fingerprint of the debit's key, for [`Ledger::evolve_decided`]. None when there is none, or nothing to
    /// remember it for.
    pub fingerprint: Option<KeyFingerprint>,
}

impl Decided {
    fn new(outcome: Result<Outcome, Rejection>, events: Vec<Event>) -> Self {
        Self { outcome, events, fingerprint: None }
    }
}

/// An accepted command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It happened: see the first event.
    Applied,
    /// It had happened before, there.
    Duplicate(Position),
    /// There was nothing to do: the account is open already, or closed already.
    Unchanged,
    /// A dry run: this is what it would charge and leave.
    WouldCharge {
        /// The whole credits.
        charged: Usdc,
        /// The balance after.
        balance: Usdc,
        /// The level after.
        level: Level,
    },
}

/// Decides one command.
pub fn decide(ledger: &Ledger, command: &Command) -> Decided {
    if command.key().is_some_and(Key::is_own) {
        return Decided::new(Err(Code::KeyReserved.into()), vec![]);
    }
    match command {
        Command::Open(command) => open::open(ledger, command).into(),
        Command::Grant(command) => money_in::grant(ledger, command).into(),
        Command::Deposit(command) => money_in::deposit(ledger, command).into(),
        Command::Debit(command) => debit::debit(ledger, &command.usage, command.dry_run),
        Command::Close(command) => close::close(ledger, command).into(),
        Command::SetContainer(command) => lifecycle::set_container(ledger, command).into(),
        Command::Hibernate(command) => lifecycle::hibernate(ledger, command).into(),
        Command::Restore(command) => lifecycle::restore(ledger, command).into(),
        Command::ClaimLifecycle(command) => lifecycle::claim(ledger, command).into(),
        Command::RecordStep(command) => lifecycle::record(ledger, command).into(),
        Command::RecordNotice(command) => notice::record(ledger, command).into(),
        Command::OpenCheckout(command) => checkout::open(ledger, command).into(),
        Command::SettleCheckout(command) => checkout::settle(ledger, command).into(),
    }
}

/// What the commands without events of their own on refusal give.
enum Accepted {
    Events(Vec<Event>),
    Duplicate(Position),
    Unchanged,
}

impl From<Result<Accepted, Rejection>> for Decided {
    fn from(result: Result<Accepted, Rejection>) -> Self {
        match result {
            Ok(Accepted::Events(events)) => Self::new(Ok(Outcome::Applied), events),
            Ok(Accepted::Duplicate(position)) => Self::new(Ok(Outcome::Duplicate(position)), vec![]),
            Ok(Accepted::Unchanged) => Self::new(Ok(Outcome::Unchanged), vec![]),
            Err(rejection) => Self::new(Err(rejection), vec![]),
        }
    }
}

/// The app of an account, and the account.
fn account_of<'a>(ledger: &'a Ledger, id: &AccountId) -> Result<(&'a App, &'a Account), Rejection> {
    let app = app_of(ledger, &id.app)?;
    Ok((app, app.account(&id.user).ok_or(Code::AccountUnknown)?))
}

fn app_of<'a>(ledger: &'a Ledger, app: &AppId) -> Result<&'a App, Rejection> {
    ledger.app(app).ok_or(Code::AppUnknown.into())
}

fn check_amount(amount: Usdc) -> Result<(), Rejection> {
    if !amount.is_positive() {
        return Err(Code::AmountNotPositive.into());
    }
    if amount > AMOUNT_MAX {
        return Err(Code::AmountTooLarge.into());
    }
    Ok(())
}

/// One event for each line that a movement passed.
fn crossings<'a>(
    account: &'a AccountId,
    movement: &'a Movement,
    balance: Usdc,
    baseline: Usdc,
    reason: CrossingReason,
) -> impl Iterator<Item = Event> + 'a {
    movement.lines.iter().map(move |line| {
        Event::Crossed(Crossed {
            account: account.clone(),
            line: *line,
            balance,
            baseline,
            epoch: movement.epoch,
            reason,
        })
    })
}
