//! An account as its writer knows it: what `decide` looks at and `evolve` changes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::charge::Carry;
use crate::event::{Slice, Slices};
use crate::ids::Position;
use crate::level::{Level, Line};
use crate::money::Usdc;
use crate::policy::{OnDecline, Policy};
use crate::upkeep::{Container, Phase, Standing, Upkeep, Wanted};

/// How many lots with money left an account may have: what one debit burns must fit into one commit.
pub const LOTS_MAX: usize = 10_000;

/// Where the money of a lot came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LotKind {
    /// Paid in by the user.
    Paid,
    /// Given by the developer.
    Promo,
}

impl LotKind {
    /// The priority a lot of this kind gets: promo burns before paid. Numbers between are left for later kinds.
    pub fn priority(self) -> u8 {
        match self {
            Self::Promo => 50,
            Self::Paid => 100,
        }
    }
}

/// What one deposit or grant brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lot {
    /// Counted from 1 in each account.
    pub number: u32,
    /// Paid or given.
    pub kind: LotKind,
    /// Lots of a lower priority are burned first.
    pub priority: u8,
    /// The event that made it.
    pub position: Position,
    /// What is left of it, never zero: an empty lot is forgotten here.
    pub left: Usdc,
}

/// How the account is shown to people. Derived, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its container is being made.
    Provisioning,
    /// It has credit, and its container runs, if it has one.
    Active,
    /// It has little credit.
    LowCredit,
    /// It sleeps: it has no credit, or a person put it to sleep.
    Paused,
    /// Its container is being woken.
    Restoring,
    /// Its container could not be made, woken or put to sleep in time; it is still tried.
    Failed,
    /// It is closed.
    Closed,
}

impl Status {
    /// What account and container come to.
    pub fn of(level: Level, wanted: Wanted, container: Option<Standing>) -> Self {
        let running = container.is_none_or(|container| container.phase == Phase::Running);
        let ran = container.is_some_and(|container| container.ran);
        let failed = |container: Standing| container.gave_up && !container.phase.is_rest(wanted);
        match wanted {
            Wanted::Absent => Self::Closed,
            _ if container.is_some_and(failed) => Self::Failed,
            Wanted::Asleep => Self::Paused,
            Wanted::Running if running && level == Level::Healthy => Self::Active,
            Wanted::Running if running => Self::LowCredit,
            Wanted::Running if ran => Self::Restoring,
            Wanted::Running => Self::Provisioning,
        }
    }
}

/// The state of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub(crate) opened: Position,
    pub(crate) last: Position,
    pub(crate) balance: Usdc,
    pub(crate) baseline: Usdc,
    pub(crate) level: Level,
    pub(crate) epoch: u32,
    pub(crate) dusted: bool,
    pub(crate) closed: bool,
    /// A person put it to sleep.
    pub(crate) paused: bool,
    /// A person lets its container run without credit.
    pub(crate) forced: bool,
    pub(crate) carry: Carry,
    /// In 1/10,000 credit.
    pub(crate) fee_carry: u16,
    /// The smallest positive charge of this epoch, and of the last one before it that had any. Zero: none.
    pub(crate) smallest: Usdc,
    pub(crate) smallest_before: Usdc,
    /// In the order in which they burn. Most accounts have one, which then costs no allocation of its own.
    pub(crate) lots: SmallVec<[Lot; 1]>,
    pub(crate) lots_made: u32,
    /// What workers do for it.
    pub(crate) upkeep: Option<Box<Upkeep>>,
}

/// Where a change of balance takes the level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Movement {
    pub(crate) level: Level,
    pub(crate) epoch: u32,
    /// The new epoch, when the level rose.
    pub(crate) epoch_started: Option<u32>,
    /// The lines passed, when it fell.
    pub(crate) lines: Vec<Line>,
}

impl Account {
    /// A new account at its opening.
    pub(crate) fn new(opened: Position, initial_balance: Usdc, level: Level) -> Self {
        Self {
            opened,
            last: opened,
            balance: initial_balance,
            baseline: initial_balance,
            level,
            epoch: 1,
            dusted: false,
            closed: false,
            paused: false,
            forced: false,
            carry: Carry::default(),
            fee_carry: 0,
            smallest: Usdc::ZERO,
            smallest_before: Usdc::ZERO,
            lots: SmallVec::new(),
            lots_made: 0,
            upkeep: None,
        }
    }

    /// The event that opened it.
    pub fn opened(&self) -> Position {
        self.opened
    }

