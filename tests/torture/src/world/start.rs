//! Starting a world.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;

use anyhow::{Context as _, Result};
use test_servers::{End, NatsServer, Postgres, Process, free_port};

use super::proxy::Proxy;
use super::role::Role;
use super::workers::{FAST, Outside};
use super::{Addresses, HEAL_BOUND, NamedWire, World, program};
use crate::plan::{Engines, Plan};

/// What a world should be like.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Where log and views are kept.
    pub(crate) engines: Engines,
    /// Where the nats-servers keep their streams, one each, or where the embedded Drip keeps everything; folders of
    /// the world's own where there is none.
    pub(crate) disks: Vec<PathBuf>,
    /// Acknowledged means on the disk. Without it the log's servers keep their own default, and Drip does not ask.
    pub(crate) durable: bool,
    /// The bug on purpose that Drip's processes have.
    pub(crate) planted: Option<&'static str>,
    /// There are workers and a sandbox.
    pub(crate) workers: bool,
}

impl Setup {
    /// The usual world, without workers.
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            engines: plan.engines,
            disks: Vec::new(),
            durable: true,
            planted: plan.planted,
            workers: false,
        }
    }

    /// Starts it, and waits until commands are taken.
    pub(crate) async fn start(self) -> Result<World> {
        let world = match self.engines {
            Engines::Embedded => self.embedded()?,
            Engines::R1 | Engines::R3 => self.on_servers().await?,
        };
        for role in world.usual_roles() {
            role.start().await?;
        }
        world.active().until_ready(&world.http, HEAL_BOUND).await?;
        match self.engines {
            Engines::Embedded => world.with_key_of_the_data_folder(),
            Engines::R1 | Engines::R3 => Ok(world),
        }
    }

    fn embedded(&self) -> Result<World> {
        let mut world = World::bare(self)?;
        let data = self.disks.first().map_or_else(|| world.folder().join("data"), |disk| disk.join("data"));
        world.flags = vec!["--data-dir".to_owned(), data.display().to_string()];
        let mut arguments = [&["up".to_owned()][..], &snapshots(), &world.flags].concat();
        arguments.extend(FAST.map(str::to_owned).into_iter().filter(|_| self.workers));
        world.apis.push(Role::new("drip up", arguments, Some(free_port())).planted(self.planted));
        Ok(world)
    }

    async fn on_servers(&self) -> Result<World> {
        let mut world = World::bare(self)?;
        let mut builder = NatsServer::builder();
        for index in 0..self.engines.servers() {
            let own = world.folder().join(format!("nats-{index}"));
            builder = builder.store_dir(self.disks.get(index).unwrap_or(&own));
        }
        let builder = if self.durable { builder } else { builder.default_sync() };
        let (nats, postgres) = tokio::join!(builder.start_cluster(self.engines.servers()), Postgres::start());
        world.addresses = Addresses {
            nats: nats.iter().map(NatsServer::url).collect(),
            monitors: nats.iter().map(NatsServer::monitor_url).collect(),
            names: nats.iter().map(NatsServer::name).collect(),
            database: Some(postgres.url()),
        };
        world.nats = nats.into_iter().map(Into::into).collect();
        world.postgres = Some(postgres.into());
        self.roles(&mut world).await?;
        Ok(world)
    }

    /// Creates the log and the views, and prepares two of each role.
    async fn roles(&self, world: &mut World) -> Result<()> {
        let first = World::data_dir(world.folder(), "command-api 1");
        let direct = self.flags(&first, world.addresses());
        let (partitions, replicas) = (self.engines.partitions(), self.engines.servers());
        let create = [
            "--partitions".to_owned(),
            partitions.to_string(),
            "--replicas".to_owned(),
            replicas.to_string(),
        ];
        program::run(&[&["init".to_owned()][..], &direct, &create].concat()).await?;
        world.flags = direct;
        let ports = [free_port(), free_port()];
        let outside = if self.workers { Some(Outside::before(world, ports[0]).await?) } else { None };
        for (number, port) in (1..).zip(ports) {
            let house = outside.as_ref().map(Outside::of_an_owner).unwrap_or_default();
            let own = [&snapshots()[..], &house].concat();
            let role = self.role(world, "command-api", number, &own).await?;
            world.apis.push(role.with_http(port));
            let role = self.role(world, "projector", number, &[]).await?;
            world.projectors.push(role);
        }
        if let Some(outside) = outside {
            self.workers(world, outside).await?;
        }
        world.key = read_key(&first)?;
        Ok(())
    }

    /// One role with a data folder of its own, behind wires of its own, and with flags of its own.
    pub(super) async fn role(
        &self,
        world: &mut World,
        role: &str,
        number: usize,
        own: &[String],
    ) -> Result<Role> {
        let name = format!("{role} {number}");
        let data = World::data_dir(world.folder(), &name);
        let first = World::data_dir(world.folder(), "command-api 1");
        if data != first {
            std::fs::create_dir(&data)?;
            for file in ["drip.toml", "dev.key", "secret.key"] {
                std::fs::copy(first.join(file), data.join(file))?;
            }
        }
        let mut addresses = world.addresses().clone();
        let mut to_nats = NamedWire { name: format!("{name} to NATS"), proxies: Vec::new() };
        for url in &mut addresses.nats {
            to_nats.proxies.push(insert_proxy(url).await?);
        }
        world.wires.push(to_nats);
        // Workers know nothing of the views.
        addresses.database = addresses.database.filter(|_| matches!(role, "command-api" | "projector"));
        if let Some(url) = &mut addresses.database {
            let proxies = vec![insert_proxy(url).await?];
            world.wires.push(NamedWire { name: format!("{name} to Postgres"), proxies });
        }
        let run = ["run".to_owned(), role.to_owned()];
        let arguments = [&run[..], own, &self.flags(&data, &addresses)].concat();
        Ok(Role::new(name, arguments, None).planted(self.planted))
    }

    fn flags(&self, data: &Path, addresses: &Addresses) -> Vec<String> {
        let mut flags = vec!["--data-dir".to_owned(), data.display().to_string()];
        flags.extend(["--nats".to_owned(), addresses.nats.join(",")]);
        flags.extend(["--nats-monitor".to_owned(), addresses.monitors.join(",")]);
        flags.extend(addresses.database.iter().flat_map(|url| ["--database-url".to_owned(), url.clone()]));
        if !self.durable {
            flags.push("--allow-unsafe-durability".to_owned());
        }
        flags
    }
}

