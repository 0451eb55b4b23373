//! Checkout sessions: money comes in from our own record of one, never from what a message says.

use super::{Accepted, account_of, lifecycle, money_in};
use crate::account::Account;
use crate::command::{AddMoney, CheckoutOutcome, OpenCheckout, SettleCheckout};
use crate::digest::{ContentDigest, KeyFingerprint};
use crate::event::{CheckoutStepped, Event};
use crate::ids::{AccountId, LongText, Position, SessionId};
use crate::ledger::{App, Ledger};
use crate::money::{AMOUNT_MAX, Usdc};
use crate::rejection::{Code, Rejection};
use crate::upkeep::{Checkout, CheckoutStep, ParkReason, checkout_key, opened_key};

pub(super) fn open(ledger: &Ledger, command: &OpenCheckout) -> Result<Accepted, Rejection> {
    let (app, account) = account_of(ledger, &command.account)?;
    let content = || ContentDigest::of_checkout(command.amount);
    if let Some(position) = lifecycle::used(ledger, app, &command.account, command.key.as_ref(), content)? {
        return Ok(Accepted::Duplicate(position));
    }
    if account.is_closed() {
        return Err(Code::AccountClosed.into());
    }
    super::check_amount(command.amount)?;
    if was_opened(app, &command.account, &command.session) {
        return Ok(Accepted::Unchanged);
    }
    if account.upkeep().is_some_and(|upkeep| upkeep.is_full_of_checkouts()) {
        return Err(Code::CheckoutsFull.into());
    }
    let step = CheckoutStep::Opened {
        amount: command.amount,
        url: command.url.clone(),
        expires_at: command.expires_at,
        key: command.key.clone(),
        secret: command.secret.clone(),
    };
    let (account, session, actor) = (command.account.clone(), command.session.clone(), command.actor.clone());
    Ok(Accepted::Events(vec![Event::CheckoutStepped(CheckoutStepped { account, session, step, actor })]))
}

pub(super) fn settle(ledger: &Ledger, command: &SettleCheckout) -> Result<Accepted, Rejection> {
    let (app, account) = account_of(ledger, &command.account)?;
    let paid_before = paid_before(ledger, app, command);
    if let Some(position) = paid_before {
        return Ok(Accepted::Duplicate(position));
    }
    let Some(checkout) = known(account, command.session.as_str()) else {
        return late(app, command);
    };
    let waits = |person: &dyn Fn() -> Result<Accepted, Rejection>| match checkout.parked {
        Some(_) => person(),
        // What may still be paid is not decided by hand: it would be paid twice, or for nothing.
        None => Err(Code::StepOutOfPlace.into()),
    };
    match &command.outcome {
        // A person decided of it once: the same word of the provider, said again, does not decide otherwise.
        CheckoutOutcome::Paid { .. } if checkout.parked == Some(ParkReason::Late) => Ok(Accepted::Unchanged),
        CheckoutOutcome::Paid { amount, transaction } if *amount == Some(checkout.amount) => {
            let events = deposit(ledger, command, checkout.amount, transaction.clone());
            match events {
                Ok(events) => Ok(Accepted::Events(events)),
                Err(_) => park(command, checkout, ParkReason::Refused, *amount),
            }
        }
        // What is known is not forgotten because it can not be read now.
        CheckoutOutcome::Paid { amount: None, .. } if checkout.parked.is_some() && !checkout.ended() => {
            Ok(Accepted::Unchanged)
        }
        CheckoutOutcome::Paid { amount, .. } => park(command, checkout, ParkReason::AmountDiffers, *amount),
        // Money that was seen stays seen.
        CheckoutOutcome::Ended(_) if checkout.parked.is_some() && !checkout.ended() => {
            Ok(Accepted::Unchanged)
        }
        CheckoutOutcome::Ended(reason) if !reason.is_end() => Err(Code::StepOutOfPlace.into()),
        CheckoutOutcome::Ended(reason) => park(command, checkout, *reason, None),
        CheckoutOutcome::Credited(amount) => waits(&|| {
            super::check_amount(*amount)?;
            deposit(ledger, command, *amount, None).map(Accepted::Events)
        }),
        CheckoutOutcome::Dismissed => {
            waits(&|| Ok(Accepted::Events(vec![stepped(command, CheckoutStep::Dismissed)])))
        }
    }
}

/// A session that is not waiting any more: money for it must not go unseen.
fn late(app: &App, command: &SettleCheckout) -> Result<Accepted, Rejection> {
    match &command.outcome {
        CheckoutOutcome::Paid { amount, .. } if was_opened(app, &command.account, &command.session) => {
            let (reason, paid) = (ParkReason::Late, amount.and_then(tellable));
            Ok(Accepted::Events(vec![stepped(command, CheckoutStep::Parked { reason, paid })]))
        }
        _ => Err(Code::CheckoutUnknown.into()),
    }
}

fn was_opened(app: &App, account: &AccountId, session: &SessionId) -> bool {
    app.kept_keys.contains_key(&KeyFingerprint::of(account, &opened_key(session)))
}

/// What a provider says may be anything; the log holds amounts that can be.
fn tellable(amount: Usdc) -> Option<Usdc> {
    (Usdc::ZERO..=AMOUNT_MAX).contains(&amount).then_some(amount)
}

/// The session waits for a person; when it does so already for this reason and this amount, nothing changes.
fn park(
    command: &SettleCheckout,
    checkout: &Checkout,
    reason: ParkReason,
    paid: Option<Usdc>,
) -> Result<Accepted, Rejection> {
    let paid = paid.and_then(tellable);
    if (checkout.parked, checkout.paid) == (Some(reason), paid) {
        return Ok(Accepted::Unchanged);
    }
    Ok(Accepted::Events(vec![stepped(command, CheckoutStep::Parked { reason, paid })]))
}

/// The deposit, and that the session brought it.
fn deposit(
    ledger: &Ledger,
    command: &SettleCheckout,
    amount: Usdc,
    transaction: Option<LongText>,
) -> Result<Vec<Event>, Rejection> {
    let money = AddMoney {
        account: command.account.clone(),
        key: checkout_key(&command.session),
        amount,
        actor: command.actor.clone(),
        metadata: None,
    };
    match money_in::deposit(ledger, &money)? {
        Accepted::Events(mut events) => {
            events.push(stepped(command, CheckoutStep::Paid { transaction }));
            Ok(events)
        }
        Accepted::Duplicate(_) | Accepted::Unchanged => {
            unreachable!("whether its key was used was asked before")
        }
    }
}

/// Where the money of this session came in, whatever amount it was.
fn paid_before(ledger: &Ledger, app: &App, command: &SettleCheckout) -> Option<Position> {
    let fingerprint = KeyFingerprint::of(&command.account, &checkout_key(&command.session));
    app.kept_keys.get(&fingerprint).map(|used| ledger.position_of(*used))
}

fn known<'a>(account: &'a Account, session: &str) -> Option<&'a Checkout> {
    account.upkeep()?.checkout(session)
}

fn stepped(command: &SettleCheckout, step: CheckoutStep) -> Event {
    let (account, session, actor) = (command.account.clone(), command.session.clone(), command.actor.clone());
    Event::CheckoutStepped(CheckoutStepped { account, session, step, actor })
}
