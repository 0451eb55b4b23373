//! Money in: grants and deposits.

use super::{Accepted, account_of, check_amount, crossings, used_before};
use crate::account::{Account, LOTS_MAX, LotKind};
use crate::command::AddMoney;
use crate::digest::KeyUse;
use crate::event::{CrossingReason, Event, MoneyIn};
use crate::ledger::Ledger;
use crate::money::{BALANCE_MAX, Usdc};
use crate::policy::Policy;
use crate::rejection::{Code, Rejection};

/// A deposit is recorded even for a closed account: the money was paid.
pub(super) fn add(
    ledger: &Ledger,
    command: &AddMoney,
    key_use: Option<&KeyUse>,
    kind: LotKind,
) -> Result<Accepted, Rejection> {
    let (app, account) = account_of(ledger, &command.account)?;
    if let Some(before) = used_before(ledger, app, Some(&command.key), key_use)? {
        return Ok(Accepted::Duplicate(before));
    }
    if kind == LotKind::Promo && account.is_closed() {
        return Err(Code::AccountClosed.into());
    }
    check_amount(command.amount)?;
    let balance = account.balance() + command.amount;
    if balance > BALANCE_MAX {
        return Err(Code::BalanceTooLarge.into());
    }
    if account.lots().len() >= LOTS_MAX {
        return Err(Code::LotsFull.into());
    }
    Ok(Accepted::Events(events(account, command, balance, kind, &app.policy)))
}

fn events(
    account: &Account,
    command: &AddMoney,
    balance: Usdc,
    kind: LotKind,
    policy: &Policy,
) -> Vec<Event> {
    // A deposit sets it. A grant lifts it only when the balance rises above it: a small promo is no new "100 %".
    let baseline = match kind {
        LotKind::Paid => balance,
        LotKind::Promo => account.baseline().max(balance),
    };
    let movement = account.movement(balance, baseline, false, policy);
    let money_in = MoneyIn {
        account: command.account.clone(),
        key: command.key.clone(),
        amount: command.amount,
        lot: account.lots_made + 1,
        priority: kind.priority(),
        balance,
        baseline,
        level: movement.level,
        epoch_started: movement.epoch_started,
        actor: command.actor.clone(),
        metadata: command.metadata.clone(),
    };
    let first = match kind {
        LotKind::Paid => Event::Deposited(money_in),
        LotKind::Promo => Event::Granted(money_in),
    };
    let crossed = crossings(&command.account, &movement, balance, baseline, CrossingReason::Policy);
    std::iter::once(first).chain(crossed).collect()
}
