//! What providers really did, held against what a log tells of it.
//!
//! A worker keeps nothing and may die at any moment, answers are lost, and two workers may see the same. So no log can
//! prove by itself that a container was made once or that a mail went out once: only the provider's own record can. It
//! is a list of [`Deed`]s in the order in which they took effect, each once, whatever became of the answer. A sandbox
//! keeps such a record; of a provider that does not, nothing can be said here.
//!
//! The record must be whole, from the first account of the log on, and no older than the log that is held against it.
//! What other Drips did at the same provider may stand in it, but for mails: whoever sends under a key sends for this log.
//!
//! In reading order: [`Told`] (the log), `world` (what stood at the provider), then what is asked, of which
//! `docs/auditing.md` has every rule: `containers`, `mails`, `money`, `rest`.

mod containers;
mod mails;
mod money;
mod names;
mod rest;
mod told;
mod world;

use std::fmt;

use serde::{Deserialize, Deserializer};

pub use told::Told;

use crate::wire::WireError;
use world::World;

/// One line of a provider's record: something that took effect, once, whatever became of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Deed {
    /// When, in microseconds since 1970 by a clock that is the ledger's. None: not known.
    #[serde(rename = "wall", default)]
    pub at: Option<i64>,
    /// What.
    pub effect: Effect,
}

/// What took effect.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names of the effects and of their fields say it")]
pub enum Effect {
    ProjectCreated {
        id: String,
        name: String,
    },
    /// With all that was in it.
    ProjectDeleted {
        id: String,
    },
    EnvironmentCreated {
        id: String,
        project: String,
    },
    EnvironmentDeleted {
        id: String,
    },
    ServiceCreated {
        id: String,
        project: String,
    },
    ServiceDeleted {
        id: String,
    },
    VariablesSet {
        service: String,
    },
    RuntimePatched {
        service: String,
    },
    /// The provider let it have so many instances, because it was asked to before, or by a deployment.
    Scaled {
        service: String,
        desired: u32,
    },
    DeploymentStarted {
        id: String,
        service: String,
    },
    DeploymentHealthy {
        id: String,
    },
    DeploymentFailed {
        id: String,
    },
    /// Money came for a checkout session: so many credits, written as USDC.
    SessionPaid {
        session: String,
        #[serde(deserialize_with = "credits")]
        amount: i64,
    },
    MailSent {
        /// The name it was sent under, where the provider knows names.
        #[serde(default)]
        idempotency_key: Option<String>,
        /// The short form of that name, where the mail shows it.
        #[serde(default)]
        reference: Option<String>,
        message_id: String,
        to: Vec<String>,
    },
    /// Anything else: nothing is asked of it.
    #[serde(other)]
    Other,
}

/// What a log and a record do not agree about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Complaint {
    /// Which promise is broken: "I6", "I12" or "I13".
    pub invariant: &'static str,
    /// How, with the account and the provider's names.
    pub what: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// Everything about which a log and a record do not agree. Empty: they do.
///
/// `late`: for how many microseconds after a claim has ended a call that was under way may still take effect. It covers
/// as well how much older the time of a commit may be than what stands in it.
/// `at_rest`: everything has come to rest, so what must be reached is reached.
pub fn check(told: &Told, deeds: &[Deed], at_rest: bool, late: i64) -> Vec<Complaint> {
    let mut check = Check { told, deeds, world: World::of(deeds), late, complaints: Vec::new() };
    check.containers();
    check.mails();
    check.money(at_rest);
    if at_rest {
        check.rest();
    }
    check.complaints
}

struct Check<'a> {
    told: &'a Told,
    deeds: &'a [Deed],
    world: World<'a>,
    late: i64,
    complaints: Vec<Complaint>,
}

impl Check<'_> {
    fn complain(&mut self, invariant: &'static str, what: impl Into<String>) {
        self.complaints.push(Complaint { invariant, what: what.into() });
    }
}

/// USDC as people write it, in credits: "1.5" are 1,500,000.
fn credits<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    let text = String::deserialize(from)?;
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let is_decimal = part.len() <= 6 && !whole.is_empty() && !part.starts_with(['+', '-']);
    let credits = format!("{whole}{part:0<6}").parse().ok().filter(|_| is_decimal);
    credits.ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no amount of USDC")))
}

#[cfg(test)]
mod tests;
