//! Containers that sleep are looked at now and then: a call that was given up long ago may still reach the provider, and
//! people may be at it there. One that has an instance runs unpaid; told of it, the ledger wants it put to sleep again. One
//! that is seen awake again and again is put to sleep in another way each time.

use futures::StreamExt as _;
use ledger_core::AccountId;
use ledger_core::upkeep::Step;

use crate::containers::ContainerError;
use crate::job::Shared;
use crate::ledger::{Refused, Sleeper};

/// How many are looked at beside each other.
const AT_ONCE: usize = 8;

/// What a look at some of them found.
pub(crate) struct Looked {
    /// Behind which one to go on, from the beginning if none.
    pub(crate) after: Option<AccountId>,
    /// These are not asleep.
    pub(crate) awake: Vec<AccountId>,
}

/// Looks at some, behind an account.
pub(crate) async fn look(shared: &Shared, after: Option<AccountId>) -> Looked {
    let page = match shared.ledger.sleepers(after.as_ref()).await {
        Ok(page) => page,
        Err(refused) => {
            if let Refused::Trouble(reason) = refused {
                tracing::warn!(reason, "what sleeps could not be read");
            }
            return Looked { after, awake: Vec::new() };
        }
    };
    let last = page.data.last().map(|sleeper| sleeper.account.clone());
    let looks = futures::stream::iter(page.data).map(|sleeper| look_at(shared, sleeper));
    let awake = looks.buffer_unordered(AT_ONCE).filter_map(async |awake| awake).collect().await;
    Looked { after: last.filter(|_| page.more), awake }
}

/// Whose it is, if it has an instance and that was told.
async fn look_at(shared: &Shared, sleeper: Sleeper) -> Option<AccountId> {
    let Sleeper { account, service, steps } = sleeper;
    let room = shared.room.acquire().await;
    let instances = shared.containers.instances(&service).await;
    drop(room);
    match instances {
        Ok(Some(1..)) => {}
        Ok(_) | Err(ContainerError::Gone) => return None,
        // It is read in the next round.
        Err(error) => {
            tracing::warn!(%account, service, %error, "whether it sleeps could not be read");
            return None;
        }
    }
    match shared.ledger.tell(&account, steps, &Step::ScaledUp).await {
        Ok(_) => {
            tracing::warn!(%account, service, "it was seen asleep, and has an instance: it is to sleep again");
            shared.seen_awake(&account);
            Some(account)
        }
        // Something happened meanwhile: whatever is due then is somebody's work.
        Err(Refused::Nothing | Refused::Later | Refused::Moved) => None,
        Err(Refused::Trouble(reason)) => {
            tracing::warn!(%account, reason, "that it has an instance could not be told");
            None
        }
    }
}
