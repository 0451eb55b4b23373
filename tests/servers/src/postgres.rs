//! A Postgres cluster.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::cluster::{self, SUPERUSER};
use crate::ports::free_port;
use crate::process::{End, Process, signal, tick};

/// How long a start or a stop may take before the test fails.
const BOUND: Duration = Duration::from_secs(30);
/// Another program may take a free port before the server does; then another port is tried.
const START_ATTEMPTS: u32 = 5;
/// For a shared server: its data need not survive the machine, and many tests connect at once.
const SHARED: &[&str] = &["fsync=off", "full_page_writes=off", "max_connections=300"];

/// A Postgres server on a free loopback port, reached over TCP by the superuser `drip` without a password, its
/// cluster in a folder of its own. Dropping it ends it and removes the folder.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    port: u16,
    settings: &'static [&'static str],
    databases: AtomicU32,
}

impl Postgres {
    /// A server for one test, which may kill it. Its settings are Postgres' own, so commits are durable.
    ///
    /// # Panics
    ///
    /// If there is no Postgres on the machine, or it does not take connections in time; with the end of its log.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A server whose speed is looked at: a cluster as `initdb` makes it for everybody, with these settings
    /// (`name=value`) on top.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub async fn start_measured(settings: &'static [&'static str]) -> Self {
        let process = Process::new("postgres", End::Quit, &cluster::folder_for_servers());
        cluster::make_at(&process.folder().join("data"), &[]);
        Self::started(Self { process, port: free_port(), settings, databases: AtomicU32::new(0) }).await
    }

    /// The server all tests of this process share: faster, not durable, and nobody may stop it. Take a
    /// [`Self::fresh_database`] from it.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub async fn shared() -> &'static Self {
        static SERVER: OnceCell<Postgres> = OnceCell::const_new();
        SERVER.get_or_init(|| Self::start_with(SHARED)).await
    }

    /// The URL of the database that is there from the start: `postgres://drip@127.0.0.1:PORT/postgres`. The same after
    /// a restart.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The URL of a new, empty database that nobody else uses.
    ///
    /// # Panics
    ///
    /// If the server does not run.
    pub async fn fresh_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(&self.url(), &format!("CREATE DATABASE {name}")).await;
        self.url_of(&name)
    }

    /// Runs SQL in a database of this server, behind the back of whoever uses it.
    ///
    /// # Panics
    ///
    /// If the server does not run, or refuses it.
    pub async fn sql(&self, database: &str, sql: &str) {
        let mut psql = tokio::process::Command::from(cluster::command("psql"));
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]);
        let output = psql.output().await.unwrap_or_else(|error| panic!("psql can not be started: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {said}\n{}", self.process.log());
    }

    /// SIGKILL to the postmaster; returns when it is gone. Its children notice and follow a moment later. Nothing
    /// happens if it does not run.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Postgres' fast shutdown: clients are disconnected, nothing is lost; returns when the process is gone. Nothing
    /// happens if it does not run.
    ///
    /// # Panics
    ///
    /// If it does not end in time.
    pub async fn stop(&mut self) {
        self.process.stop("INT", BOUND).await;
    }

    /// Starts it again on the same port and cluster, after [`Self::stop`] if it still runs, and waits until it takes
    /// connections.
    ///
    /// # Panics
    ///
    /// If it does not take connections in time.
    pub async fn restart(&mut self) {
        self.stop().await;
        let begin = Instant::now();
        // After a kill the old children may hold the cluster for a moment, and the start is refused.
        while let Err(reason) = self.run().await {
            assert!(begin.elapsed() < BOUND, "{reason}");
            tick().await;
        }
    }

    /// The postmaster runs, paused or not.
    #[must_use]
    pub fn runs(&mut self) -> bool {
        self.process.pid().is_some() && self.process.exited().is_none()
    }

    /// SIGSTOP to the postmaster: nobody new is let in; who is connected goes on.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn pause(&self) {
        self.process.signal("STOP");
    }

    /// SIGCONT: goes on after [`Self::pause`].
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn resume(&self) {
        self.process.signal("CONT");
    }

    /// SIGKILL to one process that serves a client; Postgres then disconnects all clients and recovers. `false`:
    /// nobody is connected.
    #[must_use]
    pub fn kill_backend(&self) -> bool {
        let backend = self.process.children().into_iter().find(|(_, command)| command.contains("127.0.0.1("));
        backend.is_some_and(|(pid, _)| signal(pid, "KILL"))
    }

    async fn start_with(settings: &'static [&'static str]) -> Self {
        Self::started(Self::new(settings)).await
    }

    async fn started(mut server: Self) -> Self {
        for _ in 1..START_ATTEMPTS {
            if server.run().await.is_ok() {
                return server;
            }
            server.port = free_port();
        }
        server.run().await.unwrap_or_else(|reason| panic!("{reason}"));
        server
    }

    fn new(settings: &'static [&'static str]) -> Self {
        let process = Process::new("postgres", End::Quit, &cluster::folder_for_servers());
        cluster::copy_to(&process.folder().join("data"));
        Self { process, port: free_port(), settings, databases: AtomicU32::new(0) }
    }

    /// The postmaster's process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Starts the process and waits until it takes connections; says why not.
    async fn run(&mut self) -> Result<(), String> {
        let mut command = cluster::command("postgres");
        command.arg("-D").arg(self.process.folder().join("data")).args(["-p", &self.port.to_string()]);
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
        self.settings.iter().for_each(|setting| {
            command.args(["-c", setting]);
        });
        self.process.spawn(command);
        let begin = Instant::now();
        while !self.ready() {
            if let Some(status) = self.process.exited() {
                return Err(format!("Postgres ended at start: {status}\n{}", self.process.log()));
            }
            if begin.elapsed() > BOUND {
                return Err(format!("Postgres is not ready after {BOUND:?}\n{}", self.process.log()));
            }
            tick().await;
        }
        Ok(())
    }

    /// The postmaster notes its process id in the first line of its file and its state in the eighth. The file of a
    /// killed server stays behind, hence the look at the id.
    fn ready(&self) -> bool {
        let file = self.process.folder().join("data/postmaster.pid");
        let text = fs::read_to_string(file).unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let pid = self.process.pid().map(|pid| pid.to_string());
        lines.first().copied() == pid.as_deref() && lines.get(7) == Some(&"ready")
    }
}
