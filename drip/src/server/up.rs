//! `drip up`: every role in one process.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use command_api::desk::Desk;
use command_api::edge::House;
use command_api::edge::auth::{ApiKeyConfig, Keyring};
use ledger_core::AppId;
use projector::Views;
use service_kit::Supervisor;

use super::args::{CreateArgs, EngineArgs};
use super::config::{self, Config, dev_key_file};
use super::engines;
use super::house::{self, SecretArgs};
use super::outside::{Outside, OutsideArgs, SandboxSeen};
use super::roles::{self, HttpArgs, Opened, WriterArgs};
use super::workers::{self, WorkerArgs};

/// Start Drip: every role in this process, on the embedded engines unless told otherwise.
#[derive(Debug, clap::Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) engines: EngineArgs,
    #[command(flatten)]
    create: CreateArgs,
    #[command(flatten)]
    http: HttpArgs,
    #[command(flatten)]
    writers: WriterArgs,
    #[command(flatten)]
    secrets: SecretArgs,
    #[command(flatten)]
    outside: OutsideArgs,
    #[command(flatten)]
    workers: WorkerArgs,
    /// Nobody looks after containers and mails.
    #[arg(long, hide = true)]
    without_workers: bool,
}

/// A Drip that runs in this process.
pub(crate) struct Started {
    /// Where HTTP is served.
    pub(crate) address: SocketAddr,
    /// Who takes commands, once the log is replayed.
    pub(crate) desk: Desk,
    /// Runs all tasks, and stops them.
    pub(crate) supervisor: Supervisor,
    /// To be closed behind the tasks: see [`roles::run_until_stopped`].
    pub(crate) opened: Opened,
    /// The sandbox of the outside services, where there are no keys for them.
    pub(crate) sandbox: Option<SandboxSeen>,
    config: Config,
}

impl Up {
    pub(crate) async fn run(self) -> Result<()> {
        let Started { address, desk, supervisor, opened, sandbox, config } = self.start().await?;
        let greeting = greeting(&self.engines, &config, address, sandbox.as_ref());
        supervisor.spawn_job("greeting", greet(desk, greeting));
        Ok(roles::run_until_stopped(supervisor, opened).await?)
    }

    /// Starts every role. Commands are taken when the desk is ready.
    pub(crate) async fn start(&self) -> Result<Started> {
        let listener = roles::bind(self.http.http).await?;
        let address = listener.local_addr()?;
        engines::create(&self.engines, &self.create).await?;
        let config = config::load_or_create(&self.engines.data_dir, self.engines.config.clone())?;
        let opened = roles::open(&self.engines).await?;
        let (log, store) = opened.clone();
        self.secrets.create(&self.engines.data_dir, &*log).await?;
        let supervisor = roles::supervisor();
        let outside = self.outside(address, &supervisor).await?;
        let worker_key = house::draw_worker_key();
        let house = self.house(address, &outside, &worker_key)?;
        let followed = engines::open_log_to_follow(&self.engines, &log).await?;
        let positions = roles::project(&supervisor, followed, store.clone());
        let views = Views::new(store, Some(positions));
        let place = self.writers.snapshots(&self.engines);
        let signals = engines::open_log_to_follow(&self.engines, &log).await?;
        let desk =
            roles::command_api(&supervisor, &self.engines, &config, place, listener, log, views, house);
        let desk = desk.await?;
        let place = workers::Place {
            client: workers::client(&format!("http://{}", local(address)), worker_key)?,
            log: signals,
            app_names: config.app_names.clone(),
            scale: self.outside.sandbox_scale,
        };
        if !self.without_workers {
            self.workers.lifecycle(&supervisor, &place, &outside);
            self.workers.notifier(&supervisor, &place, &outside)?;
        }
        Ok(Started { address, desk, supervisor, opened, sandbox: outside.sandbox, config })
    }
}

impl Up {
    /// The services outside: those that there are keys for, else a sandbox.
    async fn outside(&self, address: SocketAddr, supervisor: &Supervisor) -> Result<Outside> {
        match self.outside.has_keys() {
            true => self.outside.connect(),
            false => self.outside.sandbox(&self.engines.data_dir, local(address), supervisor).await,
        }
    }

