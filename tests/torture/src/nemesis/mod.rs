//! The faults, carried out on a world under load, each healed again, and how long it took until work went on.

mod fault;
mod inflict;
mod schedule;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::join_all;

use crate::load::Load;
use crate::plan::Plan;
use crate::world::World;
use schedule::Schedule;

pub use fault::{Fault, Target};

/// After a fault is healed, work goes on within this time.
const RECOVERY_BOUND: Duration = Duration::from_secs(60);
/// Longer than its plan a storm lasts only so much: what every run must do is done, and then it ends.
const OVERTIME: Duration = Duration::from_secs(120);

/// Breaks things.
pub(crate) struct Nemesis<'a> {
    pub(crate) world: &'a World,
    pub(crate) load: &'a Load,
    began: Instant,
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
    /// When it began, in milliseconds after the load did.
    pub at: u64,
    /// Its kind, for counting.
    pub kind: String,
    /// Everything about it, where it was drawn.
    fault: Option<Fault>,
    /// From its beginning until it was healed, in milliseconds.
    pub lasted: u64,
    /// A time that counts as a figure, in milliseconds, and of what.
    pub recovery: Option<(String, u64)>,
}

impl Done {
    /// With nothing that counts as a figure.
    pub(crate) fn of(kind: &str, at: Duration, lasted: Duration) -> Self {
        Self { at: millis(at), kind: kind.to_owned(), fault: None, lasted: millis(lasted), recovery: None }
    }
}

impl<'a> Nemesis<'a> {
    /// Nothing is broken yet.
    pub(crate) fn new(world: &'a World, load: &'a Load) -> Self {
        Self { world, load, began: Instant::now(), record: Mutex::default() }
    }

    /// Breaks one thing after the other until the plan's time is over, and everything that every run must break is
    /// broken.
    pub(crate) async fn storm(&self, plan: &Plan) -> Result<()> {
        let mut schedule = Schedule::new(plan);
        let began = Instant::now();
        loop {
            let must = schedule.first_steps() > 0 && began.elapsed() < plan.time + OVERTIME;
            if began.elapsed() >= plan.time && !must {
                return Ok(());
            }
            let step = schedule.draw();
            tokio::time::sleep(Duration::from_millis(step.calm)).await;
            join_all(step.faults.iter().map(|fault| self.one(*fault))).await;
        }
    }

    /// What was done.
    pub(crate) fn record(&self) -> Record {
        self.lock().clone()
    }

    /// One fault, until it is healed and work goes on.
    async fn one(&self, fault: Fault) {
        let at = Instant::now();
        let recovery = match self.inflict(fault).await {
            Ok(recovery) => recovery,
            Err(error) => return self.complain(fault, &error),
        };
        let lasted = at.elapsed();
        if let Err(error) = self.load.debit_after(Instant::now(), None, RECOVERY_BOUND).await {
            self.complain(fault, &error);
        }
        let mut done = Done::of(&fault.kind(), at.duration_since(self.began), lasted);
        done.recovery = recovery.map(|(of, time)| (of.to_owned(), millis(time)));
        done.fault = Some(fault);
        self.note(done);
    }

    /// Something is over.
    pub(crate) fn note(&self, done: Done) {
        self.lock().done.push(done);
    }

    /// When the load began.
    pub(crate) fn began(&self) -> Instant {
        self.began
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
