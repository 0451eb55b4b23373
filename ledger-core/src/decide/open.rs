//! Opening an account.

use super::{Accepted, app_of};
use crate::command::Open;
use crate::event::{AccountOpened, Event};
use crate::ledger::Ledger;
use crate::level::Level;
use crate::money::{AMOUNT_MAX, Usdc};
use crate::rejection::{Code, Rejection};

pub(super) fn open(ledger: &Ledger, command: &Open) -> Result<Accepted, Rejection> {
    let app = app_of(ledger, &command.account.app)?;
    if app.account(&command.account.user).is_some() {
        return Ok(Accepted::Unchanged);
    }
    if command.initial_balance < Usdc::ZERO {
        return Err(Code::AmountNotPositive.into());
    }
    if command.initial_balance > AMOUNT_MAX {
        return Err(Code::AmountTooLarge.into());
    }
    let balance = command.initial_balance;
    Ok(Accepted::Events(vec![Event::AccountOpened(AccountOpened {
        account: command.account.clone(),
        key: command.key.clone(),
        initial_balance: balance,
        level: Level::of(balance, balance, false, app.policy.low_percent),
        actor: command.actor.clone(),
        profile: command.profile.clone(),
    })]))
}
