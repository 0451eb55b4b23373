//! One account as the judge keeps it, and the rules that concern it alone.

use std::fmt;

use crate::violation::{Check, Rule, equal, holds};
use crate::wire::{Item, Level, Line, OnDecline};

/// How many units of 10^-18 USDC make one credit.
pub(super) const ATTO: i128 = 1_000_000_000_000;
/// The most that one command may move: 10^9 USDC.
pub(super) const AMOUNT_MAX: i64 = 1_000_000_000_000_000;
/// The most that an account may hold: 10^12 USDC.
pub(super) const BALANCE_MAX: i64 = 1_000_000_000_000_000_000;

/// The rules of an app.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    pub(super) fee_bps: i128,
    pub(super) low_percent: i128,
    pub(super) on_decline: OnDecline,
    /// In microseconds.
    pub(super) window: i64,
}

/// What a deposit or a grant brought in.
#[derive(Debug, Clone, Copy)]
pub struct Lot {
    /// It was paid, not given.
    pub paid: bool,
    /// Lots of a lower priority are spent first.
    pub priority: u8,
    /// The event that made it: sequence and index.
    pub made: (u64, u32),
    /// What it brought in.
    pub amount: i64,
    /// What is left.
    pub left: i64,
}

/// An account after its last event. Amounts are credits.
#[derive(Debug)]
pub struct Account {
    /// What it holds.
    pub balance: i64,
    /// What counts as 100 %.
    pub baseline: i64,
    /// How it stands.
    pub level: Level,
    /// Counts the rises of the level, from 1.
    pub epoch: u32,
    /// What is left can not pay for what the user is used to.
    pub dusted: bool,
    /// It pays for nothing any more.
    pub closed: bool,
    /// A person put it to sleep: it pays for nothing until a person wakes it.
    pub paused: bool,
    /// A person lets its container run without credit.
    pub forced: bool,
    /// What remains below one credit of itemised charges, in 10^-18 USDC.
    pub carry: i64,
    /// All that was ever paid in.
    pub deposited: i128,
    /// All that was ever given.
    pub granted: i128,
    /// All that was ever charged.
    pub charged: i128,
    /// The part of it that was the fee.
    pub fees: i128,
    /// Its lots, the spent ones too; the first is number 1.
    pub lots: Vec<Lot>,
    /// When it was opened.
    pub opened_at: i64,
    /// The event that opened it: sequence and index.
    pub opened: (u64, u32),
    /// Its last event.
    pub last: (u64, u32),
    /// All of it is known: its opening was seen. Else only what its events say of the balance.
    pub known: bool,
    /// What it holds is known: an event told the balance.
    pub balance_known: bool,
    /// In 1/10,000 credit.
    fee_carry: i128,
    /// The lots with something left, the next to be spent last, by their place in `lots`.
    live: Vec<u32>,
    /// The smallest positive charge of this epoch, and of the last one before it that had one.
    smallest: Option<i64>,
    smallest_before: Option<i64>,
}

impl Account {
    /// An account that is just being opened, or (not `known`) one that is met in the middle of its life.
    pub(super) fn new(at: (u64, u32), time: i64, balance: i64, known: bool) -> Self {
        Self {
            balance,
            baseline: balance,
            level: Level::Healthy,
            epoch: 1,
            dusted: false,
            closed: false,
            paused: false,
            forced: false,
            carry: 0,
            deposited: 0,
            granted: 0,
            charged: 0,
            fees: 0,
            lots: Vec::new(),
            opened_at: time,
            opened: at,
            last: at,
            known,
            balance_known: true,
            fee_carry: 0,
            live: Vec::new(),
            smallest: None,
            smallest_before: None,
        }
    }

    /// An event of it, which tells what it had before, or not.
    pub(super) fn touch(&mut self, at: (u64, u32), before: Option<i64>) {
        self.last = at;
        if let (false, Some(before)) = (self.balance_known, before) {
            (self.balance, self.balance_known) = (before, true);
        }
    }

    /// What debits may spend.
    pub(super) fn available(&self) -> i64 {
        self.balance
    }

    /// What a charge comes to, in whole credits, and the carry after it. None: more than one command may move.
    pub(super) fn price(&self, charge: &Charge<'_>) -> Option<(i64, i64)> {
        let exact = charge.exact();
        if exact > i128::from(AMOUNT_MAX) * ATTO {
            return None;
        }
        let Charge::Items(_) = charge else {
            return Some((i64::try_from(exact.div_euclid(ATTO)).ok()?, self.carry));
        };
        let sum = exact + i128::from(self.carry);
        Some((i64::try_from(sum / ATTO).ok()?, i64::try_from(sum % ATTO).ok()?))
    }

