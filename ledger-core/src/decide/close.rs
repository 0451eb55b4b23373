//! Closing an account.

use super::{Accepted, account_of};
use crate::command::Close;
use crate::digest::{ContentDigest, KeyFingerprint};
use crate::event::{AccountClosed, Event};
use crate::ledger::Ledger;
use crate::rejection::Rejection;

pub(super) fn close(ledger: &Ledger, command: &Close) -> Result<Accepted, Rejection> {
    let (app, account) = account_of(ledger, &command.account)?;
    if let Some(key) = &command.key
        && let Some(used) =
            app.used_key(KeyFingerprint::of(&command.account, key), key, ContentDigest::of_close)?
    {
        return Ok(Accepted::Duplicate(ledger.position_of(used)));
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
