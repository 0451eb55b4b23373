//! The processes, and the wires between them.

pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod role;
mod start;
pub(crate) mod workers;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use test_servers::{NatsServer, Postgres, Process};
use tokio::sync::Mutex;

use crate::plan::Engines;
use proxy::{Proxy, Wire};
use role::Role;
use workers::Sandbox;

pub(crate) use start::Setup;

/// How long anything may take to work again after it was healed.
pub(crate) const HEAL_BOUND: Duration = Duration::from_secs(60);

/// Everything that runs.
pub(crate) struct World {
    /// Where log and views are kept.
    pub(crate) engines: Engines,
    /// Owners, of which one is asked; the embedded Drip is the only one of its kind.
    pub(crate) apis: Vec<Role>,
    /// Any number may run.
    pub(crate) projectors: Vec<Role>,
    /// The same; the embedded Drip has its own.
    pub(crate) lifecycle: Vec<Role>,
    /// The same.
    pub(crate) notifiers: Vec<Role>,
    /// Stands in for the providers; the embedded Drip has its own.
    pub(crate) sandbox: Option<Sandbox>,
    /// Workers look after containers and mails, and what they did is judged.
    pub(crate) has_workers: bool,
    /// The servers of the log.
    pub(crate) nats: Vec<Mutex<NatsServer>>,
    /// The server of the views.
    pub(crate) postgres: Option<Mutex<Postgres>>,
    /// From roles to servers.
    pub(crate) wires: Vec<NamedWire>,
    /// For questions of the harness itself.
    pub(crate) http: reqwest::Client,
    /// Flags that say where log and views are, past all proxies.
    pub(crate) flags: Vec<String>,
    addresses: Addresses,
    active: AtomicUsize,
    key: String,
    /// Removed with its content when this process ends, however that happens.
    scratch: Process,
}

/// A wire and what it connects.
pub(crate) struct NamedWire {
    /// "command-api 1 to NATS".
    pub(crate) name: String,
    /// One for each server at its far end.
    pub(crate) proxies: Vec<Proxy>,
}

/// Where the servers are, without a proxy between.
#[derive(Debug, Default, Clone)]
pub(crate) struct Addresses {
    /// One a nats-server.
    pub(crate) nats: Vec<String>,
    /// One a nats-server.
    pub(crate) monitors: Vec<String>,
    /// The names by which the nats-servers know each other.
    pub(crate) names: Vec<String>,
    /// The database of the views.
    pub(crate) database: Option<String>,
}

impl NamedWire {
    /// Makes it so.
    pub(crate) fn set(&self, wire: Wire) {
        self.proxies.iter().for_each(|proxy| proxy.set(wire));
    }
}

impl World {
    /// The owner that clients ask.
    pub(crate) fn active(&self) -> &Role {
        &self.apis[self.active.load(Ordering::Relaxed)]
    }

    /// The other one, if there are two.
    pub(crate) fn standby(&self) -> Option<&Role> {
        self.apis.get(1 - self.active.load(Ordering::Relaxed))
    }

    /// From now on clients ask the other one.
    pub(crate) fn swap(&self) {
        self.active.fetch_xor(1, Ordering::Relaxed);
        let port = self.active().port();
        let to_owner = self.wires.iter().filter(|wire| wire.name.ends_with(workers::TO_OWNER));
        to_owner.flat_map(|wire| &wire.proxies).for_each(|proxy| proxy.lead_to(port));
    }

    /// The key of the app `demo`.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Where the servers are.
    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// A folder that is gone with this world.
    pub(crate) fn folder(&self) -> &Path {
        self.scratch.folder()
    }

