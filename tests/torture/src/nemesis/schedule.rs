//! Which fault comes when: data, drawn from the seed.

use std::fmt;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use crate::plan::{Engines, Plan};
use crate::world::proxy::Wire;

/// Who is hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A nats-server, by number.
    Nats(usize),
    /// The nats-server that leads the stream of this partition.
    StreamLeader(u16),
    /// The nats-server that leads the cluster.
    MetaLeader,
    /// The postmaster.
    Postgres,
    /// The command-api that clients ask, or the embedded Drip.
    Owner,
    /// A projector, by number.
    Projector(usize),
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// SIGKILL; started again after so many milliseconds.
    Kill(Target, u64),
    /// SIGTERM; started again after so many milliseconds.
    Terminate(Target, u64),
    /// SIGSTOP, and SIGCONT after so many milliseconds.
    Pause(Target, u64),
    /// Nothing that the owner sends to NATS arrives for so many milliseconds; then it is killed, and what it had sent is
    /// lost.
    KillUnheard(u64),
    /// SIGKILL to one process of Postgres that serves a client.
    KillBackend,
    /// Two of the three nats-servers are killed, or paused, for so many milliseconds.
    TwoOfThree {
        /// Paused and not killed.
        paused: bool,
        /// For how long.
        millis: u64,
    },
    /// The leader of a partition's stream, or of the cluster, hands over, so many times in a row.
    StepDown(Option<u16>, u32),
    /// A second owner is started beside the first.
    Takeover {
        /// The first one is paused meanwhile and wakes up with its old memory.
        asleep: bool,
    },
    /// Everything is stopped and started again, one after the other.
    RollingRestart,
    /// A wire, by number among those that matter, is so for so many milliseconds.
    BadWire {
        /// Which.
        wire: usize,
        /// How it is.
        how: Wire,
        /// For how long.
        millis: u64,
        /// It is cut before it is good again.
        reset: bool,
    },
    /// A message of nobody's in the stream of this partition.
    Foreign(u16),
    /// A caller who wants the answer to a request published into the stream of this partition.
    ReplyIntoLog(u16),
}

impl Fault {
    /// Its kind, for counting.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Kill(target, _) => format!("kill -9 {target}"),
            Self::Terminate(target, _) => format!("SIGTERM {target}"),
            Self::Pause(target, _) => format!("pause {target}"),
            Self::KillUnheard(_) => "kill -9 owner whose last words were lost".to_owned(),
            Self::KillBackend => "kill -9 Postgres backend".to_owned(),
            Self::TwoOfThree { paused: true, .. } => "pause two of three nats-servers".to_owned(),
            Self::TwoOfThree { paused: false, .. } => "kill -9 two of three nats-servers".to_owned(),
            Self::StepDown(Some(_), _) => "stepdown of a stream's leader".to_owned(),
            Self::StepDown(None, _) => "stepdown of the cluster's leader".to_owned(),
            Self::Takeover { asleep: false } => "second owner beside the first".to_owned(),
            Self::Takeover { asleep: true } => "second owner while the first is paused".to_owned(),
            Self::RollingRestart => "rolling restart".to_owned(),
            Self::BadWire { how, .. } => format!("wire {}", wire(*how)),
            Self::Foreign(_) => "foreign message".to_owned(),
            Self::ReplyIntoLog(_) => "reply wanted into the log".to_owned(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nats(_) => "nats-server",
            Self::StreamLeader(_) => "leader of a stream",
            Self::MetaLeader => "leader of the cluster",
            Self::Postgres => "Postgres",
            Self::Owner => "owner",
            Self::Projector(_) => "projector",
        })
    }
}

fn wire(how: Wire) -> &'static str {
    match how {
        Wire::Good => "good",
        Wire::Cut => "cut",
        Wire::StalledToServer => "stalled towards the server",
        Wire::StalledToClient => "stalled towards the client",
        Wire::Silent => "half-open",
        Wire::Slow(_) => "slow",
    }
}

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
}

impl Schedule {
    /// The same plan draws the same steps.
    pub(crate) fn new(plan: &Plan) -> Self {
        // Another stream of numbers than the load's.
        let mut rng = StdRng::seed_from_u64(plan.seed ^ 0x6661_756c_7473);
        let engines = plan.engines;
        let mut first = if plan.first.is_empty() { once_each(engines) } else { plan.first.clone() };
        first.shuffle(&mut rng);
        let longest = u64::try_from(plan.longest_fault.as_millis()).unwrap_or(u64::MAX).max(1_001);
        Self { rng, engines, longest, first }
    }

    /// So many steps hit what was not hit yet.
    pub(crate) fn first_steps(&self) -> usize {
        self.first.len()
    }

    /// The next step.
    pub(crate) fn draw(&mut self) -> Step {
        let calm = self.rng.random_range(100..2_000);
        if let Some(fault) = self.first.pop() {
            return Step { calm, faults: vec![fault] };
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
                Fault::BadWire { wire: self.rng.random_range(0..6), how, millis, reset: self.rng.random() }
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

impl Fault {
    /// Both at once would fight over the same process, or make it impossible to say what should work.
    fn hinders(&self, other: &Self) -> bool {
        self.place() == other.place() || self.place() == Place::All || other.place() == Place::All
    }

    fn place(&self) -> Place {
        match self {
            Self::Kill(target, _) | Self::Terminate(target, _) | Self::Pause(target, _) => match target {
                Target::Nats(_) | Target::StreamLeader(_) | Target::MetaLeader => Place::Log,
                Target::Postgres => Place::Views,
                Target::Owner => Place::Owner,
                Target::Projector(_) => Place::Projector,
            },
            Self::KillBackend => Place::Views,
            Self::TwoOfThree { .. } | Self::StepDown(..) | Self::Foreign(_) | Self::ReplyIntoLog(_) => {
                Place::Log
            }
            Self::Takeover { .. } | Self::RollingRestart | Self::KillUnheard(_) => Place::All,
            Self::BadWire { .. } => Place::Wires,
        }
    }
}

#[derive(PartialEq, Eq)]
enum Place {
    Log,
    Views,
    Owner,
    Projector,
    Wires,
    All,
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
            let (steps, must) = (drawn(3, engines), once_each(engines));
            let first: Vec<Fault> =
                steps.iter().take(must.len()).flat_map(|step| step.faults.clone()).collect();
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
