//! Everything, one after the other: the rows of the report.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use ledger_core::Timestamp;

use crate::check::Tally;
use crate::core::{self, CoreSpeed, Size};
use crate::cpu::Used;
use crate::engines::{LogKind, Wanted, clean};
use crate::import;
use crate::ledger::{self, Plan, Report, Say, Via};
use crate::load::{Load, Rhythm};
use crate::memory::COUNT_LEAST;
use crate::opening::{self, Opening};
use crate::projection::{self, Folded};
use crate::ratio::{Ratio, median};
use crate::report::{Row, grouped};
use crate::svg::{self, Point};
use crate::target::Format;
use crate::verifying::{self, Verifying};

/// How thorough it is.
#[derive(Debug, Clone)]
pub struct Thorough {
    /// The `drip` program.
    pub program: PathBuf,
    /// The counted time of each run.
    pub seconds: u64,
    /// Rounds of Drip and the baseline.
    pub rounds: usize,
    /// Accounts of the loads, and of the logs that are made.
    pub accounts: u32,
    /// Events of the logs that are made.
    pub events: u32,
    /// The usage file to import, and how many rows of it.
    pub import: Option<(PathBuf, u64)>,
}

/// All rows, and the picture of latencies over NATS.
#[derive(Debug)]
pub struct All {
    /// In the order of the report.
    pub rows: Vec<Row>,
    /// An SVG.
    pub picture: String,
}

/// Measures all. Error: the first part that failed.
pub async fn run(thorough: &Thorough, say: Say<'_>) -> Result<All> {
    let mut rows = Vec::new();
    let many = loads(thorough, Via::Nats, thorough.accounts, 1, 256, say).await?;
    let half = rates(thorough, &[many.per_second / 2], say).await?;
    rows.push(many_row(&many, &half));
    let hot = loads(thorough, Via::Nats, 1, 1, 256, say).await?;
    rows.push(load_row("the same on one hot account", "≥ 20 × Postgres (hot)", &hot, 2_000));
    let batches = loads(thorough, Via::Nats, thorough.accounts, BATCH, 8, say).await?;
    rows.push(batch_row(
        "batches over NATS, MessagePack, brief answers, four partitions",
        "≥ 700,000/s",
        &batches,
        700_000,
    ));
    let http = loads(thorough, Via::Http, thorough.accounts, 1, 128, say).await?;
    rows.push(load_row("HTTP, one a request", "≥ 1 × Postgres, moonshot 2 ×", &http, 100));
    let batches = loads(thorough, Via::Http, thorough.accounts, 1_000, 16, say).await?;
    rows.push(batch_row("HTTP, batches of 1,000", "≥ 200,000/s", &batches, 200_000));
    let embedded = loads(thorough, Via::Embedded, thorough.accounts, 1, 64, say).await?;
    rows.push(load_row("embedded, one a request, 64 in flight", "≥ 2 × Postgres", &embedded, 200));
    rows.extend(without_load(thorough, &batches, say).await?);
    Ok(All { rows, picture: picture(thorough, many.per_second, say).await? })
}

/// So that eight of them fit into what the partitions take at once.
const BATCH: usize = 4_000;
/// With two of them, both wait for the disk at the same time now and then, and nobody has work.
const PARTITIONS_FOR_BATCHES: u16 = 4;

async fn loads(
    thorough: &Thorough,
    via: Via,
    accounts: u32,
    batch: usize,
    in_flight: usize,
    say: Say<'_>,
) -> Result<Report> {
    say(&format!("{via:?}, {accounts} accounts, {batch} a request, {in_flight} in flight"));
    let rhythm = Rhythm::InFlight(in_flight);
    // Batches have no counterpart in the baseline.
    let baseline = batch == 1;
    ledger::run(&plan(thorough, via, accounts, batch, vec![rhythm], baseline), say).await
}

