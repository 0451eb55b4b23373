//! What came of an import: of the file, of this run, of the source so far.

use std::time::Duration;

use drip_client::{Amount, SourceAnswer, SourceStatus};
use serde::Serialize;

use super::batches::Batch;
use super::progress::rate;
use crate::failure::Failure;
use crate::output::Output;

/// What came of an import. What it says of the file is the same however often it is run.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    pub(super) source: String,
    /// Data rows of the file.
    pub(super) rows: u64,
    /// Of these, the ones that can not be used.
    pub(super) bad: u64,
    /// Of these, the ones with nothing to pay.
    free: u64,
    /// Of these, the ones that could not be paid.
    declined: u64,
    /// Rows charged by this run.
    charged: u64,
    /// Rows done with before this run.
    skipped: u64,
    /// Accounts opened by this run.
    opened: u64,
    /// Charged by this run.
    amount: Amount,
    /// Rows charged so far, over all runs.
    total_charged: u64,
    /// Charged so far, over all runs.
    total_amount: Amount,
    seconds: Seconds,
    rows_per_second: u64,
    /// Rows that can be used.
    #[serde(skip)]
    pub(super) items: u64,
}

/// Shown with milliseconds.
#[derive(Debug, Default, Clone, Copy)]
struct Seconds(Duration);

impl Serialize for Seconds {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_secs_f64())
    }
}

impl Summary {
    pub(super) fn new(source: String) -> Self {
        Self { source, ..Self::default() }
    }

    pub(super) fn read(&mut self, batch: &Batch) {
        self.rows += batch.to - batch.from + u64::from(batch.cut);
        self.bad += batch.bad.len() as u64;
        self.free += batch.free;
        self.items += batch.debits.len() as u64;
    }

    pub(super) fn answered(&mut self, answer: &SourceAnswer) {
        self.charged += answer.charged;
        self.skipped += answer.skipped;
        self.opened += answer.opened;
        self.amount =
            self.amount.checked_add(answer.amount).expect("the ledger's balances bound what is charged");
    }

    pub(super) fn end(&mut self, status: &SourceStatus, time: Duration) {
        // The ledger declines a row that costs nothing: an amount must be above zero.
        self.declined = status.declined.saturating_sub(self.free);
        self.total_charged = status.charged;
        self.total_amount = status.amount;
        self.seconds = Seconds(time);
        self.rows_per_second = rate(self.rows, time);
    }

    /// How many rows were declined.
    pub(super) fn declined(&self) -> u64 {
        self.declined
    }

    pub(super) fn show(&self, output: Output) -> Result<(), Failure> {
        output.object(self, Self::pairs)
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        vec![
            ("source", self.source.clone()),
            ("rows", self.rows.to_string()),
            ("  bad", self.bad.to_string()),
            ("  free", self.free.to_string()),
            ("  declined", self.declined.to_string()),
            ("charged now", format!("{} rows, {} USDC", self.charged, self.amount)),
            ("done before", format!("{} rows", self.skipped)),
            ("accounts opened", self.opened.to_string()),
            ("charged so far", format!("{} rows, {} USDC", self.total_charged, self.total_amount)),
            ("time", format!("{:.1} s, {} rows/s", self.seconds.0.as_secs_f64(), self.rows_per_second)),
        ]
    }
}
