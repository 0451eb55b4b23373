//! `drip init`: creates what the roles need, and changes nothing that is there.

use anyhow::Result;

use super::args::{CreateArgs, EngineArgs};
use super::{config, engines, house};

/// Create the log (streams, or a file), its beginning, and the tables of the views. Safe to run again.
#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    #[command(flatten)]
    engines: EngineArgs,
    #[command(flatten)]
    create: CreateArgs,
}

impl Init {
    pub(crate) async fn run(self) -> Result<()> {
        engines::create(&self.engines, &self.create).await?;
        config::load_or_create(&self.engines.data_dir, self.engines.config.clone())?;
        let log = engines::open_log(&self.engines).await?;
        house::create(&self.engines.data_dir, &*log).await?;
        log.close().await;
        let log = self.engines.nats.as_deref().map_or("the data folder", |_| "NATS");
        let views = self.engines.database_url.as_deref().map_or("the data folder", |_| "Postgres");
        anstream::eprintln!("ready: the log is in {log}, the views are in {views}");
        Ok(())
    }
}
