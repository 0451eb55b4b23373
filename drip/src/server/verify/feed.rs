//! Reading: the commits of the log, partition by partition, and the rows of the frozen views, each in bounded batches.

use event_log::anchors::{Difference, Keeper, settled};
use event_log::{Anchor, Entry, EventLog, ReadError};
use futures::{StreamExt as _, TryStreamExt as _};
use judge::fold::Chain;
use judge::wire::Commit;
use judge::{Fold, Position};
use ledger_core::commit::Hash;
use ledger_core::{LogId, PartitionId, Timestamp};
use projector::FrozenViews;
use projector::tables::{
    ACCOUNTS, CHAIN_POSITIONS, CHECKOUTS, CONTAINERS, JOURNAL, LOTS, NOTICES, SOLVENCY, SOURCES, Table,
    USAGE_HOURS,
};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::beside::{Frozen, Newer, newer, read_agent_log};
use super::partition;
use crate::failure::{Exit, Failure};
use crate::server::digest::chain_position;

/// So many commits, of at most a quarter of a megabyte each, travel together: a hand-over costs a change of threads.
const ENTRIES: usize = 32;
/// And so many rows.
pub(super) const ROWS: usize = 1024;
/// So many batches wait.
const BATCHES: usize = 4;

/// What is to be checked.
pub(super) struct Scope {
    /// Where it begins, and what was known there.
    pub(super) starts: Vec<Start>,
    /// None: the log alone.
    frozen: Option<Frozen>,
    /// Rows that the second look at the views has beyond the first.
    newer: Newer,
    /// Only what stands behind this.
    pub(super) since: Option<Position>,
    /// What the views say they were folded from.
    pub(super) folded_from: Vec<Anchor>,
}

/// Where a partition is begun, and where it ends.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub(super) partition: u16,
    /// The commit that is taken for granted. None: from the beginning.
    pub(super) behind: Option<Chain>,
    /// How far the views have read it.
    pub(super) viewed: u64,
    /// The last message of the partition when it was asked.
    pub(super) head: u64,
}

/// Messages of a partition, one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) partition: u16,
    /// The sequence before the first.
    pub(super) after: u64,
    pub(super) count: u64,
}

impl Start {
    /// What the views have read too.
    pub(super) fn viewed_part(&self) -> Part {
        self.part(self.after(), self.viewed.min(self.head))
    }

    /// What they have not.
    pub(super) fn later_part(&self) -> Part {
        self.part(self.viewed.max(self.after()), self.head)
    }

    fn part(&self, after: u64, to: u64) -> Part {
        Part { partition: self.partition, after, count: to.saturating_sub(after) }
    }

    pub(super) fn after(&self) -> u64 {
        self.behind.as_ref().map_or(0, |chain| chain.read)
    }

    pub(super) fn fold(&self) -> Fold {
        self.behind.clone().map_or_else(|| Fold::new(self.partition), Fold::since)
    }
}

impl Scope {
    /// Asks log and views how far they are; the log last, so that it has all that the views have.
    pub(super) async fn of(
        log: &dyn EventLog,
        mut frozen: Option<Frozen>,
        since: Option<Position>,
    ) -> Result<Self, Failure> {
        let (read, folded_from) = match &mut frozen {
            Some(frozen) => positions(&mut frozen.views, log.identity().log).await?,
            None => Default::default(),
        };
        let newer = match &mut frozen {
            Some(frozen) => newer(&read, &positions(&mut frozen.beside, log.identity().log).await?.0)?,
            None => Newer::new(),
        };
        let mut starts = Vec::new();
        for number in (0..log.identity().partitions)
            .filter(|number| since.is_none_or(|since| since.partition == *number))
        {
            let viewed = read.iter().find(|(partition, _)| *partition == number).map_or(0, |(_, read)| *read);
            let head = head(log, partition(number), viewed).await.map_err(|error| unreadable(&error))?;
            let behind = match since {
                Some(since) => Some(granted(log, since).await?),
                None => None,
            };
            starts.push(Start { partition: number, behind, viewed, head });
        }
        Ok(Self { starts, frozen, newer, since, folded_from })
    }

