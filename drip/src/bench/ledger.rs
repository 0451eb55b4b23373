//! `drip bench ledger`: debits, asked for by many callers.

use std::path::PathBuf;
use std::time::Duration;

use bench::all::points;
use bench::engines::{APP, LogKind, Views, Wanted};
use bench::ledger::{Plan, Report, Run, Running, Via, run, this_program, times};
use bench::load::{Load, Rhythm};
use bench::report::grouped;
use bench::svg;
use bench::target::Format;
use ledger_core::AppId;

use super::page::Page;
use super::say;
use crate::commands::parse;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Debits asked for by many callers: throughput in a closed loop, or latency in an open one (--rate).
#[derive(Debug, clap::Args)]
pub(crate) struct LedgerArgs {
    /// Which way in. Embedded: the writers in this process, over SQLite.
    #[arg(long, value_enum, default_value = "nats")]
    via: Way,
    /// Debits a request.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=8000))]
    batch: u16,
    /// How batches over NATS are written: MessagePack is answered briefly.
    #[arg(long, value_enum, default_value = "json")]
    format: Written,
    /// How many accounts are opened and debited.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=999_999))]
    accounts: u32,
    /// One account for all.
    #[arg(long, conflicts_with = "accounts")]
    hot: bool,
    /// Requests in flight, each sent when the one before is answered [default: 256; embedded 64].
    #[arg(long, value_name = "K", conflicts_with = "rate", value_parser = clap::value_parser!(u16).range(1..))]
    in_flight: Option<u16>,
    /// Requests a second, sent whether or not those before are answered; latencies count from the moment a request was
    /// due. Several by commas.
    #[arg(long, value_name = "R", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..))]
    rate: Vec<u64>,
    /// How long each run is counted.
    #[arg(long, value_name = "S", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// How long each run is before it is counted [default: a quarter of --seconds, at most 3s].
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    warm_up: Option<Duration>,
    /// How often each run is repeated; the middle one is told.
    #[arg(long, value_name = "N", default_value_t = 1)]
    rounds: u16,
    /// The same debits on the obvious alternative, in turn: one transaction a debit, 64 connections.
    #[arg(long, value_enum)]
    baseline: Option<Alternative>,
    /// Draw latency against rate into this file, with --rate.
    #[arg(long, value_name = "FILE", requires = "rate")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    drip: Whose,
}

