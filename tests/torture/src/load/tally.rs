//! Counting what came of everything.

use std::collections::BTreeMap;

use judge::history::{Verb, What};

use super::mix::Wish;

/// Operations by what was asked and what came of it.
#[derive(Debug, Default, Clone, serde::Serialize)]
pub struct Tally {
    /// Attempts sent.
    pub attempts: u64,
    /// Attempts by verb, then by outcome: `ok`, `duplicate`, `refused`, `unknown`.
    pub outcomes: BTreeMap<String, BTreeMap<String, u64>>,
    /// Refused attempts by code.
    pub refusals: BTreeMap<String, u64>,
    /// Attempts without an answer by reason.
    pub unknown: BTreeMap<String, u64>,
    /// Attempts without an answer that a repeat showed to have been stored.
    pub unknown_stored: u64,
    /// Attempts without an answer that a repeat showed to have had no effect.
    pub unknown_not_stored: u64,
    /// What was not sent because too much was under way.
    pub not_sent: u64,
}

impl Tally {
    pub(super) fn note(&mut self, wish: &Wish, what: &What) {
        self.attempts += 1;
        let verb = self.outcomes.entry(verb(wish.request.verb).to_owned()).or_default();
        *verb.entry(outcome(what).to_owned()).or_default() += 1;
        match what {
            What::Refused(refusal) => *self.refusals.entry(refusal.code.clone()).or_default() += 1,
            What::Unknown { reason } => *self.unknown.entry(reason.clone()).or_default() += 1,
            What::Ok(_) | What::Invoke(_) => {}
        }
    }

    /// A repeat of something unknown was answered.
    pub(super) fn resolved(&mut self, what: &What) {
        match what {
            What::Ok(answer) if answer.duplicate => self.unknown_stored += 1,
            What::Ok(_) => self.unknown_not_stored += 1,
            // Had it been stored, its key would have been known before anything else was asked.
            What::Refused(refusal) if refusal.code == "insufficient_credit" => self.unknown_not_stored += 1,
            _ => {}
        }
    }

    /// All attempts without an answer.
    #[must_use]
    pub fn unknown_in_all(&self) -> u64 {
        self.unknown.values().sum()
    }

    /// All attempts with this outcome.
    #[must_use]
    pub fn with_outcome(&self, outcome: &str) -> u64 {
        self.outcomes.values().filter_map(|verb| verb.get(outcome)).sum()
    }
}

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Open => "open",
        Verb::Grant => "grant",
        Verb::Deposit => "deposit",
        Verb::Debit => "debit",
        Verb::Close => "close",
        Verb::Read => "read",
    }
}

fn outcome(what: &What) -> &'static str {
    match what {
        What::Ok(answer) if answer.duplicate => "duplicate",
        What::Ok(_) => "ok",
        What::Refused(_) => "refused",
        What::Unknown { .. } | What::Invoke(_) => "unknown",
    }
}
