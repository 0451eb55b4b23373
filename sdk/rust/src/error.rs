//! How a call can fail.

use serde::{Deserialize, Serialize};

use crate::decimal::{Amount, InvalidDecimal};

/// Why there is no answer, or not the wanted one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Drip said no: nothing was done, and the same call will be refused again as long as nothing changes.
    #[error("{0}")]
    Rejected(Box<Problem>),
    /// Drip can not be reached or is too busy: nothing was done. Try again later.
    #[error("Drip at {url} can not answer: {reason}")]
    Unavailable {
        /// Where it was looked for.
        url: String,
        /// What was seen last.
        reason: String,
    },
    /// The call was sent and no answer came in time: it may have happened, or may still. Calling again with the same
    /// key is safe and tells.
    #[error("no answer came in time from Drip at {url}: {reason}; it may have happened")]
    OutcomeUnknown {
        /// Where it was sent.
        url: String,
        /// The key it was sent with, also when the client made it.
        key: Option<String>,
        /// What was seen last.
        reason: String,
    },
    /// What answered does not speak Drip's protocol: another program, or another version. When the call was a write, it
    /// may have happened.
    #[error("the answer of {url} is not Drip's: {reason}")]
    Protocol {
        /// Who answered.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The call can not be sent as it is.
    #[error("{0}")]
    Invalid(String),
}

impl From<InvalidDecimal> for Error {
    fn from(error: InvalidDecimal) -> Self {
        Self::Invalid(format!("the number {error}"))
    }
}

/// Drip's "no", as problem+json says it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// A page about the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// One sentence about the code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code, "insufficient_credit".
    pub code: String,
    /// One sentence about this very case.
    pub detail: String,
    /// The field of the request it is about, "debits[3].amount".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Names the request in the server's logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What it would have cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needed: Option<Amount>,
    /// What could have been spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<Amount>,
    /// What is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortfall: Option<Amount>,
    /// How far the source is known: the number of its last item that is done with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<u64>,
    /// The partition that decides for the account; only when another was asked straight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<u16>,
    /// After how many seconds to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sentence = if self.detail.is_empty() { &self.title } else { &self.detail };
        match &self.field {
            Some(field) if !sentence.contains(field.as_str()) => write!(f, "{field}: {sentence}")?,
            _ => f.write_str(sentence)?,
        }
        write!(f, " ({})", self.code)
    }
}
