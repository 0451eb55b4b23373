//! `drip up`: every role in one process.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use projector::Views;

use super::args::{CreateArgs, EngineArgs};
use super::config::{self, dev_key_file};
use super::engines;
use super::roles::{self, HttpArgs};

/// Start Drip: every role in this process, on the embedded engines unless told otherwise.
#[derive(Debug, clap::Args)]
pub(crate) struct Up {
    #[command(flatten)]
    engines: EngineArgs,
    #[command(flatten)]
    create: CreateArgs,
    #[command(flatten)]
    http: HttpArgs,
}

impl Up {
    pub(crate) async fn run(self) -> Result<()> {
        let listener = roles::bind(self.http.http).await?;
        let address = listener.local_addr()?;
        engines::create(&self.engines, &self.create).await?;
        let config = config::load_or_create(&self.engines.data_dir, self.engines.config.clone())?;
        let (log, store) = roles::open(&self.engines).await?;
        let supervisor = roles::supervisor();
        let followed = engines::open_log_to_follow(&self.engines, &log).await?;
        let positions = roles::project(&supervisor, followed, store.clone());
        let views = Views::new(store, Some(positions));
        let desk = roles::command_api(&supervisor, &self.engines, &config, listener, log, views).await?;
        supervisor.spawn_job("greeting", greet(desk, self.engines, address));
        Ok(supervisor.run_until_stopped().await?)
    }
}

/// Says where everything is, as soon as commands are taken.
async fn greet(
    desk: command_api::desk::Desk,
    engines: EngineArgs,
    address: SocketAddr,
) -> Result<(), std::convert::Infallible> {
    if desk.ready().await.is_ok() {
        anstream::eprintln!("{}", greeting(&engines, address));
    }
    Ok(())
}

fn greeting(engines: &EngineArgs, address: SocketAddr) -> String {
    let dir = std::path::absolute(&engines.data_dir).unwrap_or_else(|_| engines.data_dir.clone());
    let log =
        engines.nats.as_deref().map_or_else(|| shown(&dir.join("log.db")), |_| "NATS JetStream".to_owned());
    let views = engines
        .database_url
        .as_deref()
        .map_or_else(|| shown(&dir.join("views.db")), |_| "Postgres".to_owned());
    let key = dev_key_file(&dir);
    let mut text = format!(
        "Drip is up\n  http   http://{address}   (--http)\n  data   {}   (--data-dir)\n",
        dir.display()
    );
    text += &format!("  log    {log}\n  views  {views}\n  docs   http://{address}/docs\n");
    if key.exists() {
        text += &format!(
            "\nOpen an account with 1 USDC, as app demo:\n\n  \
             curl -sS http://{address}/v1/users -H \"Authorization: Bearer $(cat {})\" \
             -H 'Content-Type: application/json' -d '{{\"user_id\": \"anna\", \"initial_balance\": \"1\"}}'\n",
            quoted(&key)
        );
    }
    text
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