async fn rates(thorough: &Thorough, rates: &[u64], say: Say<'_>) -> Result<Report> {
    let rhythms = rates.iter().map(|rate| Rhythm::Rate((*rate).max(1))).collect();
    let plan = Plan { rounds: 1, ..plan(thorough, Via::Nats, thorough.accounts, 1, rhythms, false) };
    ledger::run(&plan, say).await
}

fn plan(
    thorough: &Thorough,
    via: Via,
    accounts: u32,
    batch: usize,
    rhythms: Vec<Rhythm>,
    baseline: bool,
) -> Plan {
    let (warm_up, time) = ledger::times(thorough.seconds);
    let usual = ledger::usual(thorough.program.clone());
    let wanted = match via {
        // One partition is what `drip up` makes there: the file takes one commit at a time anyway.
        Via::Embedded => Wanted { log: LogKind::Sqlite, partitions: 1, ..usual },
        Via::Nats if batch > 1 => Wanted { partitions: PARTITIONS_FOR_BATCHES, ..usual },
        Via::Nats | Via::Http => usual,
    };
    let load = Load { accounts, batch, rhythm: rhythms[0], warm_up, time };
    Plan {
        via,
        running: None,
        wanted,
        load,
        rhythms,
        rounds: thorough.rounds,
        batches: Format::MessagePack,
        baseline,
    }
}

/// `goal`: by the baseline, in hundredths.
fn load_row(work: &str, goal: &str, report: &Report, least: u64) -> Row {
    Row {
        work: work.to_owned(),
        goal: goal.to_owned(),
        figure: format!("{}/s", grouped(report.per_second)),
        ratio: report.ratio,
        reached: report.ratio.map(|Ratio(hundredths)| hundredths >= least),
        note: seen(report),
    }
}

fn many_row(many: &Report, half: &Report) -> Row {
    let row = load_row(
        "durable debit, one a request, many accounts, NATS, 256 in flight",
        "≥ 4 × Postgres; p99 at half that load < 10 ms",
        many,
        400,
    );
    let latency = half.runs[0].latency;
    let rate = half.runs[0].rate.unwrap_or(0);
    let reached = row.reached.map(|reached| reached && latency.p99 < 10_000);
    let note = format!(
        "{}; open loop at {}/s: p50 {} µs, p99 {} µs, p99.9 {} µs",
        row.note,
        grouped(rate),
        grouped(latency.p50),
        grouped(latency.p99),
        grouped(latency.p999)
    );
    Row { note, reached, ..row }
}

/// `least`: debits a second.
fn batch_row(work: &str, goal: &str, report: &Report, least: u64) -> Row {
    let reached = Some(report.per_second >= least);
    Row { reached, ..load_row(&format!("{work} ({} a request)", report.batch), goal, report, least) }
}

/// What was seen beside the figure: in all rounds, and in the run that is in the middle.
fn seen(report: &Report) -> String {
    let mut parts = vec![range("drip", report)];
    if let Some(base) = report.baseline_per_second {
        parts.push(format!("Postgres {}/s: {}", grouped(base), range("postgres", report)));
    }
    let ours = || report.runs.iter().filter(|run| run.engine == "drip");
    if let Some(run) = ours().find(|run| run.per_second == report.per_second) {
        parts.extend(run.in_flight.map(|count| format!("{count} in flight")));
        parts.push(format!("p50 {} µs, p99 {} µs", grouped(run.latency.p50), grouped(run.latency.p99)));
        parts.push(format!("processor time a debit: {}", used(&run.used)));
    }
    parts.extend(report.partitions.map(|count| format!("{count} partitions")));
    if let Some(per_commit) = report.books.and_then(|books| books.debits_a_commit()) {
        parts.push(format!("{} debits a commit", grouped(per_commit.0 / 100)));
    }
    let mut all = Tally::default();
    ours().for_each(|run| all.merge(run.tally.clone()));
    if !all.is_all_paid() {
        parts.push(format!("not paid: {}", all.not_paid()));
    }
    parts.join("; ")
}

