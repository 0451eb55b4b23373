//! The two engines, a log and views, as the flags say: embedded, or NATS and Postgres.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use event_log::{EventLog, JetStreamLog, LogIdentity, SqliteLog};
use ledger_core::{LogId, Timestamp};
use projector::{PostgresViews, SqliteViews, ViewStore};

use super::args::{CreateArgs, EngineArgs};

/// Creates what is missing: the data folder, the log with its beginning, the tables. May be run again.
pub(crate) async fn create(args: &EngineArgs, create: &CreateArgs) -> Result<()> {
    make_dir(&args.data_dir)?;
    let log = LogId(uuid::Uuid::new_v4().into_bytes());
    match args.jetstream() {
        Some(options) => {
            let partitions = create.partitions.unwrap_or(4);
            JetStreamLog::create(&options, LogIdentity { log, partitions }, create.replicas).await?;
            begin(&JetStreamLog::open(&options).await?).await?;
        }
        None => {
            let partitions = create.partitions.unwrap_or(1);
            SqliteLog::create(&args.data_dir, LogIdentity { log, partitions }).await?;
            begin(&SqliteLog::open_writer(&args.data_dir).await?).await?;
        }
    }
    match &args.database_url {
        Some(url) => PostgresViews::create(url).await?,
        None => SqliteViews::create(&args.data_dir).await?,
    }
    Ok(())
}

/// Opens the log to write it.
pub(crate) async fn open_log(args: &EngineArgs) -> Result<Arc<dyn EventLog>> {
    Ok(match args.jetstream() {
        Some(options) => Arc::new(JetStreamLog::open(&options).await?),
        None => Arc::new(SqliteLog::open_writer(&args.data_dir).await?),
    })
}

/// Another handle on a log that is open in this process, for following it. On NATS over a connection of its own: a
/// follower can not hold up the writer's appends, nor a writer's reconnect the follower.
pub(crate) async fn open_log_to_follow(
    args: &EngineArgs,
    open: &Arc<dyn EventLog>,
) -> Result<Arc<dyn EventLog>> {
    Ok(match args.jetstream() {
        Some(options) => Arc::new(JetStreamLog::open(&options).await?),
        None => Arc::clone(open),
    })
}

/// Opens the log to read it, also while another process writes it.
pub(crate) async fn open_log_to_read(args: &EngineArgs) -> Result<Arc<dyn EventLog>> {
    Ok(match args.jetstream() {
        Some(options) => Arc::new(JetStreamLog::open(&options).await?),
        None => Arc::new(SqliteLog::open_reader(&args.data_dir).await?),
    })
}

/// Opens the views.
pub(crate) async fn open_views(args: &EngineArgs) -> Result<Arc<dyn ViewStore>> {
    Ok(match &args.database_url {
        Some(url) => Arc::new(PostgresViews::open(url).await?),
        None => Arc::new(SqliteViews::open(&args.data_dir).await?),
    })
}

async fn begin(log: &dyn EventLog) -> Result<()> {
    Ok(command_api::init::init(log, Timestamp(service_kit::clock::now())).await?)
}

fn make_dir(dir: &Path) -> Result<()> {
    let make = || {
        format!(
            "can not make the data folder {}; make it yourself or choose another --data-dir",
            dir.display()
        )
    };
    fs::create_dir_all(dir).with_context(make)
}