    fn house(&self, address: SocketAddr, outside: &Outside, worker_key: &str) -> Result<House> {
        // Only a sandbox on this machine reaches an address of this machine.
        let here = outside.sandbox.as_ref().map(|_| format!("http://{}", local(address)));
        let public_url = self.secrets.public_url().or(here);
        Ok(House {
            vault: self.secrets.vault(&self.engines.data_dir)?,
            worker_key: Some(house::hash(worker_key)),
            checkouts: Some(outside.checkouts(public_url.as_deref())),
            public_url,
        })
    }
}

/// How this process reaches itself, whatever it listens on.
fn local(address: SocketAddr) -> SocketAddr {
    match address.ip().is_unspecified() {
        true => SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, address.port())),
        false => address,
    }
}

/// Says where everything is, as soon as commands are taken.
async fn greet(desk: Desk, greeting: String) -> Result<(), std::convert::Infallible> {
    if desk.ready().await.is_ok() {
        anstream::eprintln!("{greeting}");
    }
    Ok(())
}

fn greeting(
    engines: &EngineArgs,
    config: &Config,
    address: SocketAddr,
    sandbox: Option<&SandboxSeen>,
) -> String {
    let dir = std::path::absolute(&engines.data_dir).unwrap_or_else(|_| engines.data_dir.clone());
    let log =
        engines.nats.as_deref().map_or_else(|| shown(&dir.join("log.db")), |_| "NATS JetStream".to_owned());
    let views = engines
        .database_url
        .as_deref()
        .map_or_else(|| shown(&dir.join("views.db")), |_| "Postgres".to_owned());
    let mut text = format!(
        "Drip is up\n  http   http://{address}   (--http)\n  data   {}   (--data-dir)\n",
        dir.display()
    );
    text += &format!(
        "  log    {log}\n  views  {views}\n  docs   http://{address}/docs\n  page   http://{address}/\n"
    );
    if let Some(SandboxSeen { handle }) = sandbox {
        let control_url = handle.control_url();
        text += &format!(
            "\nThere is no LOCUS_API_KEY: containers, mails and payments are those of a sandbox, {control_url}\n"
        );
    }
    text + &first_step(&dev_key_file(&dir), config, address)
}

/// A call to begin with, if the development key is one of the configuration's; else the names of those that are.
fn first_step(file: &Path, config: &Config, address: SocketAddr) -> String {
    let Some(app) = app_of_key(file, config) else { return key_names(config) };
    format!(
        "\nOpen an account with 1 USDC, as app {app}:\n\n  \
         curl -sS http://{address}/v1/users -H \"Authorization: Bearer $(cat {})\" \
         -H 'Content-Type: application/json' -d '{{\"user_id\": \"anna\", \"initial_balance\": \"1\"}}'\n",
        quoted(file)
    )
}

fn app_of_key(file: &Path, config: &Config) -> Option<AppId> {
    let key = std::fs::read_to_string(file).ok()?;
    let keyring = Keyring::new(&config.api_keys).ok()?;
    keyring.find(key.trim()).map(|principal| principal.app.clone())
}

fn key_names(config: &Config) -> String {
    let name = |key: &ApiKeyConfig| format!("{} (app {})", key.name, key.app);
    let names: Vec<_> = config.api_keys.iter().map(name).collect();
    match names.is_empty() {
        true => "\nThe configuration has no API keys: nobody can ask over HTTP.\n".to_owned(),
        false => format!("\nThe API keys of the configuration: {}\n", names.join(", ")),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// As a shell reads it.
fn quoted(path: &Path) -> String {
    let text = shown(path);
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_of_the_configuration_is_shown_in_a_call() {
        let dir = std::env::temp_dir().join(format!("drip-up-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&dir).unwrap();
        let address = "127.0.0.1:1".parse().unwrap();
        let mut config = config::load_or_create(&dir, None).unwrap();
        let said = first_step(&dev_key_file(&dir), &config, address);
        assert!(said.contains("curl") && said.contains("as app demo"), "{said}");
        config.api_keys[0].sha256 = "00".repeat(32);
        let said = first_step(&dev_key_file(&dir), &config, address);
        assert!(!said.contains("curl") && said.contains("dev (app demo)"), "{said}");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
