//! That a power cut finds what it should: the same cut where acknowledged does not mean on the disk must lose
//! acknowledged data. By hand, because a disk may be lucky.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use judge::history::{Line, What};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{Disk, disks, unplug};
use crate::load::Load;
use crate::plan::{Engines, Plan};
use crate::verdict;
use crate::world::{Setup, World, tick};

/// How long a log may take to be there again.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a cut left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Losses {
    /// Acknowledged before the cut.
    pub acknowledged: u64,
    /// Of these, not there after it.
    pub lost: u64,
}

/// A cut under load with nats-server's own `sync_interval`, which Drip refuses unless it is told not to ask.
pub async fn jetstream(plan: &Plan) -> Result<Losses> {
    if plan.engines == Engines::Embedded {
        bail!("the embedded log has no setting for this: see the SQLite program");
    }
    let disks = disks(plan.engines).await?;
    let mut setup = Setup::new(plan);
    setup.disks = disks.iter().map(Disk::path).collect();
    setup.durable = false;
    let world = Arc::new(setup.start().await?);
    let load = Arc::new(Load::new(Arc::clone(&world)).await?);
    tokio::select! {
        ended = load.run(plan.seed, plan.rate) => return Err(ended.err().unwrap_or_else(|| anyhow!("it ended"))),
        cut = after(plan.time, &load, &world, &disks) => cut?,
    }
    // Owner and views may now refuse this log, and should: only the log itself is asked.
    losses(&load.history.read()?, &heads(&world).await?)
}

async fn after(time: Duration, load: &Load, world: &World, disks: &[Disk]) -> Result<()> {
    load.debit_after(Instant::now(), None, Duration::from_secs(60)).await?;
    tokio::time::sleep(time).await;
    unplug(world, disks).await
}

/// The last sequence of each partition; none at all where the streams themselves are gone.
async fn heads(world: &World) -> Result<Vec<u64>> {
    let (begin, mut why) = (Instant::now(), anyhow!("it was not asked"));
    // A server that lost only a part needs a moment to come back.
    while begin.elapsed() < PATIENCE {
        match asked_heads(world).await {
            Ok(heads) => return Ok(heads),
            Err(error) => why = error,
        }
        tick().await;
    }
    eprintln!("the log can not be opened any more: {why:#}");
    Ok(Vec::new())
}

async fn asked_heads(world: &World) -> Result<Vec<u64>> {
    let log = verdict::open_log(world).await?;
    let mut heads = Vec::new();
    for partition in log.identity().partitions() {
        heads.push(log.head(partition).await?);
    }
    Ok(heads)
}

fn losses(history: &[Line], heads: &[u64]) -> Result<Losses> {
    let mut losses = Losses { acknowledged: 0, lost: 0 };
    for line in history {
        let What::Ok(answer) = &line.what else { continue };
        let position = answer.position.context("an answer without a position")?;
        let head = heads.get(usize::from(position.partition)).copied().unwrap_or(0);
        losses.acknowledged += 1;
        losses.lost += u64::from(position.sequence > head);
    }
    Ok(losses)
}

/// A cut under a program that writes rows by SQLite as Drip's embedded log does, with `synchronous` as asked, and says
/// each one that is committed.
pub async fn sqlite(synchronous: &str, time: Duration) -> Result<Losses> {
    let disk = Disk::new().await?;
    let file = disk.path().join("rows.db");
    let own = std::env::current_exe()?;
    let mut command = tokio::process::Command::new(own);
    command.arg("sqlite-writer").arg(&file).arg(synchronous).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut writer = command.kill_on_drop(true).spawn()?;
    let mut lines = BufReader::new(writer.stdout.take().context("its stdout is a pipe")?).lines();
    let (begin, mut acknowledged) = (Instant::now(), 0);
    while begin.elapsed() < time {
        let line = lines.next_line().await?.context("the writer ended")?;
        acknowledged = line.parse()?;
    }
    let pid = writer.id().context("the writer runs")?.to_string();
    let status = tokio::process::Command::new("sh").args(["-c", "kill -STOP \"$1\"", "sh", &pid]).status();
    if !status.await?.success() {
        bail!("the writer could not be stopped");
    }
    disk.freeze().await?;
    writer.kill().await?;
    // What it had said by then lies in the pipe.
    while let Some(line) = lines.next_line().await? {
        acknowledged = line.parse().unwrap_or(acknowledged);
    }
    disk.thaw().await?;
    let found = rows(&file).await.unwrap_or(0);
    Ok(Losses { acknowledged, lost: acknowledged.saturating_sub(found) })
}

/// How many rows there are.
async fn rows(file: &Path) -> Result<u64> {
    let mut connection = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file)).await?;
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM rows").fetch_one(&mut connection).await?;
    Ok(u64::try_from(count)?)
}

/// Writes rows until it is killed, and says the number of each to stdout once it is committed.
pub async fn write_rows(
    file: &Path,
    synchronous: &str,
    mut said: impl FnMut(u64) -> Result<()>,
) -> Result<()> {
    let synchronous = match synchronous {
        "full" => SqliteSynchronous::Full,
        "off" => SqliteSynchronous::Off,
        other => bail!("synchronous is full or off, not {other}"),
    };
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(synchronous);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    sqlx::query("CREATE TABLE rows (number INTEGER PRIMARY KEY, bytes BLOB)")
        .execute(&mut connection)
        .await?;
    for number in 1_u64.. {
        let row = sqlx::query("INSERT INTO rows (bytes) VALUES (?1)").bind(vec![7_u8; 500]);
        row.execute(&mut connection).await?;
        said(number)?;
    }
    Ok(())
}
