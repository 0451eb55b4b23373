//! Evolve: what an event does to the state. One arm an event, no decision: outcomes are taken from the event and
//! checked against the state, so that replay names the first thing that can not have happened.

mod upkeep;

use crate::account::{Account, Lot, LotKind};
use crate::accounts::Accounts;
use crate::digest::{ContentDigest, KeyFingerprint};
use crate::event::{
    AccountClosed, AccountOpened, Crossed, Debited, Declined, Event, Genesis, HorizonRaised, MoneyIn,
    PolicySet, SourceMarked,
};
use crate::ids::{AccountId, AppId, Key, Position};
use crate::keys::UsedKey;
use crate::ledger::{App, Ledger, Mark};
use crate::level::{Level, Line};
use crate::money::Usdc;
use crate::policy::Policy;
use crate::upkeep::NoticeKind;

/// An event that can not have happened in the state before it: the log or the program is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {position}: {reason}")]
pub struct Illegal {
    /// The event.
    pub position: Position,
    /// The rule it breaks.
    pub reason: &'static str,
}

/// What was worked out about an event before its turn.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    /// Where the account of a debit stands among those of its app, if it is open.
    place: Option<usize>,
    /// Of the key of a debit.
    fingerprint: Option<KeyFingerprint>,
}

impl Ledger {
    /// Takes in one event. Error: it can not have happened; the state is then of no use any more.
    pub fn evolve(&mut self, position: Position, event: &Event) -> Result<(), Illegal> {
        self.evolve_decided(position, event, None)
    }

    /// Takes in one event of what was decided against this state, with the fingerprint that [`decide`] gave beside it:
    /// hashing it again would cost a fifth of the whole debit. Replay has no such thing, and hashes for itself.
    ///
    /// [`decide`]: crate::decide()
    pub fn evolve_decided(
        &mut self,
        position: Position,
        event: &Event,
        fingerprint: Option<KeyFingerprint>,
    ) -> Result<(), Illegal> {
        self.evolve_with(position, event, Known { place: None, fingerprint })
    }

    /// What can be known about an event before those in front of it are taken in.
    pub(crate) fn look_up(&self, event: &Event) -> Known {
        let Event::Debited(Debited { usage, .. }) = event else { return Known::default() };
        let place = self.apps.get(&usage.account.app).and_then(|app| app.accounts.place(&usage.account.user));
        Known { place, fingerprint: usage.key.as_ref().map(|key| KeyFingerprint::of(&usage.account, key)) }
    }

    pub(crate) fn evolve_with(
        &mut self,
        position: Position,
        event: &Event,
        known: Known,
    ) -> Result<(), Illegal> {
        let done = match event {
            Event::Genesis(event) => self.on_genesis(event),
            Event::TermOpened(_) => Ok(()),
            Event::PolicySet(event) => self.on_policy_set(event),
            Event::AccountOpened(event) => self.on_account_opened(position, event),
            Event::Granted(event) => self.on_money_in(position, event, LotKind::Promo),
            Event::Deposited(event) => self.on_money_in(position, event, LotKind::Paid),
            Event::Debited(event) => self.on_debited(position, event, known),
            Event::Declined(event) => self.on_declined(position, event),
            Event::Crossed(event) => self.on_crossed(position, event),
            Event::AccountClosed(event) => self.on_account_closed(position, event),
            Event::SourceMarked(event) => self.on_source_marked(event),
            Event::HorizonRaised(event) => self.on_horizon_raised(event),
            Event::ContainerSet(event) => self.on_container_set(position, event),
            Event::Paused(event) => self.on_paused(position, event),
            Event::Resumed(event) => self.on_resumed(position, event),
            Event::LifecycleStepped(event) => self.on_lifecycle_stepped(position, event),
            Event::NoticeStepped(event) => self.on_notice_stepped(position, event),
            Event::CheckoutStepped(event) => self.on_checkout_stepped(position, event),
            // It was compared, and nothing follows from that here.
            Event::SolvencyChecked(_) => Ok(()),
        };
        done.map_err(|reason| Illegal { position, reason })
    }

