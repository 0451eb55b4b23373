//! A whole check in a few numbers, for who tells of it in words of their own.

use serde::Serialize;

use super::Verify;
use super::finding::Finding;
use super::record::RecordArgs;
use super::report::{Report, usdc};
use crate::failure::Failure;
use crate::server::args::EngineArgs;

/// What was checked, and what it adds up to.
#[derive(Debug, Serialize)]
pub(crate) struct Checked {
    /// "nothing_wrong", "something_wrong" or "not_checked".
    pub(crate) result: &'static str,
    /// In the log.
    pub(crate) events: u64,
    /// What holds them.
    pub(crate) commits: u64,
    /// How many rules each event was held against.
    pub(crate) rules: usize,
    /// Debits in the log.
    pub(crate) debits: u64,
    /// Declined debits in the log.
    pub(crate) declines: u64,
    /// All amounts are USDC.
    pub(crate) paid_in: String,
    /// By grants and at openings.
    pub(crate) given: String,
    /// By debits.
    pub(crate) spent: String,
    /// By all accounts.
    pub(crate) held: String,
    /// How many tables of the views were compared with the log.
    pub(crate) tables: usize,
    /// How many rows they have.
    pub(crate) rows: u64,
    /// The digest of all of them.
    pub(crate) views_sha256: Option<String>,
    /// The finding, as a sentence.
    pub(crate) finding: Option<String>,
}

impl Verify {
    /// Checks everything that these engines hold: the numbers, and what to end with when something is wrong.
    pub(crate) async fn summarised(engines: EngineArgs) -> Result<(Checked, Option<Failure>), Failure> {
        let verify =
            Self { engines, log_only: false, since: None, expect: Vec::new(), record: RecordArgs::default() };
        let report = verify.look_at_all().await?;
        let failure = report.finding.as_ref().map(Finding::failure);
        Ok((Checked::of(&report), failure))
    }
}

impl Checked {
    fn of(report: &Report) -> Self {
        let (totals, views) = (&report.totals, report.views.as_ref());
        let tables = views.map_or(&[][..], |views| &views.tables);
        Self {
            result: report.result(),
            events: totals.events,
            commits: totals.commits,
            rules: report.rules().len(),
            debits: totals.debits,
            declines: totals.declines,
            paid_in: usdc(totals.deposited),
            given: usdc(totals.granted),
            spent: usdc(totals.charged),
            held: usdc(totals.balances),
            tables: tables.len(),
            rows: tables.iter().map(|table| table.rows).sum(),
            views_sha256: views.and_then(|views| views.sha256.clone()),
            finding: report.finding.as_ref().map(|finding| finding.sentence.clone()),
        }
    }
}
