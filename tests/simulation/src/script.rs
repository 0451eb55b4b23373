//! Named schedules: the classic accidents, one after the other, where nothing else goes wrong. Each is data: what happens
//! at which append of the whole run.

use event_log::sim::{Faults, Replicas, Rng};
use ledger_core::time::SECOND;

use crate::faults::Swarm;
use crate::outcome::Outcome;
use crate::world::{Event, World};

/// What happens at an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Do {
    /// Its owner dies when it is sent.
    Crash,
    /// Its answer is lost.
    LoseAck,
    /// It waits in the client of its owner, who dies; another starts meanwhile.
    Late,
    /// Its owner falls asleep when it is sent, and another one starts.
    Sleep,
    /// The leader steps down with it in its hands.
    StepDown,
    /// Its owner dies after the first of its answers.
    CrashBetweenAnswers,
}

/// A schedule, and what it must reach.
struct Script {
    name: &'static str,
    replicas: Replicas,
    /// At which append, counted over all owners.
    steps: &'static [(u64, Do)],
    reaches: fn(&Outcome) -> u64,
}

const SCRIPTS: &[Script] = &[
    Script {
        name: "crash between append and ack",
        replicas: Replicas::One,
        steps: &[(5, Do::Crash), (9, Do::Crash), (14, Do::Crash), (20, Do::Crash)],
        reaches: |seen| seen.unknown_stored,
    },
    Script {
        name: "ack lost and resent, one server",
        replicas: Replicas::One,
        steps: &[(6, Do::LoseAck), (12, Do::LoseAck)],
        reaches: |seen| seen.ours,
    },
    Script {
        name: "ack lost and resent, three servers",
        replicas: Replicas::Three,
        steps: &[(6, Do::LoseAck), (12, Do::LoseAck)],
        reaches: |seen| seen.log.duplicates,
    },
    Script {
        name: "two owners, the older wakes up after the newer has opened",
        replicas: Replicas::Three,
        steps: &[(7, Do::Sleep), (30, Do::Sleep)],
        reaches: |seen| seen.fenced,
    },
    Script {
        name: "a late append meets a new owner",
        replicas: Replicas::Three,
        steps: &[(8, Do::Late), (20, Do::Late)],
        reaches: |seen| seen.log.late_rejected,
    },
    Script {
        name: "stepdown in the middle of an append",
        replicas: Replicas::Three,
        steps: &[(5, Do::StepDown), (9, Do::StepDown), (15, Do::StepDown), (24, Do::StepDown)],
        reaches: |seen| seen.log.stepdown_stored.min(seen.log.stepdown_dropped),
    },
    Script {
        name: "crash between two answers of one commit",
        replicas: Replicas::One,
        steps: &[
            (10, Do::CrashBetweenAnswers),
            (17, Do::CrashBetweenAnswers),
            (25, Do::CrashBetweenAnswers),
            (32, Do::CrashBetweenAnswers),
            (40, Do::CrashBetweenAnswers),
            (47, Do::CrashBetweenAnswers),
        ],
        reaches: |seen| seen.unknown_stored,
    },
    Script {
        name: "a key repeated across a change of terms",
        replicas: Replicas::Three,
        steps: &[(6, Do::Crash), (12, Do::Crash), (18, Do::Crash), (24, Do::Crash)],
        reaches: |seen| seen.across_terms,
    },
];

/// Where a schedule stands.
#[derive(Debug, Default)]
pub(crate) struct Running {
    steps: &'static [(u64, Do)],
    appends: u64,
    /// The answers of this owner after which it dies.
    pub(crate) dies_between_answers: Option<u64>,
}

/// How often each is played, from seeds of its own.
const TIMES: u64 = 6;

/// Plays all named schedules; their names.
///
/// Errors: what went wrong in one, or that one has not reached what it is for.
pub fn run_named() -> Result<Vec<&'static str>, String> {
    SCRIPTS.iter().map(Script::run).collect()
}

impl Script {
    fn run(&self) -> Result<&'static str, String> {
        let mut reached = 0;
        for seed in 0..TIMES {
            let mut world = World::new(Rng::new(seed), Swarm::calm(self.replicas), None);
            world.script = Some(Running { steps: self.steps, ..Running::default() });
            let name = format!("\"{}\", {seed}", self.name);
            let (seen, _) = world.run(&name, "cargo test -p simulation named")?;
            reached += (self.reaches)(&seen);
        }
        match reached {
            0 => Err(format!("\"{}\" did not reach what it is for", self.name)),
            _ => Ok(self.name),
        }
    }
}

impl World {
    /// Before an append goes to the log: the faults of this one.
    pub(crate) fn before_append(&mut self) {
        let Some(script) = &mut self.script else { return };
        script.appends += 1;
        let faults = match script.now() {
            Some(Do::LoseAck) => Faults { ack_lost: 1000, ..Faults::default() },
            Some(Do::Late) => Faults { late: 1000, ..Faults::default() },
            Some(Do::StepDown) => Faults { stepdown: 1000, ..Faults::default() },
            _ => Faults::default(),
        };
        self.log.faults = faults;
    }

    /// After it was sent: what its owner suffers.
    pub(crate) fn after_append(&mut self, id: u64) {
        let step = self.script.as_ref().and_then(Running::now);
        match step {
            Some(Do::Crash | Do::Late) => {
                self.crash(id);
                self.plan(SECOND, Event::Start);
            }
            Some(Do::Sleep) => self.falls_asleep(id),
            Some(Do::CrashBetweenAnswers) => {
                self.script.iter_mut().for_each(|script| script.dies_between_answers = Some(id));
            }
            Some(Do::LoseAck | Do::StepDown) | None => {}
        }
    }

    /// Whether an owner dies behind this answer.
    pub(crate) fn dies_between_answers(&mut self, id: u64) -> bool {
        let script = self.script.as_mut();
        script.is_some_and(|script| script.dies_between_answers.take_if(|dying| *dying == id).is_some())
    }
}

impl Running {
    fn now(&self) -> Option<Do> {
        self.steps.iter().find(|(at, _)| *at == self.appends).map(|(_, step)| *step)
    }
}
