//! What each event does, and what must be true of it. One function a kind of event, one rule a statement.

use super::account::AMOUNT_MAX;
use super::keys::Effect;
use super::money::{check_texts, same_level};
use super::slots::Slots;
use super::upkeep::check_open;
use super::{Account, App, Fold, Lot, Moment, Policy, joined};
use crate::violation::{Broken, Check, Rule, equal, holds};
use crate::wire::{
    AccountClosed, AccountOpened, Commit, Event, Genesis, HorizonRaised, Key, PolicySet, SourceMarked,
};

/// Priorities of the two kinds of lots.
pub(super) const PROMO: u8 = 50;
pub(super) const PAID: u8 = 100;
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
            Event::ContainerSet(event) => self.container_set(at, commit, event),
            Event::Paused(event) => self.paused(at, commit, event),
            Event::Resumed(event) => self.resumed(at, commit, event),
            Event::LifecycleStepped(event) => self.lifecycle_stepped(at, commit, event),
            Event::NoticeStepped(event) => self.notice_stepped(at, commit, event),
            Event::CheckoutStepped(event) => self.checkout_stepped(at, commit, event),
            Event::SolvencyChecked(event) => self.solvency_checked(at, commit, event),
        }
    }

    fn genesis(&mut self, event: &Genesis<'_>) -> Check {
        let slots = Slots::new(&event.slots, event.partitions);
        let slots =
            slots.ok_or_else(|| Broken::new(Rule::Slots, "a map of all slots", format!("{:?}", event.slots)));
        self.slots = slots?;
        self.partitions = Some(event.partitions);
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

    fn closed(&mut self, at: &Moment, commit: &Commit<'_>, event: &AccountClosed<'_>) -> Check {
        let (app, _) = name(commit, event.account)?;
        text(commit, event.actor)?;
        let (number, _) = self.begin(at, commit, event.account, Some(event.balance))?;
        let account = &mut self.accounts[number as usize];
        check_open(account)?;
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
    pub(super) fn item(
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
    /// time: then it had `before`, if the event tells.
    pub(super) fn begin(
        &mut self,
        at: &Moment,
        commit: &Commit<'_>,
        account: usize,
        before: Option<i64>,
    ) -> Result<(u32, Option<Policy>), Broken> {
        let (app, user) = name(commit, account)?;
        let number = match at.numbers[account].or_else(|| self.number(app, user)) {
            None if self.partial => {
                let mut account = Account::new(at.at(), at.time, before.unwrap_or(0), false);
                account.balance_known = before.is_some();
                self.add_account(app, user, account)
            }
            None => {
                return Err(Broken::new(Rule::Accounts, "an account that was opened", "one that was not"));
            }
            Some(number) => number,
        };
        self.accounts[number as usize].touch(at.at(), before);
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
    pub(super) fn policy(&self, app: &str) -> Result<Option<Policy>, Broken> {
        let policy = self.policies.get(app).map(|app| app.policy);
        let seen = policy.is_some() || self.partial;
        holds(Rule::Policies, seen, "rules for the app", || "none yet".to_owned())?;
        Ok(policy)
    }

    fn check_slot(&self, app: &str, user: &str) -> Check {
        let owner = self.slots.owner(app, user).filter(|_| !self.anywhere).unwrap_or(self.chain.partition);
        equal(Rule::Slots, "an account of partition", &owner, &self.chain.partition)
    }

    /// Notes that a key had its effect.
    pub(super) fn keep(&mut self, at: &Moment, app: &str, account: u32, key: Key<'_>, usage: bool) -> Check {
        self.check_own_key(key)?;
        let app = self.policies.get(app);
        let horizon = app.map_or(i64::MIN, |app| app.horizon);
        let oldest = app.map_or(i64::MIN, |app| at.time.saturating_sub(app.policy.window).max(app.horizon));
        self.keys.take(key, Effect { account, time: at.time, horizon, oldest, usage })
    }
}

pub(super) fn text<'a>(commit: &Commit<'a>, index: usize) -> Result<&'a str, Broken> {
    let none = || Broken::new(Rule::Form, "a text that the commit has", format!("text {index}"));
    commit.body.texts.get(index).copied().ok_or_else(none)
}

/// App and user of an account index.
pub(super) fn name<'a>(commit: &Commit<'a>, account: usize) -> Result<(&'a str, &'a str), Broken> {
    let none = || Broken::new(Rule::Form, "an account that the commit has", format!("account {account}"));
    let (app, user) = commit.body.accounts.get(account).copied().ok_or_else(none)?;
    Ok((text(commit, app)?, user))
}

pub(super) fn check_amount(amount: i64, least: i64) -> Check {
    let fits = (least..=AMOUNT_MAX).contains(&amount);
    holds(Rule::Form, fits, format_args!("an amount of {least} to {AMOUNT_MAX} credits"), || {
        amount.to_string()
    })
}
