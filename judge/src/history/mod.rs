//! What clients asked and what they were told: the format of a history, its writer and its reader.
//!
//! A history is JSON, one [`Line`] a line. A client writes one line *before* it sends a request (`invoke`) and one when
//! it knows the outcome (`ok`, `refused` or `unknown`), so the history of a client that died says which requests were
//! under way. Lines of many clients may stand in one history or in several that are read one after the other; their
//! order in the file means nothing, `at` does.
//!
//! ```json
//! {"client":3,"op":17,"at":1700000000000000,"invoke":{"verb":"debit","app":"demo","user":"anna","key":"k-17","amount":7000,"deadline":1700000010000000}}
//! {"client":3,"op":17,"at":1700000000004000,"ok":{"position":"0-12-3","balance":993000,"charged":7000}}
//! {"client":3,"op":18,"at":1700000000005000,"invoke":{"verb":"read","app":"demo","user":"anna"}}
//! {"client":3,"op":18,"at":1700000000006000,"ok":{"position":"0-12-3","balance":993000}}
//! {"client":3,"op":19,"at":1700000000007000,"refused":{"code":"insufficient_credit","needed":7000,"available":5000}}
//! {"client":3,"op":20,"at":1700000000008000,"unknown":{"reason":"no answer in time"}}
//! ```
//!
//! What a history must keep to, for the check to mean something:
//!
//! - One operation is one attempt: a retry is an operation of its own, with the same key and, when it belongs to the
//!   same call, the same deadline. Each debit of a batch is an operation of its own.
//! - `at` of all lines is read from one clock that does not go back. An `invoke` is read before the request is sent, an
//!   outcome after the answer has come: then "A's answer came before B was sent" is `A.at < B.at`.
//! - Every write carries a key; openings and closings may do without, because an account is opened and closed once.
//! - `refused` is only what certainly did nothing: a "no" of the ledger, `overloaded`, `unavailable`, a refused
//!   connection. Whatever is not certain is `unknown`: a timeout, a cut connection, `outcome_unknown`.
//! - The accounts whose opening stands in a history are its own: nobody else moves their money by a key.

mod check;
mod effects;
mod operations;

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};

pub use check::{Complaint, Promise, check};
pub use effects::{Account, Effects};

use crate::position::Position;

/// One line: something a client did or was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Who.
    pub client: u32,
    /// Which of the client's operations: the same in the line of its outcome, never used again.
    pub op: u64,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It is about to be sent.
    Invoke(Request),
    /// It was done, or had been done before.
    Ok(Answer),
    /// It was not done: this attempt has no effect, now or later.
    Refused(Refusal),
    /// Nobody can say: it may have been done, or may still be.
    Unknown {
        /// Why, in the client's words.
        reason: String,
    },
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What to do.
    pub verb: Verb,
    /// The app.
    pub app: String,
    /// The user.
    pub user: String,
    /// The idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How much, in credits (10^-6 USDC): of a debit without items, a grant, a deposit, or the initial balance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// The items of a debit, in place of the amount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
    /// Nothing may be decided after it: microseconds since 1970 by the ledger's clock. None: the client set none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<i64>,
}

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Open an account.
    Open,
    /// Give money.
    Grant,
    /// Pay money in.
    Deposit,
    /// Charge for usage.
    Debit,
    /// Close an account.
    Close,
    /// Ask the owner for the balance.
    Read,
}

/// One line of a debit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What was used.
    pub name: String,
    /// How much of it, in millionths.
    pub quantity: u64,
    /// What one costs, in 10^-12 USDC.
    pub unit_price: u64,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Where the event stands that did it. Of a read, and of an opening or closing that changed nothing: where the
    /// account's last event stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// The balance after that event, in credits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<i64>,
    /// The whole credits that a debit took, or that came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charged: Option<i64>,
    /// It had been done before, by the same key, or because the account was open or closed already: `duplicate: true`,
    /// `created: false` or `changed: false` in Drip's own answers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// Why it was not done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Refusal {
    /// The stable code of the ledger, or the client's own word.
    pub code: String,
    /// Of `insufficient_credit`: what was needed, in credits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed: Option<i64>,
    /// Of `insufficient_credit`: what was there, in credits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<i64>,
}

/// A history that can not be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file can not be read or written.
    #[error("the history can not be read or written: {0}")]
    Io(#[from] std::io::Error),
    /// A line that is not one of a history.
    #[error("line {number} of the history is not one: {source}")]
    Line {
        /// The line's number, from 1.
        number: usize,
        /// Why.
        source: serde_json::Error,
    },
}

/// Writes lines; each reaches the file before [`Writer::write`] returns, so that what was sent is never missing.
#[derive(Debug)]
pub struct Writer<W: Write>(W);

impl<W: Write> Writer<W> {
    /// Writes to this. A file should have been opened for appending.
    pub fn new(out: W) -> Self {
        Self(out)
    }

    /// Writes one line.
    ///
    /// Errors: it may not have been written.
    pub fn write(&mut self, line: &Line) -> Result<(), HistoryError> {
        let mut text = serde_json::to_string(line).expect("a line holds only text and numbers");
        text.push('\n');
        self.0.write_all(text.as_bytes())?;
        Ok(self.0.flush()?)
    }
}

/// Reads all lines. A last line without its end was being written when its writer died: it is left out.
///
/// Errors: it can not be read, or a line of it is no line of a history.
pub fn read(mut from: impl BufRead) -> Result<Vec<Line>, HistoryError> {
    let (mut lines, mut text) = (Vec::new(), Vec::new());
    loop {
        text.clear();
        from.read_until(b'\n', &mut text)?;
        if text.pop() != Some(b'\n') {
            return Ok(lines);
        }
        let number = lines.len() + 1;
        lines.push(serde_json::from_slice(&text).map_err(|source| HistoryError::Line { number, source })?);
    }
}

#[cfg(test)]
mod tests;
