//! Drip and the servers it runs on: started, killed, started again.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use test_servers::{End, NatsServer, Postgres, Process, free_port};

use crate::ask::{Said, said};

/// How long anything that is waited for may take before a test fails.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// Where Drip keeps log and views.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engines {
    /// SQLite in the data folder.
    Embedded,
    /// NATS `JetStream` and Postgres.
    Servers,
}

/// Makes two tests of an `async fn name(Engines)`: `name::embedded` and `name::on_nats_and_postgres`.
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {
        $(mod $name {
            use $crate::stack::Engines;

            #[tokio::test]
            async fn embedded() {
                super::$name(Engines::Embedded).await;
            }

            #[tokio::test]
            async fn on_nats_and_postgres() {
                super::$name(Engines::Servers).await;
            }
        })*
    };
}
pub(crate) use on_both_engines;

/// A running Drip, and the servers that are its own.
pub(crate) struct Stack {
    pub(crate) drip: Drip,
    pub(crate) nats: Option<NatsServer>,
    pub(crate) postgres: Option<Postgres>,
}

impl Stack {
    /// A Drip that takes commands, on a nats-server of its own and a database of its own.
    pub(crate) async fn start(engines: Engines) -> Self {
        match engines {
            Engines::Embedded => Self { drip: Drip::embedded().await, nats: None, postgres: None },
            Engines::Servers => Self::on(NatsServer::start().await).await,
        }
    }

    /// A Drip on this nats-server, and a database of its own.
    pub(crate) async fn on(nats: NatsServer) -> Self {
        let database = Postgres::shared().await.fresh_database().await;
        Self { drip: Drip::on_engines(&nats, &database).await, nats: Some(nats), postgres: None }
    }

    /// The same with a Postgres of its own, which may be killed too.
    pub(crate) async fn start_breakable() -> Self {
        let (nats, postgres) = tokio::join!(NatsServer::start(), Postgres::start());
        let drip = Drip::on_engines(&nats, &postgres.url()).await;
        Self { drip, nats: Some(nats), postgres: Some(postgres) }
    }
}

/// One Drip process with its data folder. Dropping it kills it and removes the folder.
pub(crate) struct Drip {
    process: Process,
    role: Vec<&'static str>,
    http: Option<u16>,
    engines: Vec<String>,
    /// Given at the start alone.
    start_flags: Vec<String>,
    client: reqwest::Client,
}

impl Drip {
    /// `drip up` on the embedded engines, ready.
    pub(crate) async fn embedded() -> Self {
        let mut drip = Self::prepared(&["up"], &[]);
        drip.restart().await;
        drip
    }

    /// `drip up` on these servers, ready.
    pub(crate) async fn on_engines(nats: &NatsServer, database: &str) -> Self {
        let mut drip = Self::prepared(&["up"], &engine_flags(nats, database));
        drip.restart().await;
        drip
    }

    /// A role that was not started yet: `up` and the command-api serve HTTP, the others do not.
    pub(crate) fn prepared(role: &[&'static str], engines: &[String]) -> Self {
        let process = Process::new("drip", End::Kill, &std::env::temp_dir());
        let serves = role == ["up"] || role == ["run", "command-api"];
        let http = serves.then(free_port);
        let client =
            reqwest::Client::builder().timeout(BOUND).build().expect("the default client can be made");
        Self { process, role: role.to_vec(), http, engines: engines.to_vec(), start_flags: vec![], client }
    }

    /// With more flags for the role.
    pub(crate) fn with(mut self, flags: &[&str]) -> Self {
        self.start_flags.extend(flags.iter().copied().map(str::to_owned));
        self
    }

    /// Starts the process; does not wait.
    pub(crate) fn spawn(&mut self) {
        let mut command = program();
        command.args(&self.role).args(self.log_flags()).args(&self.start_flags);
        if let Some(port) = self.http {
            command.arg("--http").arg(format!("127.0.0.1:{port}"));
        }
        self.process.spawn(command);
    }

    /// Starts it on the data it has, and waits until it takes commands.
    pub(crate) async fn restart(&mut self) {
        self.spawn();
        self.ready().await;
    }

    /// Waits until it takes commands.
    pub(crate) async fn ready(&mut self) {
        let begin = Instant::now();
        let url = format!("{}/health/ready", self.url());
        loop {
            if let Some(status) = self.process.exited() {
                panic!("drip ended at start: {status}\n{}", self.process.log());
            }
            let answer = self.client.get(&url).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return;
            }
            assert!(begin.elapsed() < BOUND, "drip is not ready after {BOUND:?}\n{}", self.process.log());
            tick().await;
        }
    }

