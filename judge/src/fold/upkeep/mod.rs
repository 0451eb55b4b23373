//! What people and workers do for accounts beside their money: containers, mails, checkout sessions; and what the rules
//! are of it. A worker keeps nothing of its own, so all that it may do follows from the log.

mod container;
mod mails;
mod sessions;

use super::events::{name, text};
use super::{Account, Fold, Moment};
use crate::violation::{Broken, Check, Rule, equal, holds};
use crate::wire::{
    CheckoutStepped, CheckoutTold, Commit, ContainerSet, Level, LifecycleStepped, MoneyIn, NoticeStepped,
    Paused, Resumed, Solvency, SolvencyChecked,
};
use container::Container;
use mails::Mails;
pub(crate) use mails::mail_of;
pub(super) use sessions::Brought;
use sessions::Sessions;

/// The longest claim, in microseconds.
const CLAIM_MAX: i64 = 10 * super::keys::MINUTE;

/// What is done for one account.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    container: Option<Container>,
    mails: Mails,
    sessions: Sessions,
}

/// A step of a worker, or of somebody else.
#[derive(Debug, Clone, Copy)]
struct Teller<'a> {
    /// Who tells it.
    worker: &'a str,
    /// The number it gives to its step.
    number: u32,
    /// The time of the commit.
    time: i64,
}

impl Fold {
    pub(super) fn container_set(
        &mut self,
        at: &Moment,
        commit: &Commit<'_>,
        event: &ContainerSet<'_>,
    ) -> Check {
        let (app, number) = self.acts(at, commit, event.account, event.actor)?;
        let account = &self.accounts[number as usize];
        check_open(account)?;
        let container = &mut self.upkeep.entry(number).or_default().container;
        container.get_or_insert_with(|| Container::new(account.known)).set();
        event.key.map_or(Ok(()), |key| self.keep(at, app, number, key, false))
    }

    pub(super) fn paused(&mut self, at: &Moment, commit: &Commit<'_>, event: &Paused<'_>) -> Check {
        let (app, number) = self.holds_still(at, commit, event.account, event.actor, event.balance)?;
        let account = &mut self.accounts[number as usize];
        holds(Rule::Sleeps, !account.paused, "an account that is awake", || "one that sleeps".to_owned())?;
        (account.paused, account.forced) = (true, false);
        event.key.map_or(Ok(()), |key| self.keep(at, app, number, key, false))
    }

    pub(super) fn resumed(&mut self, at: &Moment, commit: &Commit<'_>, event: &Resumed<'_>) -> Check {
        let (app, number) = self.holds_still(at, commit, event.account, event.actor, event.balance)?;
        let account = &mut self.accounts[number as usize];
        let needs_force = account.level == Level::Exhausted;
        let says = |forced| if forced { "a wake by force" } else { "a wake without force" };
        let fits = !account.known || needs_force == event.forced;
        holds(Rule::Sleeps, fits, says(needs_force), || says(event.forced).to_owned())?;
        (account.paused, account.forced) = (false, event.forced);
        if let Some(container) = self.upkeep.get_mut(&number).and_then(|upkeep| upkeep.container.as_mut()) {
            container.start_afresh();
        }
        event.key.map_or(Ok(()), |key| self.keep(at, app, number, key, false))
    }

    pub(super) fn lifecycle_stepped(
        &mut self,
        at: &Moment,
        commit: &Commit<'_>,
        event: &LifecycleStepped<'_>,
    ) -> Check {
        let (_, number) = self.acts(at, commit, event.account, event.worker)?;
        let told = event.told().ok_or_else(|| lacking(event.step.word()))?;
        let account = &self.accounts[number as usize];
        let container = &mut self.upkeep.entry(number).or_default().container;
        if container.is_none() && !account.known {
            *container = Some(Container::new(false));
        }
        let none = || Broken::new(Rule::Containers, "a container that was asked for", "none");
        let container = container.as_mut().ok_or_else(none)?;
        let teller = Teller { worker: text(commit, event.worker)?, number: event.number, time: at.time };
        container.step(account, teller, &told, event.phase)
    }

    pub(super) fn notice_stepped(
        &mut self,
        at: &Moment,
        commit: &Commit<'_>,
        event: &NoticeStepped<'_>,
    ) -> Check {
        let (_, number) = self.acts(at, commit, event.account, event.worker)?;
        let told = event.told().ok_or_else(|| lacking(event.step.word()))?;
        let account = &self.accounts[number as usize];
        let Upkeep { container, mails, .. } = self.upkeep.entry(number).or_default();
        let teller = Teller { worker: text(commit, event.worker)?, number: event.number, time: at.time };
        let mail = mails.of(event.kind, event.epoch, account.known)?;
        mail.step(account, container.as_ref(), teller, &told)?;
        mails.forget_ended(event.kind);
        Ok(())
    }

