//! A nats-server with JetStream: a single one, or several as a cluster.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ports::free_port;
use crate::process::{End, Process, tick};
use crate::programs;

/// How long a start or a stop may take before the test fails.
const BOUND: Duration = Duration::from_secs(20);
/// Another program may take a free port before the server does; then other ports are tried.
const START_ATTEMPTS: u32 = 5;

/// What a [`NatsServer`] should be like; made by [`NatsServer::builder`].
#[derive(Clone, Debug)]
pub struct NatsBuilder {
    sync_always: bool,
    config: String,
    /// Where the streams are kept, one folder a server; the server's own folder where there is none.
    stores: Vec<PathBuf>,
}

impl NatsBuilder {
    /// The server's own `sync_interval` (minutes) instead of `always`: the setting that loses acknowledged data.
    #[must_use]
    pub fn default_sync(mut self) -> Self {
        self.sync_always = false;
        self
    }

    /// More text for the configuration file: users and permissions, `max_payload`. May be called again to add more.
    #[must_use]
    pub fn config(mut self, text: &str) -> Self {
        self.config.push_str(text);
        self.config.push('\n');
        self
    }

    /// Keeps the streams in this folder instead of one of the server's own. For a cluster called once a server, in
    /// order.
    #[must_use]
    pub fn store_dir(mut self, folder: &Path) -> Self {
        self.stores.push(folder.to_owned());
        self
    }

    /// Starts the server and waits until it is healthy.
    ///
    /// # Panics
    ///
    /// If there is no nats-server on the machine, or it does not become healthy; with the end of its log.
    pub async fn start(self) -> NatsServer {
        self.start_cluster(1).await.pop().expect("it has one server")
    }

    /// Starts so many servers as one cluster and waits until all are healthy. They do not tell their clients of each
    /// other: a client reaches the servers it was told of.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub async fn start_cluster(self, size: usize) -> Vec<NatsServer> {
        for _ in 1..START_ATTEMPTS {
            if let Ok(servers) = self.try_start(size).await {
                return servers;
            }
        }
        self.try_start(size).await.unwrap_or_else(|reason| panic!("{reason}"))
    }

    async fn try_start(&self, size: usize) -> Result<Vec<NatsServer>, String> {
        let routes: Vec<u16> = (0..size).map(|_| free_port()).collect();
        let mut servers: Vec<_> =
            (0..size).map(|index| NatsServer::on_free_ports(self, index, &routes)).collect();
        servers.iter_mut().for_each(NatsServer::spawn);
        for server in &mut servers {
            server.until_healthy().await?;
        }
        Ok(servers)
    }
}

/// A nats-server with JetStream on free loopback ports, its store in a folder of its own. Dropping it kills it and
/// removes the folder.
#[derive(Debug)]
pub struct NatsServer {
    process: Process,
    port: u16,
    monitor_port: u16,
    store: PathBuf,
}

impl NatsServer {
    /// One server as production wants it: replication 1, `sync_interval: always`, no users.
    ///
    /// # Panics
    ///
    /// As [`NatsBuilder::start`].
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Says first what the server should be like.
    #[must_use]
    pub fn builder() -> NatsBuilder {
        NatsBuilder { sync_always: true, config: String::new(), stores: Vec::new() }
    }

    /// Where clients connect: `nats://127.0.0.1:PORT`. The same after a restart.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The monitoring endpoint: `http://127.0.0.1:PORT` (`/healthz`, `/jsz`, `/varz`). The same after a restart.
    #[must_use]
    pub fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitor_port)
    }

    /// The name by which the servers of a cluster know it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("test-{}", self.port)
    }

    /// The folder of the streams' files.
    #[must_use]
    pub fn store_dir(&self) -> PathBuf {
        self.store.clone()
    }

    /// All that it said, over all its starts.
    #[must_use]
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// The process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    /// It runs, paused or not.
    #[must_use]
    pub fn runs(&mut self) -> bool {
        self.process.pid().is_some() && self.process.exited().is_none()
    }

    /// SIGKILL; returns when the process is gone. Nothing happens if it does not run.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM; returns when the process is gone. Nothing happens if it does not run.
    ///
    /// # Panics
    ///
    /// If it does not end in time.
    pub async fn stop(&mut self) {
        self.process.stop("TERM", BOUND).await;
    }

    /// Starts it again on the same ports and store, after a SIGTERM if it still runs, and waits until it is healthy.
    ///
    /// # Panics
    ///
    /// If it does not become healthy.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.spawn();
        self.until_healthy().await.unwrap_or_else(|reason| panic!("{reason}"));
    }

    /// Starts it on the same ports and store and does not wait: one server of a cluster whose others are away is not
    /// healthy before they are back.
    ///
    /// # Panics
    ///
    /// If it runs already.
    pub fn spawn(&mut self) {
        let mut command = Command::new(programs::nats_server());
        command.arg("-c").arg(self.process.folder().join("nats.conf"));
        self.process.spawn(command);
    }

    /// Waits until it is healthy, with all its streams.
    ///
    /// # Errors
    ///
    /// It ended, or is not healthy in time; with the end of its log.
    pub async fn until_healthy(&mut self) -> Result<(), String> {
        let begin = Instant::now();
        while !self.healthy().await {
            if let Some(status) = self.process.exited() {
                return Err(format!("nats-server ended: {status}\n{}", self.process.log()));
            }
            if begin.elapsed() > BOUND {
                return Err(format!("nats-server is not healthy after {BOUND:?}\n{}", self.process.log()));
            }
            tick().await;
        }
        Ok(())
    }

    /// SIGSTOP: connections stay open, nothing is answered.
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

    fn on_free_ports(wanted: &NatsBuilder, index: usize, routes: &[u16]) -> Self {
        let process = Process::new("nats", End::Kill, &std::env::temp_dir());
        let (port, monitor_port) = (free_port(), free_port());
        let store = wanted.stores.get(index).cloned().unwrap_or_else(|| process.folder().join("store"));
        let server = Self { process, port, monitor_port, store };
        let text = server.configuration(wanted) + &cluster(index, routes);
        fs::write(server.process.folder().join("nats.conf"), text).expect("the folder was just made by us");
        server
    }

    fn configuration(&self, wanted: &NatsBuilder) -> String {
        let Self { port, monitor_port, store, .. } = self;
        let sync = if wanted.sync_always { "sync_interval: always" } else { "" };
        format!(
            "server_name: {}\n\
             listen: \"127.0.0.1:{port}\"\n\
             http: \"127.0.0.1:{monitor_port}\"\n\
             jetstream {{ store_dir: {store:?}, max_file: 10GB, max_mem: 256MB\n {sync} }}\n\
             {}",
            self.name(),
            wanted.config
        )
    }

    async fn healthy(&self) -> bool {
        let answer = tokio::time::timeout(Duration::from_secs(2), healthz(self.monitor_port)).await;
        answer.is_ok_and(|text| text.is_ok_and(|text| text.starts_with("HTTP/1.0 200")))
    }
}

/// The monitoring server's answer to `GET /healthz`.
async fn healthz(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

/// The part of the configuration that makes it one of several; nothing for a single one.
fn cluster(index: usize, routes: &[u16]) -> String {
    if routes.len() < 2 {
        return String::new();
    }
    let listen = routes[index];
    let routes: Vec<String> = routes.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
    format!(
        "cluster {{ name: test, listen: \"127.0.0.1:{listen}\", no_advertise: true, routes: [{}] }}\n",
        routes.join(", ")
    )
}
