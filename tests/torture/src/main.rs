//! The torture, by hand: a campaign of any length, a power cut, a damaged file; a report of each.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use torture::plan::{Engines, Plan};
use torture::report::Report;
use torture::campaign;

/// Kills, stops, pauses, unplugs and damages a real Drip under load, and judges what is left.
#[derive(Debug, Parser)]
#[command(name = "torture")]
struct Arguments {
    /// Where log and views are kept.
    #[arg(long, value_enum, default_value = "r1")]
    engines: Engines,
    /// How long there are load and faults.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Decides what is asked for and what is broken, when; drawn and told when not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Requests a second.
    #[arg(long, default_value_t = 150)]
    rate: u32,
    /// Write the report here too: JSON when the name ends so, else text that is Markdown.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Leave logs, history and data in this folder.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(rand::random);
    eprintln!("seed {seed}");
    let mut plan = Plan::new(arguments.engines, Duration::from_secs(arguments.seconds), seed);
    plan.rate = arguments.rate;
    plan.keep = arguments.keep;
    let report = campaign::run(&plan).await?;
    if let Some(file) = &arguments.report {
        write(file, &report)?;
    }
    show(&report);
    Ok(if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write(file: &std::path::Path, report: &Report) -> Result<()> {
    let json = file.extension().is_some_and(|end| end == "json");
    let text = if json { serde_json::to_string_pretty(report)? } else { report.text() };
    std::fs::write(file, text).with_context(|| format!("{} can not be written", file.display()))
}

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn show(report: &Report) {
    print!("{}", report.text());
}
