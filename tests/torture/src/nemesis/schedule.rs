//! Which fault comes when: data, drawn from the seed.

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::fault::{Fault, Target};
use crate::plan::{Engines, Plan};
use crate::world::proxy::Wire;

/// One moment: a pause, then faults together.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Step {
    /// How long it is calm before, in milliseconds.
    pub(crate) calm: u64,
    /// Mostly one.
    pub(crate) faults: Vec<Fault>,
}

/// An endless row of steps. The first ones hit every component once.
pub(crate) struct Schedule {
    rng: StdRng,
    engines: Engines,
    longest: u64,
    first: Vec<Fault>,
    /// What hits workers, while something else is broken: they are many, and need no time of their own.
    beside: Vec<Fault>,
    workers: bool,
}

impl Schedule {
    /// The same plan draws the same steps.
    pub(crate) fn new(plan: &Plan) -> Self {
        // Another stream of numbers than the load's.
        let mut rng = StdRng::seed_from_u64(plan.seed ^ 0x6661_756c_7473);
        let engines = plan.engines;
        let mut first = if plan.first.is_empty() { once_each(engines) } else { plan.first.clone() };
        first.shuffle(&mut rng);
        let workers = plan.workers && engines != Engines::Embedded;
        let mut beside = if workers && plan.first.is_empty() { workers_once() } else { Vec::new() };
        beside.shuffle(&mut rng);
        let longest = u64::try_from(plan.longest_fault.as_millis()).unwrap_or(u64::MAX).max(1_001);
        Self { rng, engines, longest, first, beside, workers }
    }

    /// So many steps hit what was not hit yet.
    pub(crate) fn first_steps(&self) -> usize {
        self.first.len().max(self.beside.len())
    }

    /// The next step.
    pub(crate) fn draw(&mut self) -> Step {
        let calm = self.rng.random_range(100..2_000);
        if self.first_steps() > 0 {
            return Step { calm, faults: self.first_ones() };
        }
        let mut faults = vec![self.fault()];
        if self.rng.random_range(0..100) < 20 {
            let second = self.process_fault();
            if !faults[0].hinders(&second) {
                faults.push(second);
            }
        }
        Step { calm, faults }
    }

    fn first_ones(&mut self) -> Vec<Fault> {
        let mut faults: Vec<_> = self.first.pop().into_iter().collect();
        let mut hindered =
            self.beside.last().into_iter().flat_map(|own| faults.iter().map(|one| one.hinders(own)));
        if !hindered.any(|hindered| hindered) {
            faults.extend(self.beside.pop());
        }
        faults
    }

    fn fault(&mut self) -> Fault {
        let millis = self.rng.random_range(1_000..self.longest);
        let partition = self.rng.random_range(0..self.engines.partitions());
        match (self.engines, self.rng.random_range(0..100)) {
            (Engines::Embedded, _) | (_, 0..40) => self.process_fault(),
            (Engines::R3, 40..48) => Fault::TwoOfThree { paused: self.rng.random(), millis },
            (Engines::R3, 48..54) => {
                let partition = self.rng.random::<bool>().then_some(partition);
                Fault::StepDown(partition, self.rng.random_range(1..6))
            }
            (_, 40..54) => Fault::Takeover { asleep: self.rng.random() },
            (_, 54..60) => Fault::KillUnheard(self.rng.random_range(200..2_000)),
            (_, 60..64) => Fault::RollingRestart,
            (_, 64..66) => Fault::Foreign(partition),
            (_, 66..68) => Fault::ReplyIntoLog(partition),
            (_, 68..72) => Fault::KillBackend,
            _ => {
                let wires = [
                    Wire::Cut,
                    Wire::StalledToServer,
                    Wire::StalledToClient,
                    Wire::Silent,
                    Wire::Slow(self.rng.random_range(5..200)),
                ];
                let how = wires[self.rng.random_range(0..wires.len())];
                Fault::BadWire { wire: self.rng.random_range(0..60), how, millis, reset: self.rng.random() }
            }
        }
    }

    /// A process is killed, stopped or paused.
    fn process_fault(&mut self) -> Fault {
        let target = self.target();
        let (away, paused) = (self.rng.random_range(0..3_000), self.rng.random_range(1_000..self.longest));
        match self.rng.random_range(0..100) {
            0..40 => Fault::Kill(target, away),
            40..60 => Fault::Terminate(target, away),
            _ => Fault::Pause(target, paused),
        }
    }

    fn target(&mut self) -> Target {
        let partition = self.rng.random_range(0..self.engines.partitions());
        if self.workers && self.rng.random_range(0..100) < 30 {
            return self.worker();
        }
        match (self.engines, self.rng.random_range(0..100)) {
            (Engines::Embedded, _) | (_, 0..35) => Target::Owner,
            (_, 35..55) => Target::Projector(self.rng.random_range(0..2)),
            (_, 55..65) => Target::Postgres,
            (Engines::R3, 65..85) => Target::StreamLeader(partition),
            (Engines::R3, 85..92) => Target::MetaLeader,
            _ => Target::Nats(self.rng.random_range(0..self.engines.servers())),
        }
    }
}

