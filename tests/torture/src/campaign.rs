//! One run: a world, clients, faults; then calm, and the verdict.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::load::Load;
use crate::nemesis::{Nemesis, Record};
use crate::plan::Plan;
use crate::report::Report;
use crate::verdict::{self, Judged};
use crate::world::{HEAL_BOUND, Setup, World};

/// Runs it. Error: the harness could not do its work; what is wrong with Drip stands in the report.
pub async fn run(plan: &Plan) -> Result<Report> {
    let world = Arc::new(Setup::new(plan.engines).start().await?);
    judged(plan, &world, async |nemesis| nemesis.storm(plan).await).await
}

/// Load on this world while the storm lasts, and the verdict.
pub(crate) async fn judged(
    plan: &Plan,
    world: &Arc<World>,
    storm: impl AsyncFnOnce(&Nemesis<'_>) -> Result<()>,
) -> Result<Report> {
    let ended = tokio::select! {
        ended = under_load(plan, world, storm) => ended,
        kept = world.keep() => Err(kept.err().unwrap_or_else(|| anyhow!("the keeper ended"))),
    };
    if let Some(folder) = &plan.keep {
        world.leave(folder).await?;
    }
    ended
}

async fn under_load(
    plan: &Plan,
    world: &Arc<World>,
    storm: impl AsyncFnOnce(&Nemesis<'_>) -> Result<()>,
) -> Result<Report> {
    let load = Arc::new(Load::new(Arc::clone(world)).await?);
    let nemesis = Nemesis::new(world, &load);
    let storm = async {
        load.debit_after(Instant::now(), None, HEAL_BOUND).await?;
        let began = Instant::now();
        let stormed = storm(&nemesis).await;
        let time = began.elapsed();
        let healed = world.heal().await;
        load.drain();
        stormed.and(healed).map(|()| time)
    };
    let (asked, stormed) = tokio::join!(load.run(plan.seed, plan.rate), storm);
    let record = nemesis.record();
    let mut report = Report::new(plan, load.tally(), &record);
    report.seconds = stormed?.as_secs();
    asked?;
    conclude(world, &load, &record, &mut report).await?;
    Ok(report)
}

/// Everything is healed and nobody asks any more: now everything must agree.
async fn conclude(world: &World, load: &Load, record: &Record, report: &mut Report) -> Result<()> {
    let log = verdict::open_log(world).await?;
    let judged = Judged::read(&*log).await?;
    match world.until_quiet(&judged.heads).await {
        Ok(time) => report.quiet_after = millis(time),
        Err(error) => report.violations.push(format!("I13: {error:#}")),
    }
    report.log = judged.sums();
    report.violations.extend(judged.violations.iter().cloned());
    let history = load.history.read()?;
    report.violations.extend(judged.contradictions(&history, world.standby().is_none()));
    (report.left_stored, report.left_not_stored) = judged.left_open(&history);
    report.violations.extend(record.complaints.iter().map(|complaint| format!("I13: {complaint}")));
    let hidden = record.foreign.iter().filter(|foreign| !judged.foreign.contains(foreign));
    report.violations.extend(hidden.map(|(partition, sequence)| {
        format!("I16: the foreign message at {partition}-{sequence} was not told from a commit")
    }));
    report.violations.extend(verdict::differences(world, &judged).await?);
    report.verify = match verdict::verify(world).await {
        Ok(said) => said,
        Err(error) => {
            report.violations.push(format!("{error:#}"));
            String::new()
        }
    };
    for role in world.roles() {
        report.ends.extend(role.ends().into_iter().map(|sentence| format!("{}: {sentence}", role.name())));
        if role.output().await.contains("panicked") {
            report.violations.push(format!("{} panicked: {}", role.name(), role.log().await));
        }
    }
    Ok(())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
