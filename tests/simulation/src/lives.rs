//! How owners come and go: they start, fall asleep, find their clock wrong, stop in order, crash.

use command_api::writer::{CLOCK_SKEW_MAX, Input, OpenError};
use event_log::anchors::Verdict;
use ledger_core::TermNonce;
use ledger_core::time::SECOND;

use crate::faults::Swarm;
use crate::outcome::Bug;
use crate::owner::{self, Kept, Owner};
use crate::world::{Event, World};

impl World {
    /// A new owner replays what a head, perhaps an old one, tells of, and asks for the term. Before that it holds the log
    /// against what is known of it, as the real one does.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        if self.owners.len() >= if self.swarm.one_owner { 1 } else { 3 } {
            return Ok(());
        }
        match self.holds_what_is_known() {
            Verdict::Agrees => {}
            Verdict::InDoubt => {
                self.plan(3 * SECOND, Event::Start);
                return Ok(());
            }
            Verdict::Believed => {
                self.seen.alarms += 1;
                self.note("an owner does not start: the log has lost what is known of it");
                return Ok(());
            }
        }
        self.next += 1;
        let id = self.next;
        let owner = self.new_owner()?;
        self.owners.insert(id, owner);
        self.note(&format!("owner {id} starts"));
        self.open(id)?;
        self.plan(2 * SECOND, Event::Look(id));
        Ok(())
    }

    fn holds_what_is_known(&mut self) -> Verdict {
        let known = self.anchor.filter(|_| self.bug != Some(Bug::AnchorsNotAsked));
        match known.map(|anchor| self.log.differs(self.now, &anchor)) {
            None => Verdict::Agrees,
            Some(Ok(found)) => self.doubt.hear(self.now, found),
            Some(Err(_)) => {
                self.doubt.unanswered();
                Verdict::InDoubt
            }
        }
    }

    /// With nothing in memory, or with what the newest snapshot holds, or an older one.
    fn new_owner(&mut self) -> Result<Owner, String> {
        let mut owner = self.restored()?;
        owner.clock = self.swarm.clock_offset(&mut self.rng);
        self.seen.clock_wrong += u64::from(owner.clock != 0);
        Ok(owner)
    }

    fn restored(&mut self) -> Result<Owner, String> {
        let count = self.snapshots.len();
        let policy = self.swarm.policy(&mut self.rng);
        if count == 0 || self.rng.chance(300) {
            return Ok(Owner::new(policy));
        }
        let old = self.rng.chance(500);
        let any = usize::try_from(self.rng.below(count as u64)).expect("small");
        let place = if old { any } else { count - 1 };
        let mut state = owner::restore(&self.snapshots[place].snapshot)?;
        if self.bug == Some(Bug::StateOfAnotherMoment) {
            state.0 = self.snapshots[count - 1].snapshot.chain;
        }
        self.seen.restored += u64::from(place == count - 1);
        self.seen.restored_old += u64::from(place < count - 1);
        self.note(&format!("a snapshot of commit {} is taken up", state.0.sequence));
        Ok(Owner::restored(policy, state, self.snapshots[place].snapshot.size()))
    }

    pub(crate) fn open(&mut self, id: u64) -> Result<(), String> {
        let head = self.log.head(self.now);
        let Ok(head) = head else {
            self.owners.remove(&id);
            self.plan(3 * SECOND, Event::Start);
            return Ok(());
        };
        if let Some(place) = self.log.damaged(head) {
            self.seen.alarms += 1;
            self.note(&format!("owner {id} does not start: the log is damaged at {place}"));
            self.owners.remove(&id);
            return Ok(());
        }
        let owner = self.owners.get_mut(&id).expect("it is alive");
        let head = usize::try_from(head).expect("small");
        let tail = self.bug != Some(Bug::TailNotReplayed) || owner.writer.chain().read == 0;
        owner.replay(if tail { &self.log.entries()[..head] } else { &[] })?;
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.rng.draw().to_le_bytes());
        let (mut out, now) = (Vec::new(), self.now.plus(owner.clock));
        owner.latest = owner.latest.max(now);
        match owner.writer.open(now, TermNonce(nonce), &mut out) {
            Ok(()) => self.carry_out(id, out),
            Err(OpenError::ClockBehind { .. }) => {
                self.seen.clock_behind += 1;
                self.owners.remove(&id);
                self.plan(3 * SECOND, Event::Start);
            }
            Err(error) => return Err(format!("I13: {error}")),
        }
        Ok(())
    }

    /// One by one they fall asleep, and wake up in another order.
    pub(crate) fn swizzle(&mut self) {
        if self.swarm.one_owner || self.swarm.pause == 0 {
            return;
        }
        self.seen.swizzles += 1;
        let ids: Vec<u64> = self.owners.keys().copied().collect();
        for id in ids {
            self.falls_asleep(id);
        }
    }

    pub(crate) fn falls_asleep(&mut self, id: u64) {
        let until = self.now.plus(self.rng.micros(0, 30 * SECOND));
        self.note(&format!("owner {id} falls asleep"));
        self.seen.pauses += 1;
        self.owners.get_mut(&id).expect("it is alive").paused_until = until;
        self.plan_at(until, Event::Wake(id));
        self.plan(10 * SECOND, Event::Start);
    }

    /// Time passes; what came while it was asleep is taken in now, with the memory of then.
    pub(crate) fn wake(&mut self, id: u64) {
        let awake = self.owners.get_mut(&id).filter(|owner| owner.paused_until <= self.now);
        for input in awake.map(|owner| std::mem::take(&mut owner.asleep)).unwrap_or_default() {
            self.input(id, input);
        }
        self.input(id, Input::Tick);
    }

    /// What may happen to an owner in any second of its life.
    pub(crate) fn meets_with(&mut self, id: u64) {
        if self.rng.chance(self.swarm.pause) {
            self.falls_asleep(id);
        }
        if self.rng.chance(self.swarm.jump) {
            self.clock_jumps(id);
        }
        if self.rng.chance(self.swarm.stop) {
            self.stops_in_order(id);
        }
    }

    /// The shell measures its wall clock against a steady one, and ends when they are too far apart.
    fn clock_jumps(&mut self, id: u64) {
        let by = Swarm::clock_jump(&mut self.rng);
        let Some(owner) = self.owners.get_mut(&id) else { return };
        (owner.clock, owner.jumped) = (owner.clock + by, owner.jumped + by);
        let noticed = owner.jumped.abs() > CLOCK_SKEW_MAX;
        self.note(&format!("the clock of owner {id} jumps by {by}"));
        match noticed {
            false => self.seen.clock_jumps += 1,
            true => {
                self.seen.clock_jumps_noticed += 1;
                self.owners.remove(&id);
                self.plan(5 * SECOND, Event::Start);
            }
        }
    }

    /// It takes no more calls, waits until the last is answered (so: is idle, here), and leaves its state.
    fn stops_in_order(&mut self, id: u64) {
        let idle = self
            .owners
            .get(&id)
            .is_some_and(|owner| owner.writer.is_idle() && owner.paused_until <= self.now);
        if !idle {
            return;
        }
        let mut owner = self.owners.remove(&id).expect("it is alive");
        self.note(&format!("owner {id} stops in order"));
        self.seen.stops += 1;
        if let Some(snapshot) = owner.writer.last_snapshot() {
            self.seen.last_snapshots += 1;
            // Not every look at the clock moves the ledger on, but none moves it past what the clock has shown.
            let looked = Some(owner.writer.ledger().time().min(owner.latest));
            self.snapshots.push(Kept { snapshot, looked });
        }
        self.plan(5 * SECOND, Event::Start);
    }

    pub(crate) fn crash(&mut self, id: u64) {
        self.note(&format!("owner {id} crashes"));
        self.seen.crashes += 1;
        self.owners.remove(&id);
        self.plan(5 * SECOND, Event::Start);
    }
}
