//! What the writer does wrong where a bug is planted in it. Nothing of it is in what is shipped: see crate `planted`.

use ledger_core::commit::Commit;
use ledger_core::event::Event;
use planted::Bug;

use super::draft::Flight;
use super::{Output, Stop, Writer};

/// Answers and snapshot go out with the commit, and do not wait for what becomes of it.
pub(super) fn on_sealed(flight: &mut Flight, out: &mut Vec<Output>) {
    if planted::on(Bug::AnswerBeforeAck) {
        out.extend(flight.take_answers().map(|(ticket, answer)| Output::Answer(ticket, answer)));
    }
    if planted::on(Bug::SnapshotBeforeDurable) {
        out.extend(flight.take_snapshot().map(Output::Snapshot));
    }
}

/// What a replay takes in instead of the commit.
pub(super) fn replayed(commit: Commit) -> Commit {
    if planted::on(Bug::RedecideOnReplay) {
        return changed(commit, redecide);
    }
    if planted::on(Bug::KeysForgotten) {
        return changed(commit, forget_key);
    }
    commit
}

fn changed(mut commit: Commit, change: fn(&mut Event)) -> Commit {
    let mut events = commit.events.to_vec();
    events.iter_mut().for_each(change);
    commit.events = events.into();
    commit
}

/// A credit more than was charged then.
fn redecide(event: &mut Event) {
    let Event::Debited(debited) = event else { return };
    let Some(slice) = debited.slices.last_mut().filter(|_| debited.balance.is_positive()) else { return };
    let more = ledger_core::Usdc::from_credits(1);
    slice.amount += more;
    debited.charged += more;
    debited.balance -= more;
}

fn forget_key(event: &mut Event) {
    if let Event::Debited(debited) = event {
        debited.usage.key = None;
    }
}

impl Writer {
    /// A conflict proves that nothing was stored.
    pub(super) fn planted_not_stored(&mut self, out: &mut Vec<Output>) {
        let sequence = self.chain.read + 1;
        self.stop(Stop::Fenced { partition: self.chain.partition, sequence }, out);
    }
}
