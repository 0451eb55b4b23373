//! The roles as supervised tasks, and `drip run`, which runs one of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use command_api::SnapshotConfig;
use command_api::checkouts;
use command_api::desk::Desk;
use command_api::edge::auth::Keyring;
use command_api::edge::{EdgeState, House, http, nats};
use event_log::EventLog;
use projector::{Positions, ViewStore, Views};
use service_kit::{StopReason, Supervisor};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::args::EngineArgs;
use super::config::{self, Config};
use super::engines;
use super::house::{self, SecretArgs};
use super::outside::{Outside, OutsideArgs};
use super::workers::{self, WorkerArgs};

/// How long a stop may take.
const GRACE: Duration = Duration::from_secs(10);
/// How long log and views may take to be closed behind it.
const CLOSING: Duration = Duration::from_secs(5);

/// Run one role, for a container of its own. Create what it needs with `drip init` first.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, clap::Subcommand)]
enum Role {
    /// Decide commands, and answer over HTTP and NATS. One process at a time: the newest takes over.
    CommandApi {
        #[command(flatten)]
        engines: EngineArgs,
        #[command(flatten)]
        http: HttpArgs,
        #[command(flatten)]
        writers: WriterArgs,
        #[command(flatten)]
        secrets: Box<SecretArgs>,
        #[command(flatten)]
        outside: Box<OutsideArgs>,
    },
    /// Keep the views up to the log.
    Projector {
        #[command(flatten)]
        engines: EngineArgs,
    },
    /// Make containers, put them to sleep and wake them; look whether the wallet holds what users hold. Several may run.
    LifecycleWorker(Box<WorkerRole>),
    /// Write mails to users. Several may run.
    Notifier(Box<WorkerRole>),
}

/// A worker in a process of its own.
#[derive(Debug, clap::Args)]
struct WorkerRole {
    #[command(flatten)]
    engines: EngineArgs,
    #[command(flatten)]
    secrets: SecretArgs,
    #[command(flatten)]
    outside: OutsideArgs,
    #[command(flatten)]
    workers: WorkerArgs,
    /// Where Drip is asked.
    #[arg(long, env = "DRIP_URL", default_value = "http://127.0.0.1:8377", value_name = "URL")]
    url: String,
}

/// Where HTTP is served.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct HttpArgs {
    /// The address to serve HTTP on.
    #[arg(long, env = "DRIP_HTTP", default_value = "127.0.0.1:8377", value_name = "ADDR")]
    pub(crate) http: SocketAddr,
}

/// How the writers work.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WriterArgs {
    /// After how many bytes of commits a partition's state is written to DIR/snapshots, so that a start replays only
    /// what came later. Large states wait for more; a stop in order writes one too. 0: none are written or read.
    #[arg(long, env = "DRIP_SNAPSHOT_AFTER", default_value_t = 64 << 20, value_name = "BYTES")]
    pub(crate) snapshot_after: u64,
}

impl WriterArgs {
    /// Where snapshots are kept, if they are wanted.
    pub(crate) fn snapshots(&self, engines: &EngineArgs) -> Option<SnapshotConfig> {
        let folder = engines.data_dir.join("snapshots");
        (self.snapshot_after > 0).then_some(SnapshotConfig { folder, after: self.snapshot_after })
    }
}

impl Run {
    pub(crate) async fn run(self) -> Result<()> {
        let supervisor = supervisor();
        let opened = match self.role {
            Role::CommandApi { engines, http, writers, secrets, outside } => {
                let config = load(&engines)?;
                let house = house_alone(&engines, &secrets, &outside)?;
                let listener = bind(http.http).await?;
                let opened = open(&engines).await?;
                let (log, views) = opened.clone();
                let place = writers.snapshots(&engines);
                let views = Views::new(views, None);
                command_api(&supervisor, &engines, &config, place, listener, log, views, house).await?;
                opened
            }
            Role::LifecycleWorker(role) => {
                let (place, outside) = role.place().await?;
                role.workers.lifecycle(&supervisor, &place, &outside);
                return Ok(supervisor.run_until_stopped().await?);
            }
            Role::Notifier(role) => {
                let (place, outside) = role.place().await?;
                role.workers.notifier(&supervisor, &place, &outside)?;
                return Ok(supervisor.run_until_stopped().await?);
            }
            Role::Projector { engines } => {
                let opened = open(&engines).await?;
                let (log, views) = opened.clone();
                project(&supervisor, log, views);
                opened
            }
        };
        Ok(run_until_stopped(supervisor, opened).await?)
    }
}

