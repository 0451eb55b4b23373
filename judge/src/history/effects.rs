//! What a log holds of the things that clients ask for: the other half of what a history is checked against.

use std::collections::BTreeMap;
use std::fmt;

use super::{Item, Request, Verb};
use crate::position::Position;
use crate::wire::{self, Commit, Event, WireError};

/// App, user.
pub type Account = (String, String);

/// The events of accounts in a log, to be looked up by position, account and key. They are kept in memory.
#[derive(Debug, Default)]
pub struct Effects {
    pub(super) all: BTreeMap<Position, Effect>,
    pub(super) by_account: BTreeMap<Account, Vec<Position>>,
    pub(super) by_key: BTreeMap<(Account, String), Vec<Position>>,
    times: BTreeMap<u16, i64>,
}

/// One event of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) account: Account,
    /// What a client would have asked for to make it happen; none of crossings and declines, which only follow.
    pub(super) verb: Option<Verb>,
    pub(super) key: Option<String>,
    /// It is an item of a source.
    pub(super) is_item: bool,
    /// What came in or was charged, in credits.
    pub(super) amount: i64,
    pub(super) items: Vec<Item>,
    /// After it.
    pub(super) balance: i64,
    pub(super) term: [u8; 16],
    /// The time of its commit, when that is later than the one before and so is when it was decided at the earliest.
    pub(super) decided: Option<i64>,
}

impl Effect {
    /// It is what this request asks for, apart from the key.
    pub(super) fn is_what(&self, request: &Request) -> bool {
        let asked = match request.verb {
            Verb::Close => true,
            Verb::Debit if !request.items.is_empty() => self.items == request.items,
            _ => self.items.is_empty() && self.amount == request.amount.unwrap_or(0),
        };
        asked && self.verb == Some(request.verb)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (app, user) = &self.account;
        let verb = self.verb.map_or("an event".to_owned(), |verb| format!("{verb:?}"));
        write!(f, "{verb} of {app}/{user}")?;
        self.key.iter().try_for_each(|key| write!(f, ", key {key:?},"))
    }
}

impl Effects {
    /// Takes in a commit; those of one partition in their order.
    ///
    /// Errors: it can not be read.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let commit = Commit::read(bytes)?;
        let before = self.times.insert(commit.partition, commit.body.time);
        let decided = Some(commit.body.time).filter(|time| before.is_none_or(|before| before < *time));
        for (index, event) in (0..).zip(&commit.body.events) {
            let position = Position { partition: commit.partition, sequence: commit.sequence, index };
            let Some(mut effect) = effect(&commit, event, decided) else { continue };
            if is_upkeep(event) {
                let before = self.of(&effect.account).next_back();
                effect.balance = before.map_or(effect.balance, |(_, before)| before.balance);
            }
            self.by_account.entry(effect.account.clone()).or_default().push(position);
            if let (Some(_), Some(key)) = (effect.verb, &effect.key) {
                self.by_key.entry((effect.account.clone(), key.clone())).or_default().push(position);
            }
            self.all.insert(position, effect);
        }
        Ok(())
    }

    /// Something was done under this key.
    pub fn holds(&self, account: &Account, key: &str) -> bool {
        self.by_key.contains_key(&(account.clone(), key.to_owned()))
    }

    /// The events of an account.
    pub(super) fn of<'a>(
        &'a self,
        account: &Account,
    ) -> impl DoubleEndedIterator<Item = (Position, &'a Effect)> + use<'a> {
        let positions = self.by_account.get(account).map_or(&[][..], Vec::as_slice);
        positions.iter().map(|position| (*position, &self.all[position]))
    }
}

fn effect(commit: &Commit<'_>, event: &Event<'_>, decided: Option<i64>) -> Option<Effect> {
    let text = |index: usize| commit.body.texts.get(index).map(|text| (*text).to_owned()).unwrap_or_default();
    let make = |account: usize, verb: Option<Verb>, key: Option<wire::Key<'_>>, amount: i64, balance: i64| {
        let (app, user) = commit.body.accounts.get(account)?;
        Some(Effect {
            account: (text(*app), (*user).to_owned()),
            verb,
            key: key.map(|key| key.to_string()),
            is_item: false,
            amount,
            items: Vec::new(),
            balance,
            term: *commit.body.term.0,
            decided,
        })
    };
    let item = |(name, quantity, unit_price): &wire::Item| Item {
        name: text(*name),
        quantity: *quantity,
        unit_price: *unit_price,
    };
    match event {
        Event::AccountOpened(event) => {
            make(event.account, Some(Verb::Open), event.key, event.initial_balance, event.initial_balance)
        }
        Event::Granted(event) => {
            make(event.account, Some(Verb::Grant), Some(event.key), event.amount, event.balance)
        }
        Event::Deposited(event) => {
            make(event.account, Some(Verb::Deposit), Some(event.key), event.amount, event.balance)
        }
        Event::Debited(event) => {
            let effect = make(event.account, Some(Verb::Debit), event.key, event.charged, event.balance)?;
            let items = event.items.iter().flatten().map(item).collect();
            Some(Effect { items, is_item: event.item.is_some(), ..effect })
        }
        Event::AccountClosed(event) => make(event.account, Some(Verb::Close), event.key, 0, event.balance),
        // A refusal of an account that does not exist is no event of it.
        Event::Declined(event) if event.code == "account_unknown" || event.code == "app_unknown" => None,
        Event::Declined(event) => make(event.account, None, event.key, 0, event.balance),
        Event::Crossed(event) => make(event.account, None, None, 0, event.balance),
        Event::Paused(event) => make(event.account, None, None, 0, event.balance),
        Event::Resumed(event) => make(event.account, None, None, 0, event.balance),
        Event::ContainerSet(event) => make(event.account, None, None, 0, 0),
        Event::LifecycleStepped(event) => make(event.account, None, None, 0, 0),
        Event::NoticeStepped(event) => make(event.account, None, None, 0, 0),
        Event::CheckoutStepped(event) => make(event.account, None, None, 0, 0),
        Event::Genesis(_) | Event::TermOpened(_) | Event::PolicySet(_) => None,
        Event::HorizonRaised(_) | Event::SourceMarked(_) | Event::SolvencyChecked(_) => None,
    }
}

/// It leaves the balance as it was, and does not tell it.
fn is_upkeep(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::ContainerSet(_)
            | Event::LifecycleStepped(_)
            | Event::NoticeStepped(_)
            | Event::CheckoutStepped(_)
    )
}
