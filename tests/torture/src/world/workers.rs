//! Workers as processes of their own, and the sandbox that stands in for the providers they work with. Its record says
//! what was really done.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;
use test_servers::free_port;

use super::proxy::Proxy;
use super::role::Role;
use super::start::Setup;
use super::{HEAL_BOUND, NamedWire, World};

/// A minute of the sandbox passes in a second, and so it is with the delays of workers: a minute of torture sees dozens
/// of containers come and go.
pub(super) const FAST: [&str; 2] = ["--sandbox-scale", "60"];
/// How the wires to whoever is the owner just now are called.
pub(super) const TO_OWNER: &str = " to the owner";
/// What the processes of a world know each other by.
const WORKER_KEY: &str = "a key that is long enough for workers";
/// Where the embedded Drip tells of its sandbox.
const SANDBOX_IS_AT: &str = "those of a sandbox, ";

/// The sandbox as a process of its own.
pub(crate) struct Sandbox {
    pub(super) role: Role,
    control: String,
}

/// What the roles are told of the world outside.
pub(super) struct Outside {
    flags: Vec<String>,
    /// By which the sandbox reaches the owner.
    webhooks: Proxy,
    owner: u16,
}

impl Outside {
    /// Prepares the sandbox, before anybody can be told of it. `owner`: the port of the first owner.
    pub(super) async fn before(world: &mut World, owner: u16) -> Result<Self> {
        let [listen, control] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        let flags = flags(&listen);
        let role = Role::new("sandbox", arguments(&listen, &control, world.folder()), None);
        world.sandbox = Some(Sandbox { role, control: format!("http://{control}") });
        Ok(Self { flags, webhooks: Proxy::to(owner).await?, owner })
    }

    /// The flags of an owner.
    pub(super) fn of_an_owner(&self) -> Vec<String> {
        let url = format!("http://127.0.0.1:{}", self.webhooks.port());
        [&self.flags[..], &["--public-url".to_owned(), url]].concat()
    }
}

impl Setup {
    /// Prepares two of each worker. They are led to whoever is the owner, by one address, as it would be for real.
    pub(super) async fn workers(&self, world: &mut World, outside: Outside) -> Result<()> {
        for number in 1..=2 {
            let lifecycle = self.worker(world, "lifecycle-worker", number, &outside).await?;
            world.lifecycle.push(lifecycle);
            let notifier = self.worker(world, "notifier", number, &outside).await?;
            world.notifiers.push(notifier);
        }
        world.wires.push(to_owner("sandbox", outside.webhooks));
        Ok(())
    }

    async fn worker(&self, world: &mut World, role: &str, number: usize, outside: &Outside) -> Result<Role> {
        let proxy = Proxy::to(outside.owner).await?;
        let url = format!("http://127.0.0.1:{}", proxy.port());
        let own = [&outside.flags[..], &["--url".to_owned(), url]].concat();
        let worker = self.role(world, role, number, &own).await?;
        world.wires.push(to_owner(worker.name(), proxy));
        Ok(worker)
    }
}

impl World {
    /// All that took effect at the providers, as the sandbox tells it.
    pub(crate) async fn record(&self) -> Result<Value> {
        let control = self.control().await?;
        let answer = self.http.get(format!("{control}/record")).send().await.context("no sandbox answers")?;
        answer.json().await.context("the sandbox tells no record")
    }

    /// Where the sandbox takes orders, and tells what was done.
    pub(crate) async fn control(&self) -> Result<String> {
        match &self.sandbox {
            Some(sandbox) => Ok(sandbox.control.clone()),
            None => last_told(&self.active().output().await).context("the embedded Drip told of no sandbox"),
        }
    }

    /// Those who act outside end in order, and start again; the embedded Drip with all that it has.
    pub(crate) async fn restart_workers(&self) -> Result<()> {
        let alone = self.sandbox.is_none().then(|| self.active());
        for role in self.workers().chain(alone) {
            role.stop().await;
            role.start().await?;
        }
        self.active().until_ready(&self.http, HEAL_BOUND).await
    }
}

/// Where the sandbox is by the newest start: its address may be another one than before.
fn last_told(output: &str) -> Option<String> {
    let (_, told) = output.rsplit_once(SANDBOX_IS_AT)?;
    told.lines().next().map(|url| url.trim().trim_end_matches('/').to_owned())
}

fn to_owner(from: &str, proxy: Proxy) -> NamedWire {
    NamedWire { name: format!("{from}{TO_OWNER}"), proxies: vec![proxy] }
}

/// With a file, so that it may be killed too: nobody was told of anything that is not in it.
fn arguments(listen: &str, control: &str, folder: &Path) -> Vec<String> {
    let file = folder.join("sandbox.json").display().to_string();
    let scale = FAST[1];
    ["sandbox", "--listen", listen, "--control", control, "--scale", scale, "--state-file", &file]
        .map(str::to_owned)
        .to_vec()
}

/// How the providers are reached, and the workers' key.
fn flags(listen: &str) -> Vec<String> {
    let [pay, build, mail] = ["api", "v1", "v0"].map(|path| format!("http://{listen}/{path}"));
    let flags = [
        ("--worker-key", WORKER_KEY),
        ("--locus-api-key", "claw_dev_sandbox"),
        ("--locus-pay-url", &pay),
        ("--locus-build-url", &build),
        ("--agentmail-api-key", "am_sandbox"),
        ("--agentmail-url", &mail),
        ("--agentmail-inbox", "drip@agentmail.to"),
        (FAST[0], FAST[1]),
    ];
    flags.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_owned()]).collect()
}
