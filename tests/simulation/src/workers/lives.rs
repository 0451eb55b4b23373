//! How workers live: they are started, killed between any two of their steps or stopped in order, and come back under
//! the same name or another one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use event_log::EventLog;
use ledger_core::Label;
use ledger_core::time::SECOND;
use lifecycle_worker::{Containers, Ledger, Means};
use notifier::Door;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::doors::{Doors, Followed};
use super::providers::{Mailbox, Yard};
use super::{World, label, lock};

#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    Lifecycle,
    Notifier,
}

/// One worker after the other, in one place. It ends when one of them ends by itself, with what that said.
pub(super) async fn live(world: Arc<World>, role: Role, slot: u64) -> String {
    let mut names = 0;
    loop {
        let worker = label(&format!("{role:?}-{slot}-{names}"));
        if let Some(said) = one(&world, role, &worker).await {
            return said;
        }
        lock(&world.dooms).remove(&worker);
        let (away, another) = world.draw(|rng| {
            let most = if rng.chance(200) { 300 * SECOND } else { 3 * SECOND };
            (rng.micros(0, most), rng.chance(500))
        });
        // Who puts up containers comes back under another name always, as the program gives them out.
        names += u64::from(another || matches!(role, Role::Lifecycle));
        sleep(Duration::from_micros(away.unsigned_abs())).await;
    }
}

/// One life. What it said, if it ended by itself.
async fn one(world: &Arc<World>, role: Role, worker: &Label) -> Option<String> {
    let (doom, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    lock(&world.dooms).insert(worker.clone(), Arc::clone(&doom));
    let (in_order, after) = world.draw(|rng| (rng.chance(100), rng.micros(SECOND, 600 * SECOND)));
    let stopping = async {
        let after = if in_order && world.storms() { after.unsigned_abs() } else { u64::MAX };
        sleep(Duration::from_micros(after)).await;
        stop.cancel();
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        biased;
        () = doom.notified() => None,
        () = stopping => None,
        ended = run(world, role, worker, stop.clone()) => Some(ended),
    };
    match ended {
        None => world.seen().crashes += 1,
        Some(Ok(())) if stop.is_cancelled() => world.seen().stops += 1,
        Some(ended) => return Some(format!("{worker}: {ended:?}")),
    }
    None
}

async fn run(world: &Arc<World>, role: Role, worker: &Label, stop: CancellationToken) -> Result<(), String> {
    let log: Arc<dyn EventLog> = Arc::new(Followed(Arc::clone(world)));
    match role {
        Role::Lifecycle => {
            let config = lifecycle_worker::Config::new(worker.clone());
            let yard = Yard { world: Arc::clone(world), worker: worker.clone() };
            let (ledger, containers): (Arc<dyn Ledger>, Arc<dyn Containers>) =
                (doors(world, worker, config.hold), Arc::new(yard));
            let means = Means { ledger, log, containers, wallet: None };
            lifecycle_worker::run(config, means, stop).await.map_err(|error| error.to_string())
        }
        Role::Notifier => {
            let door: Arc<dyn Door> = doors(world, worker, Duration::ZERO);
            let transport = Arc::new(Mailbox { world: Arc::clone(world), worker: worker.clone() });
            let config = notifier::Config {
                door,
                log,
                worker: worker.clone(),
                transport,
                templates: None,
                app_names: BTreeMap::new(),
                top_up_url: None,
                at_once: 16,
                timing: notifier::Timing::default(),
            };
            notifier::run(config, stop).await.map_err(|error| error.to_string())
        }
    }
}

fn doors(world: &Arc<World>, worker: &Label, hold: Duration) -> Arc<Doors> {
    let hold = i64::try_from(hold.as_micros()).expect("a short time");
    Arc::new(Doors { world: Arc::clone(world), worker: worker.clone(), hold })
}

/// Kills one worker after the other, as long as the storm lasts.
pub(super) async fn die(world: Arc<World>) -> String {
    loop {
        let Some(every) = lock(&world.deaths).every else { return std::future::pending().await };
        let most = i64::try_from(every).expect("minutes") * 2 * SECOND;
        sleep(Duration::from_micros(world.draw(|rng| rng.micros(0, most)).unsigned_abs())).await;
        if !world.storms() {
            continue;
        }
        let living: Vec<Arc<Notify>> = lock(&world.dooms).values().cloned().collect();
        if let Some(count) = std::num::NonZero::new(living.len() as u64) {
            let which = world.draw(|rng| rng.below(count.get()));
            living[usize::try_from(which).expect("few")].notify_one();
        }
    }
}
