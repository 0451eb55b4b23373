//! `drip bench core`, `memory`, `open`, `projector`, `import`, and `all` with its report.

use std::path::PathBuf;

use bench::all::{Thorough, run, used};
use bench::core::Size;
use bench::ledger::this_program;
use bench::machine::Machine;
use bench::projection::Folded;
use bench::ratio::Ratio;
use bench::report::{Row, grouped, markdown};
use bench::{core, import, memory, opening, projection, verifying};
use ledger_core::Timestamp;

use super::page::Page;
use super::say;
use super::upkeep::UpkeepArgs;
use crate::failure::Failure;
use crate::output::Output;

/// The ledger's core by itself: decide, encode, decode, replay, on one thread.
#[derive(Debug, clap::Args)]
pub(crate) struct CoreArgs {
    #[command(flatten)]
    size: SizeArgs,
}

/// A projector from position zero, into SQLite and Postgres.
#[derive(Debug, clap::Args)]
pub(crate) struct ProjectorArgs {
    #[command(flatten)]
    size: SizeArgs,
    /// Into SQLite alone.
    #[arg(long)]
    no_postgres: bool,
}

/// The log that is made.
#[derive(Debug, clap::Args)]
struct SizeArgs {
    /// How many accounts.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    accounts: u32,
    /// How many debits.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    debits: u32,
    /// Events a commit.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1500))]
    a_commit: u32,
}

/// What a writer's state takes in memory, an account and a remembered key.
#[derive(Debug, clap::Args)]
pub(crate) struct MemoryArgs {
    /// How many accounts, and as many keys: 100000 at least, for what fewer take is lost in what the process takes
    /// anyway.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u32).range(i64::from(memory::COUNT_LEAST)..)
    )]
    count: u32,
}

/// How long a writer takes to open a partition: by replay, and from its snapshot.
#[derive(Debug, clap::Args)]
pub(crate) struct OpenArgs {
    #[command(flatten)]
    size: SizeArgs,
}

/// `drip verify` of a log on NATS with its views in Postgres, while a tenth of full load is served.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    size: SizeArgs,
}

/// `drip import-usage` of a file into a Drip on the embedded engines.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// A file like examples/llm-calls.csv.
    file: PathBuf,
    /// How many rows: the file's, again and again.
    #[arg(long, value_name = "N", default_value_t = 300_000, value_parser = clap::value_parser!(u64).range(1..))]
    rows: u64,
}

/// All parts, with Postgres in turn, as a report. Takes about a quarter of an hour.
#[derive(Debug, clap::Args)]
pub(crate) struct AllArgs {
    /// Write the table to this file as Markdown, and beside it the picture of latencies (FILE with .svg).
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// How long each run is counted.
    #[arg(long, value_name = "S", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// How often each run is repeated.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How many accounts.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    accounts: u32,
    /// How many events the logs have that are made.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1000..))]
    events: u32,
    /// The usage file to import: like examples/llm-calls.csv.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

impl SizeArgs {
    fn size(&self) -> Size {
        let Self { accounts, debits, a_commit } = *self;
        Size { accounts, debits, a_commit }
    }
}

impl CoreArgs {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        let speed = core::measure(self.size.size(), now())?;
        output.object(&speed, |speed| {
            vec![
                ("debits decided, taken in and encoded /s", grouped(speed.decided)),
                ("events decoded and hashed /s", grouped(speed.decoded)),
                ("events evolved /s", grouped(speed.evolved)),
                ("events replayed /s", grouped(speed.replayed)),
                ("events judged /s", grouped(speed.judged)),
                ("bytes a debit", bytes(speed.bytes_a_debit)),
            ]
        })
    }
}

impl MemoryArgs {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        let memory = memory::measure(self.count, now());
        output.object(&memory, |memory| {
            vec![
                ("bytes an account, beside its id", bytes(memory.account)),
                ("bytes a key, newest generation", bytes(memory.key)),
                ("bytes a key, closed generation", bytes(memory.closed_key)),
            ]
        })
    }
}

