//! The rules once more, as plainly as they can be said: lists that are searched, sums that are summed anew, text
//! for content. It shares no code with `decide` and `evolve`.

use std::collections::BTreeMap;

use crate::account::{Account, LotKind};
use crate::charge::Charge;
use crate::command::Command;
use crate::ids::{AccountId, Key};
use crate::level::Level;
use crate::money::Usdc;

/// A policy in plain numbers; `on_decline` 0: dust, 1: exhaust, 2: ignore.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) fee_bps: u16,
    pub(super) low_percent: u8,
    pub(super) on_decline: u8,
    pub(super) hours: u16,
    pub(super) budget: u32,
}

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const CREDIT: i128 = 1_000_000_000_000;
const MOST: i128 = 1_000_000_000_000_000;
const NAMES: [&str; 3] = ["exhausted", "low", "healthy"];

struct Used {
    who: AccountId,
    key: Key,
    content: String,
    position: String,
    /// When a usage key was used, and in which group of keys that are forgotten together; none for those that are
    /// kept for ever.
    at: Option<(i64, usize)>,
}

#[derive(Default)]
struct Person {
    /// Number, whether it was paid, what is left.
    lots: Vec<(u32, bool, i128)>,
    lots_made: u32,
    baseline: i128,
    /// 0 exhausted, 1 low, 2 healthy.
    level: usize,
    epoch: u32,
    dusted: bool,
    closed: bool,
    carry: i128,
    fee_carry: i128,
    /// Epoch and amount of every positive charge.
    charges: Vec<(u32, i128)>,
}

pub(super) struct Model {
    pub(super) rules: Rules,
    now: i64,
    horizon: i64,
    people: BTreeMap<AccountId, Person>,
    used: Vec<Used>,
    /// The group that keys are added to.
    group: usize,
}

fn show(credits: i128) -> String {
    Usdc::from_credits(i64::try_from(credits).unwrap()).to_string()
}

fn refuse(code: &str) -> Vec<String> {
    vec![format!("refused: {code}")]
}

impl Person {
    fn balance(&self) -> i128 {
        self.lots.iter().map(|lot| lot.2).sum()
    }

    /// The level by the rules, told with the epoch it begins; and the lines passed.
    fn move_level(&mut self, rules: Rules, reason: &str) -> (String, Vec<String>) {
        let balance = self.balance();
        let level = if self.dusted || balance == 0 {
            0
        } else if balance * 100 <= self.baseline * i128::from(rules.low_percent) {
            1
        } else {
            2
        };
        let mut told = NAMES[level].to_owned();
        if level > self.level {
            self.epoch += 1;
            told += &format!(", epoch {} begins", self.epoch);
        }
        let passed = (level..self.level).rev().map(|line| {
            let (line, balance, baseline, epoch) =
                (NAMES[line], show(balance), show(self.baseline), self.epoch);
            format!("crossed {line} at {balance} of {baseline} in epoch {epoch} by {reason}")
        });
        let passed = passed.collect();
        self.level = level;
        (told, passed)
    }

    fn smallest_charge(&self) -> Option<i128> {
        let epoch = self.charges.iter().map(|charge| charge.0).max()?;
        self.charges.iter().filter(|charge| charge.0 == epoch).map(|charge| charge.1).min()
    }

    fn burn(&mut self, charged: i128) -> String {
        let mut lots = self.lots.clone();
        lots.sort_by_key(|lot| (lot.1, lot.0));
        let (mut due, mut told) = (charged, vec![]);
        for lot in &mut lots {
            let taken = due.min(lot.2);
            if taken > 0 {
                told.push(format!("{} of lot {}", show(taken), lot.0));
            }
            due -= taken;
            lot.2 -= taken;
        }
        self.lots = lots.into_iter().filter(|lot| lot.2 > 0).collect();
        told.join(", ")
    }
}

/// What a model's person and an account have in common.
pub(super) fn describe(account: &Account) -> String {
    let lots: Vec<_> =
        account.lots.iter().map(|lot| (lot.number, lot.kind == LotKind::Paid, lot.left)).collect();
    let level = match account.level {
        Level::Exhausted => NAMES[0],
        Level::Low => NAMES[1],
        Level::Healthy => NAMES[2],
    };
    let Account { baseline, epoch, dusted, closed, carry, fee_carry, .. } = account;
    let carry = carry.atto();
    format!("{lots:?} {baseline} {level} {epoch} {dusted} {closed} {carry} {fee_carry}")
}

impl Model {
    pub(super) fn new(now: i64) -> Self {
        let rules = Rules { fee_bps: 0, low_percent: 0, on_decline: 0, hours: 168, budget: 16 };
        Self { rules, now, horizon: 0, people: BTreeMap::new(), used: vec![], group: 0 }
    }

    /// Time goes on; keys of usage of an hour are forgotten when the horizon is five minutes past that hour.
    pub(super) fn begin(&mut self, now: i64) {
        self.now = now;
        // It is kept to the minute; what is asked is held against the exact time as well.
        self.horizon = self.horizon.max(now / MINUTE * MINUTE - i64::from(self.rules.hours) * HOUR);
        let horizon = self.horizon;
        let known = |(at, _): (i64, usize)| (at / HOUR + 1) * HOUR + 5 * MINUTE > horizon;
        self.used.retain(|used| used.at.is_none_or(known));
    }

