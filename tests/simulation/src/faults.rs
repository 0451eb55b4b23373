//! What goes wrong in a seed: about half of what can, each as often as the seed draws.

use command_api::writer::CLOCK_SKEW_MAX;
use event_log::sim::{Faults, Replicas, Rng};
use ledger_core::Policy;
use ledger_core::policy::OnDecline;
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
    /// An owner's clock jumps while it is at work, once a second.
    pub(crate) jump: u64,
    /// An owner stops in order, once a second.
    pub(crate) stop: u64,
    /// An owner starts with another policy.
    pub(crate) policy: u64,
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
            slow: often(40),
            stepdown: often(60),
            full: often(50),
            foreign: often(20),
            stale: often(200),
            unreadable: often(50),
        };
        let (crash, pause, clock) = (often(30), often(300), often(500));
        let (jump, stop, policy) = (often(100), often(60), often(400));
        let key_budget = if often(1) > 0 { FEW_KEYS } else { 10_000 };
        let clients = 3 + usize::try_from(rng.below(18)).expect("small");
        let one_owner = rng.chance(500);
        let cut = (replicas == Replicas::One && rng.chance(150))
            .then(|| if rng.chance(500) { Cut::UnderWay } else { Cut::AtRest });
        let flip = replicas == Replicas::One && cut.is_none() && rng.chance(100);
        let pause = if one_owner { 0 } else { pause };
        Self {
            replicas,
            log,
            crash,
            pause,
            clock,
            jump,
            stop,
            policy,
            one_owner,
            key_budget,
            clients,
            cut,
            flip,
        }
    }

    /// Nothing goes wrong by itself.
    pub(crate) fn calm(replicas: Replicas) -> Self {
        Self {
            replicas,
            log: Faults::default(),
            crash: 0,
            pause: 0,
            clock: 0,
            jump: 0,
            stop: 0,
            policy: 0,
            one_owner: false,
            key_budget: 10_000,
            clients: 6,
            cut: None,
            flip: false,
        }
    }

    /// From now on nothing goes wrong any more. What was lost stays lost.
    pub(crate) fn heal(&mut self) {
        (self.log, self.crash, self.pause) = (Faults::default(), 0, 0);
        (self.clock, self.jump, self.stop, self.policy) = (0, 0, 0, 0);
    }

    /// Keys that say nothing of their time are forgotten by and by.
    pub(crate) fn forgets_keys(&self) -> bool {
        self.key_budget == FEW_KEYS
    }

    /// How far an owner's clock jumps, in microseconds: every second time as little as it may.
    pub(crate) fn clock_jump(rng: &mut Rng) -> i64 {
        let most = if rng.chance(500) { CLOCK_SKEW_MAX / 2 } else { 20 * SECOND };
        rng.micros(-most, most)
    }

    /// What an owner is configured with for the app whose keys may be few.
    pub(crate) fn policy(&self, rng: &mut Rng) -> Policy {
        let usual = Policy { key_budget: self.key_budget, ..Policy::default() };
        match rng.chance(self.policy).then(|| rng.below(3)) {
            None => usual,
            Some(0) => Policy { fee_bps: 1_234, low_percent: 50, ..usual },
            Some(1) => Policy { fee_bps: 0, on_decline: OnDecline::Exhaust, ..usual },
            Some(_) => Policy { low_percent: 0, on_decline: OnDecline::Ignore, ..usual },
        }
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
