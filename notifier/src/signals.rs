//! What the log says of accounts that are to be looked at.

use ledger_core::commit::Commit;
use ledger_core::upkeep::{NoticeStep, Step};
use ledger_core::{AccountId, Event, Label, Timestamp};

/// An account to be looked at, now or then.
pub(crate) type Signal = (AccountId, Option<Timestamp>);

/// The signals of a commit, for this worker.
pub(crate) fn of_commit(commit: &Commit, worker: &Label) -> impl Iterator<Item = Signal> {
    commit.events.iter().filter_map(|event| signal(event, worker))
}

fn signal(event: &Event, worker: &Label) -> Option<Signal> {
    let now = |account: &AccountId| Some((account.clone(), None));
    match event {
        Event::Crossed(event) => now(&event.account),
        Event::Granted(event) | Event::Deposited(event) if event.wakes => now(&event.account),
        // The mail that tells of a wake waits for this.
        Event::LifecycleStepped(event) if event.step == Step::Running => now(&event.account),
        Event::NoticeStepped(event) => {
            let at = match event.step {
                NoticeStep::Failed { retry_at, .. } => retry_at,
                // Of our own claims we see the end ourselves.
                NoticeStep::Claimed { until, .. } if event.worker != *worker => until,
                _ => return None,
            };
            Some((event.account.clone(), Some(at)))
        }
        _ => None,
    }
}