    /// The time of the newest key of a group.
    fn newest(&self, group: usize) -> i64 {
        let keys = self.used.iter().filter(|used| used.at.is_some_and(|(_, its)| its == group));
        let times = keys.filter_map(|used| Some(used.at?.0.max(own_time(&used.key).unwrap_or(0))));
        times.max().unwrap_or(0)
    }

    /// Beyond the budget the oldest group goes, if it is another than that of now: the time of its newest key, or the
    /// horizon when that is later.
    fn overflow(&self) -> Option<i64> {
        let groups: Vec<_> = self.used.iter().filter_map(|used| used.at).map(|(_, group)| group).collect();
        let oldest = groups.iter().copied().min().filter(|oldest| *oldest < self.group)?;
        (groups.len() >= self.rules.budget as usize).then(|| self.newest(oldest).max(self.horizon))
    }

    /// Whatever is as old as the newest key of a forgotten group is refused from then on.
    fn forget(&mut self, newest: i64) -> String {
        self.horizon = newest + 1;
        let oldest = self.used.iter().filter_map(|used| used.at).map(|(_, group)| group).min().unwrap();
        for group in oldest..self.group {
            if self.newest(group) >= self.horizon {
                break;
            }
            self.used.retain(|used| used.at.is_none_or(|(_, its)| its != group));
        }
        format!("horizon of demo raised to {}", self.horizon)
    }

    /// The group of a key that is used now: a new one in each hour, and when a sixteenth of the budget is in it.
    fn group_now(&mut self) -> usize {
        let of_group = self.used.iter().filter_map(|used| used.at).filter(|(_, group)| *group == self.group);
        let hours: Vec<_> = of_group.map(|(at, _)| at / HOUR).collect();
        let full = hours.len() >= (self.rules.budget / 16) as usize;
        if !hours.is_empty() && (full || hours[0] < self.now / HOUR) {
            self.group += 1;
        }
        self.group
    }

    pub(super) fn describe(&self, who: &AccountId) -> String {
        let person = &self.people[who];
        let mut lots = person.lots.clone();
        lots.sort_by_key(|lot| (lot.1, lot.0));
        let lots: Vec<_> = lots
            .iter()
            .map(|lot| (lot.0, lot.1, Usdc::from_credits(i64::try_from(lot.2).unwrap())))
            .collect();
        let Person { baseline, level, epoch, dusted, closed, carry, fee_carry, .. } = person;
        let (baseline, level) = (show(*baseline), NAMES[*level]);
        format!("{lots:?} {baseline} {level} {epoch} {dusted} {closed} {carry} {fee_carry}")
    }

    pub(super) fn ask(&mut self, command: &Command, position: String) -> Vec<String> {
        let who = command.account();
        if let Command::Open(command) = command {
            return self.open(who, command.key.as_ref(), command.initial_balance.credits().into(), position);
        }
        if !self.people.contains_key(who) {
            return refuse("account_unknown");
        }
        let content = match command {
            Command::Grant(command) => format!("grant {}", command.amount),
            Command::Deposit(command) => format!("deposit {}", command.amount),
            Command::Debit(command) => format!("debit {:?}", command.usage.charge),
            Command::Open(_) | Command::Close(_) => "close".to_owned(),
            other => unreachable!("the model is asked no {other:?}"),
        };
        if let Some(key) = command.key()
            && let Some(used) = self.used.iter().find(|used| used.who == *who && used.key == *key)
        {
            let same = used.content == content;
            return if same { vec![format!("duplicate of {}", used.position)] } else { refuse("key_reused") };
        }
        let told = match command {
            Command::Grant(command) => self.add(who, command.amount.credits().into(), false),
            Command::Deposit(command) => self.add(who, command.amount.credits().into(), true),
            Command::Debit(command) => {
                self.debit(who, command.usage.key.as_ref(), &command.usage.charge, command.dry_run)
            }
            Command::Open(_) | Command::Close(_) => self.close(who),
            other => unreachable!("the model is asked no {other:?}"),
        };
        let Some(key) = command.key().filter(|_| told[0] == "applied") else { return told };
        let usage = matches!(command, Command::Debit(_));
        let full = if usage { self.overflow() } else { None };
        let at = usage.then(|| (self.now, self.group_now()));
        self.used.push(Used { who: who.clone(), key: key.clone(), content, position, at });
        told.into_iter().chain(full.map(|newest| self.forget(newest))).collect()
    }

