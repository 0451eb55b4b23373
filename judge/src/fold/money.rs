//! What the events of money do, and what must be true of them: money in, debits, refusals, crossings.

use std::fmt;

use super::account::{AMOUNT_MAX, BALANCE_MAX, Charge};
use super::events::{PAID, PROMO, check_amount, name, text};
use super::keys::uuid_v7_time;
use super::upkeep::mail_of;
use super::{Account, Crossing, Fold, Lot, Moment, Policy};
use crate::violation::{Broken, Check, Rule, equal, holds};
use crate::wire::{Commit, Crossed, Debited, Declined, Item, Level, MoneyIn, Reason};

impl Fold {
    pub(super) fn money_in(
        &mut self,
        at: &Moment,
        commit: &Commit<'_>,
        event: &MoneyIn<'_>,
        paid: bool,
    ) -> Check {
        let (app, _) = name(commit, event.account)?;
        text(commit, event.actor)?;
        let (number, policy) =
            self.begin(at, commit, event.account, Some(event.balance.saturating_sub(event.amount)))?;
        let account = &mut self.accounts[number as usize];
        holds(Rule::Accounts, paid || !account.closed, "no grant to a closed account", || "one".to_owned())?;
        check_amount(event.amount, 1)?;
        // The account, and $treasury or $promo.
        let gained = i128::from(event.balance) - i128::from(account.balance);
        check_postings([gained, -i128::from(event.amount), 0])?;
        holds(Rule::Form, event.balance <= BALANCE_MAX, "a balance of at most 10^12 USDC", || {
            event.balance.to_string()
        })?;
        account.balance = event.balance;
        if account.known {
            let lot = account.lots.len() + 1;
            equal(Rule::Lots, "lot number", &lot, &(event.lot as usize))?;
            let priority = if paid { PAID } else { PROMO };
            equal(Rule::Lots, "priority", &priority, &event.priority)?;
            account.baseline = if paid { event.balance } else { account.baseline.max(event.balance) };
            equal(Rule::Levels, "the baseline", &account.baseline, &event.baseline)?;
            let (amount, left) = (event.amount, event.amount);
            account.add_lot(Lot { paid, priority, made: at.at(), amount, left });
        }
        account.dusted = false;
        let (total, sum) = match paid {
            true => (&mut account.deposited, &mut self.totals.deposited),
            false => (&mut account.granted, &mut self.totals.granted),
        };
        *total += i128::from(event.amount);
        *sum += i128::from(event.amount);
        *(if paid { &mut self.totals.deposits } else { &mut self.totals.grants }) += 1;
        let level_before = account.level;
        self.settle(number, policy, event.level, event.epoch_started, Reason::Policy)?;
        self.wakes(number, level_before, event)?;
        if paid {
            self.brings(number, event);
        }
        self.keep(at, app, number, event.key, false)
    }

    pub(super) fn debited(&mut self, at: &Moment, commit: &Commit<'_>, event: &Debited<'_>) -> Check {
        let (app, _) = name(commit, event.account)?;
        let (number, policy) =
            self.begin(at, commit, event.account, Some(event.balance.saturating_add(event.charged)))?;
        let account = &mut self.accounts[number as usize];
        holds(Rule::Accounts, !account.closed, "no debit of a closed account", || "one".to_owned())?;
        holds(Rule::Sleeps, !account.paused, "no debit of an account that was put to sleep", || {
            "one".to_owned()
        })?;
        let charge = event.items.as_deref().map_or(Charge::Amount(event.charged), Charge::Items);
        check_charge(&charge)?;
        let price = account.price(&charge);
        let (charged, carry) = price.ok_or_else(|| too_large(charge.exact()))?;
        if account.known || event.items.is_none() {
            equal(Rule::Charges, "a charge in whole credits of", &charged, &event.charged)?;
            account.carry = carry;
        }
        holds(Rule::Credit, event.charged.max(1) <= account.available(), "enough credit", || {
            format!("a charge of {} from {} available credits", event.charged, account.available())
        })?;
        let spent = i128::from(event.balance) - i128::from(account.balance);
        let (fee, rest) = (i128::from(event.fee), i128::from(event.charged) - i128::from(event.fee));
        // The account, $developer and $fee.
        check_postings([spent, rest, fee])?;
        holds(Rule::Credit, event.balance >= 0, "a balance of at least 0", || event.balance.to_string())?;
        account.balance = event.balance;
        if account.known {
            let single = event.lot.map(|lot| (lot, event.charged));
            account.spend(event.charged, single.into_iter().chain(event.slices.iter().copied()))?;
            if let Some(policy) = &policy {
                account.take_fee(event.charged, policy, event.fee)?;
            }
        }
        account.charged += i128::from(event.charged);
        account.fees += fee;
        self.totals.debits += 1;
        self.totals.charged += i128::from(event.charged);
        self.totals.fees += fee;
        self.settle(number, policy, event.level, event.epoch_started, Reason::Debit)?;
        self.accounts[number as usize].note_charge(event.charged);
        if let Some((source, item)) = event.item {
            let source = self.item(commit, app, source, item)?;
            source.debits += 1;
            source.charged += i128::from(event.charged);
        }
        event.key.map_or(Ok(()), |key| self.keep(at, app, number, key, true))
    }

