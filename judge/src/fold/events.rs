//! What each event does, and what must be true of it. One function a kind of event, one rule a statement.

use std::fmt;

use super::account::{AMOUNT_MAX, BALANCE_MAX, Charge};
use super::keys::{Effect, uuid_v7_time};
use super::{Account, App, Crossing, Fold, Lot, Moment, Policy, joined};
use crate::fold::slots::Slots;
use crate::violation::{Broken, Check, Rule, equal, holds};
use crate::wire::{
    AccountClosed, AccountOpened, Commit, Crossed, Debited, Declined, Event, Genesis, HorizonRaised, Item,
    Key, Level, MoneyIn, PolicySet, Reason, SourceMarked,
};

/// Priorities of the two kinds of lots.
const PROMO: u8 = 50;
const PAID: u8 = 100;
const HOUR: i64 = 3_600_000_000;

impl Fold {
    pub(super) fn event(&mut self, at: &mut Moment, commit: &Commit<'_>, event: &Event<'_>) -> Check {
        match event {
            Event::Genesis(event) => self.genesis(event),
            Event::TermOpened(_) => Ok(()),
            Event::PolicySet(event) => self.policy_set(commit, event),
            Event::HorizonRaised(event) => self.horizon_raised(commit, event),
            Event::AccountOpened(event) => self.opened(at, commit, event),
            Event::Granted(event) => self.money_in(at, commit, event, false),
            Event::Deposited(event) => self.money_in(at, commit, event, true),
            Event::Debited(event) => {
                check_texts(commit, event.meter, event.scope, event.items.as_deref())?;
                self.debited(at, commit, event)
            }
            Event::Declined(event) => {
                check_texts(commit, event.meter, event.scope, event.items.as_deref())?;
                self.declined(at, commit, event)
            }
            Event::Crossed(event) => self.crossed(at, commit, event),
            Event::AccountClosed(event) => self.closed(at, commit, event),
            Event::SourceMarked(event) => self.marked(commit, event),
        }
    }

    fn genesis(&mut self, event: &Genesis<'_>) -> Check {
        let slots = Slots::new(&event.slots, event.partitions);
        let slots =
            slots.ok_or_else(|| Broken::new(Rule::Slots, "a map of all slots", format!("{:?}", event.slots)));
        self.slots = slots?;
        Ok(())
    }

    fn policy_set(&mut self, commit: &Commit<'_>, event: &PolicySet) -> Check {
        let app = text(commit, event.app)?;
        let known = self.policies.get(app);
        let first_seen = self.partial && known.is_none();
        let number = known.map_or(1, |known| known.number + 1);
        holds(
            Rule::Policies,
            first_seen || event.number == number,
            format_args!("policy number {number}"),
            || format!("number {}", event.number),
        )?;
        for (name, value, range) in [
            ("fee_bps", event.fee_bps, 0..=10_000),
            ("low_percent", event.low_percent, 0..=99),
            ("key_window_hours", event.key_window_hours, 1..=168),
        ] {
            holds(Rule::Policies, range.contains(&value), format_args!("{name} within {range:?}"), || {
                value.to_string()
            })?;
        }
        let policy = Policy {
            fee_bps: event.fee_bps.into(),
            low_percent: event.low_percent.into(),
            on_decline: event.on_decline,
            window: event.key_window_hours * HOUR,
        };
        // The next commit moves the horizon.
        let (horizon, raised) = known.map_or((i64::MIN, 0), |known| (known.horizon, known.raised));
        self.policies.insert(app.to_owned(), App { number: event.number, policy, horizon, raised });
        Ok(())
    }

    /// Keys of usage before it are forgotten: those that carry no time may be used again.
    fn horizon_raised(&mut self, commit: &Commit<'_>, event: &HorizonRaised) -> Check {
        if let Some(app) = self.policies.get_mut(text(commit, event.app)?) {
            holds(Rule::Keys, app.raised < event.horizon, "a horizon of keys that rises", || {
                format!("{} after {} (µs since 1970)", event.horizon, app.raised)
            })?;
            app.raised = event.horizon;
            app.horizon = app.horizon.max(event.horizon);
        }
        Ok(())
    }

