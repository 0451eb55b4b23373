//! What clients ask for: a mix drawn from the seed.

use std::time::Duration;

use judge::history::{Item, Request, Verb};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::doors::Door;

/// The app everybody belongs to.
pub(crate) const APP: &str = "demo";
/// A few accounts that everybody uses at once.
const HOT: u32 = 4;
/// Ordinary ones.
const USERS: u32 = 60;
/// So many at a time have a container that is used.
const BOTS: u32 = 8;
/// What those pay in at once; they spend it in fifths and two fifths, so that they come to low credit and to none, exactly.
const BOT_PAYS: i64 = 1_000_000;

/// One thing a client wants, over all its attempts.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// What is asked, the same in every attempt but for the deadline.
    pub(crate) request: Request,
    /// By which way.
    pub(crate) door: Door,
    /// How long after its sending an attempt may be decided.
    pub(crate) patience: Duration,
    /// How many attempts came before.
    pub(crate) attempts: u32,
    /// An attempt before may have been stored.
    pub(crate) doubt: bool,
    /// The next attempt belongs to the same call: it keeps the deadline.
    pub(crate) same_call: bool,
}

impl Wish {
    /// It moves what it names, so that naming something else makes it another wish.
    pub(crate) fn has_amount(&self) -> bool {
        matches!(self.request.verb, Verb::Debit | Verb::Grant | Verb::Deposit)
    }
}

/// Draws wishes.
pub(crate) struct Mix {
    rng: StdRng,
    seed: u64,
    drawn: u64,
    tiny: u32,
    bots: u32,
}

impl Mix {
    /// The same seed draws the same wishes. `bots`: some accounts have containers.
    pub(crate) fn new(seed: u64, bots: bool) -> Self {
        let bots = if bots { BOTS } else { 0 };
        Self { rng: StdRng::seed_from_u64(seed), seed, drawn: 0, tiny: 8, bots }
    }

    /// The openings that come before everything else.
    pub(crate) fn openings(&mut self) -> Vec<Wish> {
        let hot = (0..HOT).map(|number| (format!("hot-{number}"), 2_000_000_000));
        let users = (0..USERS).map(|number| (format!("user-{number}"), 5_000_000));
        let tiny = (0..self.tiny).map(|number| (format!("tiny-{number}"), 20_000));
        let bots = (0..self.bots).map(|number| (bot(number), BOT_PAYS));
        let all: Vec<_> = hot.chain(users).chain(tiny).chain(bots).collect();
        all.into_iter().map(|(user, initial)| self.opening(user, initial)).collect()
    }

    /// The next wish.
    pub(crate) fn draw(&mut self) -> Wish {
        match self.rng.random_range(0..1000) {
            0..80 if self.bots > 0 => self.about_a_bot(),
            0..600 => self.debit(),
            600..730 => self.itemised(),
            730..800 => self.money_in(Verb::Deposit),
            800..840 => self.money_in(Verb::Grant),
            840..860 => {
                self.tiny += 1;
                let initial = self.rng.random_range(0..30_000);
                self.opening(format!("tiny-{}", self.tiny - 1), initial)
            }
            860..870 => {
                let user = self.user();
                self.opening(user, 1)
            }
            870..985 => self.ask(Verb::Read, None),
            985..993 => self.stranger(),
            _ => self.closing(),
        }
    }

