//! What is asked: the simulated log and real servers, and what can be done to either.

use std::sync::Arc;
use std::time::Duration;

use event_log::sim::{Faults, Replicas, ServedSim};
use event_log::{EventLog, JetStreamLog, JetStreamOptions, LogIdentity};
use serde_json::{Value, json};
use test_servers::NatsServer;

use super::line::Line;
use crate::setup::{IDENTITY, ZERO, api, options, stranger};

pub(super) const LOG: LogIdentity = LogIdentity { partitions: 1, ..IDENTITY };

/// What can be wrong for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The line of the first client is cut.
    Line,
    /// One server: it is killed. Three: two of them are, and nobody can lead.
    Servers,
    /// One server: it was stopped cleanly, and is back. Three: the leader has stepped down.
    Stepdown,
    /// The store takes no more.
    Full,
}

/// Two clients of a fresh log.
pub(super) struct Clients {
    pub(super) one: Arc<dyn EventLog>,
    pub(super) other: Arc<dyn EventLog>,
}

pub(super) trait World {
    fn replicas(&self) -> Replicas;
    async fn fresh(&mut self) -> Clients;
    /// Somebody else stores a message.
    async fn stranger(&mut self);
    async fn inflict(&mut self, fault: Fault);
    async fn heal(&mut self, fault: Fault);
}

pub(super) struct Simulated {
    replicas: Replicas,
    seed: u64,
    log: ServedSim,
}

impl Simulated {
    pub(super) fn new(replicas: Replicas, seed: u64) -> Self {
        Self { replicas, seed, log: ServedSim::new(LOG, replicas, seed) }
    }
}

impl World for Simulated {
    fn replicas(&self) -> Replicas {
        self.replicas
    }

    async fn fresh(&mut self) -> Clients {
        self.log = ServedSim::new(LOG, self.replicas, self.seed);
        Clients { one: Arc::new(self.log.clone()), other: Arc::new(self.log.connect()) }
    }

    async fn stranger(&mut self) {
        self.log.stranger(ZERO);
    }

    async fn inflict(&mut self, fault: Fault) {
        match fault {
            Fault::Line => self.log.cut(),
            Fault::Servers => self.log.lose_leader(Duration::from_secs(60)),
            Fault::Stepdown => self.log.lose_leader(Duration::from_millis(100)),
            Fault::Full => self.log.inflict(Faults { full: 1000, ..Faults::default() }),
        }
    }

    async fn heal(&mut self, _: Fault) {
        self.log.inflict(Faults::default());
        self.log.mend();
        self.log.pass(Duration::from_secs(100));
    }
}

/// Servers are dear, and a new log on them is cheap: each case has the streams made anew.
pub(super) struct Real {
    servers: Vec<NatsServer>,
    line: Line,
}

impl Real {
    pub(super) async fn start(servers: usize) -> Self {
        let servers = NatsServer::builder().start_cluster(servers).await;
        let line = Line::to(&servers[0].url()).await;
        Self { servers, line }
    }

    /// Each client knows one server: the first through the line, the other the same one without it.
    fn options(&self) -> JetStreamOptions {
        let monitor_urls = self.servers.iter().map(NatsServer::monitor_url).collect();
        JetStreamOptions { monitor_urls, ..options(&self.servers[0]) }
    }

    async fn info(&self) -> Value {
        api(&stranger(&self.servers[0]).await, "STREAM.INFO.LEDGER-00".to_owned(), &Value::Null).await
    }

    async fn set_max_bytes(&self, bytes: i64) {
        let mut config = self.info().await["config"].take();
        config["max_bytes"] = json!(bytes);
        api(&stranger(&self.servers[0]).await, "STREAM.UPDATE.LEDGER-00".to_owned(), &config).await;
    }

    /// The one that is asked by the clients stays.
    fn victims(&mut self) -> &mut [NatsServer] {
        let from = usize::from(self.servers.len() > 1);
        &mut self.servers[from..]
    }
}

impl World for Real {
    fn replicas(&self) -> Replicas {
        if self.servers.len() == 1 { Replicas::One } else { Replicas::Three }
    }

    async fn fresh(&mut self) -> Clients {
        let context = stranger(&self.servers[0]).await;
        for stream in ["LEDGER-00", "KV_DRIP-ANCHORS"] {
            // The first time there is none.
            let _ = context.delete_stream(stream).await;
        }
        let options = self.options();
        let replicas = u8::try_from(self.servers.len()).expect("few");
        JetStreamLog::create(&options, LOG, replicas).await.expect("the servers take a log");
        let by_line = JetStreamOptions { url: self.line.url.clone(), ..options.clone() };
        let one = JetStreamLog::open(&by_line).await.expect("it is there and in order");
        let other = JetStreamLog::open(&options).await.expect("it is there and in order");
        Clients { one: Arc::new(one), other: Arc::new(other) }
    }

    async fn stranger(&mut self) {
        let context = stranger(&self.servers[0]).await;
        let publish = context.publish("drip.ledger.00.usage", "a stranger's".into()).await;
        publish.expect("sent").await.expect("stored");
    }

    async fn inflict(&mut self, fault: Fault) {
        match fault {
            Fault::Line => self.line.cut().await,
            Fault::Servers => self.victims().iter_mut().for_each(NatsServer::kill),
            Fault::Stepdown if self.servers.len() == 1 => self.servers[0].restart().await,
            Fault::Stepdown => {
                let context = stranger(&self.servers[0]).await;
                api(&context, "STREAM.LEADER.STEPDOWN.LEDGER-00".to_owned(), &json!({})).await;
            }
            Fault::Full => {
                let bytes = self.info().await["state"]["bytes"].as_i64().expect("the server says it");
                self.set_max_bytes(bytes + 1).await;
            }
        }
    }

    async fn heal(&mut self, fault: Fault) {
        match fault {
            Fault::Line => self.line.mend(),
            Fault::Servers => {
                self.victims().iter_mut().for_each(NatsServer::spawn);
                for server in &mut self.servers {
                    server.until_healthy().await.expect("it comes back");
                }
            }
            Fault::Stepdown => {}
            Fault::Full => self.set_max_bytes(-1).await,
        }
    }
}
