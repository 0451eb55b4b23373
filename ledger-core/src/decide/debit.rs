//! Debits: admission. Spending to exactly zero is allowed, a credit more is not.

use super::{Decided, Outcome, account_of, crossings};
use crate::account::Account;
use crate::charge::{Charge, ITEMS_MAX};
use crate::digest::{ContentDigest, KeyFingerprint};
use crate::event::{CrossingReason, Debited, Declined, Event, HorizonRaised, Usage};
use crate::ids::Position;
use crate::ledger::{App, Ledger};
use crate::level::Level;
use crate::money::Usdc;
use crate::rejection::{Code, Details, Rejection};

pub(super) fn debit(ledger: &Ledger, usage: &Usage, dry_run: bool) -> Decided {
    match admit(ledger, usage) {
        Ok(Admitted::Before(position)) => Decided::new(Ok(Outcome::Duplicate(position)), vec![]),
        Ok(Admitted::Now(admission)) if dry_run => Decided::new(Ok(admission.would_charge()), vec![]),
        Ok(Admitted::Now(admission)) => {
            let fingerprint = admission.fingerprint;
            Decided { fingerprint, ..Decided::new(Ok(Outcome::Applied), admission.events(usage)) }
        }
        Err(rejection) if dry_run => Decided::new(Err(rejection), vec![]),
        Err(rejection) => {
            let events = declined(ledger, usage, &rejection);
            Decided::new(Err(rejection), events)
        }
    }
}

enum Admitted<'a> {
    Before(Position),
    Now(Admission<'a>),
}

struct Admission<'a> {
    app: &'a App,
    account: &'a Account,
    charged: Usdc,
    /// Of the key.
    fingerprint: Option<KeyFingerprint>,
}

fn admit<'a>(ledger: &'a Ledger, usage: &Usage) -> Result<Admitted<'a>, Rejection> {
    let id = &usage.account;
    let (app, account) = account_of(ledger, id)?;
    let fingerprint = usage.key.as_ref().map(|key| KeyFingerprint::of(id, key));
    if let (Some(key), Some(fingerprint)) = (&usage.key, fingerprint) {
        if let Some(used) = app.used_key(fingerprint, key, || ContentDigest::of_debit(usage))? {
            return Ok(Admitted::Before(ledger.position_of(used)));
        }
        app.check_key_time(ledger.time(), key)?;
    }
    if account.is_closed() {
        return Err(Code::AccountClosed.into());
    }
    if account.is_paused() {
        return Err(Code::AccountPaused.into());
    }
    let charged = check_charge(&usage.charge, account)?;
    check_credit(account, charged)?;
    Ok(Admitted::Now(Admission { app, account, charged, fingerprint }))
}

/// The whole credits that are due.
fn check_charge(charge: &Charge, account: &Account) -> Result<Usdc, Rejection> {
    if charge.atto() <= 0 {
        return Err(Code::AmountNotPositive.into());
    }
    let (charged, _) = charge.split(account.carry()).ok_or(Code::AmountTooLarge)?;
    if let Charge::Items(items) = charge
        && !(1..=ITEMS_MAX).contains(&items.len())
    {
        return Err(Code::ItemsCount.into());
    }
    Ok(charged)
}

/// A charge of no whole credit still needs some credit: else an empty account could be used for ever.
fn check_credit(account: &Account, charged: Usdc) -> Result<(), Rejection> {
    let available = account.available();
    let needed = charged.max(Usdc::from_credits(1));
    if needed > available {
        let details = Details::Credit { needed, available };
        return Err(Rejection { code: Code::InsufficientCredit, details });
    }
    Ok(())
}

impl Admission<'_> {
    fn would_charge(&self) -> Outcome {
        let (charged, account) = (self.charged, self.account);
        let balance = account.balance() - charged;
        let movement = account.movement(balance, account.baseline(), account.is_dusted(), &self.app.policy);
        Outcome::WouldCharge { charged, balance, level: movement.level }
    }

    fn events(&self, usage: &Usage) -> Vec<Event> {
        let (account, policy) = (self.account, &self.app.policy);
        let (balance, baseline) = (account.balance() - self.charged, account.baseline());
        let movement = account.movement(balance, baseline, account.is_dusted(), policy);
        let (fee, _) = policy.fee(self.charged, account.fee_carry);
        let debited = Event::Debited(Debited {
            usage: usage.clone(),
            charged: self.charged,
            fee,
            slices: account.slices(self.charged),
            balance,
            level: movement.level,
            epoch_started: movement.epoch_started,
        });
        let reason = CrossingReason::Debit;
        let crossed = crossings(&usage.account, &movement, balance, baseline, reason);
        let mut events = vec![debited];
        events.extend(crossed);
        events.extend(self.raised_horizon(usage));
        events
    }

    /// A key is one more to remember: beyond the budget the oldest make room.
    fn raised_horizon(&self, usage: &Usage) -> Option<Event> {
        usage.key.as_ref()?;
        let horizon = self.app.keys.overflow(self.app.policy.key_budget)?;
        Some(Event::HorizonRaised(HorizonRaised { app: usage.account.app.clone(), horizon }))
    }
}

/// A refusal is kept only when it changes something: it dusts the account, or it is a source's item, whose outcome
/// is final. All others cost nothing, so nobody can grow the log for free.
fn declined(ledger: &Ledger, usage: &Usage, rejection: &Rejection) -> Vec<Event> {
    let known = account_of(ledger, &usage.account).ok();
    let short = rejection.code == Code::InsufficientCredit;
    let dusted = short && known.is_some_and(|(app, account)| account.is_dusted_by_decline(&app.policy));
    if !dusted && usage.item.is_none() {
        return vec![];
    }
    let balance = known.map_or(Usdc::ZERO, |(_, account)| account.balance());
    let event = Declined { usage: usage.clone(), code: rejection.code, dusted, balance };
    let mut events = vec![Event::Declined(event)];
    if dusted && let Some((app, account)) = known {
        let movement = account.movement(balance, account.baseline(), true, &app.policy);
        debug_assert_eq!(movement.level, Level::Exhausted, "a dusted account is exhausted");
        let reason = CrossingReason::Decline;
        events.extend(crossings(&usage.account, &movement, balance, account.baseline(), reason));
    }
    events
}