    /// With this probability, in percent.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    /// Up to this long.
    pub(crate) fn pause(&mut self, longest: Duration) -> Duration {
        let millis = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.rng.random_range(0..=millis))
    }

    /// The same wish by a way of its own choice.
    pub(crate) fn twin(&mut self, wish: &Wish) -> Wish {
        Wish { door: self.door(), ..wish.clone() }
    }

    /// The same key for something else: it must be refused.
    pub(crate) fn impostor(&mut self, wish: &Wish) -> Wish {
        let mut other = self.twin(wish);
        other.request.amount = Some(wish.request.amount.unwrap_or(1) + 1);
        other.request.items.clear();
        other
    }

    fn debit(&mut self) -> Wish {
        let mut wish = self.ask(Verb::Debit, None);
        let most = if wish.request.user.starts_with("tiny") { 9_000 } else { 40_000 };
        wish.request.amount = Some(self.rng.random_range(1..most));
        wish
    }

    fn itemised(&mut self) -> Wish {
        let mut wish = self.ask(Verb::Debit, None);
        let count = self.rng.random_range(1..4);
        wish.request.items = (0..count).map(|number| self.item(number)).collect();
        wish
    }

    /// Tokens at prices far below a credit, so that the carry is at work.
    fn item(&mut self, number: u32) -> Item {
        Item {
            name: format!("tokens-{number}"),
            quantity: self.rng.random_range(1..2_000_000_000),
            unit_price: self.rng.random_range(1..3_000_000),
        }
    }

    fn money_in(&mut self, verb: Verb) -> Wish {
        let mut wish = self.ask(verb, None);
        let most = if wish.request.user.starts_with("tiny") { 30_000 } else { 1_000_000 };
        wish.request.amount = Some(self.rng.random_range(1..most));
        wish
    }

    fn opening(&mut self, user: String, initial: i64) -> Wish {
        self.of_amount(Verb::Open, user, initial)
    }

    /// Some of the small accounts are closed while they are used.
    fn closing(&mut self) -> Wish {
        let number = self.rng.random_range(0..self.tiny) / 10 * 10 + 9;
        self.ask(Verb::Close, Some(format!("tiny-{number}")))
    }

    /// Money goes and comes, so that containers sleep and wake; now and then one is new, and one is taken away.
    fn about_a_bot(&mut self) -> Wish {
        let (any, used) = (self.rng.random_range(0..self.bots), self.rng.random_range(1..=BOTS));
        let used = bot(self.bots - used);
        match self.rng.random_range(0..100) {
            0..3 => {
                self.bots += 1;
                self.opening(bot(self.bots - 1), BOT_PAYS)
            }
            3..5 => self.ask(Verb::Close, Some(bot(any))),
            5..20 => self.of_amount(Verb::Deposit, used, BOT_PAYS),
            20..25 => self.of_amount(Verb::Grant, used, BOT_PAYS),
            _ => {
                let fifths = self.rng.random_range(1..=2);
                self.of_amount(Verb::Debit, used, BOT_PAYS / 5 * fifths)
            }
        }
    }

    fn of_amount(&mut self, verb: Verb, user: String, amount: i64) -> Wish {
        let mut wish = self.ask(verb, Some(user));
        wish.request.amount = Some(amount);
        wish
    }

    /// Somebody who was never opened.
    fn stranger(&mut self) -> Wish {
        let mut wish = self.debit();
        wish.request.user = format!("nobody-{}", self.drawn);
        wish
    }

    fn ask(&mut self, verb: Verb, user: Option<String>) -> Wish {
        self.drawn += 1;
        let user = user.unwrap_or_else(|| self.user());
        let key = (verb != Verb::Read).then(|| self.key());
        let request =
            Request { verb, app: APP.to_owned(), user, key, amount: None, items: Vec::new(), deadline: None };
        let patience = [1, 3, 3, 3, 8, 8, 8, 8][self.rng.random_range(0..8)];
        let patience = Duration::from_secs(patience);
        Wish { request, door: self.door(), patience, attempts: 0, doubt: false, same_call: false }
    }

    fn key(&mut self) -> String {
        match self.chance(70) {
            true => uuid::Uuid::now_v7().to_string(),
            false => format!("key-{}-{}", self.seed, self.drawn),
        }
    }

    fn user(&mut self) -> String {
        match self.rng.random_range(0..100) {
            0..40 => format!("hot-{}", self.rng.random_range(0..HOT)),
            40..80 => format!("user-{}", self.rng.random_range(0..USERS)),
            _ => format!("tiny-{}", self.rng.random_range(0..self.tiny)),
        }
    }

    fn door(&mut self) -> Door {
        Door::ALL[self.rng.random_range(0..Door::ALL.len())]
    }
}

/// What those with containers are called.
const BOT: &str = "bot-";

fn bot(number: u32) -> String {
    format!("{BOT}{number}")
}

/// Whoever opens this account asks for a container, and gives an address.
pub(super) fn is_bot(user: &str) -> bool {
    user.starts_with(BOT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_wishes_and_each_kind_of_them() {
        let draw = |seed| {
            let mut mix = Mix::new(seed, true);
            (0..3000)
                .map(|_| mix.draw())
                .map(|wish| (wish.request.verb, wish.request.user, wish.request.amount, wish.door))
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        for verb in [Verb::Open, Verb::Grant, Verb::Deposit, Verb::Debit, Verb::Close, Verb::Read] {
            assert!(draw(7).iter().any(|(drawn, ..)| *drawn == verb), "{verb:?} is never asked");
            let of_bots = draw(7).iter().any(|(drawn, user, ..)| *drawn == verb && is_bot(user));
            assert!(of_bots || verb == Verb::Read, "{verb:?} is never asked for an account with a container");
        }
        for door in Door::ALL {
            assert!(draw(7).iter().any(|(.., drawn)| *drawn == door), "{door:?} is never used");
        }
    }
}
