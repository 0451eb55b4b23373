//! The drip command: parses what was asked, runs it, and says how it went.

mod bench;
mod commands;
mod demo;
mod failure;
mod output;
mod server;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use commands::{account, checkout, container, debit, health, import, journal, log, notices, wallet};
use failure::{Exit, Failure};
use output::Output;

/// A debit makes a few dozen short-lived allocations, often freed by another thread than the one that made them: measured, a
/// fifth of a server's processor time is saved by an allocator that is good at just that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Drip: pay-per-use credits. The server, and the tools to ask it.
#[derive(Debug, Parser)]
#[command(name = "drip", version, propagate_version = true, after_help = failure::EXIT_CODES)]
struct Cli {
    /// Print JSON instead of tables: one object, or one object a line.
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Demo(demo::Demo),
    Up(server::up::Up),
    Run(server::roles::Run),
    Init(server::init::Init),
    Sandbox(server::outside::SandboxArgs),
    Events(server::events::Events),
    Verify(server::verify::Verify),
    Replay(server::replay::Replay),
    Anchors(server::anchors::Anchors),
    Health(health::HealthArgs),
    Account(account::AccountArgs),
    Show(account::ShowArgs),
    Debit(debit::DebitArgs),
    Journal(journal::JournalArgs),
    Log(log::LogArgs),
    Notices(notices::NoticesArgs),
    Container(container::ContainerArgs),
    Hibernate(container::HibernateArgs),
    Restore(container::RestoreArgs),
    Checkout(checkout::CheckoutArgs),
    Checkouts(checkout::CheckoutsArgs),
    Wallet(wallet::WalletArgs),
    ImportUsage(import::ImportArgs),
    Bench(bench::BenchArgs),
}

impl Command {
    async fn run(self, output: Output) -> Result<Exit, Failure> {
        match self {
            Self::Demo(args) => Box::pin(args.run(output)).await,
            Self::Up(args) => serve(args.run()).await,
            Self::Run(args) => serve(args.run()).await,
            Self::Init(args) => serve(args.run()).await,
            Self::Sandbox(args) => serve(args.run()).await,
            Self::Events(args) => serve(args.run()).await,
            Self::Verify(args) => {
                log_to_stderr()?;
                Box::pin(args.run(output)).await
            }
            Self::Replay(args) => {
                log_to_stderr()?;
                Box::pin(args.run(output)).await
            }
            Self::Anchors(args) => args.run(output).await,
            Self::Health(args) => args.run(output).await,
            Self::Account(args) => args.run(output).await,
            Self::Show(args) => args.run(output).await,
            Self::Debit(args) => args.run(output).await,
            Self::Journal(args) => args.run(output).await,
            Self::Log(args) => args.run(output).await,
            Self::Notices(args) => args.run(output).await,
            Self::Container(args) => args.run(output).await,
            Self::Hibernate(args) => args.run(output).await,
            Self::Restore(args) => args.run(output).await,
            Self::Checkout(args) => args.run(output).await,
            Self::Checkouts(args) => args.run(output).await,
            Self::Wallet(args) => args.run(output).await,
            Self::ImportUsage(args) => Box::pin(args.run(output)).await,
            Self::Bench(args) => Box::pin(args.run(output)).await,
        }
    }
}

/// Runs a role or a tool of the server side: it keeps a log of what it does, on stderr.
async fn serve(role: impl Future<Output = anyhow::Result<()>>) -> Result<Exit, Failure> {
    log_to_stderr()?;
    Box::pin(role).await?;
    Ok(Exit::Done)
}

fn log_to_stderr() -> Result<(), Failure> {
    let init = service_kit::telemetry::init(service_kit::telemetry::Format::Human);
    init.map_err(|error| Failure::from(anyhow::Error::from(error)))
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output { json: cli.json };
    let runtime = tokio::runtime::Runtime::new().expect("a process can start its threads");
    let exit = runtime.block_on(cli.command.run(output)).unwrap_or_else(Failure::report);
    // What blocks a thread must not keep a process alive that has said why it ends.
    runtime.shutdown_timeout(Duration::from_secs(1));
    exit.into()
}
