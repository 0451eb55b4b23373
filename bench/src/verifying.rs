//! `drip verify` on a log that is written to meanwhile: chain, fold, and every row of the views in Postgres.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use event_log::EventLog;
use ledger_core::AppId;
use serde::Serialize;
use serde_json::Value;

use crate::core::Size;
use crate::drive::{drive, open_accounts};
use crate::engines::{APP, Drip, LogKind, Views, Wanted, clean};
use crate::load::{Load, Rhythm};
use crate::target::Format;
use crate::target::nats::Nats;

/// How long each look for the full load, and each stretch of writing, takes.
const STRETCH: Duration = Duration::from_secs(2);
/// For how long there is load beside the audit: longer than the audit may take.
const BESIDE: Duration = Duration::from_secs(25);
/// How long the views may take to come to the head.
const CAUGHT_UP: Duration = Duration::from_secs(600);

/// What an audit took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Verifying {
    /// Events it read, and compared with the views' rows.
    pub events: u64,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// Debits a second that were asked for meanwhile.
    pub asked: u64,
    /// Debits a second that were paid meanwhile.
    pub paid: u64,
    /// How long those took at the worst of a hundred, in microseconds.
    pub p99: u64,
    /// The load went on to the audit's end.
    pub under_load: bool,
}

/// Measures with so many accounts and at least so many debits. Error: something could not be started, or the audit
/// found something wrong.
pub async fn measure(program: PathBuf, size: Size) -> Result<Verifying> {
    let wanted =
        Wanted { program, log: LogKind::JetStream, partitions: 2, projector: true, views: Views::Postgres };
    let drip = Drip::start(&wanted).await?;
    let url = drip.nats_url().context("its log is on NATS")?;
    let app = AppId::new(APP).expect("a short fixed name");
    let target = Arc::new(Nats::connect(&url, app, Format::MessagePack).await?);
    let one = Load {
        accounts: size.accounts,
        batch: 1,
        rhythm: Rhythm::InFlight(256),
        warm_up: Duration::ZERO,
        time: STRETCH,
    };
    open_accounts(&target, &one).await?;
    let mut paid = 0;
    while paid < u64::from(size.debits) {
        let batches = Load { batch: 1_000, rhythm: Rhythm::InFlight(8), ..one };
        paid += drive(&target, &batches).await?.tally.paid;
    }
    until_views(&drip, &*drip.log().await?).await?;
    let asked = (drive(&target, &one).await?.per_second() / 10).max(1);
    let beside = Load { rhythm: Rhythm::Rate(asked), time: BESIDE, ..one };
    let (seen, audit) = tokio::join!(drive(&target, &beside), audit(&wanted.program, drip.engines()));
    let (seen, (events, ms)) = (seen?, audit?);
    let under_load = Duration::from_millis(ms) <= BESIDE;
    Ok(Verifying { events, ms, asked, paid: seen.per_second(), p99: seen.latency.p99, under_load })
}

/// Waits until the views hold all that the log holds now.
async fn until_views(drip: &Drip, log: &dyn EventLog) -> Result<()> {
    let (client, key) = (reqwest::Client::new(), drip.api_key()?);
    for partition in log.identity().partitions() {
        let head = log.head(partition).await?;
        let url = format!("{}/v1/users?limit=1&wait_for={partition}-{head}-0", drip.url());
        let there = async {
            loop {
                let asked = client.get(&url).bearer_auth(&key).timeout(Duration::from_secs(40));
                if asked.send().await.is_ok_and(|answer| answer.status().is_success()) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(CAUGHT_UP, there).await.context("the views do not come to the head")?;
    }
    Ok(())
}

/// Events and milliseconds, as the audit itself tells them.
async fn audit(program: &Path, engines: Vec<String>) -> Result<(u64, u64)> {
    let mut command = clean(program);
    command.arg("verify").arg("--json").args(engines);
    let output = tokio::process::Command::from(command).output().await?;
    let said = || String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "drip verify failed: {}", said());
    let report: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(report["views"]["store"].is_string(), "drip verify did not compare the views: {report}");
    let events = report["totals"]["events"].as_u64().context("the report counts events")?;
    let seconds: f64 =
        report["seconds"].as_str().and_then(|text| text.parse().ok()).context("it took time")?;
    let millis = Duration::try_from_secs_f64(seconds)?.as_millis();
    Ok((events, u64::try_from(millis)?))
}
