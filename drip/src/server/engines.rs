//! The two engines, a log and views, as the flags say: embedded, or NATS and Postgres.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use event_log::{EventLog, JetStreamLog, JetStreamOptions, LogIdentity, OpenError, SqliteLog};
use ledger_core::{LogId, Timestamp};
use projector::{FrozenViews, PostgresViews, Rebuild, SqliteViews, ViewStore};

use super::args::{CreateArgs, EngineArgs};
use super::remembered;

/// Creates what is missing: the data folder, the log with its beginning, the tables. May be run again.
pub(crate) async fn create(args: &EngineArgs, create: &CreateArgs) -> Result<()> {
    make_dir(&args.data_dir)?;
    let log: Box<dyn EventLog> = match args.jetstream() {
        Some(options) => Box::new(create_jetstream(args, &options, create).await?),
        None => Box::new(create_sqlite(args, create).await?),
    };
    match &args.database_url {
        Some(url) => PostgresViews::create(url).await?,
        None => SqliteViews::create(&args.data_dir).await?,
    }
    // A log that lost all it had looks like one that is to be begun.
    check(&*log, &*open_views(args).await?).await?;
    Ok(command_api::init::init(&*log, Timestamp(service_kit::clock::now())).await?)
}

/// Refuses a log that is not what the views were folded from.
pub(crate) async fn check(log: &dyn EventLog, views: &dyn ViewStore) -> Result<()> {
    Ok(projector::check(&projector_config(log), log, views).await?)
}

/// How a projector works on this log.
pub(crate) fn projector_config(log: &dyn EventLog) -> projector::Config {
    projector::Config { patience: log.patience(), ..projector::Config::default() }
}

/// A log that is there is taken as it is: only what was asked for is compared.
async fn create_jetstream(
    args: &EngineArgs,
    options: &JetStreamOptions,
    create: &CreateArgs,
) -> Result<JetStreamLog> {
    let open = match JetStreamLog::open(options).await {
        Err(OpenError::NoAnchors { .. }) => {
            JetStreamLog::create_anchors(options).await?;
            JetStreamLog::open(options).await
        }
        open => open,
    };
    let wanted = match open {
        Ok(log) if create.replicas.is_none() => {
            agree(log.identity(), create.partitions)?;
            return Ok(log);
        }
        Ok(log) => LogIdentity {
            partitions: create.partitions.unwrap_or(log.identity().partitions),
            ..log.identity()
        },
        Err(OpenError::NotCreated { .. }) => {
            remembered::nothing(args).await?;
            new_identity(create.partitions.unwrap_or(4))
        }
        Err(error) => return Err(error.into()),
    };
    let replicas = create.replicas.unwrap_or(1);
    match JetStreamLog::create(options, wanted, replicas).await {
        // A creation that was cut off, which goes on as it began.
        Err(OpenError::OtherPartitions { found, .. }) if create.partitions.is_none() => {
            JetStreamLog::create(options, new_identity(found), replicas).await?
        }
        created => created?,
    };
    Ok(JetStreamLog::open(options).await?)
}

async fn create_sqlite(args: &EngineArgs, create: &CreateArgs) -> Result<SqliteLog> {
    let dir = &args.data_dir;
    if !SqliteLog::exists(dir) {
        remembered::nothing(args).await?;
    }
    match SqliteLog::create(dir, new_identity(create.partitions.unwrap_or(1))).await {
        Err(OpenError::OtherPartitions { .. }) if create.partitions.is_none() => {}
        created => drop(created?),
    }
    Ok(SqliteLog::open_writer(dir).await?)
}

fn new_identity(partitions: u16) -> LogIdentity {
    LogIdentity { log: LogId(uuid::Uuid::new_v4().into_bytes()), partitions }
}

fn agree(found: LogIdentity, partitions: Option<u16>) -> Result<(), OpenError> {
    match partitions {
        Some(wanted) if wanted != found.partitions => {
            Err(OpenError::OtherPartitions { found: found.partitions, wanted })
        }
        _ => Ok(()),
    }
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
        Some(options) => {
            Arc::new(JetStreamLog::open(&JetStreamOptions { only_reads: true, ..options }).await?)
        }
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

/// The views as they are now, and what they are kept in. Nothing is written there.
pub(crate) async fn freeze_views(args: &EngineArgs) -> Result<(FrozenViews, &'static str)> {
    let frozen = match &args.database_url {
        Some(url) => PostgresViews::open(url).await?.freeze().await?,
        None => SqliteViews::open_to_read(&args.data_dir).await?.freeze().await?,
    };
    Ok((frozen, views_name(args)))
}

/// What the views are kept in, for people.
pub(crate) fn views_name(args: &EngineArgs) -> &'static str {
    if args.database_url.is_some() { "Postgres" } else { "SQLite" }
}

/// Makes views beside the live ones.
pub(crate) async fn rebuild(args: &EngineArgs, restart: bool) -> Result<Rebuild> {
    Ok(match &args.database_url {
        Some(url) => Rebuild::postgres(url, restart).await?,
        None => Rebuild::sqlite(&args.data_dir, restart).await?,
    })
}

/// A new folder is its owner's alone: whoever reads the log or the views in it knows all accounts.
fn make_dir(dir: &Path) -> Result<()> {
    let make = || {
        format!(
            "can not make the data folder {}; make it yourself or choose another --data-dir",
            dir.display()
        )
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).with_context(make)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn args(dir: &Path) -> EngineArgs {
        #[derive(clap::Parser)]
        struct Parsed {
            #[command(flatten)]
            args: EngineArgs,
        }
        let command = ["drip".as_ref(), "--data-dir".as_ref(), dir.as_os_str()];
        <Parsed as clap::Parser>::parse_from(command).args
    }

    fn asked(partitions: Option<u16>) -> CreateArgs {
        CreateArgs { partitions, replicas: None }
    }

    #[tokio::test]
    async fn a_log_that_is_there_is_taken_as_it_is_unless_another_is_asked_for() {
        let dir = std::env::temp_dir().join(format!("drip-engines-{}", uuid::Uuid::new_v4()));
        make_dir(&dir).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        let made = create_sqlite(&args(&dir), &asked(Some(3))).await.unwrap().identity();
        for (partitions, same) in [(None, true), (Some(3), true), (Some(1), false)] {
            let found = create_sqlite(&args(&dir), &asked(partitions)).await;
            assert_eq!(found.is_ok_and(|log| log.identity() == made), same, "{partitions:?}");
        }
        assert_eq!(agree(made, None).is_ok(), agree(made, Some(3)).is_ok());
        assert!(agree(made, Some(4)).is_err());
        fs::remove_dir_all(dir).unwrap();
    }
}
