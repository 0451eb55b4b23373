//! The fold of one partition: a map of accounts, sums, and the rules asked at every event.

mod account;
mod chain;
mod events;
mod keys;
mod money;
mod slots;
mod upkeep;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use foldhash::fast::RandomState;

pub use account::{Account, Lot, Policy};
pub use chain::Chain;
pub(crate) use upkeep::mail_of;

use crate::position::Position;
use crate::violation::{Broken, Check, Rule, Violation, holds};
use crate::wire::{Commit, Event, Line, Reason, WireError};
use keys::{Keys, MINUTE};
use slots::Slots;
use upkeep::{Brought, Upkeep};

/// One partition of a log, folded so far.
#[derive(Debug)]
pub struct Fold {
    chain: Chain,
    /// It began behind the beginning: what it has not seen it can not judge.
    partial: bool,
    anywhere: bool,
    slots: Slots,
    policies: HashMap<String, App, RandomState>,
    accounts: Vec<Account>,
    /// By app and user with a NUL between them, so that their order is the order of both.
    numbers: HashMap<Box<str>, u32, RandomState>,
    keys: Keys,
    sources: BTreeMap<(String, String), Source>,
    totals: Totals,
    /// Crossings that must come next.
    due: Vec<Crossing>,
    /// How many partitions the log has, once it is known.
    partitions: Option<u16>,
    /// What workers do for accounts, by their number: most have none of it.
    upkeep: HashMap<u32, Upkeep, RandomState>,
    /// A deposit whose session must be told of next.
    brought: Option<Brought>,
}

/// What is known of an app.
#[derive(Debug)]
struct App {
    number: u64,
    policy: Policy,
    /// Keys that were last used before this may be used again; it only rises.
    horizon: i64,
    /// What a recorded raise brought it to last.
    raised: i64,
}

/// How far a source is done with, and what became of its items.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// The mark: all items up to it are done with. 0: none yet.
    pub to: u64,
    /// The digest that the mark names.
    pub digest: [u8; 32],
    /// Items that were charged.
    pub debits: u64,
    /// And what for.
    pub charged: i128,
    /// Items that were declined.
    pub declined: u64,
    /// The newest item.
    newest: u64,
}

/// A crossing as it must be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Crossing {
    account: u32,
    line: Line,
    balance: i64,
    baseline: i64,
    epoch: u32,
    reason: Reason,
}

impl fmt::Display for Crossing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, balance, baseline, epoch, reason, .. } = self;
        let (line, reason) = (line.word(), reason.word());
        write!(
            f,
            "a crossing of the line {line} at {balance} of {baseline} credits, in epoch {epoch}, by {reason}"
        )
    }
}

/// Sums over everything that was folded. Money is in credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Totals {
    pub commits: u64,
    pub foreign: u64,
    pub events: u64,
    pub accounts: u64,
    pub deposits: u64,
    pub grants: u64,
    pub debits: u64,
    pub declines: u64,
    pub crossings: u64,
    pub keys: u64,
    pub deposited: i128,
    pub granted: i128,
    pub charged: i128,
    pub fees: i128,
    pub balances: i128,
}

impl Fold {
    /// Before the first commit of a partition.
    pub fn new(partition: u16) -> Self {
        Self::from(Chain::start(partition), false)
    }

    /// Behind a commit that is taken for granted, with nothing known of what was before it: the chain is checked from
    /// there on, and of each account only what its own later events say.
    pub fn since(chain: Chain) -> Self {
        Self::from(chain, true)
    }

    /// Does not ask in which partition accounts belong, and how many there are: for samples, which were put together by
    /// hand.
    #[must_use]
    pub fn anywhere(self) -> Self {
        Self { anywhere: true, ..self }
    }

    fn from(chain: Chain, partial: bool) -> Self {
        Self {
            chain,
            partial,
            anywhere: false,
            slots: Slots::default(),
            policies: HashMap::default(),
            accounts: Vec::new(),
            numbers: HashMap::default(),
            keys: Keys::default(),
            sources: BTreeMap::new(),
            totals: Totals::default(),
            due: Vec::new(),
            partitions: None,
            upkeep: HashMap::default(),
            brought: None,
        }
    }