    pub(super) fn declined(&mut self, at: &Moment, commit: &Commit<'_>, event: &Declined<'_>) -> Check {
        let (app, user) = name(commit, event.account)?;
        holds(Rule::Refusals, event.dusted || event.item.is_some(), "a refusal that had to be kept", || {
            "one that neither exhausts the account nor is an item of a source".to_owned()
        })?;
        let charge = event.items.as_deref().map(Charge::Items).or(event.amount.map(Charge::Amount));
        let charge = charge.ok_or_else(|| Broken::new(Rule::Form, "an amount or items", "neither"))?;
        event.key.map_or(Ok(()), |key| self.check_own_key(key))?;
        self.totals.declines += 1;
        if let Some((source, item)) = event.item {
            self.item(commit, app, source, item)?.declined += 1;
        }
        let known = at.numbers[event.account].or_else(|| self.number(app, user));
        let unknown = matches!(event.code, "app_unknown" | "account_unknown");
        let Some(number) = (match (known, unknown, self.partial) {
            (None, false, true) => Some(self.begin(at, commit, event.account, Some(event.balance))?.0),
            _ => known,
        }) else {
            holds(Rule::Refusals, unknown, "a refusal for want of the account", || event.code.to_owned())?;
            return equal(Rule::Refusals, "no account, and so a balance of", &0, &event.balance);
        };
        let policy = self.policy(app)?;
        self.accounts[number as usize].touch(at.at(), Some(event.balance));
        let account = &self.accounts[number as usize];
        equal(Rule::Postings, "the balance to stay", &account.balance, &event.balance)?;
        if account.known {
            self.check_refusal(at, app, number, event, &charge)?;
        }
        if event.dusted {
            self.accounts[number as usize].dusted = true;
            self.settle(number, policy, Level::Exhausted, None, Reason::Decline)?;
        }
        Ok(())
    }

    /// What a refusal says is so.
    fn check_refusal(
        &self,
        at: &Moment,
        app: &str,
        number: u32,
        event: &Declined<'_>,
        charge: &Charge<'_>,
    ) -> Check {
        let account = &self.accounts[number as usize];
        let horizon = self.policies.get(app).map_or(i64::MIN, |app| app.horizon);
        let made = event.key.and_then(uuid_v7_time);
        let price = account.price(charge);
        let short = price.is_some_and(|(charged, _)| charged.max(1) > account.available());
        let is_true = match event.code {
            "insufficient_credit" => short,
            "account_closed" => account.closed,
            "account_paused" => account.paused,
            "amount_not_positive" => charge.exact() <= 0,
            "amount_too_large" => price.is_none(),
            "items_count" => !charge.is_countable(),
            "key_reused" => event.key.is_some_and(|key| self.keys.refuses(number, key, horizon)),
            "key_expired" => made.is_some_and(|made| made < horizon),
            "key_ahead" => made.is_some_and(|made| made > at.time),
            _ => false,
        };
        holds(Rule::Refusals, is_true, "a refusal that is true", || {
            let charged = price.map_or("too much".to_owned(), |(charged, _)| charged.to_string());
            let (code, available) = (event.code, account.available());
            format!("{code}, though the charge comes to {charged} credits and {available} are available")
        })?;
        let policy = self.policies.get(app).map(|app| app.policy);
        let dusts = short
            && event.code == "insufficient_credit"
            && policy.is_some_and(|policy| account.is_dusted_by_refusal(&policy));
        let says = |dusts| {
            if dusts { "a refusal that exhausts the account" } else { "one that does not exhaust it" }
        };
        holds(Rule::Levels, dusts == event.dusted, says(dusts), || says(event.dusted).to_owned())
    }