impl Schedule {
    fn worker(&mut self) -> Target {
        let number = self.rng.random_range(0..2);
        match self.rng.random_range(0..10) {
            0..5 => Target::Lifecycle(number),
            5..9 => Target::Notifier(number),
            _ => Target::Sandbox,
        }
    }
}

/// Longer than Drip waits for an acknowledgement, so that it must find out what became of its commit.
const ACK_LOST: u64 = 6_500;

/// What every run must have done.
fn once_each(engines: Engines) -> Vec<Fault> {
    if engines == Engines::Embedded {
        let owner = Target::Owner;
        return vec![
            Fault::Kill(owner, 0),
            Fault::Pause(owner, 1_500),
            Fault::Terminate(owner, 0),
            Fault::Kill(owner, 1_000),
        ];
    }
    let mut all = vec![
        Fault::Kill(Target::Owner, 0),
        Fault::Kill(Target::Projector(0), 300),
        Fault::Kill(Target::Projector(1), 300),
        Fault::Kill(Target::Postgres, 0),
        Fault::KillBackend,
        Fault::Pause(Target::Owner, 2_000),
        Fault::Takeover { asleep: false },
        Fault::Takeover { asleep: true },
        Fault::Foreign(0),
        Fault::ReplyIntoLog(0),
        Fault::KillUnheard(1_000),
        Fault::BadWire { wire: 0, how: Wire::StalledToClient, millis: ACK_LOST, reset: true },
    ];
    match engines {
        Engines::R3 => all.extend([
            Fault::Kill(Target::StreamLeader(1), 0),
            Fault::Kill(Target::MetaLeader, 0),
            Fault::Pause(Target::StreamLeader(2), ACK_LOST),
            Fault::TwoOfThree { paused: false, millis: 3_000 },
            Fault::TwoOfThree { paused: true, millis: 3_000 },
            Fault::StepDown(Some(0), 3),
            Fault::StepDown(None, 1),
        ]),
        _ => all.extend([Fault::Kill(Target::Nats(0), 0), Fault::Pause(Target::Nats(0), ACK_LOST)]),
    }
    all
}

/// Longer than a claim lasts here, so that another worker is at it when this one wakes.
const CLAIM_OVER: u64 = 6_000;

/// What every run must have done to workers.
fn workers_once() -> Vec<Fault> {
    vec![
        Fault::Kill(Target::Lifecycle(0), 0),
        Fault::Kill(Target::Lifecycle(1), 300),
        Fault::Kill(Target::Notifier(0), 300),
        Fault::Kill(Target::Notifier(1), 0),
        Fault::Kill(Target::Sandbox, 500),
        Fault::Pause(Target::Lifecycle(0), CLAIM_OVER),
        Fault::Pause(Target::Notifier(0), CLAIM_OVER),
        Fault::Terminate(Target::Lifecycle(1), 0),
        Fault::Terminate(Target::Notifier(1), 0),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fault::Place;
    use super::*;

    fn drawn(seed: u64, engines: Engines) -> Vec<Step> {
        let mut schedule = Schedule::new(&Plan::new(engines, Duration::from_secs(20), seed));
        (0..400).map(|_| schedule.draw()).collect()
    }

    #[test]
    fn a_seed_draws_the_same_faults() {
        assert_eq!(drawn(7, Engines::R3), drawn(7, Engines::R3));
        assert_ne!(drawn(7, Engines::R3), drawn(8, Engines::R3));
    }

    #[test]
    fn what_every_run_must_do_comes_first_and_the_rest_never_fights_over_one_place() {
        for engines in [Engines::Embedded, Engines::R1, Engines::R3] {
            let (steps, mut must) = (drawn(3, engines), once_each(engines));
            let count = must.len();
            if engines != Engines::Embedded {
                must.extend(workers_once());
            }
            let first: Vec<Fault> = steps
                .iter()
                .take(count + workers_once().len())
                .flat_map(|step| step.faults.clone())
                .collect();
            assert!(must.iter().all(|fault| first.contains(fault)), "{engines:?}: {first:?}");
            for step in &steps {
                assert!(step.faults.len() < 2 || !step.faults[0].hinders(&step.faults[1]), "{step:?}");
            }
            let of_servers = |fault: &&Fault| !matches!(fault.place(), Place::Owner);
            let foreign = steps.iter().flat_map(|step| &step.faults).filter(of_servers).count();
            assert_eq!(foreign > 0, engines != Engines::Embedded);
        }
    }
}
