//! One measurement: Drip under a load, in rounds, and the baseline under the same load in turn. One engine runs at a
//! time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use event_log::SqliteLog;
use ledger_core::AppId;
use serde::Serialize;
use test_servers::Postgres;

use crate::audit::{self, Books};
use crate::check::{Tally, charges};
use crate::cpu::{Used, Watched};
use crate::drive::{Seen, drive, open_accounts};
use crate::engines::{APP, Drip, LogKind, Views, Wanted, require_servers};
use crate::latency::Latency;
use crate::load::{Load, Rhythm};
use crate::ratio::{Ratio, median};
use crate::target::embedded::Embedded;
use crate::target::http::Http;
use crate::target::nats::Nats;
use crate::target::postgres::{Baseline, CONNECTIONS, Form, SETTINGS};
use crate::target::{Format, Target};

/// How long each form of the baseline is tried.
const TRIAL: Duration = Duration::from_secs(2);

/// Which way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// Request and reply.
    Nats,
    /// HTTP/1.1, connections kept open.
    Http,
    /// The writers in this process, over SQLite.
    Embedded,
}

/// A Drip that runs already.
#[derive(Debug, Clone)]
pub enum Running {
    /// `nats://…`, and the app.
    Nats(String, AppId),
    /// `http://…`, and the API key.
    Http(String, String),
}

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Which way in.
    pub via: Via,
    /// A Drip that runs already; else one is started.
    pub running: Option<Running>,
    /// How one is started.
    pub wanted: Wanted,
    /// The load; its rhythm is one of `rhythms`.
    pub load: Load,
    /// The rhythms, one run each a round.
    pub rhythms: Vec<Rhythm>,
    /// How often all is repeated.
    pub rounds: usize,
    /// How batches over NATS are written.
    pub batches: Format,
    /// Postgres under the same load in turn.
    pub baseline: bool,
}

/// One run of one engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// `drip` or `postgres`.
    pub engine: &'static str,
    /// Requests a second that were asked for; none in a closed loop.
    pub rate: Option<u64>,
    /// Requests in flight in a closed loop.
    pub in_flight: Option<usize>,
    /// Paid debits a second.
    pub per_second: u64,
    /// How long requests took.
    pub latency: Latency,
    /// Processor time of each program, for one debit.
    pub used: Used,
    /// What became of the debits.
    pub tally: Tally,
}

/// All that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Which way in.
    pub via: Via,
    /// Accounts that were debited.
    pub accounts: u32,
    /// Debits a request.
    pub batch: usize,
    /// The log's partitions; none of a Drip that ran already.
    pub partitions: Option<u16>,
    /// Every run, in the order in which they were made.
    pub runs: Vec<Run>,
    /// The middle of Drip's closed loops.
    pub per_second: u64,
    /// The middle of the baseline's.
    pub baseline_per_second: Option<u64>,
    /// The one by the other.
    pub ratio: Option<Ratio>,
    /// The log at the end; none of a Drip that ran already.
    pub books: Option<Books>,
    /// The bytes of the log's files at the end.
    pub log_size: Option<u64>,
}

/// Says how far a measurement is.
pub type Say<'a> = &'a (dyn Fn(&str) + Sync);

/// Measures. Error: something could not be started, an answer was wrong, or log and answers do not agree.
pub async fn run(plan: &Plan, say: Say<'_>) -> Result<Report> {
    match (&plan.running, plan.via) {
        (Some(Running::Nats(url, app)), _) => {
            let target = Arc::new(Nats::connect(url, app.clone(), plan.batches).await?);
            Ok(Rounds::new(plan, say).run(target, Watched::client()).await?.report(None, None))
        }
        (Some(Running::Http(url, key)), _) => {
            let target = Arc::new(Http::new(url, key)?);
            Ok(Rounds::new(plan, say).run(target, Watched::client()).await?.report(None, None))
        }
        (None, Via::Embedded) => embedded(plan, say).await,
        (None, _) => started(plan, say).await,
    }
}

