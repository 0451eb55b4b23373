//! Money in: grants and deposits.

use super::{Accepted, account_of, check_amount, crossings};
use crate::account::{Account, LOTS_MAX, LotKind};
use crate::command::AddMoney;
use crate::digest::{ContentDigest, KeyFingerprint};
use crate::event::{CrossingReason, Event, MoneyIn};
use crate::ledger::Ledger;
use crate::money::{BALANCE_MAX, Usdc};
use crate::policy::Policy;
use crate::rejection::{Code, Rejection};

/// A deposit sets the baseline, and is recorded even for a closed account: the money was paid.
pub(super) fn deposit(ledger: &Ledger, command: &AddMoney) -> Result<Accepted, Rejection> {
    let content = ContentDigest::of_deposit(command.amount, command.metadata.as_ref());
    add(ledger, command, content, LotKind::Paid)
}

/// A grant lifts the baseline only when the balance rises above it: a small promo is no new "100 %".
pub(super) fn grant(ledger: &Ledger, command: &AddMoney) -> Result<Accepted, Rejection> {
    let content = ContentDigest::of_grant(command.amount, command.metadata.as_ref());
    add(ledger, command, content, LotKind::Promo)
}

fn add(
    ledger: &Ledger,
    command: &AddMoney,
    content: ContentDigest,
    kind: LotKind,
) -> Result<Accepted, Rejection> {
    let (app, account) = account_of(ledger, &command.account)?;
    let fingerprint = KeyFingerprint::of(&command.account, &command.key);
    if let Some(used) = app.used_key(fingerprint, &command.key, || content)? {
        return Ok(Accepted::Duplicate(ledger.position_of(used)));
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
        wakes: account.wakes_at(movement.level),
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