    /// Reads and judges the commit that stands at this sequence.
    ///
    /// Errors: the first rule it breaks; the fold is then of no use any more.
    pub fn commit(&mut self, sequence: u64, bytes: &[u8]) -> Result<(), Violation> {
        let commit = self.read(sequence, bytes)?;
        self.accept(sequence, &commit)
    }

    /// Reads a commit. Errors: it can not be read.
    pub fn read<'a>(&self, sequence: u64, bytes: &'a [u8]) -> Result<Commit<'a>, Violation> {
        Commit::read(bytes).map_err(|error| {
            let newer = matches!(error, WireError::TooNew { .. });
            let rule = if newer { Rule::Version } else { Rule::Form };
            Broken::new(rule, "a commit", error.to_string()).at(self.place(sequence, 0), None)
        })
    }

    /// Judges a commit that was read before.
    ///
    /// Errors: the first rule it breaks; the fold is then of no use any more.
    pub fn accept(&mut self, sequence: u64, commit: &Commit<'_>) -> Result<(), Violation> {
        let place = self.place(sequence, 0);
        self.chain.accept(sequence, commit).map_err(|broken| broken.at(place, None))?;
        self.move_horizons(commit.body.time);
        let mut at = Moment { place, time: commit.body.time, numbers: self.resolve(commit) };
        for (index, event) in (0..).zip(&commit.body.events) {
            at.place.index = index;
            let judged = self.due_first(event).and_then(|()| self.event(&mut at, commit, event));
            judged.map_err(|broken| broken.at(at.place, subject(commit, event)))?;
        }
        self.nothing_due().map_err(|broken| {
            broken.at(at.place, commit.body.events.last().and_then(|event| subject(commit, event)))
        })?;
        self.totals.commits += 1;
        self.totals.events += commit.body.events.len() as u64;
        Ok(())
    }

    /// Steps over a message that is no commit of this log.
    ///
    /// Errors: something is missing before it.
    pub fn foreign(&mut self, sequence: u64) -> Result<(), Violation> {
        let place = self.place(sequence, 0);
        self.chain.step_over(sequence).map_err(|broken| broken.at(place, None))?;
        self.totals.foreign += 1;
        Ok(())
    }

    /// All together: money in is what is held and what was spent, and lots hold what their accounts hold.
    ///
    /// Errors: it is not so.
    pub fn check_sums(&self) -> Result<(), Violation> {
        let place = self.place(self.chain.sequence, 0);
        for ((app, user), number) in self.names() {
            self.account(number)
                .check_lots()
                .map_err(|broken| broken.at(place, Some(format!("{app}/{user}"))))?;
        }
        let Totals { deposited, granted, charged, fees, balances, .. } = self.totals();
        // $treasury, $promo, $developer, $fee, and all users.
        let sum = -deposited - granted + (charged - fees) + fees + balances;
        let sums = holds(Rule::Postings, self.partial || sum == 0, "a sum of 0 over all postings", || {
            sum.to_string()
        });
        sums.map_err(|broken| broken.at(place, None))
    }

    /// How far it is.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// What it adds up to. Balances are added up afresh, from the accounts.
    pub fn totals(&self) -> Totals {
        let balances = self.accounts.iter().map(|account| i128::from(account.balance)).sum();
        let keys = self.keys.len() as u64;
        Totals { accounts: self.accounts.len() as u64, keys, balances, ..self.totals }
    }

    /// The same without accounts, keys and balances, which take time to add up.
    pub fn totals_so_far(&self) -> &Totals {
        &self.totals
    }

    /// An account's number, by which [`Fold::account`] finds it.
    pub fn number(&self, app: &str, user: &str) -> Option<u32> {
        self.numbers.get(joined(app, user).as_str()).copied()
    }

    /// The account of a number.
    pub fn account(&self, number: u32) -> &Account {
        &self.accounts[number as usize]
    }

    /// All accounts' app and user with their number, in no order.
    pub fn names(&self) -> impl Iterator<Item = ((&str, &str), u32)> {
        self.numbers
            .iter()
            .map(|(name, number)| (name.split_once('\0').expect("it was joined with a NUL"), *number))
    }

    /// All sources with their app, in order.
    pub fn sources(&self) -> impl Iterator<Item = ((&str, &str), &Source)> {
        self.sources.iter().map(|((app, source), known)| ((app.as_str(), source.as_str()), known))
    }

    fn place(&self, sequence: u64, index: u32) -> Position {
        Position { partition: self.chain.partition, sequence, index }
    }

    /// The numbers of a commit's accounts, of those that are open.
    fn resolve(&self, commit: &Commit<'_>) -> Vec<Option<u32>> {
        let number = |(app, user): &(usize, &str)| self.number(commit.body.texts.get(*app)?, user);
        commit.body.accounts.iter().map(number).collect()
    }

    /// Where keys may be used again follows the clock, by whole minutes, and the window in force, and never goes back.
    fn move_horizons(&mut self, time: i64) {
        let minute = time.div_euclid(MINUTE).saturating_mul(MINUTE);
        for app in self.policies.values_mut() {
            app.horizon = app.horizon.max(minute.saturating_sub(app.policy.window));
        }
        let horizons = self.policies.values().map(|app| app.horizon);
        self.keys.sweep(|| horizons.min().unwrap_or(i64::MIN));
    }

    /// While crossings are due, nothing else may come; then a session whose deposit came is told of.
    fn due_first(&self, event: &Event<'_>) -> Check {
        match (self.due.first(), &self.brought) {
            (Some(_), _) if matches!(event, Event::Crossed(_)) => Ok(()),
            (Some(due), _) => Err(Broken::new(Rule::Crossings, due.to_string(), "another event")),
            (None, Some(_)) if matches!(event, Event::CheckoutStepped(_)) => Ok(()),
            (None, Some(brought)) => Err(Broken::new(Rule::Sessions, brought.to_string(), "another event")),
            (None, None) => Ok(()),
        }
    }

    /// Behind a commit nothing of it is to come any more.
    fn nothing_due(&self) -> Check {
        let crossing = self.due.first().map(|due| (Rule::Crossings, due.to_string()));
        let payment = || self.brought.as_ref().map(|brought| (Rule::Sessions, brought.to_string()));
        match crossing.or_else(payment) {
            None => Ok(()),
            Some((rule, due)) => Err(Broken::new(rule, due, "the end of the commit")),
        }
    }
}

