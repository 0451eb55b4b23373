//! Who is asked. Each way in has its own small client here, and all are driven and checked alike.

mod brief;
pub mod embedded;
pub mod http;
mod json;
pub mod nats;
pub mod postgres;

use anyhow::Result;
use ledger_core::{Position, Usdc};

use crate::load::Debit;

/// Something that can be asked for debits by many callers at once.
pub trait Target: Send + Sync + 'static {
    /// One caller.
    type Line: Line;

    /// A line for one more caller. Error: it can not be reached.
    fn line(&self, number: usize) -> impl Future<Output = Result<Self::Line>> + Send;
}

/// One caller's line: it sends a request, and has the answer before the next.
pub trait Line: Send + 'static {
    /// Opens an account, unless it is open. Error: it is not open now.
    fn open(&mut self, account: u32, balance: Usdc) -> impl Future<Output = Result<()>> + Send;

    /// Asks for debits in one request, and puts what became of each into `outcomes`, in their order.
    fn debit(&mut self, debits: &[Debit], outcomes: &mut Vec<Outcome>) -> impl Future<Output = ()> + Send;
}

/// How batches are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, answered in full.
    Json,
    /// MessagePack, answered briefly.
    MessagePack,
}

/// What became of one debit, as the answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is paid.
    Paid(Paid),
    /// It is certain that nothing was done; with the code.
    Refused(String),
    /// It may have been done; with what went wrong.
    Unknown(String),
}

/// A paid debit, as the answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// Whose it is, if that is an account of the load.
    pub account: Option<u32>,
    /// What was charged.
    pub charged: Usdc,
    /// Where it stands; the baseline has no such thing.
    pub position: Option<Position>,
    /// It is the answer to an earlier debit under the same key.
    pub duplicate: bool,
}

/// The same for each of a request's debits.
fn all(outcomes: &mut Vec<Outcome>, count: usize, outcome: &Outcome) {
    outcomes.extend(std::iter::repeat_n(outcome.clone(), count));
}
