//! `drip replay`: the views folded anew from the log, beside the live ones and then in their place, or into a file.
//!
//! In reading order: this page (what is asked, and in which order things are done), `file` (where `--to` folds to),
//! `report` (what is printed).

mod file;
mod report;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use event_log::EventLog;
use judge::Position;
use ledger_core::{PartitionId, Timestamp};
use projector::{Applied, Folded, Goal, ViewStore, fold_to};
use tokio::signal::unix::{SignalKind, signal};

use self::file::NewFile;
use self::report::{Report, Table};
use super::args::{EngineArgs, no_partition, parse_commit};
use super::digest::{Digests, digest};
use super::engines;
use super::events::parse_time;
use super::progress::Progress;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Fold all views anew from the log, beside the live ones, and put them in their place; or into a file.
///
/// May run while Drip runs: who reads the views notices nothing, and projection pauses for the moment in which rows that
/// differ are replaced. Nothing but the views is touched. Interrupted, it goes on where it was when it is run again.
/// docs/replay.md explains what is printed.
#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    engines: EngineArgs,
    /// Drop what an interrupted replay had folded, and begin from the first commit.
    #[arg(long, conflicts_with = "to")]
    restart: bool,
    /// Fold into this new SQLite file instead, for study: the live views are not looked at.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// With --to: only commits before this time.
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "to")]
    until: Option<Timestamp>,
    /// With --to: in the partition of this position, only up to its whole commit. May be given once a partition.
    #[arg(long, value_name = "POSITION", value_parser = parse_commit, requires = "to")]
    until_position: Vec<Position>,
}

impl Replay {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            done = self.replay(output) => done,
            _ = tokio::signal::ctrl_c() => Err(self.interrupted()),
            _ = terminate.recv() => Err(self.interrupted()),
        }
    }

    /// What is under way is rolled back by the stores, as when the process is killed.
    fn interrupted(&self) -> Failure {
        let way_out = match self.to {
            None => "Nothing is lost. Run it again: it goes on where it was.",
            Some(_) => "No file was made. Run it again: it begins anew.",
        };
        Failure::new(Exit::Interrupted, "the replay was interrupted before it was done").try_this(way_out)
    }

    async fn replay(&self, output: Output) -> Result<Exit, Failure> {
        let log = engines::open_log_to_read(&self.engines).await?;
        let report = match &self.to {
            Some(file) => self.to_file(&*log, file).await?,
            None => self.in_place(&*log).await?,
        };
        report.print(output)?;
        Ok(Exit::Done)
    }

    async fn in_place(&self, log: &dyn EventLog) -> Result<Report, Failure> {
        let begin = Instant::now();
        let rebuild = engines::rebuild(&self.engines, self.restart).await?;
        engines::check(log, rebuild.live()).await?;
        let stale =
            |error: anyhow::Error| Failure::from(error).try_this("--restart drops what was folded before.");
        engines::check(log, rebuild.next()).await.map_err(stale)?;
        let mut work = Work::new(log, rebuild.next(), None).await?;
        // As far as the live views are: then every row that differs is one that is wrong.
        work.fold(&positions(rebuild.live()).await?).await?;
        work.progress.say("putting the new views in place");
        let held = rebuild.hold().await.map_err(failed)?;
        let caught_up = match positions(rebuild.live()).await {
            Ok(goals) => work.fold(&goals).await,
            Err(error) => Err(error),
        };
        if let Err(error) = caught_up {
            held.let_go().await;
            return Err(error);
        }
        let changed = held.take_over().await.map_err(failed)?;
        let mut folded = work.finish();
        if let Some(more) = fold_on(log, rebuild.live()).await? {
            folded = folded.and(more);
        }
        rebuild.finish().await.map_err(failed)?;
        let (frozen, place) = engines::freeze_views(&self.engines).await?;
        let Digests { tables, at } = digest(frozen).await.map_err(failed)?;
        let tables = tables.into_iter().zip(changed).map(|(digest, changed)| Table::changed(digest, changed));
        Ok(Report::new(log, place.to_owned(), at, folded, tables.collect(), begin.elapsed()))
    }

    async fn to_file(&self, log: &dyn EventLog, file: &Path) -> Result<Report, Failure> {
        let begin = Instant::now();
        let goals = self.goals(log).await?;
        let (new, store) = NewFile::create(file).await?;
        let mut work = Work::new(log, &store, self.until).await?;
        work.fold(&goals).await?;
        let folded = work.finish();
        let Digests { tables, at } = digest(store.freeze().await.map_err(failed)?).await.map_err(failed)?;
        new.finish(store).await?;
        let tables = tables.into_iter().map(Table::new).collect();
        Ok(Report::new(log, file.display().to_string(), at, folded, tables, begin.elapsed()))
    }

    /// The head of each partition, or what was asked for.
    async fn goals(&self, log: &dyn EventLog) -> Result<Vec<(PartitionId, u64)>, Failure> {
        self.check_once_a_partition()?;
        let mut goals = heads(log).await?;
        for position in &self.until_position {
            let goal = goals.iter_mut().find(|(partition, _)| partition.0 == position.partition);
            let (_, to) = goal.ok_or_else(|| no_partition(position.partition, log.identity().partitions))?;
            if !(1..=*to).contains(&position.sequence) {
                let what = format!("no commit of this log stands at {position}");
                let way_out = "`drip events` prints the positions there are.";
                return Err(Failure::new(Exit::Usage, what).try_this(way_out));
            }
            *to = position.sequence;
        }
        Ok(goals)
    }

    fn check_once_a_partition(&self) -> Result<(), Failure> {
        let mut given = BTreeMap::new();
        for position in &self.until_position {
            if let Some(other) = given.insert(position.partition, position) {
                let partition = position.partition;
                let what = format!(
                    "--until-position is given twice for partition {partition}: {other} and {position}"
                );
                return Err(Failure::new(Exit::Usage, what).try_this("Give it once a partition."));
            }
        }
        Ok(())
    }
}

