//! What is told of an attempt. Pure.

use std::time::Duration;

use ledger_core::Timestamp;
use locus::ErrorKind;
use service_kit::Backoff;

use crate::config::{Timing, micros};
use crate::plan::UNKNOWN;
use crate::work::Told;

/// What came of an attempt.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The provider took it, now or before.
    Sent(String),
    /// The provider did not take it, or did not say that it did.
    Failed(locus::Error),
    /// The attempt's time was over.
    NoAnswer,
    /// Whether it was sent before can not be told: it was not sent again.
    Unclear(Option<locus::Error>),
    /// It was not sent before, and it is too late to send it now.
    Missing,
}

/// What is told, and what people must hear of.
pub(crate) struct Verdict {
    pub(crate) told: Told<'static>,
    /// Nothing goes on here before somebody acts.
    pub(crate) person: Option<String>,
}

/// What a verdict depends on besides the outcome.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    /// How often the mail was begun, this time included.
    pub(crate) attempts: u16,
    pub(crate) now: Timestamp,
    /// It was the last one.
    pub(crate) last: bool,
    pub(crate) has_keys: bool,
    pub(crate) timing: &'a Timing,
    /// Any number, each equally likely.
    pub(crate) random: u64,
}

impl Case<'_> {
    /// What is told of this outcome.
    pub(crate) fn verdict(&self, outcome: Outcome) -> Verdict {
        match outcome {
            Outcome::Sent(message_id) => only(Told::Sent { message_id }),
            Outcome::Missing => only(abandoned("not sent in time".to_owned())),
            Outcome::Unclear(_) if self.last => only(abandoned(UNKNOWN.to_owned())),
            Outcome::Unclear(None) => {
                only(self.failed("the provider does not tell whether it was sent", self.pause()))
            }
            Outcome::Unclear(Some(error)) => self.unlisted(&error),
            Outcome::NoAnswer => only(self.failed("no answer in time", self.settled(self.pause()))),
            Outcome::Failed(error) => self.refused(&error),
        }
    }

    /// The list of what was sent can not be had: nothing is sent before it can.
    fn unlisted(&self, error: &locus::Error) -> Verdict {
        let said = format!("the provider's list can not be read: {}", said(error));
        match needs_a_person(error) {
            true => Verdict { told: self.failed(&said, self.longest()), person: Some(said) },
            false => only(self.failed(&said, self.pause().max(error.retry_after().unwrap_or_default()))),
        }
    }

    fn refused(&self, error: &locus::Error) -> Verdict {
        let said = said(error);
        if needs_a_person(error) {
            return Verdict { told: self.failed(&said, self.longest()), person: Some(said) };
        }
        match error.kind() {
            // Approved, it is sent by itself: asking again would make it two.
            ErrorKind::PendingApproval { .. } => {
                Verdict { told: abandoned(said.clone()), person: Some(said) }
            }
            ErrorKind::Rejected { .. } | ErrorKind::Invalid | ErrorKind::Gone => only(abandoned(said)),
            _ => {
                let pause = self.pause().max(error.retry_after().unwrap_or_default());
                let doubt = error.is_ambiguous();
                only(self.failed(&said, if doubt { self.settled(pause) } else { pause }))
            }
        }
    }

    fn failed(&self, reason: &str, pause: Duration) -> Told<'static> {
        Told::Failed { reason: reason.to_owned(), retry_at: self.now.plus(micros(pause)) }
    }

    /// Doubles with every attempt.
    fn pause(&self) -> Duration {
        let Timing { first_pause, longest_pause, .. } = *self.timing;
        let backoff = Backoff::new(first_pause, 2, longest_pause);
        backoff.after(u32::from(self.attempts).saturating_sub(1)).next_delay(self.random)
    }

    fn longest(&self) -> Duration {
        Backoff::new(self.timing.longest_pause, 1, self.timing.longest_pause).next_delay(self.random)
    }

    /// Without keys, a mail that may be on its way is given the time to arrive where it can be seen.
    fn settled(&self, pause: Duration) -> Duration {
        if self.has_keys { pause } else { pause.max(self.timing.settle) }
    }
}

const fn only(told: Told<'static>) -> Verdict {
    Verdict { told, person: None }
}

const fn abandoned(reason: String) -> Told<'static> {
    Told::Abandoned { reason }
}

/// A key, an allowance, money, an inbox that is not there: the same for all mails, until somebody acts.
fn needs_a_person(error: &locus::Error) -> bool {
    use ErrorKind::{Auth, InsufficientFunds, NotFound, Policy};
    matches!(error.kind(), Auth | Policy | InsufficientFunds | NotFound)
}

/// In our own words: the provider's may hold an address.
fn said(error: &locus::Error) -> String {
    let code = error.code().map(|code| format!(" ({code})")).unwrap_or_default();
    format!("{}{code}", error.kind())
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
