//! `drip bench`: how fast this Drip is on this machine, beside the obvious alternative.

mod ledger;
mod page;
mod parts;
mod upkeep;

use bench::machine::Machine;

use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Measure Drip on this machine. Starts what it needs on loopback, in temporary folders.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    Ledger(ledger::LedgerArgs),
    Core(parts::CoreArgs),
    Memory(parts::MemoryArgs),
    Open(parts::OpenArgs),
    Projector(parts::ProjectorArgs),
    Verify(parts::VerifyArgs),
    Import(parts::ImportArgs),
    Upkeep(upkeep::UpkeepArgs),
    All(parts::AllArgs),
}

impl BenchArgs {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        warn_of_debug(&Machine::here()?);
        match self.part {
            Part::Ledger(args) => args.run(output).await?,
            Part::Core(args) => args.run(output)?,
            Part::Memory(args) => args.run(output)?,
            Part::Open(args) => args.run(output).await?,
            Part::Projector(args) => args.run(output).await?,
            Part::Verify(args) => args.run(output).await?,
            Part::Import(args) => args.run(output).await?,
            Part::Upkeep(args) => args.run(output).await?,
            Part::All(args) => args.run(output).await?,
        }
        Ok(Exit::Done)
    }
}

fn warn_of_debug(machine: &Machine) {
    let Machine { processors, flush_micros, .. } = machine;
    anstream::eprintln!("{processors} processors; a write of 4 KiB with its flush takes {flush_micros} µs");
    if !machine.optimised {
        anstream::eprintln!("This is a debug build: its figures say nothing. Use cargo run --release.");
    }
}

/// Says how far a measurement is.
fn say(text: &str) {
    anstream::eprintln!("{text}");
}
