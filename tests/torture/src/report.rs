//! What a run did and found: as text, as JSON, and as a table for the documentation.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::load::Tally;
use crate::nemesis::{Done, Record};
use crate::outside::Outside;
use crate::plan::{Engines, Plan};
use crate::verdict::Sums;

/// The invariants that are held against every run, by the numbers of the list in docs/torture.md.
const CHECKED: &str = "I1 to I10, I12, I13, I14, I16";
/// What is held against workers too.
const CHECKED_OUTSIDE: &str = ", of workers I6, I12, I13, I17";

/// So many violations are shown; all of them stand in the JSON.
const SHOWN: usize = 20;

/// One run.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Report {
    /// Where log and views were kept.
    pub engines: Engines,
    /// What drew everything.
    pub seed: u64,
    /// How long there were load and faults.
    pub seconds: u64,
    /// Requests a second.
    pub rate: u32,
    /// What clients asked and were told.
    pub operations: Tally,
    /// Keys that never had an answer and stand in the log.
    pub left_stored: u64,
    /// Keys that never had an answer and do not stand in the log.
    pub left_not_stored: u64,
    /// Every fault, in order.
    pub faults: Vec<Done>,
    /// What the log held at the end.
    pub log: Sums,
    /// From the end of load until the views held everything, in milliseconds.
    pub quiet_after: u64,
    /// What workers did, where there were workers.
    pub outside: Option<Outside>,
    /// What is wrong with Drip. Empty: nothing was found.
    pub violations: Vec<String>,
    /// With which sentences processes of Drip ended by themselves, and were started again.
    pub ends: Vec<String>,
    /// What `drip verify` printed.
    pub verify: String,
}

impl Report {
    pub(crate) fn new(plan: &Plan, operations: Tally, record: &Record) -> Self {
        Self {
            engines: plan.engines,
            seed: plan.seed,
            seconds: 0,
            rate: plan.rate,
            operations,
            left_stored: 0,
            left_not_stored: 0,
            faults: record.done.clone(),
            log: Sums::default(),
            quiet_after: 0,
            outside: None,
            violations: Vec::new(),
            ends: Vec::new(),
            verify: String::new(),
        }
    }

    /// How many faults there were of each kind.
    #[must_use]
    pub fn faults_by_kind(&self) -> BTreeMap<&str, usize> {
        let mut kinds = BTreeMap::new();
        self.faults.iter().for_each(|fault| *kinds.entry(fault.kind.as_str()).or_default() += 1);
        kinds
    }

    /// The times that count as figures, in milliseconds, sorted, by what they are of.
    #[must_use]
    pub fn recoveries(&self) -> BTreeMap<&str, Vec<u64>> {
        let mut all: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for (of, time) in self.faults.iter().filter_map(|fault| fault.recovery.as_ref()) {
            all.entry(of.as_str()).or_default().push(*time);
        }
        all.values_mut().for_each(|times| times.sort_unstable());
        all
    }

    /// For a terminal, and as Markdown for the documentation: both read well as they are.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.head();
        text += &self.what_was_asked();
        text += &self.what_was_broken();
        text += &self.what_was_found();
        text
    }

    fn head(&self) -> String {
        let Self { seed, seconds, rate, log, .. } = self;
        let name = self.engines.name();
        let Sums { commits, events, accounts, debits, crossings, foreign } = log;
        format!(
            "## Torture, {name}, seed {seed}: {seconds} s at {rate} requests a second\n\n\
             The log at the end: {commits} commits, {events} events, {accounts} accounts, {debits} debits, \
             {crossings} crossings, {foreign} foreign messages. Views complete {} ms after the last answer.\n\n{}",
            self.quiet_after,
            self.outside.as_ref().map(Outside::text).unwrap_or_default()
        )
    }

    fn what_was_asked(&self) -> String {
        let tally = &self.operations;
        let mut text =
            "| asked | ok | duplicate | refused | unknown |\n|---|---:|---:|---:|---:|\n".to_owned();
        for (verb, outcomes) in &tally.outcomes {
            let count = |outcome: &str| outcomes.get(outcome).copied().unwrap_or(0);
            let (ok, duplicate) = (count("ok"), count("duplicate"));
            let (refused, unknown) = (count("refused"), count("unknown"));
            let _ = writeln!(text, "| {verb} | {ok} | {duplicate} | {refused} | {unknown} |");
        }
        let list = |counts: &BTreeMap<String, u64>| {
            counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
        };
        let _ = writeln!(text, "\n{} attempts. Refused: {}.", tally.attempts, list(&tally.refusals));
        let _ = writeln!(
            text,
            "Without an answer: {} ({}). Asked again with the same key, {} were found stored and {} not stored; of \
             those that stayed without one, the log holds {} and does not hold {}.\n",
            tally.unknown_in_all(),
            list(&tally.unknown),
            tally.unknown_stored,
            tally.unknown_not_stored,
            self.left_stored,
            self.left_not_stored
        );
        text
    }

    fn what_was_broken(&self) -> String {
        let mut text = "| fault | times |\n|---|---:|\n".to_owned();
        for (kind, times) in self.faults_by_kind() {
            let _ = writeln!(text, "| {kind} | {times} |");
        }
        let recoveries = self.recoveries();
        if !recoveries.is_empty() {
            text +=
                "\n| from kill -9 to | times | least ms | median ms | most ms |\n|---|---:|---:|---:|---:|\n";
        }
        for (of, times) in recoveries {
            let (least, most) = (times[0], times[times.len() - 1]);
            let _ =
                writeln!(text, "| {of} | {} | {least} | {} | {most} |", times.len(), times[times.len() / 2]);
        }
        text
    }

    fn what_was_found(&self) -> String {
        let more = self.outside.as_ref().map_or("", |_| CHECKED_OUTSIDE);
        let mut text = format!("\nChecked: {CHECKED}{more}.\n\nViolations: {}\n", self.violations.len());
        self.violations.iter().take(SHOWN).for_each(|violation| text += &format!("- {violation}\n"));
        if self.violations.len() > SHOWN {
            text += &format!("- and {} more\n", self.violations.len() - SHOWN);
        }
        let mut ends = BTreeMap::new();
        self.ends.iter().for_each(|end| *ends.entry(end).or_insert(0) += 1);
        if !ends.is_empty() {
            text += "\nProcesses that ended by themselves and were started again:\n";
            ends.iter().for_each(|(end, times)| text += &format!("- {times} x {end}\n"));
        }
        text
    }
}
