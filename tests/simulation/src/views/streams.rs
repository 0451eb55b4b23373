//! The streams that bring the log to the projectors, and lie: entries are brought again or lost on their way, a stream
//! begins anew some entries before, falls silent, ends.

use projector::Fold;

use super::shell::unreadable;
use super::*;

impl Views {
    pub(super) fn follow(&mut self, id: u64, after: u64) {
        self.next += 1;
        let stream = self.next;
        let projector = self.projectors.get_mut(&id).expect("it is alive");
        (projector.stream, projector.brought, projector.ahead) = (stream, after, None);
        self.note(&format!("projector {id} follows from {after}"));
        self.plan(5_000, Event::Brings(id, stream));
    }

    /// A stream brings what is there, or what it takes for that.
    pub(super) fn bring(&mut self, id: u64, stream: u64, log: &[Entry]) {
        let Some(projector) = self.projectors.get_mut(&id).filter(|projector| projector.stream == stream)
        else {
            return;
        };
        if self.now < projector.paused_until {
            let until = projector.paused_until;
            return self.plan_at(until, Event::Brings(id, stream));
        }
        if self.rng.chance(self.faults.recreated) {
            projector.brought = projector.brought.saturating_sub(1 + self.rng.below(5));
        }
        if self.rng.chance(self.faults.ended) {
            self.seen.ended += 1;
            return self.input(id, Input::Failed(unreadable()));
        }
        for _ in 0..self.rng.below(6) {
            self.bring_one(id, stream, log);
        }
        if self.follows(id, stream).is_some_and(|projector| projector.machine.holds_back()) {
            self.input(id, Input::Idle);
        }
        let most = if self.rng.chance(self.faults.silent) { 20 * SECOND } else { 200_000 };
        self.plan(most, Event::Brings(id, stream));
        self.fall_asleep(id);
    }

    fn follows(&mut self, id: u64, stream: u64) -> Option<&mut Projector> {
        self.projectors.get_mut(&id).filter(|projector| projector.stream == stream)
    }

    fn bring_one(&mut self, id: u64, stream: u64, log: &[Entry]) {
        let (lose, again) = (self.rng.chance(self.faults.gap), self.rng.chance(self.faults.again));
        let back = self.rng.below(3);
        let Some(projector) = self.follows(id, stream).filter(|projector| projector.machine.takes_entries())
        else {
            return;
        };
        let at = |place: u64| usize::try_from(place).ok().and_then(|place| log.get(place)).cloned();
        // What is missing five times in a row is missing: so unlucky nobody is. What comes once more in between changes
        // nothing of that.
        let lose = lose && projector.lost < 3 && at(projector.brought + 1).is_some();
        let Some(entry) = at(projector.brought + u64::from(lose)) else { return };
        if lose {
            projector.lost += 1;
        } else if entry.sequence() > projector.furthest {
            (projector.lost, projector.furthest) = (0, entry.sequence());
        }
        projector.brought = entry.sequence();
        projector.ahead = projector.ahead.map(|entries| entries + 1);
        let earlier = at((entry.sequence() - 1).saturating_sub(back));
        self.seen.gaps += u64::from(lose);
        self.input(id, Input::Entry(entry));
        if let Some(entry) = earlier.filter(|_| again && !lose) {
            self.seen.again += 1;
            self.brought_again(id, &entry, log);
            self.input(id, Input::Entry(entry));
        }
    }

    /// A bug on purpose: it is folded once more.
    fn brought_again(&mut self, id: u64, entry: &Entry, log: &[Entry]) {
        if self.bug != Some(Bug::FoldedTwice) || !self.projectors.contains_key(&id) {
            return;
        }
        let mut fold = Fold::new(ChainPosition::start(self.log, PartitionId(0)));
        for earlier in log.iter().take_while(|earlier| earlier.sequence() < entry.sequence()) {
            take(&mut fold, earlier);
        }
        let mut once_more = Fold::new(*fold.position());
        take(&mut once_more, entry);
        let mut delta = once_more.finish();
        // What must be unique is noticed by every database: this is what is not.
        for change in delta.accounts.values_mut() {
            change.opened = None;
            change.lots.clear();
        }
        delta.journal.clear();
        self.database.change(&delta).expect("nothing in it is new");
    }
}

fn take(fold: &mut Fold, entry: &Entry) {
    let took = match entry {
        Entry::Commit(stored) => {
            let commit = ledger_core::commit::Commit::decode(&stored.bytes);
            fold.commit(&commit.expect("what was stored can be read"))
        }
        Entry::Foreign { sequence, .. } => fold.step_over(*sequence),
    };
    took.expect("what was stored continues the chain");
}
