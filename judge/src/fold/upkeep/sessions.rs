//! Checkout sessions: money comes in by one only where the log opened it, once, and as much as it asked for.

use std::collections::HashSet;
use std::fmt;

use crate::fold::Fold;
use crate::fold::account::BALANCE_MAX;
use crate::fold::events::check_amount;
use crate::violation::{Broken, Check, Rule, holds};
use crate::wire::{CheckoutStep, CheckoutStepped, CheckoutTold, Key, MoneyIn, Park};

/// So many sessions may wait for money or for a person.
const WAITING_MAX: usize = 100;
/// How the key of the deposit of a session begins.
const OWN_KEY: &str = "$checkout/";

/// A deposit whose session must be told of in the same commit.
#[derive(Debug)]
pub(in crate::fold) struct Brought {
    account: u32,
    session: String,
    amount: i64,
}

impl fmt::Display for Brought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the payment of session {}, whose deposit stands before", self.session)
    }
}

/// The sessions of an account.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// Those that may still bring money, the oldest first.
    open: Vec<Session>,
    /// Those that can not any more: paid, dismissed or forgotten.
    gone: HashSet<Box<str>>,
}

/// A session that may still bring money.
#[derive(Debug)]
struct Session {
    name: Box<str>,
    /// What it asks for. None: not known.
    amount: Option<i64>,
    parked: Option<Park>,
}

impl Session {
    /// It ended, and no money was seen.
    fn ended(&self) -> bool {
        matches!(self.parked, Some(Park::Expired | Park::Cancelled))
    }
}

impl Fold {
    /// A deposit by the key of a session is that session's.
    pub(in crate::fold) fn brings(&mut self, account: u32, event: &MoneyIn<'_>) {
        if let Key::Text(text) = event.key
            && let Some(session) = text.strip_prefix(OWN_KEY)
        {
            self.brought = Some(Brought { account, session: session.to_owned(), amount: event.amount });
        }
    }

    /// Such a key is no caller's.
    pub(in crate::fold) fn check_own_key(&self, key: Key<'_>) -> Check {
        let own = matches!(key, Key::Text(text) if text.starts_with(OWN_KEY));
        holds(
            Rule::Sessions,
            !own || self.brought.is_some(),
            "the key of a session to be of a deposit",
            || format!("another event with the key {:?}", key.to_string()),
        )
    }

    /// What a session brought: the deposit stands right before it, and is its own.
    pub(super) fn take_brought(
        &mut self,
        account: u32,
        event: &CheckoutStepped<'_>,
    ) -> Result<Option<i64>, Broken> {
        let brought = self.brought.take();
        let paid = event.step == CheckoutStep::Paid;
        match brought {
            None if paid => {
                let expected = format!("the deposit of session {} right before it", event.session);
                Err(Broken::new(Rule::Sessions, expected, "none"))
            }
            Some(due) if !paid || due.account != account || due.session != event.session => {
                let found = format!("session {} {}", event.session, event.step.word());
                Err(Broken::new(Rule::Sessions, due.to_string(), found))
            }
            brought => Ok(brought.map(|brought| brought.amount)),
        }
    }
}

impl Sessions {
    /// The next step of a session. `known`: all of the account's sessions are.
    pub(super) fn step(
        &mut self,
        known: bool,
        name: &str,
        told: &CheckoutTold<'_>,
        brought: Option<i64>,
    ) -> Check {
        match told {
            CheckoutTold::Opened { amount, .. } => self.opened(name, *amount),
            CheckoutTold::Paid { .. } => {
                let session = self.take(known, name)?;
                session.paid(brought.unwrap_or_default())
            }
            CheckoutTold::Parked { reason, paid } => {
                let place = self.place(known, name)?;
                self.open[place].park(*reason, *paid)
            }
            CheckoutTold::Dismissed => self.take(known, name).map(drop),
        }
    }

    fn opened(&mut self, name: &str, amount: i64) -> Check {
        let seen = self.gone.contains(name) || self.open.iter().any(|session| &*session.name == name);
        holds(Rule::Sessions, !seen, "a session that is new", || format!("{name} once more"))?;
        check_amount(amount, 1)?;
        let waiting = self.open.iter().filter(|session| !session.ended()).count();
        let most = format_args!("at most {WAITING_MAX} sessions that wait");
        holds(Rule::Sessions, waiting < WAITING_MAX, most, || "one more".to_owned())?;
        self.open.push(Session { name: name.into(), amount: Some(amount), parked: None });
        self.make_room();
        Ok(())
    }

    /// The oldest that ended without money are forgotten: they can not be paid any more.
    fn make_room(&mut self) {
        while self.open.len() > WAITING_MAX
            && let Some(place) = self.open.iter().position(Session::ended)
        {
            self.gone.insert(self.open.remove(place).name);
        }
    }

    fn take(&mut self, known: bool, name: &str) -> Result<Session, Broken> {
        let place = self.place(known, name)?;
        let session = self.open.remove(place);
        self.gone.insert(session.name.clone());
        Ok(session)
    }

    /// Where a session stands that may still bring money. Of an account that is not known it may be met here.
    fn place(&mut self, known: bool, name: &str) -> Result<usize, Broken> {
        let place = self.open.iter().position(|session| &*session.name == name);
        let gone = self.gone.contains(name);
        if place.is_none() && !known && !gone {
            self.open.push(Session { name: name.into(), amount: None, parked: None });
            return Ok(self.open.len() - 1);
        }
        let found = if gone { "one that is over" } else { "one that was not" };
        place.ok_or_else(|| Broken::new(Rule::Sessions, "a session that was opened", found))
    }
}

impl Session {
    /// What was asked for is paid; something else only where a person saw to it.
    fn paid(&self, brought: i64) -> Check {
        let amount = self.amount.filter(|_| self.parked.is_none());
        holds(Rule::Sessions, amount.is_none_or(|asked| asked == brought), Asks(amount), || {
            format!("a deposit of {brought}")
        })
    }

    /// It waits for a person. Where money was seen, that is not taken back.
    fn park(&mut self, reason: Park, paid: Option<i64>) -> Check {
        let told = paid.is_none_or(|paid| (0..=BALANCE_MAX).contains(&paid));
        holds(Rule::Form, told, "an amount of 0 to 10^18 credits", || paid.unwrap_or_default().to_string())?;
        let seen = self.parked.filter(|_| !self.ended());
        let forgets = seen.is_some() && matches!(reason, Park::Expired | Park::Cancelled);
        holds(Rule::Sessions, !forgets, "a session that money came for to wait for a person", || {
            format!("it {}", reason.word())
        })?;
        let differs = reason != Park::AmountDiffers || paid.is_none() || paid != self.amount;
        holds(Rule::Sessions, differs, "an amount that differs", || "the one that was asked for".to_owned())?;
        self.parked = Some(reason);
        Ok(())
    }
}

/// What a session asks for.
struct Asks(Option<i64>);

impl fmt::Display for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a deposit of the {} credits that the session asks for", self.0.unwrap_or_default())
    }
}
