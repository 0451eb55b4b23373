//! The projector and its anchors: what it keeps, and when it refuses to begin or to go on.

use std::sync::Arc;
use std::time::Duration;

use event_log::anchors::Difference;
use event_log::{Alarm, Anchor, Keeper};
use ledger_core::Timestamp;
use ledger_core::commit::Hash;
use projector::{Config, ProjectorError};

use crate::fake_log::FakeLog;
use crate::on_both_stores;
use crate::running::{Running, arrived, quick};
use crate::stores::{Place, dump};
use crate::world::{LOG, World};

on_both_stores! {
    what_is_folded_is_kept_while_it_runs
    what_is_folded_is_kept_when_it_ends
    a_log_behind_another_keepers_anchor_is_not_folded
    a_log_that_is_cut_while_it_is_followed_stops_the_projector
    a_log_that_is_cut_for_a_moment_does_not
}

/// What a writer knows of a world: its last commit.
fn of_writer(world: &World) -> Anchor {
    let last = world.commits.last().expect("a world has a genesis");
    let (partition, sequence, hash) = (last.prefix.partition, last.prefix.sequence, last.hash);
    Anchor { log: LOG, partition, sequence, hash, kept_by: Keeper::Writer, kept_at: Timestamp(0) }
}

fn kept(log: &FakeLog) -> Vec<(Keeper, u64, Hash)> {
    let kept = log.kept.lock().expect("nobody panics while holding it");
    kept.iter().map(|anchor| (anchor.kept_by, anchor.sequence, anchor.hash)).collect()
}

fn is_projectors(world: &World, kept: &[(Keeper, u64, Hash)]) -> bool {
    let last = of_writer(world);
    kept.last() == Some(&(Keeper::Projector, last.sequence, last.hash))
}

async fn until(what: &str, mut look: impl FnMut() -> bool) {
    let wait = async {
        while !look() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect(what);
}

async fn what_is_folded_is_kept_when_it_ends(place: Place) {
    let world = World::of(0, 55, 10);
    let log = FakeLog::of(std::slice::from_ref(&world));
    let store = place.open().await;
    let config = Config { look_every: Duration::from_secs(3600), ..quick() };
    let running = Running::start_with(config, Arc::new(log.clone()), store.clone());
    arrived(&store, std::slice::from_ref(&world)).await;
    assert_eq!(kept(&log), []);
    running.stop().await;
    assert!(is_projectors(&world, &kept(&log)), "{:?}", kept(&log));
}

async fn what_is_folded_is_kept_while_it_runs(place: Place) {
    let mut world = World::of(0, 51, 10);
    let log = FakeLog::of(std::slice::from_ref(&world));
    let store = place.open().await;
    let running = Running::start(Arc::new(log.clone()), store.clone());
    until("the newest is kept", || is_projectors(&world, &kept(&log))).await;
    world.grow(3);
    log.catch_up(0, &world);
    until("and the next one", || is_projectors(&world, &kept(&log))).await;
    running.stop().await;
    let kept = kept(&log);
    assert!(kept.is_sorted_by(|one, next| one.1 < next.1), "only what moved: {kept:?}");
}

async fn a_log_behind_another_keepers_anchor_is_not_folded(place: Place) {
    let world = World::of(0, 52, 10);
    let anchor = of_writer(&world);
    let log = FakeLog::of(std::slice::from_ref(&world));
    log.keep(anchor);
    log.cut(0, 5);
    let store = place.open().await;
    let before = dump(&store).await;
    let error = Running::start(Arc::new(log), store.clone()).failed().await;
    let found = Difference::EndsAt(5);
    assert!(matches!(error, ProjectorError::Differs(alarm) if alarm == Alarm { anchor, found }), "{error}");
    assert_eq!(dump(&store).await, before);
}

async fn a_log_that_is_cut_while_it_is_followed_stops_the_projector(place: Place) {
    let world = World::of(0, 53, 10);
    let log = FakeLog::of(std::slice::from_ref(&world));
    let store = place.open().await;
    let running = Running::start(Arc::new(log.clone()), store.clone());
    arrived(&store, std::slice::from_ref(&world)).await;
    log.cut(0, 5);
    let error = running.failed().await;
    let ProjectorError::Differs(alarm) = error else { panic!("it was cut: {error}") };
    assert_eq!((alarm.anchor.sequence, alarm.found), (of_writer(&world).sequence, Difference::EndsAt(5)));
    assert!(matches!(alarm.anchor.kept_by, Keeper::Views | Keeper::Projector), "{alarm}");
}

async fn a_log_that_is_cut_for_a_moment_does_not(place: Place) {
    let mut world = World::of(0, 54, 10);
    let log = FakeLog::of(std::slice::from_ref(&world));
    let store = place.open().await;
    let running = Running::start(Arc::new(log.clone()), store.clone());
    arrived(&store, std::slice::from_ref(&world)).await;
    log.cut(0, 5);
    let asked = log.asked();
    until("the cut is noticed", || log.asked() >= asked + 3).await;
    log.catch_up(0, &world);
    world.grow(3);
    log.catch_up(0, &world);
    arrived(&store, std::slice::from_ref(&world)).await;
    until("it goes on keeping", || is_projectors(&world, &kept(&log))).await;
    running.stop().await;
}