    fn on_genesis(&mut self, event: &Genesis) -> Result<(), &'static str> {
        must(self.log.is_none(), "a log begins once")?;
        self.log = Some((event.log, event.slots.clone()));
        Ok(())
    }

    fn on_policy_set(&mut self, event: &PolicySet) -> Result<(), &'static str> {
        let seed = self.seed();
        let app = self.apps.entry(event.app.clone()).or_insert_with(|| App::new(0, event.policy, seed));
        must(app.number + 1 == event.number, "policies are counted without a gap")?;
        (app.number, app.policy) = (event.number, event.policy);
        self.swept_minute = None;
        Ok(())
    }

    fn on_account_opened(&mut self, position: Position, event: &AccountOpened) -> Result<(), &'static str> {
        let app = self.app_mut(&event.account.app)?;
        must(app.account(&event.account.user).is_none(), "an account is opened once")?;
        let mut account = Account::new(position, event.initial_balance, event.level);
        if event.initial_balance.is_positive() {
            let kind = LotKind::Promo;
            account.add_lot(lot(position, 1, kind, kind.priority(), event.initial_balance));
        }
        app.accounts.insert(event.account.user.clone(), account);
        if let Some(key) = &event.key {
            app.keep_key(&event.account, key, ContentDigest::of_open(), position);
        }
        Ok(())
    }

    fn on_money_in(
        &mut self,
        position: Position,
        event: &MoneyIn,
        kind: LotKind,
    ) -> Result<(), &'static str> {
        let app = self.app_mut(&event.account.app)?;
        let account = touch(&mut app.accounts, &event.account, position)?;
        must(event.amount.is_positive(), "money in is more than nothing")?;
        must(kind == LotKind::Paid || !account.closed, "a closed account is given nothing")?;
        must(
            account.balance.checked_add(event.amount) == Some(event.balance),
            "the balance after money in is the sum",
        )?;
        must(account.lots_made + 1 == event.lot, "lots are counted without a gap")?;
        account.balance = event.balance;
        account.baseline = event.baseline;
        account.dusted = false;
        account.settle(event.level, event.epoch_started)?;
        if event.wakes {
            account.notice_due(position, NoticeKind::Restored);
        }
        account.add_lot(lot(position, event.lot, kind, event.priority, event.amount));
        let verb = if kind == LotKind::Paid { "deposit" } else { "grant" };
        app.keep_key(&event.account, &event.key, ContentDigest::of_money_in(verb, event), position);
        Ok(())
    }

    fn on_debited(
        &mut self,
        position: Position,
        event: &Debited,
        Known { place, fingerprint }: Known,
    ) -> Result<(), &'static str> {
        let (usage, time) = (&event.usage, self.time);
        let app = self.app_mut(&usage.account.app)?;
        let found = || app.accounts.place(&usage.account.user);
        debug_assert!(place.is_none_or(|known| Some(known) == found()), "an account stays at its place");
        let place = place.or_else(found);
        let account = app.accounts.at_mut(place.ok_or(UNOPENED)?);
        account.last = position;
        account.pay(event, &app.policy)?;
        if let Some(key) = &usage.key {
            let content = ContentDigest::of_debit(usage);
            let used = UsedKey { content, sequence: position.sequence, index: position.index };
            let hashed = || KeyFingerprint::of(&usage.account, key);
            debug_assert!(
                fingerprint.is_none_or(|carried| carried == hashed()),
                "the fingerprint is the key's"
            );
            let fingerprint = fingerprint.unwrap_or_else(hashed);
            app.keys.remember(time, app.policy.key_budget, fingerprint, key, used);
        }
        Ok(())
    }

    fn on_declined(&mut self, position: Position, event: &Declined) -> Result<(), &'static str> {
        let id = &event.usage.account;
        let Some(account) = self.apps.get_mut(&id.app).and_then(|app| app.accounts.get_mut(&id.user)) else {
            return Ok(());
        };
        account.last = position;
        must(account.balance == event.balance, "a decline leaves the balance")?;
        if event.dusted {
            account.dusted = true;
            account.level = Level::Exhausted;
        }
        Ok(())
    }

    fn on_crossed(&mut self, position: Position, event: &Crossed) -> Result<(), &'static str> {
        let app = self.app_mut(&event.account.app)?;
        let account = touch(&mut app.accounts, &event.account, position)?;
        let at_most = match event.line {
            Line::Low => Level::Low,
            Line::Exhausted => Level::Exhausted,
        };
        must(account.level <= at_most, "a crossing follows what made the level fall")?;
        must(account.epoch == event.epoch, "a crossing belongs to the epoch it happens in")?;
        account.crossed(position, event.line);
        Ok(())
    }

    fn on_account_closed(&mut self, position: Position, event: &AccountClosed) -> Result<(), &'static str> {
        let app = self.app_mut(&event.account.app)?;
        let account = touch(&mut app.accounts, &event.account, position)?;
        must(!account.closed, "an account is closed once")?;
        must(account.balance == event.balance, "closing leaves the balance")?;
        account.closed = true;
        if let Some(key) = &event.key {
            app.keep_key(&event.account, key, ContentDigest::of_close(), position);
        }
        Ok(())
    }

    fn on_source_marked(&mut self, event: &SourceMarked) -> Result<(), &'static str> {
        let mark = Mark { to: event.to, digest: event.digest };
        let before = self.app_mut(&event.app)?.marks.insert(event.source.clone(), mark);
        must(before.is_none_or(|before| before.to < mark.to), "the mark of a source only rises")
    }

    fn on_horizon_raised(&mut self, event: &HorizonRaised) -> Result<(), &'static str> {
        let keys = &mut self.app_mut(&event.app)?.keys;
        // A process that has only looked at the clock may be past it already: whoever goes on from the state of such a
        // one must still take in what another wrote meanwhile.
        keys.raise_horizon(event.horizon);
        Ok(())
    }

    fn app_mut(&mut self, app: &AppId) -> Result<&mut App, &'static str> {
        self.apps.get_mut(app).ok_or("an app has a policy before anything else")
    }

    /// The same in every process that reads this log, and another in every log.
    pub(crate) fn seed(&self) -> u64 {
        let id = self.log.as_ref().map_or([0; 16], |(log, _)| log.0);
        u64::from_be_bytes(std::array::from_fn(|byte| id[byte]))
    }
}

