//! Starts what is asked, on free loopback ports and in folders that go away with it: nats-server, Postgres, and Drip in
//! a process of its own, as in life.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use event_log::{EventLog, JetStreamLog, JetStreamOptions, SqliteLog};
use test_servers::{End, NatsServer, Postgres, Process, free_port};

/// How long Drip may take to be ready.
const BOUND: Duration = Duration::from_secs(60);
/// The app that a fresh Drip has.
pub const APP: &str = "demo";
/// So that batches are bounded by Drip, not by NATS' default of 1 MB.
const NATS_CONFIG: &str = "max_payload: 8MB\nwrite_deadline: \"10s\"";

/// Where a Drip keeps its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    /// NATS JetStream on one server, `sync_interval: always`.
    JetStream,
    /// A SQLite file, flushed at each commit.
    Sqlite,
}

/// Where a Drip keeps its views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Views {
    /// In its data folder.
    Folder,
    /// In a Postgres of its own.
    Postgres,
}

/// How a Drip is started.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The `drip` program.
    pub program: PathBuf,
    /// Where its log is.
    pub log: LogKind,
    /// In how many partitions.
    pub partitions: u16,
    /// With a projector (`drip up`), or the writers alone (`drip run command-api`).
    pub projector: bool,
    /// Where its views are.
    pub views: Views,
}

/// A Drip that was started, with its nats-server.
#[derive(Debug)]
pub struct Drip {
    process: Process,
    nats: Option<NatsServer>,
    postgres: Option<Postgres>,
    http: u16,
}

/// Servers are there to be started. Error: what is missing, and how to get it.
pub fn require_servers() -> Result<()> {
    match test_servers::missing() {
        Some(sentence) => bail!(sentence),
        None => Ok(()),
    }
}

impl Drip {
    /// Starts it and waits until it takes commands. Error: it did not, with what it said.
    pub async fn start(wanted: &Wanted) -> Result<Self> {
        let nats = match wanted.log {
            LogKind::JetStream => {
                require_servers()?;
                Some(NatsServer::builder().config(NATS_CONFIG).start().await)
            }
            LogKind::Sqlite => None,
        };
        let postgres = match wanted.views {
            Views::Postgres => Some(Postgres::start_measured(&[]).await),
            Views::Folder => None,
        };
        let process = Process::new("drip", End::Kill, &std::env::temp_dir());
        let mut drip = Self { process, nats, postgres, http: free_port() };
        drip.init(wanted)?;
        drip.spawn(wanted);
        drip.ready().await?;
        Ok(drip)
    }

    /// Where HTTP is served.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// The key of the app [`APP`]. Error: there is none.
    pub fn api_key(&self) -> Result<String> {
        let file = self.data().join("dev.key");
        let key =
            std::fs::read_to_string(&file).with_context(|| format!("can not read {}", file.display()))?;
        Ok(key.trim().to_owned())
    }

    /// The nats-server's address, if the log is there.
    pub fn nats_url(&self) -> Option<String> {
        self.nats.as_ref().map(NatsServer::url)
    }

    /// Drip's process.
    pub fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    /// The nats-server's process.
    pub fn nats_pid(&self) -> Option<u32> {
        self.nats.as_ref().and_then(NatsServer::pid)
    }

    /// The folder of its data.
    pub fn data(&self) -> PathBuf {
        self.process.folder().join("data")
    }

    /// Opens its log for reading. Error: it can not be read.
    pub async fn log(&self) -> Result<Box<dyn EventLog>> {
        Ok(match &self.nats {
            Some(nats) => Box::new(JetStreamLog::open(&options(nats)).await?),
            None => Box::new(SqliteLog::open_reader(&self.data()).await?),
        })
    }

    /// The bytes of the log's files.
    pub fn log_size(&self) -> u64 {
        match &self.nats {
            Some(nats) => size_of(&nats.store_dir()),
            None => ["log.db", "log.db-wal"].iter().map(|name| size_of(&self.data().join(name))).sum(),
        }
    }

    fn init(&self, wanted: &Wanted) -> Result<()> {
        let mut init = clean(&wanted.program);
        init.arg("init").args(self.engines()).args(["--partitions", &wanted.partitions.to_string()]);
        let output = init.output().with_context(|| format!("{} can not be run", wanted.program.display()))?;
        ensure!(
            output.status.success(),
            "drip init failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(())
    }

    fn spawn(&mut self, wanted: &Wanted) {
        let mut command = clean(&wanted.program);
        let role: &[&str] = if wanted.projector { &["up"] } else { &["run", "command-api"] };
        command.args(role).args(self.engines()).args(["--http", &format!("127.0.0.1:{}", self.http)]);
        self.process.spawn(command);
    }

    /// The flags that say where log and views are.
    pub fn engines(&self) -> Vec<String> {
        let mut flags = vec!["--data-dir".to_owned(), self.data().display().to_string()];
        if let Some(nats) = &self.nats {
            flags.extend(["--nats".to_owned(), nats.url(), "--nats-monitor".to_owned(), nats.monitor_url()]);
        }
        flags.extend(self.postgres.iter().flat_map(|server| ["--database-url".to_owned(), server.url()]));
        flags
    }

    async fn ready(&mut self) -> Result<()> {
        let (begin, client) = (Instant::now(), reqwest::Client::new());
        let url = format!("{}/health/ready", self.url());
        loop {
            if client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if self.process.exited().is_some() || begin.elapsed() > BOUND {
                bail!("Drip did not become ready\n{}", self.process.log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The program in an environment that says nothing about another Drip.
pub fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    let names = ["DRIP_URL", "DRIP_API_KEY", "DRIP_DATA_DIR", "DRIP_CONFIG", "DRIP_NATS_URL", "DRIP_LOG"];
    for name in names.into_iter().chain(["DRIP_NATS_MONITOR_URL", "DATABASE_URL", "DRIP_HTTP"]) {
        command.env_remove(name);
    }
    command
}

fn options(nats: &NatsServer) -> JetStreamOptions {
    let mut options = JetStreamOptions::new(nats.url());
    options.monitor_urls = vec![nats.monitor_url()];
    options.only_reads = true;
    options
}

/// The bytes of a file, or of all files in a folder.
fn size_of(path: &Path) -> u64 {
    let Ok(found) = path.metadata() else { return 0 };
    if !found.is_dir() {
        return found.len();
    }
    std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size_of(&entry.path())).sum()
}