    /// SIGKILL; returns when it is gone.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM; it must end well, and in time.
    pub(crate) async fn stop(&mut self) {
        let status = self.process.stop("TERM", BOUND).await.expect("it runs");
        assert_eq!(status.code(), Some(0), "after SIGTERM\n{}", self.process.log());
        self.assert_no_panic();
    }

    /// How it ended by itself, within the bound.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        until(BOUND, "drip ends by itself", async || self.process.exited()).await
    }

    /// It has not ended.
    pub(crate) fn runs(&mut self) -> bool {
        self.process.pid().is_some() && self.process.exited().is_none()
    }

    /// What it holds in memory now, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = self.proc_file("status");
        let line =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells VmRSS");
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number of kB");
        kilobytes * 1024
    }

    /// How many files and connections it has open.
    pub(crate) fn handles(&self) -> usize {
        let pid = self.process.pid().expect("it runs");
        std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count()
    }

    fn proc_file(&self, name: &str) -> String {
        let pid = self.process.pid().expect("it runs");
        std::fs::read_to_string(format!("/proc/{pid}/{name}")).expect("it runs")
    }

    /// All that it said on stderr and stdout, over all its starts.
    pub(crate) fn output(&self) -> String {
        self.process.output()
    }

    /// The end of what it said, for a panic's message.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    pub(crate) fn assert_no_panic(&self) {
        assert!(!self.output().contains("panicked"), "{}", self.output());
    }

    pub(crate) fn url(&self) -> String {
        let port = self.http.expect("workers and projectors serve no HTTP");
        format!("http://127.0.0.1:{port}")
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.process.folder().join("data")
    }

    /// A folder for files of the test, gone with the process.
    pub(crate) fn folder(&self) -> &Path {
        self.process.folder()
    }

    /// The key of the app `demo`.
    pub(crate) fn key(&self) -> String {
        let file = self.data_dir().join("dev.key");
        let key =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        key.trim().to_owned()
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Flags that say where the log is, for commands that read it.
    pub(crate) fn log_flags(&self) -> Vec<String> {
        let mut flags = vec!["--data-dir".to_owned(), self.data_dir().display().to_string()];
        flags.extend(self.engines.iter().cloned());
        flags
    }

    /// A command that finds this Drip by its environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(arguments).env("DRIP_URL", self.url()).env("DRIP_API_KEY", self.key());
        command
    }

    /// Runs a command against this Drip to its end.
    pub(crate) async fn cli(&self, arguments: &[&str]) -> Said {
        said(self.command(arguments)).await
    }
}

/// Flags for a log and views on these servers.
pub(crate) fn engine_flags(nats: &NatsServer, database: &str) -> Vec<String> {
    let flags = [
        ("--nats", nats.url()),
        ("--nats-monitor", nats.monitor_url()),
        ("--database-url", database.to_owned()),
    ];
    flags.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
}

/// The program under test, in an environment that says nothing about any Drip. Should it ever print a backtrace, then
/// here.
pub(crate) fn program() -> Command {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug/drip");
    let program = std::env::var_os("DRIP_BIN").map_or(built, PathBuf::from);
    assert!(program.exists(), "{} is not there: cargo build -p drip", program.display());
    let mut command = Command::new(program);
    for name in ["DRIP_URL", "DRIP_API_KEY", "DRIP_DATA_DIR", "DRIP_CONFIG", "DRIP_NATS_URL", "DATABASE_URL"]
    {
        command.env_remove(name);
    }
    command.env("RUST_BACKTRACE", "1").env("NO_COLOR", "1").env_remove("RUST_LOG");
    command
}

/// Looks until there is something to see; a look may be at most a few milliseconds' work.
pub(crate) async fn until<T>(bound: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(begin.elapsed() < bound, "not within {bound:?}: {what}");
        tick().await;
    }
}

/// The pause between two looks.
pub(crate) async fn tick() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}