/// Where and when an event is judged.
#[derive(Debug)]
struct Moment {
    place: Position,
    time: i64,
    /// Of the commit's accounts.
    numbers: Vec<Option<u32>>,
}

impl Moment {
    fn at(&self) -> (u64, u32) {
        (self.place.sequence, self.place.index)
    }
}

fn joined(app: &str, user: &str) -> String {
    [app, "\0", user].concat()
}

/// Whose an event is, for people.
fn subject(commit: &Commit<'_>, event: &Event<'_>) -> Option<String> {
    let text = |index: usize| commit.body.texts.get(index).copied();
    let account = match event {
        Event::Genesis(_) | Event::TermOpened(_) | Event::SolvencyChecked(_) => return None,
        Event::PolicySet(event) => return text(event.app).map(|app| format!("the app {app}")),
        Event::HorizonRaised(event) => return text(event.app).map(|app| format!("the app {app}")),
        Event::SourceMarked(event) => return Some(format!("{}/{}", text(event.app)?, text(event.source)?)),
        Event::AccountOpened(event) => event.account,
        Event::Granted(event) | Event::Deposited(event) => event.account,
        Event::Debited(event) => event.account,
        Event::Declined(event) => event.account,
        Event::Crossed(event) => event.account,
        Event::AccountClosed(event) => event.account,
        Event::ContainerSet(event) => event.account,
        Event::Paused(event) => event.account,
        Event::Resumed(event) => event.account,
        Event::LifecycleStepped(event) => event.account,
        Event::NoticeStepped(event) => event.account,
        Event::CheckoutStepped(event) => event.account,
    };
    let (app, user) = commit.body.accounts.get(account)?;
    Some(format!("{}/{user}", text(*app)?))
}

#[cfg(test)]
mod tests;
