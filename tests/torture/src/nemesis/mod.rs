//! The faults, carried out on a world under load, each healed again, and how long it took until work went on.

mod inflict;
mod schedule;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::join_all;

use crate::load::Load;
use crate::plan::Plan;
use crate::world::World;
use schedule::{Fault, Schedule};

/// After a fault is healed, work goes on within this time.
const RECOVERY_BOUND: Duration = Duration::from_secs(60);
/// Longer than its plan a storm lasts only so much: what every run must do is done, and then it ends.
const OVERTIME: Duration = Duration::from_secs(120);

/// Breaks things.
pub(crate) struct Nemesis<'a> {
    world: &'a World,
    load: &'a Load,
    record: Mutex<Record>,
}

/// What was broken and how that went.
#[derive(Debug, Default, Clone)]
pub(crate) struct Record {
    /// In order.
    pub(crate) done: Vec<Done>,
    /// What did not come back as it must.
    pub(crate) complaints: Vec<String>,
    /// Where messages of nobody's were stored: partition and sequence.
    pub(crate) foreign: Vec<(u16, u64)>,
}

/// One fault that is over.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Done {
    /// When it began, in milliseconds after the storm did.
    pub at: u64,
    /// Its kind, for counting.
    pub kind: String,
    /// Everything about it.
    fault: Fault,
    /// From its beginning until it was healed, in milliseconds.
    pub lasted: u64,
    /// A time that counts as a figure, in milliseconds, and of what.
    pub recovery: Option<(String, u64)>,
}

impl<'a> Nemesis<'a> {
    /// Nothing is broken yet.
    pub(crate) fn new(world: &'a World, load: &'a Load) -> Self {
        Self { world, load, record: Mutex::default() }
    }

    /// Breaks one thing after the other until the plan's time is over, and everything that every run must break is
    /// broken.
    pub(crate) async fn storm(&self, plan: &Plan) -> Result<()> {
        let mut schedule = Schedule::new(plan.seed, plan.engines, plan.longest_fault);
        let began = Instant::now();
        self.load.debit_after(began, None, RECOVERY_BOUND).await?;
        loop {
            let must = schedule.first_steps() > 0 && began.elapsed() < plan.time + OVERTIME;
            if began.elapsed() >= plan.time && !must {
                return Ok(());
            }
            let step = schedule.draw();
            tokio::time::sleep(Duration::from_millis(step.calm)).await;
            join_all(step.faults.iter().map(|fault| self.one(began, *fault))).await;
        }
    }

    /// What was done.
    pub(crate) fn record(&self) -> Record {
        self.lock().clone()
    }

    /// One fault, until it is healed and work goes on.
    async fn one(&self, began: Instant, fault: Fault) {
        let at = Instant::now();
        let recovery = match self.inflict(fault).await {
            Ok(recovery) => recovery,
            Err(error) => return self.complain(fault, &error),
        };
        let lasted = millis(at.elapsed());
        if let Err(error) = self.load.debit_after(Instant::now(), None, RECOVERY_BOUND).await {
            self.complain(fault, &error);
        }
        let recovery = recovery.map(|(of, time)| (of.to_owned(), millis(time)));
        let at = millis(at.duration_since(began));
        self.lock().done.push(Done { at, kind: fault.kind(), fault, lasted, recovery });
    }

    fn complain(&self, fault: Fault, error: &anyhow::Error) {
        self.lock().complaints.push(format!("after {}: {error:#}", fault.kind()));
    }

    /// Whole whoever panicked.
    fn lock(&self) -> std::sync::MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
