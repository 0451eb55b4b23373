//! What remembers a log that is not there: before another one is begun in its place.

use std::io;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use event_log::SqliteLog;
use ledger_core::LogId;

use super::args::EngineArgs;
use super::engines;

/// Nothing beside it remembers a log.
///
/// Errors: views, snapshots or a write-ahead log are there that were made from one; they can not be asked.
pub(super) async fn nothing(args: &EngineArgs) -> Result<()> {
    let memories = memories(args).await?;
    if memories.is_empty() {
        return Ok(());
    }
    let (place, flag) = match args.nats {
        Some(_) => ("NATS".to_owned(), ""),
        None => {
            (format!("the data folder {}", args.data_dir.display()), " If it is on NATS, say so by --nats.")
        }
    };
    bail!(
        "there is no log in {place}, and one is remembered: {}. Nothing was created.{flag} Restore the log; or, if it is \
         lost for good, remove what remembers it to begin another (docs/replay.md says how views are dropped)",
        memories.join("; ")
    )
}

async fn memories(args: &EngineArgs) -> Result<Vec<String>> {
    let mut memories = Vec::new();
    // What lies in a folder beside a log.db is that log's.
    let of_the_folder = !SqliteLog::exists(&args.data_dir);
    if of_the_folder {
        memories.extend(wal(&args.data_dir.join("log.db-wal")));
        memories.extend(snapshots(&args.data_dir.join("snapshots"))?);
    }
    if of_the_folder || args.database_url.is_some() {
        memories.extend(views(args).await?);
    }
    Ok(memories)
}

/// SQLite would remove it when it makes a new database.
fn wal(file: &Path) -> Option<String> {
    let holds = std::fs::metadata(file).is_ok_and(|file| file.len() > 0);
    holds.then(|| format!("{} holds what was written last", file.display()))
}

fn snapshots(folder: &Path) -> Result<Option<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries.with_context(|| format!("can not look into {}", folder.display()))?,
    };
    let mut names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let log = names.find(|name| name.parse::<LogId>().is_ok());
    Ok(log.map(|log| format!("{} holds snapshots of the log {log}", folder.display())))
}

async fn views(args: &EngineArgs) -> Result<Option<String>> {
    let name = engines::views_name(args);
    let views = match engines::open_views(args).await {
        Ok(views) => views,
        Err(error) => {
            return match error.downcast_ref() {
                Some(projector::Error::NotCreated { .. }) => Ok(None),
                Some(projector::Error::Older { .. } | projector::Error::Newer { .. }) => {
                    Ok(Some(format!("there are views in {name}")))
                }
                _ => Err(error),
            };
        }
    };
    let positions = views.positions().await?;
    Ok(positions.first().map(|at| format!("the views in {name} were folded from the log {}", at.log)))
}
