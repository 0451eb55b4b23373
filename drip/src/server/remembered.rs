//! What remembers a log that is not there: before another one is begun in its place.

use std::path::Path;

use anyhow::{Result, bail};

use super::args::EngineArgs;
use super::engines;

/// Nothing beside it remembers a log. `place`: where it would be.
///
/// Errors: views or snapshots are there that were made from one; the views can not be asked.
pub(super) async fn nothing(args: &EngineArgs, place: &str) -> Result<()> {
    let mut memories = Vec::new();
    memories.extend(snapshots(&args.data_dir.join("snapshots")));
    memories.extend(views(args).await?);
    if memories.is_empty() {
        return Ok(());
    }
    bail!(
        "the log is gone from {place}: {}. Nothing was created. Restore the log; or, if it is lost for good, remove what \
         remembers it to begin another (docs/replay.md says how views are dropped)",
        memories.join("; ")
    )
}

fn snapshots(folder: &Path) -> Option<String> {
    let log = std::fs::read_dir(folder).ok()?.flatten().next()?.file_name();
    Some(format!("{} holds snapshots of the log {}", folder.display(), log.to_string_lossy()))
}

async fn views(args: &EngineArgs) -> Result<Option<String>> {
    let views = match engines::open_views(args).await {
        Ok(views) => views,
        Err(error) if is_not_created(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let positions = views.positions().await?;
    let told = positions.first().map(|position| {
        let name = engines::views_name(args);
        format!("the views in {name} were folded from the log {}", position.log)
    });
    Ok(told)
}

fn is_not_created(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(projector::Error::NotCreated { .. }))
}