    /// The tables, in the order in which they are read: the journal beside the log (as the agent log is, apart from
    /// them), the others behind it.
    fn tables(&self) -> &'static [&'static Table] {
        match (&self.frozen, self.since) {
            (None, _) => &[],
            (Some(_), None) => &[
                &JOURNAL,
                &ACCOUNTS,
                &LOTS,
                &USAGE_HOURS,
                &CONTAINERS,
                &NOTICES,
                &CHECKOUTS,
                &SOLVENCY,
                &SOURCES,
                &CHAIN_POSITIONS,
            ],
            (Some(_), Some(_)) => &[&JOURNAL, &ACCOUNTS],
        }
    }
}

/// Where a partition ends. A replicated log can answer an old head for a moment: one behind what the views have read
/// counts when the answers agree.
async fn head(log: &dyn EventLog, partition: PartitionId, viewed: u64) -> Result<u64, ReadError> {
    let head = log.head(partition).await?;
    if head >= viewed {
        return Ok(head);
    }
    let shorter = async || {
        let head = log.head(partition).await?;
        Ok((head < viewed).then_some(Difference::EndsAt(head)))
    };
    match settled(log.patience(), shorter, drop).await? {
        Some(Difference::EndsAt(head)) => Ok(head),
        _ => Ok(viewed),
    }
}

/// Which partitions of this log the views have read, and how far; and from which commits they say they were folded.
async fn positions(frozen: &mut FrozenViews, log: LogId) -> Result<(Vec<(u16, u64)>, Vec<Anchor>), Failure> {
    let lines: Vec<String> =
        frozen.lines(&CHAIN_POSITIONS).try_collect().await.map_err(anyhow::Error::from)?;
    let (mut read, mut folded_from) = (Vec::new(), Vec::new());
    for line in &lines {
        let Some((of, partition, sequence)) = chain_position(line) else { continue };
        if of != log.to_string() {
            return Err(of_another_log(&of, &log.to_string()));
        }
        read.push((partition, sequence));
        folded_from.extend(anchor_of(log, line));
    }
    Ok((read, folded_from))
}

/// None: from none yet.
fn anchor_of(log: LogId, line: &str) -> Option<Anchor> {
    let row: Vec<serde_json::Value> = serde_json::from_str(line).ok()?;
    let number = |at: usize| row.get(at).and_then(serde_json::Value::as_u64);
    let (partition, sequence) = (PartitionId(number(1)?.try_into().ok()?), number(3).filter(|at| *at > 0)?);
    let hash = Hash::try_from(row.get(4)?.as_str()?.to_owned()).ok()?;
    let kept_at = Timestamp(row.get(5)?.as_i64()?);
    Some(Anchor { log, partition, sequence, hash, kept_by: Keeper::Views, kept_at })
}

fn of_another_log(views: &str, log: &str) -> Failure {
    let what =
        format!("something is wrong: the views were folded from the log {views}, and this is the log {log}");
    let way_out = "One of the two was replaced: look for its other half before anything is written. --log-only checks \
                   this log by itself.";
    Failure::new(Exit::FoundWrong, what).try_this(way_out)
}

/// The commit of a position, which is taken for granted.
async fn granted(log: &dyn EventLog, since: Position) -> Result<Chain, Failure> {
    let found =
        log.read(partition(since.partition), since.sequence).await.map_err(|error| unreadable(&error))?;
    let Some(Entry::Commit(stored)) = found else {
        let what = format!("no commit of this log stands at {since}");
        return Err(Failure::new(Exit::Usage, what).try_this("`drip events` prints the positions there are."));
    };
    let commit = Commit::read(&stored.bytes);
    commit
        .map(|commit| Chain::behind(&commit))
        .map_err(|error| Failure::new(Exit::FoundWrong, format!("{since}: {error}")))
}