    /// Its last event.
    pub fn last(&self) -> Position {
        self.last
    }

    /// The sum of its lots.
    pub fn balance(&self) -> Usdc {
        self.balance
    }

    /// What debits may spend. The only definition of it.
    pub fn available(&self) -> Usdc {
        self.balance
    }

    /// What counts as 100 %.
    pub fn baseline(&self) -> Usdc {
        self.baseline
    }

    /// How it stands.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Counts the rises of the level, from 1.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// What is left can not pay for what the user is used to.
    pub fn is_dusted(&self) -> bool {
        self.dusted
    }

    /// It refuses debits for ever.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// What remains below one credit of its itemised charges.
    pub fn carry(&self) -> Carry {
        self.carry
    }

    /// How it is shown to people.
    pub fn status(&self) -> Status {
        Status::of(self.level, self.wanted(), self.container().map(Container::standing))
    }

    /// A person put it to sleep: it refuses debits.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// A person lets its container run without credit.
    pub fn is_forced(&self) -> bool {
        self.forced
    }

    /// What workers do for it, if anything.
    pub fn upkeep(&self) -> Option<&Upkeep> {
        self.upkeep.as_deref()
    }

    pub(crate) fn upkeep_mut(&mut self) -> &mut Upkeep {
        self.upkeep.get_or_insert_default()
    }

    /// The lots that have something left, in the order in which they burn.
    pub fn lots(&self) -> &[Lot] {
        &self.lots
    }

    /// The level after a change, and what that means.
    pub(crate) fn movement(&self, balance: Usdc, baseline: Usdc, dusted: bool, policy: &Policy) -> Movement {
        let level = Level::of(balance, baseline, dusted, policy.low_percent);
        let epoch_started = (level > self.level).then(|| self.epoch + 1);
        Movement {
            level,
            epoch: epoch_started.unwrap_or(self.epoch),
            epoch_started,
            lines: self.level.lines_down_to(level).collect(),
        }
    }

    /// Whether a debit declined for want of credit exhausts the account. An exhausted one can not fall further.
    pub(crate) fn is_dusted_by_decline(&self, policy: &Policy) -> bool {
        let dusts = match policy.on_decline {
            OnDecline::Ignore => false,
            OnDecline::Exhaust => true,
            OnDecline::Dust => {
                let used_to = if self.smallest.is_zero() { self.smallest_before } else { self.smallest };
                self.balance < used_to
            }
        };
        dusts && self.level != Level::Exhausted
    }

    /// What a charge takes from which lots. The account must have that much.
    pub(crate) fn slices(&self, charged: Usdc) -> Slices {
        let mut due = charged;
        let mut slices = Slices::new();
        for lot in &self.lots {
            if due.is_zero() {
                break;
            }
            let amount = due.min(lot.left);
            slices.push(Slice { lot: lot.number, amount });
            due -= amount;
        }
        assert!(due.is_zero(), "lots always hold the whole balance, and a charge is at most that");
        slices
    }

    pub(crate) fn add_lot(&mut self, lot: Lot) {
        let place = self
            .lots
            .partition_point(|other| (other.priority, other.position) < (lot.priority, lot.position));
        self.lots.insert(place, lot);
        self.lots_made = lot.number;
    }

    /// Takes slices. `None` when a lot does not have that much.
    pub(crate) fn burn(&mut self, slices: &[Slice]) -> Option<()> {
        for slice in slices {
            let lot = self.lots.iter_mut().find(|lot| lot.number == slice.lot && lot.left.is_positive())?;
            if !slice.amount.is_positive() || slice.amount > lot.left {
                return None;
            }
            lot.left -= slice.amount;
        }
        self.lots.retain(|lot| lot.left.is_positive());
        Some(())
    }

    /// Every position the account knows.
    pub(crate) fn positions_mut(&mut self) -> impl Iterator<Item = &mut Position> {
        let own = [&mut self.opened, &mut self.last];
        let lots = self.lots.iter_mut().map(|lot| &mut lot.position);
        own.into_iter().chain(lots).chain(self.upkeep.iter_mut().flat_map(|upkeep| upkeep.positions_mut()))
    }

    pub(crate) fn start_epoch(&mut self, epoch: u32) {
        self.epoch = epoch;
        self.forced = false;
        if self.smallest.is_positive() {
            self.smallest_before = self.smallest;
        }
        self.smallest = Usdc::ZERO;
    }
}