    /// Takes the fee of a charge, rounded down over all of them.
    pub(super) fn take_fee(&mut self, charged: i64, policy: &Policy, found: i64) -> Check {
        let exact = i128::from(charged) * policy.fee_bps + self.fee_carry;
        self.fee_carry = exact % 10_000;
        equal(Rule::Fees, "a fee of", &(exact / 10_000), &i128::from(found))
    }

    /// Adds a lot, behind all that are spent before it.
    pub(super) fn add_lot(&mut self, lot: Lot) {
        let number = u32::try_from(self.lots.len()).expect("an account has fewer lots than a log has events");
        let after = |other: &u32| self.lots[*other as usize].priority > lot.priority;
        let place = self.live.partition_point(after);
        self.lots.push(lot);
        self.live.insert(place, number);
    }

    /// Spends a charge from the lots, which must be the ones that the event names.
    pub(super) fn spend(&mut self, charged: i64, named: impl Iterator<Item = (u32, i64)>) -> Check {
        let mut due = charged;
        for (number, amount) in named {
            let next = self.live.last().copied().filter(|_| due > 0);
            let pays = next.map(|next| (next + 1, due.min(self.lots[next as usize].left)));
            let found = || Pays(Some((number, amount))).to_string();
            holds(Rule::Lots, pays == Some((number, amount)), Pays(pays), found)?;
            let lot = &mut self.lots[number as usize - 1];
            lot.left -= amount;
            due -= amount;
            if lot.left == 0 {
                self.live.pop();
            }
        }
        holds(Rule::Lots, due == 0, "lots that pay all", || format!("{due} credits that none of them pays"))
    }

    /// What follows for the level: the epoch that it begins, and the lines it falls past.
    pub(super) fn settle(&mut self, policy: &Policy) -> (Level, Option<u32>, Vec<Line>) {
        let before = self.level;
        self.level = self.level_now(policy);
        let rises = self.level < before;
        if rises {
            self.epoch += 1;
            self.forced = false;
            self.smallest_before = self.smallest.or(self.smallest_before);
            self.smallest = None;
        }
        let lines = [(Level::Low, Line::Low), (Level::Exhausted, Line::Exhausted)];
        let passed = lines.into_iter().filter(|(level, _)| before < *level && *level <= self.level);
        (self.level, rises.then_some(self.epoch), passed.map(|(_, line)| line).collect())
    }

    fn level_now(&self, policy: &Policy) -> Level {
        let (balance, baseline) = (i128::from(self.balance), i128::from(self.baseline));
        if balance <= 0 || self.dusted {
            Level::Exhausted
        } else if balance * 100 <= baseline * policy.low_percent {
            Level::Low
        } else {
            Level::Healthy
        }
    }

    /// Remembers what the user is used to.
    pub(super) fn note_charge(&mut self, charged: i64) {
        if charged > 0 {
            self.smallest = Some(self.smallest.map_or(charged, |least| least.min(charged)));
        }
    }

    /// Whether a debit that is refused for want of credit exhausts the account.
    pub(super) fn is_dusted_by_refusal(&self, policy: &Policy) -> bool {
        let used_to = self.smallest.or(self.smallest_before);
        let dusts = match policy.on_decline {
            OnDecline::Dust => used_to.is_some_and(|least| self.balance < least),
            OnDecline::Exhaust => true,
            OnDecline::Ignore => false,
        };
        dusts && self.level != Level::Exhausted
    }

    /// Its lots hold exactly what it holds.
    pub(super) fn check_lots(&self) -> Check {
        let left: i128 = self.lots.iter().map(|lot| i128::from(lot.left)).sum();
        holds(
            Rule::Lots,
            !self.known || left == i128::from(self.balance),
            "lots that hold the balance",
            || format!("{left} credits in lots and a balance of {}", self.balance),
        )
    }
}

/// The lot that pays, and what.
struct Pays(Option<(u32, i64)>);

impl fmt::Display for Pays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("no lot to pay"),
            Some((lot, amount)) => write!(f, "lot {lot} to pay {amount}"),
        }
    }
}

/// What a debit asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Charge<'a> {
    Amount(i64),
    Items(&'a [Item]),
}

impl Charge<'_> {
    /// The exact sum in 10^-18 USDC.
    pub(super) fn exact(&self) -> i128 {
        match self {
            Self::Amount(credits) => i128::from(*credits) * ATTO,
            Self::Items(items) => {
                let product =
                    |(_, quantity, price): &Item| i128::from(*quantity).saturating_mul(i128::from(*price));
                items.iter().fold(0_i128, |sum, item| sum.saturating_add(product(item)))
            }
        }
    }

    /// It is of at most 16 items, and of at least one.
    pub(super) fn is_countable(&self) -> bool {
        matches!(self, Self::Amount(_))
            || matches!(self, Self::Items(items) if (1..=16).contains(&items.len()))
    }
}