impl World {
    fn bare(setup: &Setup) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build()?;
        Ok(Self {
            engines: setup.engines,
            apis: Vec::new(),
            projectors: Vec::new(),
            lifecycle: Vec::new(),
            notifiers: Vec::new(),
            sandbox: None,
            has_workers: setup.workers,
            nats: Vec::new(),
            postgres: None,
            wires: Vec::new(),
            http,
            flags: Vec::new(),
            addresses: Addresses::default(),
            active: AtomicUsize::new(0),
            key: String::new(),
            scratch: Process::new("torture", End::Kill, &std::env::temp_dir()),
        })
    }

    /// The embedded Drip has made its key by the time it is ready.
    fn with_key_of_the_data_folder(mut self) -> Result<Self> {
        let data = self.flags.last().cloned().unwrap_or_default();
        self.key = read_key(Path::new(&data))?;
        Ok(self)
    }
}

/// Puts a proxy between: the address becomes the proxy's.
async fn insert_proxy(url: &mut String) -> Result<Proxy> {
    let parsed = reqwest::Url::parse(url).with_context(|| format!("{url} is no address"))?;
    let port = parsed.port().with_context(|| format!("{url} names no port"))?;
    let proxy = Proxy::to(port).await?;
    *url = url.replacen(&format!(":{port}"), &format!(":{}", proxy.port()), 1);
    Ok(proxy)
}

fn read_key(data: &Path) -> Result<String> {
    let file = data.join("dev.key");
    let key =
        std::fs::read_to_string(&file).with_context(|| format!("{} can not be read", file.display()))?;
    Ok(key.trim().to_owned())
}

/// So often that kills and power cuts meet half of one, and every start goes on from an older one.
fn snapshots() -> [String; 2] {
    ["--snapshot-after", "30000"].map(str::to_owned)
}
