//! `drip anchors`: what is remembered of how far the log had come, and giving up what is lost.

use anyhow::{Context as _, Result};
use event_log::anchors::{check, difference};
use event_log::{Alarm, Anchor, AnchorError, EventLog, JetStreamLog, JetStreamOptions};
use futures::future::join_all;
use serde::Serialize;

use super::args::EngineArgs;
use super::engines;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Show how far the log is known to have come, or give up what it lost.
#[derive(Debug, clap::Args)]
pub(crate) struct Anchors {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print each anchor, who keeps it, and whether the log holds it.
    List {
        #[command(flatten)]
        engines: EngineArgs,
    },
    /// Forget the anchors that the log contradicts, so that Drip starts on what is left of it. What was acknowledged
    /// behind its end is lost for good then: charges, deposits, grants. Anchors that the log holds stay.
    Forget {
        #[command(flatten)]
        engines: EngineArgs,
        /// You know that the commits can not be restored, and what that means to the users they belong to.
        #[arg(long, required = true)]
        yes_data_is_lost: bool,
    },
}

/// An anchor as it is shown.
#[derive(Debug, Serialize)]
struct Row {
    partition: u16,
    commit: u64,
    hash: String,
    kept_by: &'static str,
    kept_at: String,
    log: String,
    /// How the log differs; absent when it holds the anchor.
    #[serde(skip_serializing_if = "Option::is_none")]
    differs: Option<String>,
}

impl Anchors {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        service_kit::telemetry::init(service_kit::telemetry::Format::Human).map_err(anyhow::Error::from)?;
        let rows = match &self.what {
            What::List { engines } => list(engines).await?,
            What::Forget { engines, .. } => forget(engines).await?,
        };
        output.list(&rows, [">partition", ">commit", "kept by", "kept at", "the log", "hash"], Row::cells)?;
        Ok(Exit::Done)
    }
}

impl Row {
    fn new(anchor: &Anchor, differs: Option<String>) -> Self {
        Self {
            partition: anchor.partition.0,
            commit: anchor.sequence,
            hash: anchor.hash.to_string(),
            kept_by: anchor.kept_by.name(),
            kept_at: anchor.kept_at_text(),
            log: anchor.log.to_string(),
            differs,
        }
    }

    fn cells(&self) -> [String; 6] {
        let log =
            self.differs.as_ref().map_or_else(|| "holds it".to_owned(), |found| format!("differs: {found}"));
        let Self { partition, commit, hash, kept_by, kept_at, .. } = self;
        [partition.to_string(), commit.to_string(), (*kept_by).to_owned(), kept_at.clone(), log, hash.clone()]
    }
}

/// All that is kept beside the log, and what the views say when they are there.
async fn list(args: &EngineArgs) -> Result<Vec<Row>> {
    let log = engines::open_log_to_read(args).await?;
    let mut anchors = kept(&*log).await?;
    match engines::open_views(args).await {
        Ok(views) => {
            anchors.extend(views.positions().await?.iter().filter_map(projector::ChainPosition::anchor));
        }
        Err(error) => anstream::eprintln!("without what the views know: {error}"),
    }
    anstream::eprintln!(
        "Snapshots in a writer's data folder know it too: a writer that starts compares them."
    );
    let mut rows = Vec::new();
    for anchor in &anchors {
        rows.push(Row::new(anchor, difference(&*log, anchor).await?.map(|found| found.to_string())));
    }
    Ok(rows)
}

/// Forgets what the log contradicts for as long as an alarm needs to be believed.
async fn forget(args: &EngineArgs) -> Result<Vec<Row>> {
    let options = args.jetstream().context(
        "on the embedded engines only the views and the snapshots remember how far the log had come: to go on with \
         what is left of log.db, remove DIR/views.db and DIR/snapshots and run `drip init`",
    )?;
    let log = JetStreamLog::open(&JetStreamOptions { only_reads: true, ..options }).await?;
    let anchors = kept(&log).await?;
    // All at once: each that differs takes the whole patience.
    let checks = anchors.iter().map(async |anchor| check(&log, std::slice::from_ref(anchor)).await);
    let mut forgotten = Vec::new();
    for checked in join_all(checks).await {
        match checked {
            Ok(()) => {}
            Err(AnchorError::Differs(Alarm { anchor, found })) => {
                log.forget_anchor(&anchor).await?;
                forgotten.push(Row::new(&anchor, Some(found.to_string())));
            }
            Err(AnchorError::Read(error)) => return Err(error.into()),
        }
    }
    let left = "the views and the writer's snapshots may remember more: drop them too (the views, DIR/snapshots), and \
                run `drip init`";
    match forgotten.len() {
        0 => anstream::eprintln!("nothing was forgotten: the log holds all that is kept beside it"),
        count => anstream::eprintln!("{count} forgotten; {left}"),
    }
    Ok(forgotten)
}

async fn kept(log: &dyn EventLog) -> Result<Vec<Anchor>> {
    let mut anchors = Vec::new();
    for partition in log.identity().partitions() {
        anchors.extend(log.anchors(partition).await?);
    }
    Ok(anchors)
}