/// Folding under way.
struct Work<'a> {
    log: &'a dyn EventLog,
    store: &'a dyn ViewStore,
    until: Option<Timestamp>,
    progress: Progress,
    folded: Folded,
}

impl<'a> Work<'a> {
    async fn new(
        log: &'a dyn EventLog,
        store: &'a dyn ViewStore,
        until: Option<Timestamp>,
    ) -> Result<Self, Failure> {
        let positions = store.positions().await.map_err(failed)?;
        let folded = positions.iter().map(|position| position.read).sum();
        let messages = heads(log).await?.iter().map(|(_, head)| head).sum::<u64>();
        let progress = Progress::new(messages.saturating_sub(folded));
        Ok(Self { log, store, until, progress, folded: Folded::default() })
    }

    /// Up to these messages.
    async fn fold(&mut self, goals: &[(PartitionId, u64)]) -> Result<(), Failure> {
        let Self { log, store, until, progress, folded } = self;
        for (partition, to) in goals {
            let goal = Goal { partition: *partition, to: *to, until: *until };
            let tell = |more: Folded| {
                *folded = folded.and(more);
                progress.advance(more.messages, folded.events);
            };
            let applied = fold_to(*log, *store, goal, tell).await.map_err(anyhow::Error::from)?;
            if applied == Applied::Elsewhere {
                return Err(failed(projector::Error::TwoRebuilds));
            }
        }
        Ok(())
    }

    fn finish(self) -> Folded {
        self.progress.finish();
        self.folded
    }
}

/// What the log holds beyond the live views. None: a projector is at work, which does it.
async fn fold_on(log: &dyn EventLog, live: &dyn ViewStore) -> Result<Option<Folded>, Failure> {
    let mut all = Folded::default();
    for (partition, to) in heads(log).await? {
        let goal = Goal { partition, to, until: None };
        let applied =
            fold_to(log, live, goal, |more| all = all.and(more)).await.map_err(anyhow::Error::from)?;
        if applied == Applied::Elsewhere {
            return Ok(None);
        }
    }
    Ok(Some(all))
}

async fn positions(views: &dyn ViewStore) -> Result<Vec<(PartitionId, u64)>, Failure> {
    let positions = views.positions().await.map_err(failed)?;
    Ok(positions.iter().map(|at| (at.partition, at.read)).collect())
}

async fn heads(log: &dyn EventLog) -> Result<Vec<(PartitionId, u64)>, Failure> {
    let mut heads = Vec::new();
    for partition in log.identity().partitions() {
        heads.push((partition, log.head(partition).await.map_err(anyhow::Error::from)?));
    }
    Ok(heads)
}

fn failed(error: projector::Error) -> Failure {
    anyhow::Error::from(error).into()
}
