//! Containers that sleep are looked at now and then: a call that was given up long ago may still reach the provider, and
//! people may be at it there. One that has an instance runs unpaid; told of it, the ledger wants it put to sleep again.

use futures::StreamExt as _;
use ledger_core::AccountId;
use ledger_core::upkeep::Step;

use crate::job::Shared;
use crate::ledger::{Refused, Sleeper};

/// How many are looked at beside each other.
const AT_ONCE: usize = 8;

/// Looks at some, behind an account; behind which one to go on, from the beginning if none.
pub(crate) async fn look(shared: &Shared, after: Option<AccountId>) -> Option<AccountId> {
    let page = match shared.ledger.sleepers(after.as_ref()).await {
        Ok(page) => page,
        Err(Refused::Trouble(reason)) => {
            tracing::warn!(reason, "what sleeps could not be read");
            return after;
        }
        Err(_) => return after,
    };
    let last = page.data.last().map(|sleeper| sleeper.account.clone());
    let looks = futures::stream::iter(page.data).map(|sleeper| look_at(shared, sleeper));
    looks.buffer_unordered(AT_ONCE).collect::<()>().await;
    last.filter(|_| page.more)
}

async fn look_at(shared: &Shared, sleeper: Sleeper) {
    let room = shared.room.acquire().await;
    // What can not be read now is read in the next round. What is gone does not run.
    let runs = matches!(shared.containers.instances(&sleeper.service).await, Ok(Some(1..)));
    drop(room);
    if !runs {
        return;
    }
    let Sleeper { account, service, steps } = sleeper;
    tracing::warn!(%account, service, "it has an instance, and was seen asleep before: it is put to sleep again");
    match shared.ledger.tell(&account, steps, &Step::ScaledUp).await {
        // Told, or something happened meanwhile: whatever is due then is somebody's work.
        Ok(_) | Err(Refused::Nothing | Refused::Later | Refused::Moved) => {}
        Err(Refused::Trouble(reason)) => {
            tracing::warn!(%account, reason, "that it has an instance could not be told");
        }
    }
}
