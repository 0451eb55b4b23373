//! Evolve: what an event does to the state. One arm an event, no decision: outcomes are taken from the event and
//! checked against the state, so that replay names the first thing that can not have happened.

use crate::account::{Account, Lot, LotKind};
use crate::digest::{ContentDigest, KeyFingerprint};
use crate::event::{
    AccountClosed, AccountOpened, Crossed, Debited, Declined, Event, Genesis, MoneyIn, PolicySet,
    SourceMarked,
};
use crate::ids::{AccountId, Key, Position};
use crate::keys::UsedKey;
use crate::ledger::{Ledger, Mark};
use crate::level::{Level, Line};
use crate::money::Usdc;

/// An event that can not have happened in the state before it: the log or the program is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {position}: {reason}")]
pub struct Illegal {
    /// The event.
    pub position: Position,
    /// The rule it breaks.
    pub reason: &'static str,
}

impl Ledger {
    /// Takes in one event. Error: it can not have happened; the state is then of no use any more.
    pub fn evolve(&mut self, position: Position, event: &Event) -> Result<(), Illegal> {
        let done = match event {
            Event::Genesis(event) => self.on_genesis(event),
            Event::TermOpened(_) => Ok(()),
            Event::PolicySet(event) => self.on_policy_set(event),
            Event::AccountOpened(event) => self.on_account_opened(position, event),
            Event::Granted(event) => self.on_money_in(position, event, LotKind::Promo),
            Event::Deposited(event) => self.on_money_in(position, event, LotKind::Paid),
            Event::Debited(event) => self.on_debited(position, event),
            Event::Declined(event) => self.on_declined(position, event),
            Event::Crossed(event) => self.on_crossed(position, event),
            Event::AccountClosed(event) => self.on_account_closed(position, event),
            Event::SourceMarked(event) => self.on_source_marked(event),
        };
        done.map_err(|reason| Illegal { position, reason })
    }