impl WorkerRole {
    async fn place(&self) -> Result<(workers::Place, Outside)> {
        let outside = self.outside.connect()?;
        let key = self.secrets.worker_key()?;
        let key =
            key.context("there is no DRIP_WORKER_KEY: set the one that the command-api was started with")?;
        let client = workers::client(&self.url, key)?;
        let log = engines::open_log(&self.engines).await?;
        // Mails call an app by its id where there is no configuration to say otherwise.
        let app_names = load(&self.engines).map(|config| config.app_names).unwrap_or_default();
        let scale = self.outside.sandbox_scale;
        Ok((workers::Place { client, log, app_names, scale }, outside))
    }
}

/// What a command-api by itself takes in money with, and who works for it.
fn house_alone(engines: &EngineArgs, secrets: &SecretArgs, outside: &OutsideArgs) -> Result<House> {
    let public_url = secrets.public_url();
    let outside = if outside.has_keys() { Some(outside.connect()?) } else { None };
    Ok(House {
        vault: secrets.vault(&engines.data_dir)?,
        worker_key: secrets.worker_key()?.map(|key| house::hash(&key)),
        checkouts: outside.map(|outside| outside.checkouts(public_url.as_deref())),
        public_url,
    })
}

fn load(engines: &EngineArgs) -> Result<Config> {
    config::load(&engines.data_dir, engines.config.clone())
}

/// Opens both engines, and refuses a log that is not what the views were folded from.
pub(crate) async fn open(engines: &EngineArgs) -> Result<Opened> {
    let log = engines::open_log(engines).await?;
    let views = engines::open_views(engines).await?;
    engines::check(&*log, &*views).await?;
    Ok((log, views))
}

/// Takes the address, before anything else is touched.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener> {
    let refused = || format!("can not listen on {address}: stop what uses it or choose another --http");
    TcpListener::bind(address).await.with_context(refused)
}

/// Writers, HTTP, checkout sessions, and NATS where the log is there.
#[expect(clippy::too_many_arguments, reason = "each is one thing that the composition hands in")]
pub(crate) async fn command_api(
    supervisor: &Supervisor,
    engines: &EngineArgs,
    config: &Config,
    snapshots: Option<SnapshotConfig>,
    listener: TcpListener,
    log: Arc<dyn EventLog>,
    views: Views,
    house: House,
) -> Result<Desk> {
    let keyring = Keyring::new(&config.api_keys)?;
    let apps = config.apps.iter().map(|(app, policy)| (app.clone(), *policy)).collect();
    let asked = Arc::clone(&log);
    // All that can fail comes before the writers, which fence those of another process: who can not serve must not
    // stop who does.
    let client = match engines.jetstream() {
        // A connection of its own: a caller chooses where its answer goes, and the log's connection may publish to the log.
        Some(options) => Some(event_log::connect(&options, "drip-commands").await?),
        None => None,
    };
    let desk = command_api::writers::start(log, apps, snapshots.as_ref(), supervisor).await?;
    let state = EdgeState {
        desk: desk.clone(),
        views,
        log: asked,
        keyring: Arc::new(keyring),
        house: Arc::new(house),
    };
    if let Some(client) = client {
        supervisor.spawn("nats", nats::serve(client, state.clone(), supervisor.token()));
    }
    if state.house.checkouts.is_some() {
        supervisor.spawn("checkouts", checkouts::poll(state.clone(), supervisor.token()));
    }
    supervisor.spawn("http", http::serve(listener, state, supervisor.token()));
    Ok(desk)
}

/// The projector; how far it is.
pub(crate) fn project(
    supervisor: &Supervisor,
    log: Arc<dyn EventLog>,
    views: Arc<dyn ViewStore>,
) -> watch::Receiver<Positions> {
    let (positions, seen) = watch::channel(Positions::default());
    let config = engines::projector_config(&*log);
    supervisor.spawn("projector", projector::run(config, log, views, supervisor.token(), positions));
    seen
}

/// What a role has opened.
pub(crate) type Opened = (Arc<dyn EventLog>, Arc<dyn ViewStore>);

/// Runs the tasks to their end, and leaves log and views in order behind them.
pub(crate) async fn run_until_stopped(
    supervisor: Supervisor,
    (log, views): Opened,
) -> Result<(), StopReason> {
    let stopped = supervisor.run_until_stopped().await;
    let closing = async { tokio::join!(log.close(), views.close()) };
    if tokio::time::timeout(CLOSING, closing).await.is_err() {
        tracing::warn!("log and views are still in use: their files are put in order by the next start");
    }
    stopped
}

/// A supervisor with the grace time of all roles.
pub(crate) fn supervisor() -> Supervisor {
    Supervisor::new(GRACE)
}