    fn opened(&mut self, at: &mut Moment, commit: &Commit<'_>, event: &AccountOpened<'_>) -> Check {
        let (app, user) = name(commit, event.account)?;
        text(commit, event.actor)?;
        let before = self.number(app, user);
        holds(Rule::Accounts, before.is_none(), "an account that is new", || "one that is open".to_owned())?;
        self.check_slot(app, user)?;
        let balance = event.initial_balance;
        check_amount(balance, 0)?;
        let policy = self.policy(app)?;
        let known = policy.is_some();
        let number = self.add_account(app, user, Account::new(at.at(), at.time, balance, known));
        at.numbers[event.account] = Some(number);
        let account = &mut self.accounts[number as usize];
        if balance > 0 {
            account.add_lot(Lot {
                paid: false,
                priority: PROMO,
                made: at.at(),
                amount: balance,
                left: balance,
            });
        }
        account.granted = balance.into();
        if let Some(policy) = policy {
            // An account may open exhausted, which passes no line.
            (account.level, ..) = account.settle(&policy);
            same_level(account.level, event.level)?;
        }
        (account.level, account.epoch) = (event.level, 1);
        self.totals.granted += i128::from(balance);
        event.key.map_or(Ok(()), |key| self.keep(at, app, number, key, false))
    }

    fn money_in(&mut self, at: &Moment, commit: &Commit<'_>, event: &MoneyIn<'_>, paid: bool) -> Check {
        let (app, _) = name(commit, event.account)?;
        text(commit, event.actor)?;
        let (number, policy) =
            self.begin(at, commit, event.account, event.balance.saturating_sub(event.amount))?;
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
        self.settle(number, policy, event.level, event.epoch_started, Reason::Policy)?;
        self.keep(at, app, number, event.key, false)
    }