/// The slowest and the fastest round of an engine.
fn range(engine: &str, report: &Report) -> String {
    let rounds = || report.runs.iter().filter(|run| run.engine == engine).map(|run| run.per_second);
    let (least, most) = (rounds().min().unwrap_or(0), rounds().max().unwrap_or(0));
    format!("rounds {} to {}", grouped(least), grouped(most))
}

/// Who used how much.
pub fn used(used: &Used) -> String {
    used.iter().map(|(name, micros)| format!("{name} {micros}")).collect::<Vec<_>>().join(", ")
}

async fn without_load(thorough: &Thorough, batches: &Report, say: Say<'_>) -> Result<Vec<Row>> {
    let size = Size { accounts: thorough.accounts, debits: thorough.events, a_commit: 500 };
    say("projector from position zero");
    let projected = projection::measure(size, true).await?;
    let into = |store, goal, least, folded: &Folded| Row {
        note: format!("processor time an event: {}", used(&folded.used)),
        ..plain(&format!("projector from zero into {store}"), goal, folded.per_second, least)
    };
    let mut rows = vec![into("SQLite", "≥ 200,000 events/s", 200_000, &projected.sqlite)];
    rows.extend(
        projected.postgres.iter().map(|folded| into("Postgres", "≥ 100,000 events/s", 100_000, folded)),
    );
    say("the core by itself");
    let mut speeds = Vec::new();
    for _ in 0..thorough.rounds {
        speeds.push(core::measure(size, Timestamp(service_kit::clock::now()))?);
    }
    rows.extend(core_rows(&speeds));
    say("drip verify under load");
    let audited = Size { accounts: thorough.accounts.min(100_000), ..size };
    rows.push(verify_row(&verifying::measure(thorough.program.clone(), audited).await?));
    say("opening a partition");
    rows.push(open_row(&opening::measure(Size { accounts: thorough.events, ..size }).await?));
    say("memory");
    rows.extend(memory_rows(&memory(thorough).await?));
    rows.push(disk_row(batches));
    if let Some((trace, count)) = &thorough.import {
        say("import");
        let import = import::measure(thorough.program.clone(), trace, *count).await?;
        let row = plain("import of the real trace, embedded", "≥ 50,000 rows/s", import.per_second, 50_000);
        rows.push(Row { note: format!("{} rows, with `drip import-usage`", grouped(import.rows)), ..row });
    }
    Ok(rows)
}

fn plain(work: &str, goal: &str, per_second: u64, least: u64) -> Row {
    Row {
        work: work.to_owned(),
        goal: goal.to_owned(),
        figure: format!("{}/s", grouped(per_second)),
        ratio: None,
        reached: Some(per_second >= least),
        note: String::new(),
    }
}

fn core_rows(speeds: &[CoreSpeed]) -> Vec<Row> {
    let middle = |speed: fn(&CoreSpeed) -> u64| median(speeds.iter().map(speed).collect());
    let free = |work: &str, per_second| Row {
        goal: "–".to_owned(),
        reached: None,
        ..plain(work, "", per_second, 0)
    };
    vec![
        plain("evolve in memory", "≥ 2,000,000 events/s", middle(|speed| speed.evolved), 2_000_000),
        free("decide, evolve and encode, in memory", middle(|speed| speed.decided)),
        free("decode and hash", middle(|speed| speed.decoded)),
        free("replay: decode, check the chain, evolve", middle(|speed| speed.replayed)),
        plain(
            "audit: chain and fold by the judge, in memory",
            "≥ 1,000,000 events/s",
            middle(|speed| speed.judged),
            1_000_000,
        ),
    ]
}

fn verify_row(verifying: &Verifying) -> Row {
    let Verifying { events, ms, asked, paid, p99, under_load } = *verifying;
    let beside = format!(
        "{} debits a second asked meanwhile, one a request, a tenth of what this Drip had just taken with its projector \
         beside, and {} paid, p99 {} µs; openings and the load count among the events",
        grouped(asked),
        grouped(paid),
        grouped(p99)
    );
    Row {
        work: format!(
            "drip verify of {} events, against the views in Postgres, while serving a tenth of its load",
            grouped(events)
        ),
        goal: "< 20 s for a million".to_owned(),
        figure: format!("{} ms", grouped(ms)),
        ratio: None,
        reached: Some(under_load && ms < 20 * events / 1_000),
        note: if under_load { beside } else { format!("{beside}; the load ended before the audit") },
    }
}