    pub(super) fn checkout_stepped(
        &mut self,
        at: &Moment,
        commit: &Commit<'_>,
        event: &CheckoutStepped<'_>,
    ) -> Check {
        let (app, number) = self.acts(at, commit, event.account, event.actor)?;
        let told = event.told().ok_or_else(|| lacking(event.step.word()))?;
        let brought = self.take_brought(number, event)?;
        let account = &self.accounts[number as usize];
        let opens = matches!(told, CheckoutTold::Opened { .. });
        if opens {
            check_open(account)?;
        }
        let sessions = &mut self.upkeep.entry(number).or_default().sessions;
        sessions.step(account.known, event.session, &told, brought)?;
        event.key.filter(|_| opens).map_or(Ok(()), |key| self.keep(at, app, number, key, false))
    }

    /// It says what is unknown, and of every partition how far it was read: never beyond what there is.
    pub(super) fn solvency_checked(
        &self,
        at: &Moment,
        commit: &Commit<'_>,
        event: &SolvencyChecked,
    ) -> Check {
        text(commit, event.worker)?;
        holds(Rule::Solvency, event.balances >= 0, "balances of at least 0", || event.balances.to_string())?;
        if let Some(partitions) = self.partitions.filter(|_| !self.anywhere) {
            let (expected, found) = (usize::from(partitions), event.positions.len());
            equal(Rule::Solvency, "so many positions as partitions,", &expected, &found)?;
        }
        let own = event.positions.get(usize::from(at.place.partition)).copied().unwrap_or(0);
        holds(Rule::Solvency, own < at.place.sequence, "balances of commits before this one", || {
            format!("those up to commit {own}")
        })?;
        let build = event.build_credits.and(event.build_monthly);
        let wallet = event.wallet.and_then(|wallet| wallet.checked_add(event.promo.unwrap_or(0)));
        check_known("the wallet", wallet, event.wallet_level)?;
        check_known("the credits for containers", build, event.build_level)
    }

    /// The account of an event that moves no money, and its app.
    fn acts<'a>(
        &mut self,
        at: &Moment,
        commit: &Commit<'a>,
        account: usize,
        actor: usize,
    ) -> Result<(&'a str, u32), Broken> {
        let (app, _) = name(commit, account)?;
        text(commit, actor)?;
        let (number, _) = self.begin(at, commit, account, None)?;
        Ok((app, number))
    }

    /// The same of one that is open, and names the balance.
    fn holds_still<'a>(
        &mut self,
        at: &Moment,
        commit: &Commit<'a>,
        account: usize,
        actor: usize,
        balance: i64,
    ) -> Result<(&'a str, u32), Broken> {
        let (app, _) = name(commit, account)?;
        text(commit, actor)?;
        let (number, _) = self.begin(at, commit, account, Some(balance))?;
        let account = &self.accounts[number as usize];
        check_open(account)?;
        equal(Rule::Postings, "the balance to stay", &account.balance, &balance)?;
        Ok((app, number))
    }

    /// A mail of this kind belongs to the epoch from now on.
    pub(super) fn mail_due(&mut self, account: u32, kind: crate::wire::Mail, epoch: u32) {
        self.upkeep.entry(account).or_default().mails.due(kind, epoch);
    }

    /// Money that ends a sleep is told of when the sleep was.
    pub(super) fn wakes(&mut self, number: u32, before: Level, event: &MoneyIn<'_>) -> Check {
        if !event.wakes {
            return Ok(());
        }
        let account = &self.accounts[number as usize];
        let told = self.upkeep.get(&number).is_some_and(|upkeep| upkeep.mails.told_of_sleep());
        let rose = before == Level::Exhausted && event.level < Level::Exhausted;
        let wakes = !account.known || (rose && told && !account.closed);
        holds(Rule::Mails, wakes, "no wake to be told of", || "one".to_owned())?;
        let epoch = event.epoch_started;
        let epoch = epoch.ok_or_else(|| Broken::new(Rule::Mails, "a wake to begin an epoch", "none"))?;
        self.mail_due(number, crate::wire::Mail::Restored, epoch);
        Ok(())
    }
}

pub(super) fn check_open(account: &Account) -> Check {
    holds(Rule::Accounts, !account.closed, "an account that is open", || "a closed one".to_owned())
}

/// It is known exactly when it was read.
fn check_known(what: &str, read: Option<i64>, level: Solvency) -> Check {
    let unknown = level == Solvency::Unknown;
    let says = |unknown| if unknown { "unknown" } else { "known" };
    holds(
        Rule::Solvency,
        unknown == read.is_none(),
        format_args!("{what} to be {}", says(read.is_none())),
        || format!("the level {}", level.word()),
    )
}

fn lacking(step: &str) -> Broken {
    Broken::new(Rule::Form, format!("all that belongs to the step {step}"), "less")
}
