//! The torture, by hand: a campaign of any length, power cuts, damaged files; a report of each.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use serde::Serialize;
use torture::campaign;
use torture::damage::{self, Damage};
use torture::plan::{Engines, Plan};
use torture::power::{self, lax};
use torture::report::Report;

/// Kills, stops, pauses, unplugs and damages a real Drip under load, and judges what is left. Needs the program drip
/// beside it or named by DRIP_BIN, nats-server and Postgres. Exit code 1: something is wrong with Drip.
#[derive(Debug, Parser)]
#[command(name = "torture")]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// Where log and views are kept.
    #[arg(long, value_enum, default_value = "r1", global = true)]
    engines: Engines,
    /// How long there are load and faults.
    #[arg(long, default_value_t = 60, global = true)]
    seconds: u64,
    /// Decides what is asked for and what is broken, when; drawn and told when not given.
    #[arg(long, global = true)]
    seed: Option<u64>,
    /// Requests a second.
    #[arg(long, default_value_t = 150, global = true)]
    rate: u32,
    /// Write the report here too: JSON when the name ends so, else text that is Markdown.
    #[arg(long, value_name = "FILE", global = true)]
    report: Option<PathBuf>,
    /// Leave logs, history and data in this folder.
    #[arg(long, value_name = "DIR", global = true)]
    keep: Option<PathBuf>,
}

/// Without one of these: faults of every kind, by a schedule drawn from the seed.
#[derive(Debug, Subcommand)]
enum What {
    /// Cut the power of the log's disks under load. Needs root and loop devices.
    Power {
        /// How often.
        #[arg(long, default_value_t = 3)]
        cuts: u32,
        /// Where acknowledged does not mean on the disk: shows that a cut finds lost data.
        #[arg(long)]
        lax: bool,
    },
    /// Damage a file of the log.
    Damage {
        /// How.
        #[arg(long, value_enum, default_value = "flipped-bit")]
        how: Damage,
    },
    /// Writes rows until it is killed: what a lax power cut of SQLite cuts.
    #[command(hide = true)]
    SqliteWriter { file: PathBuf, synchronous: String },
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(What::SqliteWriter { file, synchronous }) = &arguments.what {
        lax::write_rows(file, synchronous, say).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let Common { engines, seconds, seed, rate, report, keep } = arguments.common;
    let seed = seed.unwrap_or_else(rand::random);
    eprintln!("seed {seed}");
    let plan = Plan { rate, keep, ..Plan::new(engines, Duration::from_secs(seconds), seed) };
    let report = report.as_deref();
    match arguments.what {
        Some(What::Power { lax: true, .. }) => lose(&plan, report).await,
        Some(What::Power { cuts, .. }) => conclude(&power::run(&plan, cuts).await?, report),
        Some(What::Damage { how }) if engines == Engines::R3 => {
            conclude(&damage::three_copies(&plan, how).await?, report)
        }
        Some(What::Damage { how }) => {
            let found = damage::one_copy(&plan, how).await?;
            show(&found, report)?;
            Ok(code(found.violations.is_empty()))
        }
        _ => conclude(&campaign::run(&plan).await?, report),
    }
}

/// What must lose something.
async fn lose(plan: &Plan, report: Option<&Path>) -> Result<ExitCode> {
    let losses = match plan.engines {
        Engines::Embedded => {
            let full = lax::sqlite("full", plan.time).await?;
            eprintln!("synchronous=full: {full:?}");
            lax::sqlite("off", plan.time).await?
        }
        _ => lax::jetstream(plan).await?,
    };
    show(&losses, report)?;
    Ok(code(losses.lost > 0))
}

fn conclude(report: &Report, file: Option<&Path>) -> Result<ExitCode> {
    let text = report.text();
    if let Some(file) = file {
        let json = file.extension().is_some_and(|end| end == "json");
        write(file, &if json { serde_json::to_string_pretty(report)? } else { text.clone() })?;
    }
    say(text)?;
    Ok(code(report.violations.is_empty()))
}

fn show(what: &impl Serialize, file: Option<&Path>) -> Result<()> {
    let text = serde_json::to_string_pretty(what)?;
    file.map_or(Ok(()), |file| write(file, &text))?;
    say(text)
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("{} can not be written", file.display()))
}

fn say(what: impl std::fmt::Display) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{what}")?)
}

fn code(fine: bool) -> ExitCode {
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