async fn embedded(plan: &Plan, say: Say<'_>) -> Result<Report> {
    let dir = tempfile::Builder::new().prefix("drip-bench-").tempdir()?;
    let target = Arc::new(Embedded::start(dir.path(), plan.wanted.partitions, app()).await?);
    let rounds = Rounds::new(plan, say).run(Arc::clone(&target), Watched::client()).await?;
    target.stop().await?;
    let log = SqliteLog::open_reader(dir.path()).await?;
    let size = std::fs::metadata(dir.path().join("log.db"))?.len();
    let books = audit::read(&log).await?;
    rounds.audited(books, size)
}

async fn started(plan: &Plan, say: Say<'_>) -> Result<Report> {
    let drip = Drip::start(&plan.wanted).await?;
    let watched = Watched::client().and("drip", drip.pid()).and("nats-server", drip.nats_pid());
    let rounds = Rounds::new(plan, say);
    let rounds = match plan.via {
        Via::Nats => {
            let url =
                drip.nats_url().context("a Drip on SQLite is not asked over NATS: use --log jetstream")?;
            rounds.run(Arc::new(Nats::connect(&url, app(), plan.batches).await?), watched).await?
        }
        _ => rounds.run(Arc::new(Http::new(&drip.url(), &drip.api_key()?)?), watched).await?,
    };
    let log = drip.log().await?;
    let books = audit::read(&*log).await?;
    rounds.audited(books, drip.log_size())
}

fn app() -> AppId {
    AppId::new(APP).expect("a short fixed name")
}

/// The rounds of a measurement.
struct Rounds<'a> {
    plan: &'a Plan,
    say: Say<'a>,
    runs: Vec<Run>,
    told: Tally,
}

impl<'a> Rounds<'a> {
    fn new(plan: &'a Plan, say: Say<'a>) -> Self {
        Self { plan, say, runs: Vec::new(), told: Tally::default() }
    }

    async fn run<T: Target>(mut self, target: Arc<T>, watched: Watched) -> Result<Self> {
        (self.say)(&format!("opening {} accounts", self.plan.load.accounts));
        open_accounts(&target, &self.plan.load).await?;
        let rival = match self.plan.baseline {
            true => Some(Rival::start(&self.plan.load, self.say).await?),
            false => None,
        };
        for _ in 0..self.plan.rounds {
            for rhythm in &self.plan.rhythms {
                let load = Load { rhythm: *rhythm, ..self.plan.load };
                self.measure("drip", &target, &load, &watched).await?;
                if let (Some(rival), Rhythm::InFlight(_)) = (&rival, rhythm) {
                    let load = Load { rhythm: Rhythm::InFlight(CONNECTIONS), batch: 1, ..load };
                    self.measure("postgres", &rival.target, &load, &rival.watched).await?;
                }
            }
        }
        if let Some(rival) = rival {
            rival.check(&self.plan.load, self.runs.iter()).await?;
        }
        Ok(self)
    }

    async fn measure<T: Target>(
        &mut self,
        engine: &'static str,
        target: &Arc<T>,
        load: &Load,
        watched: &Watched,
    ) -> Result<()> {
        let count = watched.begin();
        let seen = drive(target, load).await?;
        let used = watched.end(&count, seen.tally.paid);
        ensure!(seen.tally.wrong == 0, "{engine} gave wrong answers: {}", seen.tally.wrong_told.join("; "));
        if engine == "drip" {
            self.told.merge(seen.tally.clone());
        }
        let run = Run::of(engine, load, seen, used);
        (self.say)(&run.to_string());
        self.runs.push(run);
        Ok(())
    }

    fn audited(self, books: Books, log_size: u64) -> Result<Report> {
        books.agree(&self.told, self.plan.load.opening()).context("log and answers do not agree")?;
        Ok(self.report(Some(books), Some(log_size)))
    }

    fn report(self, books: Option<Books>, log_size: Option<u64>) -> Report {
        let middle = |engine: &str| {
            let closed = self.runs.iter().filter(|run| run.engine == engine && run.rate.is_none());
            median(closed.map(|run| run.per_second).collect())
        };
        let per_second = middle("drip");
        let baseline = self.plan.baseline.then(|| middle("postgres"));
        Report {
            via: self.plan.via,
            accounts: self.plan.load.accounts,
            batch: self.plan.load.batch,
            partitions: self.plan.running.is_none().then_some(self.plan.wanted.partitions),
            per_second,
            baseline_per_second: baseline,
            ratio: baseline.and_then(|base| Ratio::of(per_second, base)),
            runs: self.runs,
            books,
            log_size,
        }
    }
}

