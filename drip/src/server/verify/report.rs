//! What is printed: what was checked, what it adds up to, what was found, and what was not checked.

use std::io::{BufWriter, Write};
use std::time::Duration;

use judge::{Fold, Rule, Totals, decimal};
use serde::Serialize;
use serde_json::json;

use super::feed::Start;
use super::finding::Finding;
use super::noted::Noted;
use super::record::RecordReport;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::server::digest::TableDigest;

/// Everything that an inspection has to say.
pub(super) struct Report {
    pub(super) log: String,
    /// Only what stands behind a position was checked.
    pub(super) since: bool,
    pub(super) partitions: Vec<PartitionReport>,
    pub(super) totals: Totals,
    pub(super) foreign: Vec<Foreign>,
    pub(super) views: Option<ViewsReport>,
    /// What was noted earlier and is to be there still.
    pub(super) noted: Vec<Noted>,
    pub(super) record: Option<RecordReport>,
    pub(super) finding: Option<Finding>,
    pub(super) time: Duration,
}

/// One partition, as far as it was read.
#[derive(Debug, Serialize)]
pub(super) struct PartitionReport {
    pub(super) partition: u16,
    /// The message that was taken for granted; 0: none.
    pub(super) after: u64,
    /// Its hash, when it was taken for granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) after_sha256: Option<String>,
    /// The last message that was read.
    pub(super) read: u64,
    pub(super) commits: u64,
    pub(super) foreign: u64,
    pub(super) events: u64,
    /// The last commit, and its hash.
    pub(super) commit: u64,
    pub(super) sha256: String,
    /// And its time.
    pub(super) time: String,
}

impl PartitionReport {
    pub(super) fn new(fold: &Fold, start: &Start) -> Self {
        let (chain, totals) = (fold.chain(), fold.totals_so_far());
        Self {
            partition: chain.partition,
            after: start.after(),
            after_sha256: start.behind.as_ref().map(|chain| hex::encode(chain.hash)),
            read: chain.read,
            commits: totals.commits,
            foreign: totals.foreign,
            events: totals.events,
            commit: chain.sequence,
            sha256: hex::encode(chain.hash),
            time: rfc3339(chain.time),
        }
    }
}

/// A message that is no commit of this log.
#[derive(Debug, Serialize)]
pub(super) struct Foreign {
    pub(super) partition: u16,
    pub(super) sequence: u64,
    pub(super) reason: String,
}

/// The views, as far as they were compared.
#[derive(Debug, Serialize)]
pub(super) struct ViewsReport {
    pub(super) store: &'static str,
    /// How far they had read each partition: `partition-sequence`.
    pub(super) at: Vec<String>,
    pub(super) tables: Vec<TableDigest>,
    /// Over all tables; none when not all rows were compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<String>,
}

impl Report {
    /// Prints it for people, or as one JSON object.
    pub(super) fn print(&self, output: Output) -> Result<(), Failure> {
        if output.json {
            return output.object(&self.json(), |_| Vec::new());
        }
        let mut out = BufWriter::new(std::io::stdout().lock());
        self.people(&mut out)?;
        Ok(out.flush()?)
    }

