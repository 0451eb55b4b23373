//! After a foreign message took a commit's place, everything that is not durable yet stands one further.

use ledger_core::{Position, Sequence};

use super::Writer;
use super::draft::{Flight, Held};
use crate::ask::{AccountView, Answer};

impl Writer {
    /// What was to stand at `taken` or after it stands one further.
    pub(super) fn renumber(&mut self, taken: Sequence) {
        self.ledger.renumber(taken);
        let bump = |position: &mut Position| position.sequence += u64::from(position.sequence >= taken);
        let flight = self.flight.iter_mut().flat_map(Flight::held_mut);
        flight.chain(self.draft.held_mut()).for_each(|held| held.renumber(bump));
    }
}

impl Held {
    fn renumber(&mut self, bump: impl Fn(&mut Position)) {
        match self {
            Self::Answer(answer) => answer.renumber(bump),
            Self::Event(position) => bump(position),
        }
    }
}

impl Answer {
    fn renumber(&mut self, bump: impl Fn(&mut Position)) {
        match self {
            Self::Done(receipt) => bump(&mut receipt.position),
            Self::Brief(receipt) => bump(&mut receipt.position),
            Self::Recorded(position) => bump(position),
            Self::Account(answer) => answer.account.renumber(bump),
            Self::Source(answer) => answer.positions.values_mut().for_each(bump),
            Self::WouldCharge(_) | Self::Rejected(_) | Self::Failed(_) => {}
        }
    }
}

impl AccountView {
    fn renumber(&mut self, bump: impl Fn(&mut Position)) {
        bump(&mut self.opened);
        bump(&mut self.last);
        self.lots.iter_mut().for_each(|lot| bump(&mut lot.position));
        self.upkeep.iter_mut().flat_map(|upkeep| upkeep.positions_mut()).for_each(bump);
    }
}