fn unreadable(error: &ReadError) -> Failure {
    let exit = match error {
        ReadError::Damaged { .. } => Exit::FoundWrong,
        ReadError::Unavailable { .. } => Exit::Unreachable,
        ReadError::NoSuchPartition { .. } | ReadError::Anchor { .. } => Exit::Failed,
    };
    Failure::new(exit, error.to_string())
}

/// Where batches are sent to.
pub(super) struct Feed {
    entries: Sender<Vec<Result<Entry, ReadError>>>,
    rows: Sender<(&'static Table, Vec<String>)>,
    beside: Sender<(&'static Table, Vec<String>)>,
}

/// Where they come out.
pub(super) struct Food {
    pub(super) entries: Receiver<Vec<Result<Entry, ReadError>>>,
    pub(super) rows: Receiver<(&'static Table, Vec<String>)>,
    /// Those of the agent log.
    pub(super) beside: Receiver<(&'static Table, Vec<String>)>,
}

impl Feed {
    pub(super) fn new() -> (Self, Food) {
        let (entries, from_log) = channel(BATCHES);
        let (rows, from_views) = channel(BATCHES);
        let (beside, from_agent_log) = channel(BATCHES);
        let food = Food { entries: from_log, rows: from_views, beside: from_agent_log };
        (Self { entries, rows, beside }, food)
    }

    /// Reads log and views to their ends, at once. A judge that has seen enough ends it early.
    pub(super) async fn read(self, log: &dyn EventLog, scope: Scope) -> Result<(), Failure> {
        let Self { entries, rows, beside } = self;
        let tables = scope.tables();
        let Scope { starts, frozen, newer, since, .. } = scope;
        let (views, agent_log) = frozen.map(|frozen| (frozen.views, frozen.beside)).unzip();
        let commits = async {
            read_log(log, &starts, &entries).await;
            drop(entries);
        };
        let tables_read = async {
            let read = match views {
                Some(views) => read_views(views, tables, since, &rows).await,
                None => Ok(()),
            };
            drop(rows);
            read
        };
        let signals = async {
            let read = match agent_log {
                Some(views) => read_agent_log(views, since, &newer, &beside).await,
                None => Ok(()),
            };
            drop(beside);
            read
        };
        let ((), read, read_beside) = tokio::join!(commits, tables_read, signals);
        read.and(read_beside)
    }
}

/// First everything that the views have read too, in the order of the journal; then what came later.
async fn read_log(log: &dyn EventLog, starts: &[Start], entries: &Sender<Vec<Result<Entry, ReadError>>>) {
    let viewed = starts.iter().map(Start::viewed_part);
    for Part { partition: number, after, count } in viewed.chain(starts.iter().map(Start::later_part)) {
        let left = usize::try_from(count).unwrap_or(usize::MAX);
        let mut batches = log.follow(partition(number), after).take(left).chunks(ENTRIES);
        while left > 0
            && let Some(batch) = batches.next().await
        {
            if entries.send(batch).await.is_err() {
                return;
            }
        }
    }
}

async fn read_views(
    mut frozen: FrozenViews,
    tables: &[&'static Table],
    since: Option<Position>,
    rows: &Sender<(&'static Table, Vec<String>)>,
) -> Result<(), Failure> {
    for table in tables {
        let mut lines = match since.filter(|_| *table == &JOURNAL) {
            Some(since) => frozen.journal_behind(behind(since)),
            None => frozen.lines(table),
        }
        .chunks(ROWS);
        while let Some(batch) = lines.next().await {
            let batch: Vec<String> =
                batch.into_iter().collect::<Result<_, _>>().map_err(anyhow::Error::from)?;
            if rows.send((table, batch)).await.is_err() {
                return Ok(());
            }
        }
    }
    frozen.close().await;
    Ok(())
}

/// Behind the whole commit: it is taken for granted with all its events.
fn behind(since: Position) -> [i64; 3] {
    [since.partition.into(), i64::try_from(since.sequence).unwrap_or(i64::MAX), i64::MAX]
}