impl OpenArgs {
    pub(crate) async fn run(self, output: Output) -> Result<(), Failure> {
        let opening = opening::measure(self.size.size()).await?;
        output.object(&opening, |opening| {
            vec![
                ("accounts", grouped(opening.accounts.into())),
                ("keys", grouped(opening.keys.into())),
                ("by replay, ms", grouped(opening.replay_ms)),
                ("stop with its snapshot, ms", grouped(opening.stop_ms)),
                ("bytes of the snapshot", grouped(opening.snapshot_bytes)),
                ("from the snapshot, ms", grouped(opening.restore_ms)),
            ]
        })
    }
}

impl ProjectorArgs {
    pub(crate) async fn run(self, output: Output) -> Result<(), Failure> {
        let speed = projection::measure(self.size.size(), !self.no_postgres).await?;
        output.object(&speed, |speed| {
            let mut pairs = vec![("events", grouped(speed.events))];
            let mut add = |rate, folded: &Folded| {
                pairs.push((rate, grouped(folded.per_second)));
                pairs.push(("processor time an event", used(&folded.used)));
            };
            add("into SQLite /s", &speed.sqlite);
            speed.postgres.iter().for_each(|folded| add("into Postgres /s", folded));
            pairs
        })
    }
}

impl VerifyArgs {
    pub(crate) async fn run(self, output: Output) -> Result<(), Failure> {
        let verifying = verifying::measure(this_program()?, self.size.size()).await?;
        output.object(&verifying, |verifying| {
            vec![
                ("events", grouped(verifying.events)),
                ("audit, ms", grouped(verifying.ms)),
                ("debits asked meanwhile /s", grouped(verifying.asked)),
                ("debits paid meanwhile /s", grouped(verifying.paid)),
                ("their p99, µs", grouped(verifying.p99)),
            ]
        })
    }
}

impl ImportArgs {
    pub(crate) async fn run(self, output: Output) -> Result<(), Failure> {
        let import = import::measure(this_program()?, &self.file, self.rows).await?;
        let pairs = |import: &import::Import| {
            vec![("rows", grouped(import.rows)), ("rows /s", grouped(import.per_second))]
        };
        output.object(&import, pairs)
    }
}

impl AllArgs {
    pub(crate) async fn run(self, output: Output) -> Result<(), Failure> {
        let thorough = Thorough {
            program: this_program()?,
            seconds: self.seconds,
            rounds: self.rounds.into(),
            accounts: self.accounts,
            events: self.events,
            import: self.trace.clone().map(|trace| (trace, 300_000)),
        };
        let report = self.report.as_deref().map(|file| Page::of("--report", file)).transpose()?;
        let picture = self.report.as_deref().map(|file| Page::of("--report", &file.with_extension("svg")));
        let picture = picture.transpose()?;
        let mut all = Box::pin(run(&thorough, &say)).await?;
        all.rows.extend(Box::pin(UpkeepArgs::usual().rows()).await?);
        if let (Some(report), Some(picture)) = (report, picture) {
            report.write(&markdown(&Machine::here()?, &self.command(), &all.rows))?;
            picture.write(&all.picture)?;
        }
        output.list(&all.rows, ["work", "goal", ">figure", ">by Postgres", "", "seen"], cells)
    }

    /// As it was asked for, without where the report goes.
    fn command(&self) -> String {
        let Self { seconds, rounds, accounts, events, .. } = self;
        format!(
            "drip bench all --seconds {seconds} --rounds {rounds} --accounts {accounts} --events {events}"
        )
    }
}

fn cells(row: &Row) -> [String; 6] {
    let reached = row.reached.map_or("", |reached| if reached { "reached" } else { "short" });
    let ratio = row.ratio.map_or_else(String::new, |ratio| ratio.to_string());
    [&row.work, &row.goal, &row.figure, &ratio, reached, &row.note].map(|text: &str| text.to_owned())
}

fn bytes(bytes: Option<Ratio>) -> String {
    bytes.map_or_else(String::new, |bytes| bytes.to_string().trim_end_matches(" ×").to_owned())
}

fn now() -> Timestamp {
    Timestamp(service_kit::clock::now())
}
