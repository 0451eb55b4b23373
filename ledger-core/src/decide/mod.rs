//! Decide: a command against the state gives events, or a reason not to.
//!
//! Each command is a column of early returns, one rule a line, in the order of [`Code`]; after the last of them
//! nothing can fail. Nothing here changes the state: the caller evolves it with the events.

mod close;
mod debit;
mod money_in;
mod open;
mod source;

#[cfg(test)]
mod tests;

use crate::account::{Account, LotKind, Movement};
use crate::command::Command;
use crate::digest::KeyUse;
use crate::event::{Crossed, CrossingReason, Event};
use crate::ids::{AccountId, AppId, Key, Position};
use crate::ledger::{App, Ledger};
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
    },
}

/// Decides one command.
pub fn decide(ledger: &Ledger, command: &Command) -> Decided {
    decide_known(ledger, command, KeyUse::of(command).as_ref())
}

/// The same, of a command whose key's use is known: it is [`KeyUse::of`] the command.
pub fn decide_known(ledger: &Ledger, command: &Command, key_use: Option<&KeyUse>) -> Decided {
    debug_assert_eq!(key_use.copied(), KeyUse::of(command), "the use of a key is that of its command");
    match command {
        Command::Open(command) => open::open(ledger, command).into(),
        Command::Grant(command) => money_in::add(ledger, command, key_use, LotKind::Promo).into(),
        Command::Deposit(command) => money_in::add(ledger, command, key_use, LotKind::Paid).into(),
        Command::Debit(command) => debit::debit(ledger, &command.usage, key_use, command.dry_run),
        Command::Close(command) => close::close(ledger, command, key_use).into(),
    }
}

/// What this key was used for before, if it was; a rejection when that was something else.
fn used_before(
    ledger: &Ledger,
    app: &App,
    key: Option<&Key>,
    key_use: Option<&KeyUse>,
) -> Result<Option<Position>, Rejection> {
    let Some((key, key_use)) = key.zip(key_use) else { return Ok(None) };
    Ok(app.used_key(key, key_use)?.map(|used| ledger.position_of(used)))
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
            Ok(Accepted::Events(events)) => Self { outcome: Ok(Outcome::Applied), events },
            Ok(Accepted::Duplicate(position)) => {
                Self { outcome: Ok(Outcome::Duplicate(position)), events: vec![] }
            }
            Ok(Accepted::Unchanged) => Self { outcome: Ok(Outcome::Unchanged), events: vec![] },
            Err(rejection) => Self { outcome: Err(rejection), events: vec![] },
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