fn open_row(opening: &Opening) -> Row {
    let Opening { accounts, keys, replay_ms, stop_ms, snapshot_bytes, restore_ms } = *opening;
    Row {
        work: format!(
            "open a partition of {} accounts and {} keys from its snapshot",
            grouped(accounts.into()),
            grouped(keys.into())
        ),
        goal: "< 5 s".to_owned(),
        figure: format!("{} ms", grouped(restore_ms)),
        ratio: None,
        reached: Some(restore_ms < 5_000),
        note: format!(
            "by replay {} ms; stop, snapshot written, {} ms; {} bytes",
            grouped(replay_ms),
            grouped(stop_ms),
            grouped(snapshot_bytes)
        ),
    }
}

/// In a process of its own, so that nothing else has used memory there.
async fn memory(thorough: &Thorough) -> Result<serde_json::Value> {
    let mut command = clean(&thorough.program);
    command.args(["bench", "memory", "--json", "--count", &thorough.events.max(COUNT_LEAST).to_string()]);
    let output = tokio::process::Command::from(command).output().await?;
    ensure!(output.status.success(), "drip bench memory failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("drip bench memory did not print JSON")
}

fn memory_rows(memory: &serde_json::Value) -> Vec<Row> {
    let row = |work: &str, goal: &str, name: &str, least: u64| {
        let bytes = memory[name].as_u64().unwrap_or(u64::MAX);
        let figure = format!("{} bytes", Ratio(bytes).to_string().trim_end_matches(" ×"));
        Row { figure, reached: Some(bytes <= least * 100), ..plain(work, goal, 0, 0) }
    };
    vec![
        row("memory an account, beside its id (one lot)", "≤ 300 bytes", "account", 300),
        row("memory a remembered key, closed generation", "≤ 64 bytes", "closed_key", 64),
    ]
}

fn disk_row(batches: &Report) -> Row {
    let bytes = batches.books.and_then(|books| books.bytes_a_debit()).unwrap_or(Ratio(u64::MAX));
    let work = "log on the disk, a plain debit in commits of 100 or more";
    let figure = format!("{} bytes", bytes.to_string().trim_end_matches(" ×"));
    let note = match (batches.log_size, batches.books) {
        (Some(size), Some(books)) => {
            let all = Ratio::of(size, books.debits).map_or_else(String::new, |ratio| ratio.to_string());
            format!("all files of the log, openings included: {} bytes a debit", all.trim_end_matches(" ×"))
        }
        _ => String::new(),
    };
    Row { figure, reached: Some(bytes.0 <= 10_000), note, ..plain(work, "≤ 100 bytes", 0, 0) }
}

async fn picture(thorough: &Thorough, most: u64, say: Say<'_>) -> Result<String> {
    say("latency against rate");
    let at: Vec<u64> = [5, 10, 20, 30, 40, 50, 60, 70, 80, 90].map(|percent| most * percent / 100).to_vec();
    let report = rates(thorough, &at, say).await?;
    Ok(svg::draw("Debits over NATS, one a request, open loop", &points(&report)))
}

/// The open loops of a measurement as points of a picture: the middle of each rate's rounds.
pub fn points(report: &Report) -> Vec<Point> {
    let mut rates: Vec<u64> = report.runs.iter().filter_map(|run| run.rate).collect();
    rates.sort_unstable();
    rates.dedup();
    let of = |rate: u64| report.runs.iter().filter(move |run| run.rate == Some(rate)).map(|run| run.latency);
    let point = |rate| Point {
        rate,
        p50: median(of(rate).map(|latency| latency.p50).collect()),
        p99: median(of(rate).map(|latency| latency.p99).collect()),
    };
    rates.into_iter().map(point).collect()
}
