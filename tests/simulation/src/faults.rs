//! What goes wrong in a seed: about half of what can, each as often as the seed draws.

use event_log::sim::{Faults, Replicas, Rng};
use ledger_core::time::SECOND;

/// The budget of keys of an app whose keys are soon forgotten.
const FEW_KEYS: u32 = 16;

/// What goes wrong, in cases of a thousand where nothing else is said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Swarm {
    pub(crate) replicas: Replicas,
    pub(crate) log: Faults,
    /// An owner crashes between two of its outputs.
    pub(crate) crash: u64,
    /// An owner falls asleep with all its memory, once a second.
    pub(crate) pause: u64,
    /// An owner's clock is wrong from its start on.
    pub(crate) clock: u64,
    /// There never is a second owner beside the first.
    pub(crate) one_owner: bool,
    /// How many keys are remembered.
    pub(crate) key_budget: u32,
    pub(crate) clients: usize,
    /// The log loses its tail in the middle of the storm, and for good: with how many owners running.
    pub(crate) cut: Option<Cut>,
    /// A bit of it turns in the middle of the storm, and for good.
    pub(crate) flip: bool,
}

/// When a log of one copy loses its tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// While owners are at work.
    UnderWay,
    /// While nobody is there.
    AtRest,
}

impl Swarm {
    /// By the seed alone.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let replicas = if rng.chance(500) { Replicas::One } else { Replicas::Three };
        let mut often = |most: u64| if rng.chance(500) { 1 + rng.below(most) } else { 0 };
        let log = Faults {
            lost: often(100),
            ack_lost: often(150),
            late: often(60),
            stepdown: often(60),
            full: often(50),
            foreign: often(20),
            stale: often(200),
            unreadable: often(50),
        };
        let (crash, pause, clock) = (often(30), often(300), often(500));
        let key_budget = if often(1) > 0 { FEW_KEYS } else { 10_000 };
        let clients = 3 + usize::try_from(rng.below(18)).expect("small");
        let one_owner = rng.chance(500);
        let cut = (replicas == Replicas::One && rng.chance(150))
            .then(|| if rng.chance(500) { Cut::UnderWay } else { Cut::AtRest });
        let flip = replicas == Replicas::One && cut.is_none() && rng.chance(100);
        let pause = if one_owner { 0 } else { pause };
        Self { replicas, log, crash, pause, clock, one_owner, key_budget, clients, cut, flip }
    }

    /// Nothing goes wrong by itself.
    pub(crate) fn calm(replicas: Replicas) -> Self {
        Self {
            replicas,
            log: Faults::default(),
            crash: 0,
            pause: 0,
            clock: 0,
            one_owner: false,
            key_budget: 10_000,
            clients: 6,
            cut: None,
            flip: false,
        }
    }

    /// From now on nothing goes wrong any more. What was lost stays lost.
    pub(crate) fn heal(&mut self) {
        (self.log, self.crash, self.pause, self.clock) = (Faults::default(), 0, 0, 0);
    }

    /// Keys that say nothing of their time are forgotten by and by.
    pub(crate) fn forgets_keys(&self) -> bool {
        self.key_budget == FEW_KEYS
    }

    /// How wrong an owner's clock is, in microseconds: ahead by half a minute at most, so that the log's time is
    /// reached again before the end, or behind by minutes.
    pub(crate) fn clock_offset(&self, rng: &mut Rng) -> i64 {
        match rng.chance(self.clock) {
            true if rng.chance(300) => -rng.micros(0, 180 * SECOND),
            true => rng.micros(-4 * SECOND, 30 * SECOND),
            false => 0,
        }
    }
}
