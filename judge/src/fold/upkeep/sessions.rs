//! Checkout sessions: money comes in by one only where the log opened it, once, and as much as it asked for.

use std::collections::HashMap;
use std::fmt;

use crate::fold::Fold;
use crate::fold::account::AMOUNT_MAX;
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
    /// Those that do not wait any more: none of them is opened again, and one that was not paid may still be.
    gone: HashMap<Box<str>, End>,
}

/// Why a session does not wait any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Paid,
    DismissedOrForgotten,
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

    /// Keys that begin with `$` are no caller's: there is none but that of the deposit of a session.
    pub(in crate::fold) fn check_own_key(&self, key: Key<'_>) -> Check {
        let own = matches!(key, Key::Text(text) if text.starts_with('$'));
        holds(Rule::Keys, !own || self.brought.is_some(), "a key that a caller may choose", || {
            format!("the key {:?}, which is the ledger's own", key.to_string())
        })
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
                let session = self.take(known, name, End::Paid)?;
                session.paid(brought.unwrap_or_default())
            }
            CheckoutTold::Parked { reason: Park::Late, paid } => self.late(known, name, *paid),
            CheckoutTold::Parked { reason, paid } => {
                let place = self.place(known, name)?;
                self.open[place].park(*reason, *paid)
            }
            CheckoutTold::Dismissed => self.take(known, name, End::DismissedOrForgotten)?.dismissed(),
        }
    }

    fn opened(&mut self, name: &str, amount: i64) -> Check {
        let seen = self.gone.contains_key(name) || self.open.iter().any(|session| &*session.name == name);
        holds(Rule::Sessions, !seen, "a session that is new", || format!("{name} once more"))?;
        check_amount(amount, 1)?;
        let waiting = self.open.iter().filter(|session| !session.ended()).count();
        let most = format_args!("at most {WAITING_MAX} sessions that wait");
        holds(Rule::Sessions, waiting < WAITING_MAX, most, || "one more".to_owned())?;
        self.open.push(Session { name: name.into(), amount: Some(amount), parked: None });
        self.make_room();
        Ok(())
    }

    /// It was paid although it does not wait any more: from here on it waits for a person.
    fn late(&mut self, known: bool, name: &str, paid: Option<i64>) -> Check {
        check_paid(paid)?;
        let end = self.gone.get(name).copied();
        let waits = self.open.iter().any(|session| &*session.name == name);
        let is_late = end == Some(End::DismissedOrForgotten) || (!known && end.is_none() && !waits);
        holds(Rule::Sessions, is_late, "a session that does not wait any more, and was never paid", || {
            let found = if waits { "one that waits" } else { "one that was never opened" };
            end.map_or(found, |_| "one that was paid").to_owned()
        })?;
        self.gone.remove(name);
        self.open.push(Session { name: name.into(), amount: paid, parked: Some(Park::Late) });
        Ok(())
    }

    /// The oldest that ended without money are forgotten: no money is expected for them any more.
    fn make_room(&mut self) {
        while self.open.len() > WAITING_MAX
            && let Some(place) = self.open.iter().position(Session::ended)
        {
            self.gone.insert(self.open.remove(place).name, End::DismissedOrForgotten);
        }
    }

    fn take(&mut self, known: bool, name: &str, end: End) -> Result<Session, Broken> {
        let place = self.place(known, name)?;
        let session = self.open.remove(place);
        self.gone.insert(session.name.clone(), end);
        Ok(session)
    }

    /// Where a session stands that may still bring money. Of an account that is not known it may be met here.
    fn place(&mut self, known: bool, name: &str) -> Result<usize, Broken> {
        let place = self.open.iter().position(|session| &*session.name == name);
        let gone = self.gone.contains_key(name);
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

    /// A person decides only of what waits for one: what may still be paid would be paid for nothing.
    fn dismissed(&self) -> Check {
        let waits = self.parked.is_some() || self.amount.is_none();
        holds(Rule::Sessions, waits, "a session that waits for a person", || {
            "one that may be paid".to_owned()
        })
    }

    /// It waits for a person. Where money was seen, that is not taken back.
    fn park(&mut self, reason: Park, paid: Option<i64>) -> Check {
        check_paid(paid)?;
        holds(
            Rule::Sessions,
            self.parked != Some(Park::Late),
            "a session that was paid late to wait for a person",
            || format!("it {}", reason.word()),
        )?;
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

/// What a provider says was paid is told as far as it can be.
fn check_paid(paid: Option<i64>) -> Check {
    let told = paid.is_none_or(|paid| (0..=AMOUNT_MAX).contains(&paid));
    holds(Rule::Form, told, "an amount of 0 to 10^15 credits", || paid.unwrap_or_default().to_string())
}

/// What a session asks for.
struct Asks(Option<i64>);

impl fmt::Display for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a deposit of the {} credits that the session asks for", self.0.unwrap_or_default())
    }
}
