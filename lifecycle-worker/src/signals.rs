//! Signals: events that may change what is due for a container.

use ledger_core::commit::Commit;
use ledger_core::level::Line;
use ledger_core::{AccountId, Event};

/// The accounts whose containers may have to be looked at after a commit.
pub(crate) fn of_commit(commit: &Commit) -> impl Iterator<Item = &AccountId> {
    commit.events.iter().filter_map(concerned)
}

/// The account whose container may have to be looked at.
fn concerned(event: &Event) -> Option<&AccountId> {
    let concerns = match event {
        Event::Crossed(event) => event.line == Line::Exhausted,
        Event::Granted(event) | Event::Deposited(event) => event.epoch_started.is_some(),
        Event::Debited(event) => event.epoch_started.is_some(),
        Event::ContainerSet(_) | Event::Paused(_) | Event::Resumed(_) | Event::AccountClosed(_) => true,
        _ => false,
    };
    event.account().filter(|_| concerns)
}
