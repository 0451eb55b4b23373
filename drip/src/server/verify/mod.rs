//! `drip verify`: a second opinion on the log, and on every row of the views.
//!
//! In reading order: this page (what is asked, and in which order things are done), `feed` (log and views as two
//! streams), `beside` (the agent log, which is a third), `inspect` (the judge, fed), `compare` (rows of the views against
//! rows of the log), `noted` (what an auditor knows from earlier), `record` (what providers really did), `finding` (what is wrong), `report` (what is printed)
//! and `summary` (the same in short, for `drip demo`).

mod beside;
mod compare;
mod feed;
mod finding;
mod inspect;
mod noted;
mod record;
mod report;
mod summary;

use event_log::{Anchor, AnchorError, EventLog, ReadError, anchors};
use judge::Position;
use ledger_core::PartitionId;
use projector::FrozenViews;

use self::beside::Frozen;
use self::feed::{Feed, Scope};
use self::finding::Finding;
use self::inspect::Inspector;
use self::noted::Noted;
use self::record::RecordArgs;
use self::report::Report;
pub(crate) use self::summary::Checked;
use super::args::{EngineArgs, no_partition, parse_commit};
use super::engines;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Check the log by rules written a second time, and every row of the views against it.
///
/// Reads only, and may run while Drip runs: the views are compared as they are at one moment. Prints what was checked,
/// what it adds up to, and a digest of the rows. docs/auditing.md explains each line.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    engines: EngineArgs,
    /// Check the log alone, not the views.
    #[arg(long)]
    log_only: bool,
    /// Check only what stands behind the commit of this position, in its partition: the chain from there on, what each
    /// later event changed, and its row in the views. What stands before it is taken for granted.
    #[arg(long, value_name = "POSITION", value_parser = parse_commit)]
    since: Option<Position>,
    /// The log must hold this commit with this SHA-256, which was noted at an earlier check: 0-812=d0934d... May be
    /// given for each partition, and more than once.
    #[arg(long, value_name = "POSITION=SHA256")]
    expect: Vec<Noted>,
    #[command(flatten)]
    record: RecordArgs,
}

impl Verify {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        Self::tell(&self.look_at_all().await?, output)
    }

    async fn look_at_all(&self) -> Result<Report, Failure> {
        let record = self.record.read()?;
        let log = engines::open_log_to_read(&self.engines).await.map_err(unopened)?;
        let identity = log.identity();
        self.name_partitions_there_are(identity.partitions)?;
        let views = self.freeze().await?;
        let (frozen, place) = views.unzip();
        let scope = Scope::of(&*log, frozen, self.since).await?;
        let (inspector, folded_from) =
            (Inspector::new(identity, place, &scope, record), scope.folded_from.clone());
        let (feed, food) = Feed::new();
        // The judge keeps one core busy, reading the other.
        let judged = tokio::task::spawn_blocking(move || inspector.run(food));
        let read = feed.read(&*log, scope).await;
        let mut report = judged
            .await
            .map_err(|error| Failure::new(Exit::Failed, format!("the judge stopped: {error}")))?;
        // In a log that was cut or replaced the views find differences too, and are not what is wrong.
        if report.finding.as_ref().is_none_or(Finding::is_of_views) {
            let known = self.against_what_is_known(&*log, &folded_from).await;
            report.finding = known.err().or(report.finding);
        }
        self.was_still(&*log, &mut report).await;
        report.noted.clone_from(&self.expect);
        // Rows that could not be read are no rows that are missing.
        if report.finding.as_ref().is_none_or(Finding::is_of_views) {
            read?;
        }
        Ok(report)
    }

    fn name_partitions_there_are(&self, partitions: u16) -> Result<(), Failure> {
        let named = self.expect.iter().map(|noted| noted.partition);
        let mut named = self.since.iter().map(|since| since.partition).chain(named);
        named.find(|named| *named >= partitions).map_or(Ok(()), |named| Err(no_partition(named, partitions)))
    }

    /// A log that lost its tail, or was replaced as a whole, is right in itself: what is known beside it tells.
    async fn against_what_is_known(&self, log: &dyn EventLog, folded_from: &[Anchor]) -> Result<(), Finding> {
        for noted in &self.expect {
            noted.check(log).await?;
        }
        let asked = |number: &PartitionId| self.since.is_none_or(|since| since.partition == number.0);
        for partition in log.identity().partitions().filter(asked) {
            anchors::check_kept(log, partition).await.map_err(|error| match error {
                AnchorError::Differs(alarm) => Finding::differs(&alarm),
                AnchorError::Read(error) => Finding::unreadable(&error),
            })?;
        }
        let of_asked: Vec<_> =
            folded_from.iter().filter(|anchor| asked(&anchor.partition)).copied().collect();
        anchors::check(log, &of_asked).await.map_err(|error| match error {
            AnchorError::Differs(alarm) => Finding::differs_from_views(&alarm),
            AnchorError::Read(error) => Finding::unreadable(&error),
        })
    }

    /// Files that are read without rights beside them must not be written meanwhile: what is found wrong then says
    /// nothing.
    async fn was_still(&self, log: &dyn EventLog, report: &mut Report) {
        if self.engines.nats.is_none()
            && report.finding.is_some()
            && let Err(error) = log.head(PartitionId(0)).await
            && matches!(error, ReadError::Unavailable { .. })
        {
            report.finding = Some(Finding::unreadable(&error));
        }
    }

    /// The views as they are now, and where they are.
    async fn freeze(&self) -> Result<Option<(Frozen, &'static str)>, Failure> {
        if self.log_only {
            return Ok(None);
        }
        let (views, place) = self.look().await?;
        let (beside, _) = self.look().await?;
        Ok(Some((Frozen { views, beside }, place)))
    }

    async fn look(&self) -> Result<(FrozenViews, &'static str), Failure> {
        let frozen = engines::freeze_views(&self.engines).await;
        frozen.map_err(|error| Failure::from(error).try_this("Check the log without them by --log-only."))
    }

    fn tell(report: &Report, output: Output) -> Result<Exit, Failure> {
        report.print(output)?;
        report.finding.as_ref().map_or(Ok(Exit::Done), |finding| Err(finding.failure()))
    }
}

/// A file that can not be read at all is a log that is wrong.
fn unopened(error: anyhow::Error) -> Failure {
    match error.downcast_ref() {
        Some(event_log::OpenError::Damaged { .. }) => Failure::from(error).ending(Exit::FoundWrong),
        _ => error.into(),
    }
}

/// The number of a partition as the log's port knows it.
fn partition(number: u16) -> PartitionId {
    PartitionId(number)
}
