//! The road between a worker and whom it asks: requests and answers are slow, and get lost. What was asked is done
//! whether or not the worker lives to hear of it.

use std::sync::Arc;
use std::time::Duration;

use ledger_core::Label;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

use super::World;

/// What goes wrong on the way to one of them, in cases of a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Road {
    /// The request gets lost.
    pub(super) lost: u64,
    /// The answer does.
    pub(super) answer_lost: u64,
    /// The way takes seconds.
    pub(super) slow: u64,
    /// Whoever asks dies when it is done, before it hears of that.
    pub(super) dies: u64,
}

/// How long an answer is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Asks somebody for something, and waits for the answer. None: there is none.
pub(super) async fn ask<T: Send + 'static>(
    world: &Arc<World>,
    who: &Label,
    road: Road,
    what: impl FnOnce(&Arc<World>) -> T + Send + 'static,
) -> Option<T> {
    let patience = Instant::now() + PATIENCE;
    let (answer, answered) = oneshot::channel();
    let (there, back) = (world.way(road), world.way(road));
    let (lost, answer_lost, dies) = world.fate(road);
    let (outside, who) = (Arc::clone(world), who.clone());
    #[expect(clippy::disallowed_methods, reason = "what is under way outlives whoever asked for it")]
    tokio::spawn(async move {
        sleep(there).await;
        if lost {
            return;
        }
        let done = what(&outside);
        if dies {
            outside.doom(&who);
        }
        sleep(back).await;
        if !answer_lost {
            // Whoever asked may be dead.
            let _ = answer.send(done);
        }
    });
    match answered.await {
        Ok(done) => Some(done),
        Err(_) => {
            sleep_until(patience).await;
            None
        }
    }
}
