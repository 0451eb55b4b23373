//! What can be told: each line is what the system answered, or what the sandbox wrote down.

use std::collections::BTreeMap;
use std::path::PathBuf;

use drip_client::{Account, Amount, CheckoutSession, Level, LogLine, Problem, Receipt};
use locus_sandbox::{Entry, Message};
use serde::Serialize;

use crate::server::verify::Checked;

/// One line of the story; as JSON its name is in `line`.
#[derive(Debug, Serialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub(super) enum Line {
    /// Everything runs.
    Begun {
        /// Where Drip is asked.
        http: String,
        /// The page of the sandbox.
        sandbox: String,
        /// Where everything is.
        data_dir: PathBuf,
        /// It stays.
        kept: bool,
        /// How many times as fast the outside services are.
        scale: u32,
    },
    /// A heading, and the reason beneath it.
    Step { number: u8, title: &'static str, about: &'static str },
    /// An account as Drip shows it.
    Account(Account),
    /// A checkout session as Drip answered it.
    Checkout(CheckoutSession),
    /// The sandbox did something.
    Outside {
        /// As it stands in its record.
        entry: Entry,
        /// Of a webhook: the session has a secret, with which it was signed.
        signed: bool,
    },
    /// A line of the agent log.
    Log(LogLine),
    /// Calls that were charged.
    Calls(Charged),
    /// The same call again, under its key.
    Repeated(Receipt),
    /// A call that was declined before is charged now.
    Retried(Receipt),
    /// A call that was declined.
    Declined { meter: &'static str, problem: Problem },
    /// The container was asked.
    Asked { url: String, status: u16 },
    /// A mail at the sandbox.
    Mail(Mail),
    /// What the audit found.
    Checked(Checked),
    /// What it all came to.
    Summary(Summary),
    /// What to do next.
    Next { kept: Option<PathBuf> },
}

/// Calls that were charged, one after the other.
#[derive(Debug, Serialize)]
pub(super) struct Charged {
    pub(super) calls: u64,
    pub(super) meters: BTreeMap<&'static str, u64>,
    pub(super) amount: Amount,
    /// Right after the last of them.
    pub(super) balance: Amount,
    pub(super) baseline: Amount,
    pub(super) level: Level,
}

/// A mail, as its reader sees it.
#[derive(Debug, Serialize)]
pub(super) struct Mail {
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) subject: String,
    pub(super) text: String,
}

impl From<&Message> for Mail {
    fn from(message: &Message) -> Self {
        let letter = &message.letter;
        Self {
            from: message.from.clone(),
            to: letter.to.clone(),
            subject: letter.subject.clone().unwrap_or_default(),
            text: letter.text.clone().unwrap_or_default(),
        }
    }
}

/// What it all came to.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    /// Charged, as the answers said.
    pub(super) calls: u64,
    /// Together, as the answers said.
    pub(super) spent: Amount,
    pub(super) declined: u64,
    pub(super) mails: usize,
    /// From when it was seen asleep until it was seen running again.
    pub(super) asleep_millis: u64,
    /// The effects at the sandbox by their kind.
    pub(super) effects: BTreeMap<String, u64>,
}