    fn debited(&mut self, at: &Moment, commit: &Commit<'_>, event: &Debited<'_>) -> Check {
        let (app, _) = name(commit, event.account)?;
        let (number, policy) =
            self.begin(at, commit, event.account, event.balance.saturating_add(event.charged))?;
        let account = &mut self.accounts[number as usize];
        holds(Rule::Accounts, !account.closed, "no debit of a closed account", || "one".to_owned())?;
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

    fn declined(&mut self, at: &Moment, commit: &Commit<'_>, event: &Declined<'_>) -> Check {
        let (app, user) = name(commit, event.account)?;
        holds(Rule::Refusals, event.dusted || event.item.is_some(), "a refusal that had to be kept", || {
            "one that neither exhausts the account nor is an item of a source".to_owned()
        })?;
        let charge = event.items.as_deref().map(Charge::Items).or(event.amount.map(Charge::Amount));
        let charge = charge.ok_or_else(|| Broken::new(Rule::Form, "an amount or items", "neither"))?;
        self.totals.declines += 1;
        if let Some((source, item)) = event.item {
            self.item(commit, app, source, item)?.declined += 1;
        }
        let known = at.numbers[event.account].or_else(|| self.number(app, user));
        let unknown = matches!(event.code, "app_unknown" | "account_unknown");
        let Some(number) = (match (known, unknown, self.partial) {
            (None, false, true) => Some(self.begin(at, commit, event.account, event.balance)?.0),
            _ => known,
        }) else {
            holds(Rule::Refusals, unknown, "a refusal for want of the account", || event.code.to_owned())?;
            return equal(Rule::Refusals, "no account, and so a balance of", &0, &event.balance);
        };
        let policy = self.policy(app)?;
        let account = &self.accounts[number as usize];
        equal(Rule::Postings, "the balance to stay", &account.balance, &event.balance)?;
        if account.known {
            self.check_refusal(at, app, number, event, &charge)?;
        }
        let account = &mut self.accounts[number as usize];
        account.last = at.at();
        if event.dusted {
            account.dusted = true;
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

    fn crossed(&mut self, at: &Moment, commit: &Commit<'_>, event: &Crossed) -> Check {
        let (number, _) = self.begin(at, commit, event.account, event.balance)?;
        let found = Crossing {
            account: number,
            line: event.line,
            balance: event.balance,
            baseline: event.baseline,
            epoch: event.epoch,
            reason: event.reason,
        };
        self.totals.crossings += 1;
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

    fn closed(&mut self, at: &Moment, commit: &Commit<'_>, event: &AccountClosed<'_>) -> Check {
        let (app, _) = name(commit, event.account)?;
        text(commit, event.actor)?;
        let (number, _) = self.begin(at, commit, event.account, event.balance)?;
        let account = &mut self.accounts[number as usize];
        holds(Rule::Accounts, !account.closed, "an account that is open", || "a closed one".to_owned())?;
        equal(Rule::Postings, "the balance to stay", &account.balance, &event.balance)?;
        account.closed = true;
        event.key.map_or(Ok(()), |key| self.keep(at, app, number, key, false))
    }

    fn marked(&mut self, commit: &Commit<'_>, event: &SourceMarked<'_>) -> Check {
        let (app, source) = (text(commit, event.app)?, text(commit, event.source)?);
        let known = self.sources.entry((app.to_owned(), source.to_owned())).or_default();
        holds(Rule::Sources, event.to > known.to, "a mark that rises", || {
            format!("{} after {}", event.to, known.to)
        })?;
        holds(Rule::Sources, event.to >= known.newest, "a mark behind every item", || {
            format!("{} with item {} done", event.to, known.newest)
        })?;
        (known.to, known.digest) = (event.to, *event.digest.0);
        Ok(())
    }

    /// The source of an item, which must be a new one.
    fn item(
        &mut self,
        commit: &Commit<'_>,
        app: &str,
        source: usize,
        number: u64,
    ) -> Result<&mut super::Source, Broken> {
        let source = text(commit, source)?;
        let known = self.sources.entry((app.to_owned(), source.to_owned())).or_default();
        let done = known.to.max(known.newest);
        holds(Rule::Sources, number > done, format_args!("an item behind {done} of {source}"), || {
            format!("item {number}")
        })?;
        known.newest = number;
        Ok(known)
    }

    /// The account of an event and its policy. In a fold that began in the middle an account may be met for the first
    /// time: then it had `before`.
    fn begin(
        &mut self,
        at: &Moment,
        commit: &Commit<'_>,
        account: usize,
        before: i64,
    ) -> Result<(u32, Option<Policy>), Broken> {
        let (app, user) = name(commit, account)?;
        let number = match at.numbers[account].or_else(|| self.number(app, user)) {
            None if self.partial => {
                self.add_account(app, user, Account::new(at.at(), at.time, before, false))
            }
            None => {
                return Err(Broken::new(Rule::Accounts, "an account that was opened", "one that was not"));
            }
            Some(number) => number,
        };
        self.accounts[number as usize].last = at.at();
        Ok((number, self.policy(app)?))
    }

    fn add_account(&mut self, app: &str, user: &str, account: Account) -> u32 {
        let number =
            u32::try_from(self.accounts.len()).expect("memory ends before four thousand million accounts");
        self.accounts.push(account);
        self.numbers.insert(joined(app, user).into_boxed_str(), number);
        number
    }

    /// The rules in force. None: they were set before this fold began.
    fn policy(&self, app: &str) -> Result<Option<Policy>, Broken> {
        let policy = self.policies.get(app).map(|app| app.policy);
        let seen = policy.is_some() || self.partial;
        holds(Rule::Policies, seen, "rules for the app", || "none yet".to_owned())?;
        Ok(policy)
    }

    fn check_slot(&self, app: &str, user: &str) -> Check {
        let owner = self.slots.owner(app, user).filter(|_| !self.anywhere).unwrap_or(self.chain.partition);
        equal(Rule::Slots, "an account of partition", &owner, &self.chain.partition)
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

    /// Notes that a key had its effect.
    pub(super) fn keep(&mut self, at: &Moment, app: &str, account: u32, key: Key<'_>, usage: bool) -> Check {
        let app = self.policies.get(app);
        let horizon = app.map_or(i64::MIN, |app| app.horizon);
        let oldest = app.map_or(i64::MIN, |app| at.time.saturating_sub(app.policy.window).max(app.horizon));
        self.keys.take(key, Effect { account, time: at.time, horizon, oldest, usage })
    }
}

fn text<'a>(commit: &Commit<'a>, index: usize) -> Result<&'a str, Broken> {
    let none = || Broken::new(Rule::Form, "a text that the commit has", format!("text {index}"));
    commit.body.texts.get(index).copied().ok_or_else(none)
}

/// The texts of usage are there.
fn check_texts(commit: &Commit<'_>, meter: usize, scope: Option<usize>, items: Option<&[Item]>) -> Check {
    let names = items.unwrap_or_default().iter().map(|(name, ..)| *name);
    let mut all = std::iter::once(meter).chain(scope).chain(names);
    all.try_for_each(|index| text(commit, index).map(|_| ()))
}

/// App and user of an account index.
fn name<'a>(commit: &Commit<'a>, account: usize) -> Result<(&'a str, &'a str), Broken> {
    let none = || Broken::new(Rule::Form, "an account that the commit has", format!("account {account}"));
    let (app, user) = commit.body.accounts.get(account).copied().ok_or_else(none)?;
    Ok((text(commit, app)?, user))
}

/// Double entry: what these parties gain and lose is nothing together.
fn check_postings(amounts: [i128; 3]) -> Check {
    let sum: i128 = amounts.iter().sum();
    holds(Rule::Postings, sum == 0, "postings that sum to 0", || format!("{amounts:?}, which is {sum}"))
}

fn same_level(expected: Level, found: Level) -> Check {
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

fn check_amount(amount: i64, least: i64) -> Check {
    let fits = (least..=AMOUNT_MAX).contains(&amount);
    holds(Rule::Form, fits, format_args!("an amount of {least} to {AMOUNT_MAX} credits"), || {
        amount.to_string()
    })
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