    fn open(&mut self, who: &AccountId, key: Option<&Key>, balance: i128, position: String) -> Vec<String> {
        if self.people.contains_key(who) {
            return vec!["unchanged".to_owned()];
        }
        if balance < 0 {
            return refuse("amount_not_positive");
        }
        if balance > MOST {
            return refuse("amount_too_large");
        }
        let mut person = Person { baseline: balance, epoch: 1, level: 2, ..Person::default() };
        if balance > 0 {
            person.lots.push((1, false, balance));
            person.lots_made = 1;
        }
        let (level, _) = person.move_level(self.rules, "");
        self.people.insert(who.clone(), person);
        if let Some(key) = key {
            let content = "open".to_owned();
            self.used.push(Used { who: who.clone(), key: key.clone(), content, position, at: None });
        }
        vec!["applied".to_owned(), format!("{} opened with {}: {level}", who.user, show(balance))]
    }

    fn add(&mut self, who: &AccountId, amount: i128, paid: bool) -> Vec<String> {
        let person = self.people.get_mut(who).unwrap();
        if person.closed && !paid {
            return refuse("account_closed");
        }
        if amount <= 0 {
            return refuse("amount_not_positive");
        }
        if amount > MOST {
            return refuse("amount_too_large");
        }
        if person.balance() + amount > 1_000 * MOST {
            return refuse("balance_too_large");
        }
        person.lots_made += 1;
        person.lots.push((person.lots_made, paid, amount));
        let balance = person.balance();
        person.baseline = if paid { balance } else { balance.max(person.baseline) };
        person.dusted = false;
        let (level, passed) = person.move_level(self.rules, "policy");
        let verb = if paid { "deposited" } else { "granted" };
        let (amount, lot) = (show(amount), person.lots_made);
        let (balance, baseline) = (show(balance), show(person.baseline));
        let told = format!("{verb} {amount} as lot {lot}: {balance} of {baseline}, {level}");
        [vec!["applied".to_owned(), told], passed].concat()
    }

    fn close(&mut self, who: &AccountId) -> Vec<String> {
        let person = self.people.get_mut(who).unwrap();
        if person.closed {
            return vec!["unchanged".to_owned()];
        }
        person.closed = true;
        vec!["applied".to_owned(), format!("closed with {}", show(person.balance()))]
    }

    fn debit(&mut self, who: &AccountId, key: Option<&Key>, charge: &Charge, dry: bool) -> Vec<String> {
        if let Some(own_time) = key.and_then(own_time) {
            if own_time < self.horizon.max(self.now - i64::from(self.rules.hours) * HOUR) {
                return refuse("key_expired");
            }
            if own_time > self.now + 5 * MINUTE {
                return refuse("key_ahead");
            }
        }
        let rules = self.rules;
        let person = self.people.get_mut(who).unwrap();
        if person.closed {
            return refuse("account_closed");
        }
        let (exact, carry, count) = match charge {
            Charge::Amount(amount) => (i128::from(amount.credits()) * CREDIT, None, 1),
            Charge::Items(items) => {
                let lines = items
                    .iter()
                    .map(|item| i128::from(item.quantity.units()) * i128::from(item.unit_price.units()));
                (lines.sum(), Some(person.carry), items.len())
            }
        };
        if exact <= 0 {
            return refuse("amount_not_positive");
        }
        if exact > MOST * CREDIT {
            return refuse("amount_too_large");
        }
        if count == 0 || count > 16 {
            return refuse("items_count");
        }
        let charged = (exact + carry.unwrap_or(0)) / CREDIT;
        let balance = person.balance();
        if balance < charged.max(1) {
            let refusal = format!("insufficient_credit, {} of {}", show(charged.max(1)), show(balance));
            let declined = if dry { vec![] } else { person.decline(rules) };
            return [refuse(&refusal), declined].concat();
        }
        if dry {
            return vec![format!("would charge {}, leaving {}", show(charged), show(balance - charged))];
        }
        if let Some(carry) = carry {
            person.carry = (exact + carry) % CREDIT;
        }
        let fees = charged * i128::from(rules.fee_bps) + person.fee_carry;
        person.fee_carry = fees % 10_000;
        let slices = person.burn(charged);
        let (level, passed) = person.move_level(rules, "debit");
        if charged > 0 {
            person.charges.push((person.epoch, charged));
        }
        let (charged, fee, left) = (show(charged), show(fees / 10_000), show(balance - charged));
        let told = format!("debited {charged} [{slices}] fee {fee}: {left}, {level}");
        [vec!["applied".to_owned(), told], passed].concat()
    }
}

impl Person {
    fn decline(&mut self, rules: Rules) -> Vec<String> {
        let dusts = match rules.on_decline {
            0 => self.smallest_charge().is_some_and(|smallest| self.balance() < smallest),
            1 => true,
            _ => false,
        };
        if !dusts || self.level == 0 {
            return vec![];
        }
        self.dusted = true;
        let told = format!("declined: insufficient_credit, dusted, balance {}", show(self.balance()));
        let (_, passed) = self.move_level(rules, "decline");
        [vec![told], passed].concat()
    }
}

/// The time in a UUIDv7. The test's other keys are too short to be one.
fn own_time(key: &Key) -> Option<i64> {
    let text = key.text();
    (text.len() == 36).then(|| i64::from_str_radix(&text.replace('-', "")[..12], 16).unwrap() * 1_000)
}
