//! Closing an account.

use super::{Accepted, account_of, used_before};
use crate::command::Close;
use crate::digest::KeyUse;
use crate::event::{AccountClosed, Event};
use crate::ledger::Ledger;
use crate::rejection::Rejection;

pub(super) fn close(
    ledger: &Ledger,
    command: &Close,
    key_use: Option<&KeyUse>,
) -> Result<Accepted, Rejection> {
    let (app, account) = account_of(ledger, &command.account)?;
    if let Some(before) = used_before(ledger, app, command.key.as_ref(), key_use)? {
        return Ok(Accepted::Duplicate(before));
    }
    if account.is_closed() {
        return Ok(Accepted::Unchanged);
    }
    Ok(Accepted::Events(vec![Event::AccountClosed(AccountClosed {
        account: command.account.clone(),
        key: command.key.clone(),
        balance: account.balance(),
        actor: command.actor.clone(),
    })]))
}