/// The Drip that is asked.
#[derive(Debug, clap::Args)]
struct Whose {
    /// Where a Drip that is started keeps its log [default: jetstream].
    #[arg(long, value_enum)]
    log: Option<Log>,
    /// How many partitions it has, each with one commit in flight [default: 2, on SQLite 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    partitions: Option<u16>,
    /// With a projector (`drip up`), not the writers alone (`drip run command-api`).
    #[arg(long)]
    projector: bool,
    /// The NATS address of a Drip that runs already. Its log is not read: only the answers are checked.
    #[arg(long, value_name = "URL", conflicts_with_all = ["log", "partitions", "projector", "url"])]
    nats: Option<String>,
    /// The HTTP address of a Drip that runs already.
    #[arg(long, value_name = "URL", conflicts_with_all = ["log", "partitions", "projector"])]
    url: Option<String>,
    /// Its API key.
    #[arg(long, env = "DRIP_API_KEY", hide_env_values = true, value_name = "KEY", requires = "url")]
    api_key: Option<String>,
    /// The app, over NATS.
    #[arg(long, value_name = "APP", default_value = APP)]
    app: AppId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Way {
    Nats,
    Http,
    Embedded,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Written {
    Json,
    Msgpack,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Log {
    Jetstream,
    Sqlite,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Alternative {
    Postgres,
}

impl LedgerArgs {
    pub(crate) async fn run(self, output: Output) -> Result<(), Failure> {
        let picture = self.svg.as_deref().map(|file| Page::of("--svg", file)).transpose()?;
        let report = run(&self.plan()?, &say).await?;
        if let Some(picture) = picture {
            let title = format!("Debits via {:?}, {} a request, open loop", self.via, self.batch);
            picture.write(&svg::draw(&title, &points(&report)))?;
        }
        show(output, &report)
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let rhythms = self.rhythms();
        let (warm_up, time) = times(self.seconds);
        let warm_up = self.warm_up.unwrap_or(warm_up);
        let accounts = if self.hot { 1 } else { self.accounts };
        let log = self.drip.log(self.via)?;
        Ok(Plan {
            via: self.via(),
            running: self.drip.running(self.via)?,
            wanted: Wanted {
                program: this_program()?,
                log,
                partitions: self.drip.partitions.unwrap_or(if log == LogKind::Sqlite { 1 } else { 2 }),
                projector: self.drip.projector,
                views: Views::Folder,
            },
            load: Load { accounts, batch: self.batch.into(), rhythm: rhythms[0], warm_up, time },
            rhythms,
            rounds: usize::from(self.rounds.max(1)),
            batches: match self.format {
                Written::Json => Format::Json,
                Written::Msgpack => Format::MessagePack,
            },
            baseline: self.baseline.is_some(),
        })
    }

    fn via(&self) -> Via {
        match self.via {
            Way::Nats => Via::Nats,
            Way::Http => Via::Http,
            Way::Embedded => Via::Embedded,
        }
    }

    fn rhythms(&self) -> Vec<Rhythm> {
        if self.rate.is_empty() {
            let usual = if self.via == Way::Embedded { 64 } else { 256 };
            return vec![Rhythm::InFlight(self.in_flight.unwrap_or(usual).into())];
        }
        self.rate.iter().map(|rate| Rhythm::Rate(*rate)).collect()
    }
}

impl Whose {
    fn running(&self, via: Way) -> Result<Option<Running>, Failure> {
        match (via, &self.nats, &self.url) {
            (_, None, None) => Ok(None),
            (Way::Nats, Some(url), _) => Ok(Some(Running::Nats(url.clone(), self.app.clone()))),
            (Way::Http, _, Some(url)) => {
                let key = self.api_key.clone().ok_or_else(|| {
                    Failure::new(Exit::Usage, "there is no API key")
                        .try_this("Give --api-key or set DRIP_API_KEY.")
                })?;
                Ok(Some(Running::Http(url.clone(), key)))
            }
            _ => Err(Failure::new(Exit::Usage, "the address is not one for --via")
                .try_this("--nats goes with --via nats, --url with --via http.")),
        }
    }

    fn log(&self, via: Way) -> Result<LogKind, Failure> {
        match (via, self.log) {
            (Way::Embedded, Some(Log::Jetstream)) | (Way::Nats, Some(Log::Sqlite)) => {
                Err(Failure::new(Exit::Usage, "--via and --log do not go together")
                    .try_this("nats needs jetstream, embedded needs sqlite; http goes with both."))
            }
            (Way::Embedded, _) | (_, Some(Log::Sqlite)) => Ok(LogKind::Sqlite),
            _ => Ok(LogKind::JetStream),
        }
    }
}

fn show(output: Output, report: &Report) -> Result<(), Failure> {
    if output.json {
        return output.object(report, |_| vec![]);
    }
    let header = [
        "engine",
        ">asked/s",
        ">debits/s",
        ">p50 µs",
        ">p90 µs",
        ">p99 µs",
        ">p99.9 µs",
        ">max µs",
        "processor time a debit",
        "not paid",
    ];
    output.list(&report.runs, header, cells)?;
    summary(report);
    Ok(())
}

fn cells(run: &Run) -> [String; 10] {
    let latency = run.latency;
    let used: Vec<_> = run.used.iter().map(|(name, micros)| format!("{name} {micros}")).collect();
    [
        run.engine.to_owned(),
        run.rate.map_or_else(|| "–".to_owned(), grouped),
        grouped(run.per_second),
        grouped(latency.p50),
        grouped(latency.p90),
        grouped(latency.p99),
        grouped(latency.p999),
        grouped(latency.max),
        used.join(", "),
        run.tally.not_paid(),
    ]
}

fn summary(report: &Report) {
    if let (Some(base), Some(ratio)) = (report.baseline_per_second, report.ratio) {
        let (ours, base) = (grouped(report.per_second), grouped(base));
        anstream::eprintln!("{ours} debits/s by {base} of Postgres: {ratio}");
    }
    match report.books {
        Some(books) => anstream::eprintln!(
            "the log agrees with the answers: {} debits in {} commits, {} bytes each",
            grouped(books.debits),
            grouped(books.commits),
            books.bytes_a_debit().map_or(0, |ratio| ratio.0 / 100)
        ),
        None => anstream::eprintln!("the log was not read: only the answers were checked"),
    }
}
