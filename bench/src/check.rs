//! Every answer is checked as it comes: a figure of answers nobody looked at is none.

use std::collections::BTreeMap;

use ledger_core::map::Map;
use ledger_core::{PartitionId, Position, Usdc};
use serde::Serialize;
use uuid::Uuid;

use crate::load::{CHARGE, Debit};
use crate::report::grouped;
use crate::target::{Outcome, Paid};

/// How many wrong answers are told in full.
const TOLD_MAX: usize = 5;

/// What became of all debits of a run, warm-up included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Paid.
    pub paid: u64,
    /// What those charged, in credits.
    pub charged: i64,
    /// Refused, by code.
    pub refused: BTreeMap<String, u64>,
    /// May have been paid.
    pub unknown: u64,
    /// What was said of the first of these.
    pub unknown_told: Option<String>,
    /// Answers that can not be right.
    pub wrong: u64,
    /// What was wrong with the first of them.
    pub wrong_told: Vec<String>,
}

impl Tally {
    /// Adds another caller's.
    pub fn merge(&mut self, other: Self) {
        self.paid += other.paid;
        self.charged += other.charged;
        for (code, count) in other.refused {
            *self.refused.entry(code).or_default() += count;
        }
        self.unknown += other.unknown;
        self.unknown_told = self.unknown_told.take().or(other.unknown_told);
        self.wrong += other.wrong;
        self.wrong_told.extend(other.wrong_told);
        self.wrong_told.truncate(TOLD_MAX);
    }

    /// Everything was paid, warm-up included.
    pub fn is_all_paid(&self) -> bool {
        self.refused.is_empty() && self.unknown == 0
    }

    /// What was not paid, warm-up included: refused, by code, and what nobody knows. Nothing: a dash.
    pub fn not_paid(&self) -> String {
        let mut parts: Vec<_> =
            self.refused.iter().map(|(code, count)| format!("{} {code}", grouped(*count))).collect();
        if let Some(told) = &self.unknown_told {
            parts.push(format!("{} unknown ({told})", grouped(self.unknown)));
        }
        if self.is_all_paid() { "–".to_owned() } else { parts.join(", ") }
    }

    fn wrong(&mut self, what: String) {
        self.wrong += 1;
        if self.wrong_told.len() < TOLD_MAX {
            self.wrong_told.push(what);
        }
    }
}

/// Checks the answers to one caller, who asks one thing after the other: so the positions it is told only rise.
#[derive(Debug, Default)]
pub struct Checker {
    tally: Tally,
    last: BTreeMap<PartitionId, Position>,
    /// The keys of one request: a caller that repeats itself would measure duplicates.
    keys: Map<Uuid, ()>,
}

impl Checker {
    /// Checks the answers to one request.
    pub fn check(&mut self, asked: &[Debit], outcomes: &[Outcome]) {
        if asked.len() != outcomes.len() {
            self.tally.wrong(format!("{} answers to {} debits", outcomes.len(), asked.len()));
        }
        self.keys.clear();
        for (debit, outcome) in asked.iter().zip(outcomes) {
            assert!(self.keys.insert(debit.key, ()).is_none(), "the load asks each key once");
            match outcome {
                Outcome::Paid(paid) => self.paid(debit, paid),
                Outcome::Refused(code) => *self.tally.refused.entry(code.clone()).or_default() += 1,
                Outcome::Unknown(what) => {
                    self.tally.unknown += 1;
                    self.tally.unknown_told.get_or_insert_with(|| what.clone());
                }
            }
        }
    }

    /// How many were paid so far.
    pub fn paid_count(&self) -> u64 {
        self.tally.paid
    }

    /// What became of all of them.
    pub fn into_tally(self) -> Tally {
        self.tally
    }

    fn paid(&mut self, debit: &Debit, paid: &Paid) {
        self.tally.paid += 1;
        self.tally.charged += paid.charged.credits();
        if let Some(what) = self.fault(debit, paid) {
            self.tally.wrong(what);
        }
    }

    fn fault(&mut self, debit: &Debit, paid: &Paid) -> Option<String> {
        if paid.account != Some(debit.account) {
            return Some(format!("account {} was asked, {:?} answered", debit.account, paid.account));
        }
        if paid.charged != CHARGE {
            return Some(format!("{CHARGE} was asked, {} charged", paid.charged));
        }
        if paid.duplicate {
            return Some(format!("the new key {} is called a duplicate", debit.key));
        }
        let position = paid.position?;
        let before = self.last.insert(position.partition, position);
        before
            .filter(|before| *before >= position)
            .map(|before| format!("{position} was answered after {before}"))
    }
}

/// The sum of nothing but [`CHARGE`]s.
pub fn charges(count: u64) -> Usdc {
    Usdc::from_credits(CHARGE.credits().saturating_mul(i64::try_from(count).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn debit() -> Debit {
        Debit { account: 3, key: Uuid::now_v7() }
    }

    fn paid(position: &str) -> Paid {
        let position = Some(position.parse().unwrap());
        Paid { account: Some(3), charged: CHARGE, position, duplicate: false }
    }

    #[test]
    fn an_answer_that_can_not_be_right_is_counted_as_wrong() {
        let right = paid("0-7-1");
        for (answer, wrong) in [
            (right.clone(), 0),
            (Paid { account: Some(4), ..right.clone() }, 1),
            (Paid { account: None, ..right.clone() }, 1),
            (Paid { charged: Usdc::from_credits(1), ..right.clone() }, 1),
            (Paid { duplicate: true, ..right.clone() }, 1),
            (paid("0-7-0"), 1),
            (paid("0-6-9"), 1),
            // Another partition has an order of its own.
            (paid("1-1-0"), 0),
        ] {
            let mut checker = Checker::default();
            checker.check(&[debit()], &[Outcome::Paid(paid("0-7-0"))]);
            checker.check(&[debit()], &[Outcome::Paid(answer.clone())]);
            assert_eq!(checker.into_tally().wrong, wrong, "{answer:?}");
        }
    }

    #[test]
    fn what_is_not_paid_is_counted_as_what_it_is() {
        let mut checker = Checker::default();
        let outcomes = [Outcome::Refused("no".into()), Outcome::Unknown("gone".into())];
        checker.check(&[debit(), debit(), debit()], &outcomes);
        let mut tally = checker.into_tally();
        assert_eq!((tally.refused["no"], tally.unknown, tally.wrong, tally.paid), (1, 1, 1, 0));
        assert_eq!(
            (tally.not_paid(), Tally::default().not_paid()),
            ("1 no, 1 unknown (gone)".into(), "–".into())
        );
        tally.merge(tally.clone());
        assert_eq!((tally.refused["no"], tally.unknown, tally.wrong), (2, 2, 2));
    }
}