    pub(super) fn crossed(&mut self, at: &Moment, commit: &Commit<'_>, event: &Crossed) -> Check {
        let (number, _) = self.begin(at, commit, event.account, Some(event.balance))?;
        let found = Crossing {
            account: number,
            line: event.line,
            balance: event.balance,
            baseline: event.baseline,
            epoch: event.epoch,
            reason: event.reason,
        };
        self.totals.crossings += 1;
        self.mail_due(number, mail_of(event.line), event.epoch);
        let Some(due) = self.due.first().copied() else {
            let known = self.accounts[number as usize].known;
            return holds(Rule::Crossings, !known, "none, for no line was passed", || found.to_string());
        };
        self.due.remove(0);
        holds(Rule::Crossings, due == found, due, || match due.account == number {
            true => found.to_string(),
            false => "a crossing of another account".to_owned(),
        })
    }

    /// The level, the epoch and the crossings that follow from what was done to the account.
    fn settle(
        &mut self,
        number: u32,
        policy: Option<Policy>,
        level: Level,
        epoch_started: Option<u32>,
        reason: Reason,
    ) -> Check {
        let account = &mut self.accounts[number as usize];
        let Some(policy) = policy.filter(|_| account.known) else { return Ok(()) };
        let (expected, began, lines) = account.settle(&policy);
        same_level(expected, level)?;
        let found = || Begins(epoch_started).to_string();
        holds(Rule::Levels, began == epoch_started, Begins(began), found)?;
        let &mut Account { balance, baseline, epoch, .. } = account;
        let crossing = |line| Crossing { account: number, line, balance, baseline, epoch, reason };
        self.due.extend(lines.into_iter().map(crossing));
        Ok(())
    }
}

/// The texts of usage are there.
pub(super) fn check_texts(
    commit: &Commit<'_>,
    meter: usize,
    scope: Option<usize>,
    items: Option<&[Item]>,
) -> Check {
    let names = items.unwrap_or_default().iter().map(|(name, ..)| *name);
    let mut all = std::iter::once(meter).chain(scope).chain(names);
    all.try_for_each(|index| text(commit, index).map(|_| ()))
}

/// Double entry: what these parties gain and lose is nothing together.
fn check_postings(amounts: [i128; 3]) -> Check {
    let sum: i128 = amounts.iter().sum();
    holds(Rule::Postings, sum == 0, "postings that sum to 0", || format!("{amounts:?}, which is {sum}"))
}

pub(super) fn same_level(expected: Level, found: Level) -> Check {
    holds(Rule::Levels, expected == found, format_args!("the level {}", expected.word()), || {
        found.word().to_owned()
    })
}

/// The epoch that an event begins, if it does.
struct Begins(Option<u32>);

impl fmt::Display for Begins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("no epoch to begin"),
            Some(epoch) => write!(f, "epoch {epoch} to begin"),
        }
    }
}

fn check_charge(charge: &Charge<'_>) -> Check {
    holds(Rule::Charges, charge.exact() > 0, "a charge of more than nothing", || charge.exact().to_string())?;
    holds(Rule::Charges, charge.is_countable(), "1 to 16 items", || "another number of them".to_owned())
}

fn too_large(exact: i128) -> Broken {
    Broken::new(
        Rule::Charges,
        format!("a charge of at most {AMOUNT_MAX} credits"),
        format!("{exact} in 10^-18 USDC"),
    )
}