    fn on_genesis(&mut self, event: &Genesis) -> Result<(), &'static str> {
        must(self.slots.is_none(), "a log begins once")?;
        self.slots = Some(event.slots.clone());
        Ok(())
    }

    fn on_policy_set(&mut self, event: &PolicySet) -> Result<(), &'static str> {
        let before = self.policies.insert(event.app.clone(), (event.number, event.policy));
        must(
            before.map_or(0, |(number, _)| number) + 1 == event.number,
            "policies are counted without a gap",
        )?;
        self.keys.entry(event.app.clone()).or_default();
        self.swept_minute = None;
        Ok(())
    }

    fn on_account_opened(&mut self, position: Position, event: &AccountOpened) -> Result<(), &'static str> {
        must(!self.accounts.contains_key(&event.account), "an account is opened once")?;
        let mut account = Account::new(position, event.initial_balance, event.level);
        if event.initial_balance.is_positive() {
            account.add_lot(lot(
                position,
                1,
                LotKind::Promo,
                LotKind::Promo.priority(),
                event.initial_balance,
            ));
        }
        if let Some(key) = &event.key {
            self.keep_key(&event.account, key, ContentDigest::of_open(), position);
        }
        self.accounts.insert(event.account.clone(), account);
        Ok(())
    }

    fn on_money_in(
        &mut self,
        position: Position,
        event: &MoneyIn,
        kind: LotKind,
    ) -> Result<(), &'static str> {
        let account = self.touch(&event.account, position)?;
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
        account.add_lot(lot(position, event.lot, kind, event.priority, event.amount));
        let verb = if kind == LotKind::Paid { "deposit" } else { "grant" };
        self.keep_key(&event.account, &event.key, ContentDigest::of_money_in(verb, event), position);
        Ok(())
    }

    fn on_debited(&mut self, position: Position, event: &Debited) -> Result<(), &'static str> {
        let usage = &event.usage;
        let fee_carry = self.fee_carry_after(event)?;
        let account = self.touch(&usage.account, position)?;
        must(!account.closed, "a closed account pays for nothing")?;
        must(usage.charge.atto() > 0, "a charge is more than nothing")?;
        let split = usage.charge.split(account.carry);
        let (charged, carry) = split.ok_or("a charge keeps to its limit")?;
        must(charged == event.charged, "what is charged is the charge and the carry")?;
        must(account.balance - charged == event.balance, "the balance after a debit is the difference")?;
        let paid = event.slices.iter().try_fold(Usdc::ZERO, |sum, slice| sum.checked_add(slice.amount));
        must(paid == Some(charged), "the lots pay what is charged")?;
        account.burn(&event.slices).ok_or("a lot pays what it has")?;
        account.balance = event.balance;
        account.carry = carry;
        account.fee_carry = fee_carry;
        account.settle(event.level, event.epoch_started)?;
        account.note_charge(charged);
        if let Some(key) = &usage.key {
            let used = UsedKey { content: ContentDigest::of_debit(usage), position };
            let window = self.keys.entry(usage.account.app.clone()).or_default();
            window.remember(self.time, KeyFingerprint::of(&usage.account, key), used);
        }
        Ok(())
    }

    fn fee_carry_after(&self, event: &Debited) -> Result<u16, &'static str> {
        let id = &event.usage.account;
        let (_, policy) = self.policies.get(&id.app).ok_or("an app has a policy before its first debit")?;
        let account = self.accounts.get(id).ok_or("the account was opened before")?;
        let (fee, carry) = policy.fee(event.charged, account.fee_carry);
        must(fee == event.fee, "the fee follows the policy in force")?;
        Ok(carry)
    }

    fn on_declined(&mut self, position: Position, event: &Declined) -> Result<(), &'static str> {
        if self.accounts.contains_key(&event.usage.account) {
            let account = self.touch(&event.usage.account, position)?;
            must(account.balance == event.balance, "a decline leaves the balance")?;
            if event.dusted {
                account.dusted = true;
                account.level = Level::Exhausted;
            }
        }
        Ok(())
    }

    fn on_crossed(&mut self, position: Position, event: &Crossed) -> Result<(), &'static str> {
        let account = self.touch(&event.account, position)?;
        let at_most = match event.line {
            Line::Low => Level::Low,
            Line::Exhausted => Level::Exhausted,
        };
        must(account.level <= at_most, "a crossing follows what made the level fall")?;
        must(account.epoch == event.epoch, "a crossing belongs to the epoch it happens in")
    }

    fn on_account_closed(&mut self, position: Position, event: &AccountClosed) -> Result<(), &'static str> {
        let account = self.touch(&event.account, position)?;
        must(!account.closed, "an account is closed once")?;
        must(account.balance == event.balance, "closing leaves the balance")?;
        account.closed = true;
        if let Some(key) = &event.key {
            self.keep_key(&event.account, key, ContentDigest::of_close(), position);
        }
        Ok(())
    }

    fn on_source_marked(&mut self, event: &SourceMarked) -> Result<(), &'static str> {
        let mark = Mark { to: event.to, digest: event.digest };
        let before = self.marks.insert((event.app.clone(), event.source.clone()), mark);
        must(before.is_none_or(|before| before.to < mark.to), "the mark of a source only rises")
    }

    fn keep_key(&mut self, id: &AccountId, key: &Key, content: ContentDigest, position: Position) {
        self.kept_keys.insert(KeyFingerprint::of(id, key), UsedKey { content, position });
    }

    fn touch(&mut self, id: &AccountId, position: Position) -> Result<&mut Account, &'static str> {
        let account = self.accounts.get_mut(id).ok_or("the account was opened before")?;
        account.last = position;
        Ok(account)
    }
}

impl Account {
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
            self.smallest = Some(self.smallest.map_or(charged, |least| least.min(charged)));
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