impl Run {
    fn of(engine: &'static str, load: &Load, seen: Seen, used: Used) -> Self {
        let (rate, in_flight) = match load.rhythm {
            Rhythm::Rate(rate) => (Some(rate), None),
            Rhythm::InFlight(count) => (None, Some(count)),
        };
        let per_second = seen.per_second();
        Self { engine, rate, in_flight, per_second, latency: seen.latency, used, tally: seen.tally }
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Latency { p50, p90, p99, p999, max, .. } = self.latency;
        write!(f, "{}: {} debits/s", self.engine, self.per_second)?;
        if let Some(rate) = self.rate {
            write!(f, " at {rate} requests/s")?;
        }
        write!(f, ", µs: p50 {p50}, p90 {p90}, p99 {p99}, p99.9 {p999}, max {max}; processor time a debit:")?;
        self.used.iter().try_for_each(|(name, micros)| write!(f, " {name} {micros}"))?;
        for (code, count) in &self.tally.refused {
            write!(f, "; refused {count} {code}")?;
        }
        match &self.tally.unknown_told {
            Some(told) => write!(f, "; {} unknown ({told})", self.tally.unknown),
            None => Ok(()),
        }
    }
}

/// The baseline, with its accounts open.
struct Rival {
    target: Arc<Baseline>,
    watched: Watched,
    _server: Postgres,
}

impl Rival {
    /// Starts Postgres, and takes the faster of the two forms of the transaction.
    async fn start(load: &Load, say: Say<'_>) -> Result<Self> {
        require_servers()?;
        let server = Postgres::start_measured(&SETTINGS).await;
        let create = async |form| anyhow::Ok(Arc::new(Baseline::create(&server.url(), form).await?));
        let (one, several) = (create(Form::OneStatement).await?, create(Form::Transaction).await?);
        open_accounts(&one, load).await?;
        one.analyze().await?;
        let trial = Load {
            rhythm: Rhythm::InFlight(CONNECTIONS),
            batch: 1,
            warm_up: TRIAL / 2,
            time: TRIAL,
            ..*load
        };
        let speeds = (drive(&one, &trial).await?.per_second(), drive(&several, &trial).await?.per_second());
        say(&format!(
            "postgres: {} debits/s as one statement, {} as a transaction of two",
            speeds.0, speeds.1
        ));
        let target = if speeds.0 >= speeds.1 { one } else { several };
        let watched = Watched::client().and("postgres", server.pid());
        Ok(Self { target, watched, _server: server })
    }

    /// The tables must agree with the answers too.
    async fn check(&self, load: &Load, runs: impl Iterator<Item = &Run>) -> Result<()> {
        let books = self.target.books().await?;
        let paid = runs.filter(|run| run.engine == "postgres").map(|run| run.tally.paid).sum::<u64>();
        let held = load.opening().credits().saturating_mul(books.accounts) - books.charged;
        ensure!(books.held == held, "Postgres' balances hold {}, not {held}", books.held);
        ensure!(books.debits >= paid, "Postgres holds {} of {paid} debits", books.debits);
        ensure!(
            books.charged == charges(books.debits).credits(),
            "Postgres' journal charges {}",
            books.charged
        );
        Ok(())
    }
}

/// The counted time of a run, and what is run before it.
pub fn times(seconds: u64) -> (Duration, Duration) {
    (Duration::from_secs(seconds.div_ceil(4).min(3)), Duration::from_secs(seconds))
}

/// The program that runs now: Drip's own, when `drip bench` does.
pub fn this_program() -> Result<PathBuf> {
    std::env::current_exe().context("this program does not know where it is")
}

/// A Drip on JetStream with two partitions: each has one commit in flight, so that one is on its way to the disk while
/// the other gathers.
pub fn usual(program: PathBuf) -> Wanted {
    Wanted { program, log: LogKind::JetStream, partitions: 2, projector: false, views: Views::Folder }
}
