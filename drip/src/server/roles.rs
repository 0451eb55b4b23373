//! The roles as supervised tasks, and `drip run`, which runs one of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use command_api::SnapshotConfig;
use command_api::desk::Desk;
use command_api::edge::auth::Keyring;
use command_api::edge::{EdgeState, http, nats};
use event_log::EventLog;
use projector::{Positions, ViewStore, Views};
use service_kit::{StopReason, Supervisor};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::args::EngineArgs;
use super::config::{self, Config};
use super::engines;

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
    },
    /// Keep the views up to the log.
    Projector {
        #[command(flatten)]
        engines: EngineArgs,
    },
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
            Role::CommandApi { engines, http, writers } => {
                let config = load(&engines)?;
                let listener = bind(http.http).await?;
                let opened = open(&engines).await?;
                let (log, views) = opened.clone();
                let place = writers.snapshots(&engines);
                let views = Views::new(views, None);
                command_api(&supervisor, &engines, &config, place, listener, log, views).await?;
                opened
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

/// Writers, HTTP, and NATS where the log is there.
pub(crate) async fn command_api(
    supervisor: &Supervisor,
    engines: &EngineArgs,
    config: &Config,
    snapshots: Option<SnapshotConfig>,
    listener: TcpListener,
    log: Arc<dyn EventLog>,
    views: Views,
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
        house: Arc::default(),
    };
    if let Some(client) = client {
        supervisor.spawn("nats", nats::serve(client, state.clone(), supervisor.token()));
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