    pub(super) fn result(&self) -> &'static str {
        match &self.finding {
            None => "nothing_wrong",
            Some(finding) if finding.exit == Exit::FoundWrong => "something_wrong",
            Some(_) => "not_checked",
        }
    }

    fn json(&self) -> serde_json::Value {
        let totals = &self.totals;
        json!({
            "result": self.result(),
            "finding": self.finding.as_ref().map(|finding| &finding.details),
            "log": self.log,
            "partitions": self.partitions,
            "totals": {
                "accounts": totals.accounts, "events": totals.events, "commits": totals.commits,
                "deposits": totals.deposits, "grants": totals.grants, "debits": totals.debits,
                "declines": totals.declines, "crossings": totals.crossings, "keys": totals.keys,
                "paid_in": usdc(totals.deposited), "given": usdc(totals.granted), "spent": usdc(totals.charged),
                "fees": usdc(totals.fees), "balances": usdc(totals.balances),
            },
            "noted": if self.finding.is_none() { &self.noted[..] } else { &[] },
            "foreign": { "count": totals.foreign, "first": self.foreign },
            "views": self.views,
            "record": self.record,
            "rules": self.rules().iter().map(|rule| rule.name()).collect::<Vec<_>>(),
            "not_checked": self.not_checked(),
            "seconds": format!("{}.{:03}", self.time.as_secs(), self.time.subsec_millis()),
            "events_per_second": self.rate(),
        })
    }

    fn people(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "The log {}", self.log)?;
        for one in &self.partitions {
            let PartitionReport { partition, after, read, commits, events, commit, sha256, time, .. } = one;
            match read > after {
                true => writeln!(
                    out,
                    "  partition {partition}: messages {} to {read}, {commits} commits with {events} events",
                    after + 1
                )?,
                false => writeln!(out, "  partition {partition}: nothing behind message {after}")?,
            }
            if let Some(sha256) = &one.after_sha256 {
                writeln!(out, "    commit {after}, taken for granted: SHA-256 {sha256}")?;
            }
            writeln!(out, "    commit {commit} of {time}: SHA-256 {sha256}")?;
        }
        self.strangers(out)?;
        self.as_noted(out)?;
        self.adds_up(out)?;
        writeln!(out, "\nChecked at every event{}", if self.since { " behind the position" } else { "" })?;
        for rule in self.rules() {
            writeln!(out, "  {:<11}{}", rule.name(), rule.sentence())?;
        }
        self.compared(out)?;
        self.recorded(out)?;
        writeln!(out, "\nNot checked")?;
        self.not_checked().iter().try_for_each(|line| writeln!(out, "  - {line}"))?;
        let millis = self.time.as_millis();
        let (events, rate) = (self.totals.events, self.rate());
        writeln!(
            out,
            "\n{events} events in {}.{:03} seconds, {rate} a second.",
            millis / 1000,
            millis % 1000
        )?;
        match &self.finding {
            None => writeln!(out, "Nothing wrong was found."),
            Some(finding) if finding.exit != Exit::FoundWrong => {
                writeln!(out, "NOT CHECKED TO THE END: {}.", finding.sentence)
            }
            Some(finding) if finding.ended_it() => {
                writeln!(out, "WRONG, and nothing behind it was looked at: {}.", finding.sentence)
            }
            Some(finding) => writeln!(out, "WRONG: {}.", finding.sentence),
        }
    }

    fn strangers(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "  foreign messages, stepped over: {}", self.totals.foreign)?;
        for Foreign { partition, sequence, reason } in &self.foreign {
            writeln!(out, "    partition {partition}, message {sequence}: {reason}")?;
        }
        Ok(())
    }

    fn as_noted(&self, out: &mut impl Write) -> std::io::Result<()> {
        if self.finding.is_some() {
            return Ok(());
        }
        let mut line = |Noted { partition, commit, sha256 }: &Noted| {
            writeln!(
                out,
                "  commit {commit} of partition {partition} is the one that was noted: SHA-256 {sha256}"
            )
        };
        self.noted.iter().try_for_each(&mut line)
    }

    fn adds_up(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Totals { accounts, deposits, debits, .. } = self.totals;
        let Totals { deposited, granted, charged, fees, balances, .. } = self.totals;
        let mut line = |name: &str, amount: i128, what: &str| {
            writeln!(out, "  {name:<12}{:>24} USDC{what}", usdc(amount))
        };
        line("paid in", deposited, &format!("  by {deposits} deposits"))?;
        line("given", granted, "  by grants and at openings")?;
        line("spent", charged, &format!("  by {debits} debits"))?;
        line("of it fees", fees, "")?;
        line("held", balances, &format!("  by {accounts} accounts"))?;
        if self.since {
            return writeln!(out, "  (of what stands behind the position, and of the accounts it touches)");
        }
        let sum = deposited + granted - charged;
        let told = if sum == balances { "is what is held" } else { "IS NOT WHAT IS HELD" };
        writeln!(out, "  paid in + given - spent = {} USDC, which {told}", usdc(sum))
    }

    fn compared(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Some(views) = &self.views else { return Ok(()) };
        let at = views.at.join(", ");
        writeln!(
            out,
            "\nCompared with the log, row by row: the views in {}, as they stood at {at}",
            views.store
        )?;
        for TableDigest { table, rows, sha256 } in &views.tables {
            writeln!(out, "  {table:<16}{rows:>12} rows  SHA-256 {sha256}")?;
        }
        match &views.sha256 {
            Some(sha256) => writeln!(out, "  {:<33} SHA-256 {sha256}", "all of them"),
            None => Ok(()),
        }
    }

    fn recorded(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Some(RecordReport { deeds, at_rest, complaints }) = &self.record else { return Ok(()) };
        let when =
            if *at_rest { "when all had come to rest" } else { "while something may have been under way" };
        writeln!(out, "\nHeld against what providers did: a record of {deeds} effects, taken {when}")?;
        if complaints.is_empty() {
            return writeln!(out, "  I6, I12{}: they agree", if *at_rest { ", I13" } else { "" });
        }
        complaints.iter().try_for_each(|complaint| writeln!(out, "  {complaint}"))
    }

    /// The rules that were asked.
    pub(super) fn rules(&self) -> Vec<Rule> {
        // From the middle only what an event itself shows can be judged.
        let always =
            [Rule::Version, Rule::Form, Rule::Chain, Rule::Time, Rule::Terms, Rule::Postings, Rule::Credit];
        let asked = |rule: &&Rule| !self.since || always.contains(rule);
        Rule::ALL.iter().filter(asked).copied().collect()
    }

    fn not_checked(&self) -> Vec<&'static str> {
        let mut lines = vec![
            "Whether somebody asked for what stands in the log, and was told so: only those who asked know.",
            "Whether what was paid in has come: hold the keys of deposits against your payment provider.",
            "What snapshots in a writer's data folder know of the log: a writer that starts compares them.",
            "Digests of sources: they run over items that the log does not hold.",
        ];
        if !self.partitions.iter().all(|one| self.noted.iter().any(|noted| noted.partition == one.partition))
        {
            lines
                .push("Whether this is the log you knew: give what you noted of each partition by --expect.");
        }
        if self.record.is_none() {
            lines.push("What providers really did: where one keeps a record, as a sandbox does, give it by --record.");
        }
        if self.views.is_none() {
            lines.push("The views.");
        } else {
            lines.push(
                "Views of what was written after they were looked at: the log itself was checked to its end.",
            );
        }
        if self.since {
            lines.push(
                "Everything before the position, and what follows from it: levels, lots, carries, used keys.",
            );
            lines.push("Of the views: other tables than journal and agent_log; of accounts all but the balance and the last event.");
        }
        lines
    }

    fn rate(&self) -> u64 {
        let micros = self.time.as_micros().max(1);
        u64::try_from(u128::from(self.totals.events) * 1_000_000 / micros).unwrap_or(u64::MAX)
    }
}

fn rfc3339(micros: i64) -> String {
    let time = chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

pub(super) fn usdc(credits: i128) -> String {
    decimal(credits, 6)
}