    /// Every process of Drip.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &Role> {
        self.apis.iter().chain(&self.projectors).chain(self.workers()).chain(self.sandbox())
    }

    /// Those who act outside, where they are processes of their own.
    pub(crate) fn workers(&self) -> impl Iterator<Item = &Role> {
        self.lifecycle.iter().chain(&self.notifiers)
    }

    /// The process that stands in for the providers.
    pub(crate) fn sandbox(&self) -> Option<&Role> {
        self.sandbox.as_ref().map(|sandbox| &sandbox.role)
    }

    /// All but the second owner.
    pub(crate) fn usual_roles(&self) -> impl Iterator<Item = &Role> {
        let active = std::iter::once(self.active());
        self.sandbox().into_iter().chain(active).chain(&self.projectors).chain(self.workers())
    }

    /// Starts again what ended by itself, for ever. Error: a process can not be started.
    pub(crate) async fn keep(&self) -> Result<()> {
        loop {
            for role in self.roles() {
                role.keep().await?;
            }
            tick().await;
        }
    }

    /// A connection to the log's servers past all proxies.
    pub(crate) async fn connect(&self) -> Result<async_nats::Client> {
        let servers: Vec<async_nats::ServerAddr> =
            self.addresses.nats.iter().map(|url| url.parse()).collect::<Result<_, _>>()?;
        let options = async_nats::ConnectOptions::new().retry_on_initial_connect().name("torture");
        options.connect(servers).await.context("NATS can not be reached")
    }

    /// What the monitoring address of some server that answers says.
    async fn monitor(&self, path: &str) -> Option<Value> {
        for url in &self.addresses.monitors {
            let request = self.http.get(format!("{url}{path}")).timeout(Duration::from_secs(1));
            if let Ok(answer) = request.send().await
                && let Ok(answer) = answer.json().await
            {
                return Some(answer);
            }
        }
        None
    }

    /// Which server leads the stream of a partition.
    pub(crate) async fn stream_leader(&self, partition: u16) -> Option<usize> {
        let state = self.monitor("/jsz?accounts=true&streams=true").await?;
        let stream = format!("LEDGER-{partition:02}");
        let streams =
            state["account_details"].as_array()?.iter().filter_map(|one| one["stream_detail"].as_array());
        let found = streams.flatten().find(|one| one["name"] == stream.as_str())?;
        self.server_named(found["cluster"]["leader"].as_str()?)
    }

    /// Which server leads the cluster itself.
    pub(crate) async fn meta_leader(&self) -> Option<usize> {
        let state = self.monitor("/jsz").await?;
        self.server_named(state["meta_cluster"]["leader"].as_str()?)
    }

    fn server_named(&self, name: &str) -> Option<usize> {
        self.addresses.names.iter().position(|known| known == name)
    }

    /// Starts everything that should run and waits until commands are taken and the servers are well.
    pub(crate) async fn heal(&self) -> Result<()> {
        self.wires.iter().for_each(|wire| wire.set(Wire::Good));
        for server in &self.nats {
            let mut server = server.lock().await;
            if !server.runs() {
                server.spawn();
            } else {
                server.resume();
            }
        }
        for server in &self.nats {
            server.lock().await.until_healthy().await.map_err(anyhow::Error::msg)?;
        }
        if let Some(postgres) = &self.postgres {
            let mut postgres = postgres.lock().await;
            match postgres.runs() {
                true => postgres.resume(),
                false => postgres.restart().await,
            }
        }
        for role in self.usual_roles() {
            role.resume().await;
            role.start().await?;
        }
        self.active().until_ready(&self.http, HEAL_BOUND).await
    }

    /// Waits until the views hold everything that the log holds now. Error: they do not come to it in time.
    pub(crate) async fn until_quiet(&self, heads: &[(u16, u64)]) -> Result<Duration> {
        let begin = Instant::now();
        for (partition, head) in heads {
            let url = format!("{}/v1/users?limit=1&wait_for={partition}-{head}-0", self.active().url());
            loop {
                let request = self.http.get(&url).bearer_auth(&self.key).timeout(Duration::from_secs(12));
                match request.send().await {
                    Ok(answer) if answer.status() == 200 => break,
                    answer if begin.elapsed() > HEAL_BOUND => {
                        bail!("the views do not come to {partition}-{head} in {HEAL_BOUND:?}: {answer:?}")
                    }
                    _ => tick().await,
                }
            }
        }
        Ok(begin.elapsed())
    }

    /// A question to the owner.
    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(format!("{}{path}", self.active().url())).bearer_auth(&self.key)
    }

    /// An order to the owner.
    pub(crate) fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(format!("{}{path}", self.active().url())).bearer_auth(&self.key)
    }

    /// How long a small durable write takes here: when nothing goes on, the disk may be the reason.
    pub(crate) async fn time_a_write(&self) -> Result<Duration> {
        let (begin, file) = (Instant::now(), tokio::fs::File::create(self.folder().join("write")).await?);
        file.set_len(4_096).await?;
        file.sync_all().await?;
        Ok(begin.elapsed())
    }

    /// Leaves the logs of all processes and everything in the folder for a look.
    pub(crate) async fn leave(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        for role in self.roles() {
            role.keep_output(folder).await?;
        }
        for (index, server) in self.nats.iter().enumerate() {
            std::fs::write(folder.join(format!("nats-{index}.log")), server.lock().await.output())?;
        }
        let mut copy = tokio::process::Command::new("cp");
        copy.arg("-r").arg(self.folder()).arg(folder.join("data"));
        match copy.status().await?.success() {
            true => Ok(()),
            false => bail!("{} could not be copied to {}", self.folder().display(), folder.display()),
        }
    }

    fn data_dir(folder: &Path, role: &str) -> PathBuf {
        folder.join(format!("data-{}", role.replace(' ', "-")))
    }
}

/// The pause between two looks at a condition.
pub(crate) async fn tick() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// Looks until there is something to see, or the time is over.
pub(crate) async fn until<T>(bound: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let begin = Instant::now();
    loop {
        let seen = look().await;
        if seen.is_some() || begin.elapsed() > bound {
            return seen;
        }
        tick().await;
    }
}
