//! One run: a world, clients, faults; then calm, and the verdict.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::load::Load;
use crate::nemesis::{Nemesis, Record};
use crate::outside;
use crate::plan::Plan;
use crate::report::Report;
use crate::verdict::{self, Judged};
use crate::world::{HEAL_BOUND, Setup, World};

/// Runs it. Error: the harness could not do its work; what is wrong with Drip stands in the report.
pub async fn run(plan: &Plan) -> Result<Report> {
    let setup = Setup { workers: plan.workers, ..Setup::new(plan) };
    let world = Arc::new(setup.start().await?);
    judged(plan, &world, async |nemesis| nemesis.storm(plan).await).await
}

/// Load on this world while the storm lasts, and the verdict.
pub(crate) async fn judged(
    plan: &Plan,
    world: &Arc<World>,
    storm: impl AsyncFnOnce(&Nemesis<'_>) -> Result<()>,
) -> Result<Report> {
    let ended = tokio::select! {
        // Boxed, because it holds everything that is under way.
        ended = Box::pin(under_load(plan, world, storm)) => ended,
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
    let began = Instant::now();
    let storm = async {
        load.debit_after(Instant::now(), None, HEAL_BOUND).await?;
        storm(&nemesis).await?;
        let time = began.elapsed();
        world.heal().await.map(|()| time)
    };
    let asking = load.run(plan.seed, plan.rate);
    let (asked, stormed) = until_both(asking, storm, &load).await;
    asked?;
    let record = nemesis.record();
    let mut report = Report::new(plan, load.tally(), &record);
    let came_back = stormed.is_ok();
    match stormed {
        Ok(time) => report.seconds = time.as_secs(),
        Err(error) => report.violations.push(format!("I13: {error:#}")),
    }
    let judged = conclude(world, &load, &record, &mut report).await?;
    // Otherwise owners and views would be asked in vain, a minute long.
    if came_back {
        owners_and_views(plan, world, &judged, &mut report).await?;
    }
    Ok(report)
}

/// Clients ask until the storm is over and everything has its answer. When Drip did not come back from the storm there
/// is nothing to wait for.
async fn until_both(
    asking: impl Future<Output = Result<()>>,
    storm: impl Future<Output = Result<Duration>>,
    load: &Load,
) -> (Result<()>, Result<Duration>) {
    let (mut asking, mut storm) = (std::pin::pin!(asking), std::pin::pin!(storm));
    let stormed = tokio::select! {
        stormed = &mut storm => stormed,
        asked = &mut asking => {
            return (asked.and(Err(anyhow!("the clients ended before the storm"))), Ok(Duration::ZERO));
        }
    };
    load.drain();
    match stormed {
        Ok(time) => (asking.await, Ok(time)),
        Err(error) => (Ok(()), Err(error)),
    }
}

/// Everything is healed and nobody asks any more: now everything must agree.
async fn conclude(world: &World, load: &Load, record: &Record, report: &mut Report) -> Result<Judged> {
    let log = verdict::open_log(world).await?;
    let judged = Judged::read(&*log).await?;
    report.log = judged.sums();
    report.violations.extend(judged.violations.iter().cloned());
    report.violations.extend(record.complaints.iter().map(|complaint| format!("I13: {complaint}")));
    let history = load.history.read()?;
    report.violations.extend(judged.contradictions(&history, world.standby().is_none()));
    (report.left_stored, report.left_not_stored) = judged.left_open(&history);
    report.violations.extend(strangers(&record.foreign, &judged.foreign));
    of_processes(world, report).await;
    Ok(judged)
}

/// I16: what nobody's messages are, is known, and there are no others.
fn strangers(sent: &[(u16, u64)], found: &[(u16, u64)]) -> Vec<String> {
    let hidden = sent.iter().filter(|place| !found.contains(place));
    let hidden = hidden.map(|(partition, sequence)| {
        format!("I16: the foreign message at {partition}-{sequence} was not told from a commit")
    });
    let strange = found.iter().filter(|place| !sent.contains(place));
    let strange = strange.map(|(partition, sequence)| {
        format!("I16: nobody sent the foreign message at {partition}-{sequence}")
    });
    hidden.chain(strange).collect()
}

/// What the owners answer and the views hold is what the log says.
async fn owners_and_views(plan: &Plan, world: &World, judged: &Judged, report: &mut Report) -> Result<()> {
    match compared(plan, world, judged, report).await {
        // Drip may be away for good, which was said already.
        Err(_) if !report.violations.is_empty() => Ok(()),
        ended => ended,
    }
}

async fn compared(plan: &Plan, world: &World, judged: &Judged, report: &mut Report) -> Result<()> {
    match world.until_quiet(&judged.heads).await {
        Ok(time) => report.quiet_after = millis(time),
        Err(error) => report.violations.push(format!("I13: {error:#}")),
    }
    report.violations.extend(verdict::differences(world, judged).await?);
    if world.has_workers {
        outside::comes_to_rest(world, plan.longest_fault, report).await?;
    }
    match verdict::verify(world).await {
        Ok(said) => report.verify = said,
        Err(error) => report.violations.push(format!("{error:#}")),
    }
    if world.has_workers {
        outside::nothing_is_done_again(world, report).await?;
    }
    Ok(())
}

/// Nobody panicked; and why some ended by themselves.
async fn of_processes(world: &World, report: &mut Report) {
    for role in world.roles() {
        report.ends.extend(role.ends().into_iter().map(|sentence| format!("{}: {sentence}", role.name())));
        if role.output().await.contains("panicked") {
            report.violations.push(format!("{} panicked: {}", role.name(), role.log().await));
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