impl App {
    fn keep_key(&mut self, id: &AccountId, key: &Key, content: ContentDigest, position: Position) {
        let used = UsedKey { content, sequence: position.sequence, index: position.index };
        self.kept_keys.insert(KeyFingerprint::of(id, key), used);
    }
}

const UNOPENED: &str = "the account was opened before";

/// The account, whose last event this is.
fn touch<'a>(
    accounts: &'a mut Accounts,
    id: &AccountId,
    position: Position,
) -> Result<&'a mut Account, &'static str> {
    let account = accounts.get_mut(&id.user).ok_or(UNOPENED)?;
    account.last = position;
    Ok(account)
}

impl Account {
    /// Pays for a debit as its event says.
    fn pay(&mut self, event: &Debited, policy: &Policy) -> Result<(), &'static str> {
        let charge = &event.usage.charge;
        must(!self.closed, "a closed account pays for nothing")?;
        must(!self.paused, "an account that was put to sleep pays for nothing")?;
        must(charge.atto() > 0, "a charge is more than nothing")?;
        let (charged, carry) = charge.split(self.carry).ok_or("a charge keeps to its limit")?;
        must(charged == event.charged, "what is charged is the charge and the carry")?;
        let (fee, fee_carry) = policy.fee(charged, self.fee_carry);
        must(fee == event.fee, "the fee follows the policy in force")?;
        must(self.balance - charged == event.balance, "the balance after a debit is the difference")?;
        let paid = event.slices.iter().try_fold(Usdc::ZERO, |sum, slice| sum.checked_add(slice.amount));
        must(paid == Some(charged), "the lots pay what is charged")?;
        self.burn(&event.slices).ok_or("a lot pays what it has")?;
        (self.balance, self.carry, self.fee_carry) = (event.balance, carry, fee_carry);
        self.settle(event.level, event.epoch_started)?;
        self.note_charge(charged);
        Ok(())
    }

    /// Takes over the level of an event, and its epoch when it began one.
    fn settle(&mut self, level: Level, epoch_started: Option<u32>) -> Result<(), &'static str> {
        must(epoch_started.is_some() == (level > self.level), "an epoch starts when the level rises")?;
        must(epoch_started.is_none_or(|epoch| epoch == self.epoch + 1), "epochs are counted without a gap")?;
        self.level = level;
        if let Some(epoch) = epoch_started {
            self.start_epoch(epoch);
        }
        Ok(())
    }

    fn note_charge(&mut self, charged: Usdc) {
        if charged.is_positive() {
            self.smallest = if self.smallest.is_zero() { charged } else { self.smallest.min(charged) };
        }
    }
}

fn lot(position: Position, number: u32, kind: LotKind, priority: u8, left: Usdc) -> Lot {
    Lot { number, kind, priority, position, left }
}

fn must(holds: bool, rule: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(rule) }
}

#[cfg(test)]
mod tests;
