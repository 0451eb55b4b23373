//! Deltas applied by hand: what both stores must do with them.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ledger_core::PartitionId;
use ledger_core::commit::Commit;
use projector::{Applied, ChainPosition, Delta, Fold, ViewStore, Views};

use crate::stores::{Place, dump};
use crate::world::{Dice, LOG, World, decode};
use crate::{naive, on_both_stores};

on_both_stores! {
    views_equal_what_the_ledger_knows_whatever_the_batches
    the_same_delta_twice_changes_nothing_the_second_time
    a_delta_that_begins_elsewhere_changes_nothing
    a_delta_that_fails_half_way_leaves_no_trace
    an_apply_dropped_at_any_moment_is_whole_or_nothing
    foreign_messages_are_stepped_over_and_counted
}

/// The entries of a world from one place to another as one delta.
pub(crate) fn delta(world: &World, from: ChainPosition, to: usize) -> Delta {
    let mut fold = Fold::new(from);
    for entry in &world.entries[read(&from)..to] {
        match decode(entry) {
            Some(commit) => fold.commit(&commit),
            None => fold.step_over(entry.sequence()),
        }
        .expect("the world chains its commits");
    }
    fold.finish()
}

fn read(position: &ChainPosition) -> usize {
    usize::try_from(position.read).expect("small")
}

pub(crate) fn start(partition: u16) -> ChainPosition {
    ChainPosition::start(LOG, PartitionId(partition))
}

/// Applies a whole world in batches of random sizes.
async fn apply(store: &Arc<dyn ViewStore>, world: &World, partition: u16, dice: &mut Dice) {
    let mut position = start(partition);
    while read(&position) < world.entries.len() {
        let more = 1 + usize::try_from(dice.roll(9)).expect("small");
        let to = world.entries.len().min(read(&position) + more);
        let delta = delta(world, position, to);
        assert_eq!(store.apply(&delta).await.expect("applied"), Applied::Here);
        position = delta.to;
    }
}

async fn views_equal_what_the_ledger_knows_whatever_the_batches(place: Place) {
    let store = place.open().await;
    let worlds = [World::of(0, 11, 60), World::of(1, 12, 60)];
    let mut dice = Dice::new(5);
    apply(&store, &worlds[0], 0, &mut dice).await;
    apply(&store, &worlds[1], 1, &mut dice).await;
    naive::check(&Views::new(store, None), &worlds).await;
}

#[tokio::test]
async fn both_stores_hold_the_same_rows_for_the_same_log() {
    let worlds: Vec<World> = (0..3).map(|seed| World::of(0, 100 + seed, 60)).collect();
    for world in worlds {
        let mut texts = Vec::new();
        for (seed, place) in [(1, Place::sqlite().await), (2, Place::postgres().await)] {
            let store = place.open().await;
            apply(&store, &world, 0, &mut Dice::new(seed)).await;
            texts.push(dump(&store).await);
        }
        assert!(texts[0].len() > 10_000, "there is something to compare");
        assert_eq!(texts[0], texts[1]);
    }
}

async fn the_same_delta_twice_changes_nothing_the_second_time(place: Place) {
    let store = place.open().await;
    let world = World::of(0, 21, 20);
    let (first, all) = (delta(&world, start(0), 10), world.entries.len());
    let second = delta(&world, first.to, all);
    for delta in [&first, &second] {
        assert_eq!(store.apply(delta).await.expect("applied"), Applied::Here);
        let before = dump(&store).await;
        assert_eq!(store.apply(delta).await.expect("asked"), Applied::Elsewhere);
        assert_eq!(dump(&store).await, before);
    }
    assert_eq!(store.apply(&first).await.expect("asked"), Applied::Elsewhere);
    naive::check(&Views::new(store, None), &[world]).await;
}

async fn a_delta_that_begins_elsewhere_changes_nothing(place: Place) {
    let store = place.open().await;
    let world = World::of(0, 22, 20);
    let first = delta(&world, start(0), 5);
    let third = delta(&world, delta(&world, start(0), 9).to, 15);
    assert_eq!(store.apply(&first).await.expect("applied"), Applied::Here);
    let before = dump(&store).await;
    let mut other_hash = delta(&world, first.to, 9);
    other_hash.from.hash.0[0] ^= 1;
    for delta in [third, other_hash] {
        assert_eq!(store.apply(&delta).await.expect("asked"), Applied::Elsewhere);
    }
    assert_eq!(dump(&store).await, before);
}

async fn a_delta_that_fails_half_way_leaves_no_trace(place: Place) {
    let store = place.open().await;
    let world = World::of(0, 23, 30);
    let first = delta(&world, start(0), 20);
    store.apply(&first).await.expect("applied");
    let before = dump(&store).await;
    let second = delta(&world, first.to, world.entries.len());
    let mut broken = second.clone();
    broken.journal.push(first.journal[0].clone());
    let error = store.apply(&broken).await.expect_err("a row can not stand twice");
    assert!(!error.is_transient(), "{error}");
    assert_eq!(dump(&store).await, before);
    assert_eq!(store.apply(&second).await.expect("applied"), Applied::Here);
    naive::check(&Views::new(store, None), &[world]).await;
}

async fn an_apply_dropped_at_any_moment_is_whole_or_nothing(place: Place) {
    let store = place.open().await;
    let world = World::of(0, 24, 60);
    let (mut position, mut dice, mut here, mut elsewhere) = (start(0), Dice::new(9), 0, 0);
    while read(&position) < world.entries.len() {
        let delta = delta(&world, position, read(&position) + 1);
        let moment = Duration::from_micros(dice.roll(4_000));
        // Whatever this one came to, the next one finds out.
        match dice.roll(3) {
            0 => drop(store.apply(&delta).await.expect("applied")),
            1 => polled(dice.roll(6), store.apply(&delta)).await,
            _ => drop(tokio::time::timeout(moment, store.apply(&delta)).await),
        }
        match store.apply(&delta).await.expect("applied") {
            Applied::Here => here += 1,
            Applied::Elsewhere => elsewhere += 1,
        }
        position = delta.to;
    }
    assert!(here > 0 && elsewhere > 0, "both were seen: {here} and {elsewhere}");
    naive::check(&Views::new(store, None), &[world]).await;
}

/// Drops it when it has been polled so often, at no time of its own.
async fn polled<T>(times: u64, future: impl Future<Output = T>) {
    let (mut left, mut future) = (times, pin!(future));
    poll_fn(|context| match left.checked_sub(1) {
        None => Poll::Ready(()),
        Some(rest) => {
            left = rest;
            future.as_mut().poll(context).map(drop)
        }
    })
    .await;
}

async fn foreign_messages_are_stepped_over_and_counted(place: Place) {
    let store = place.open().await;
    let mut world = World::of(0, 25, 5);
    world.foreign();
    world.foreign();
    world.grow(5);
    world.foreign();
    apply(&store, &world, 0, &mut Dice::new(3)).await;
    let positions = store.positions().await.expect("positions");
    let head = world.entries.len() as u64;
    assert_eq!(positions.len(), 1);
    assert_eq!((positions[0].read, positions[0].sequence, positions[0].foreign), (head, head - 1, 3));
    naive::check(&Views::new(store, None), &[world]).await;
}

#[test]
fn a_commit_that_does_not_continue_the_chain_is_refused() {
    let (world, other) = (World::of(0, 26, 3), World::of(1, 27, 3));
    let commits: Vec<Commit> = world.entries.iter().filter_map(decode).collect();
    let mut fold = Fold::new(start(0));
    fold.commit(&commits[0]).expect("the first");
    assert!(fold.commit(&commits[0]).is_err(), "twice");
    assert!(fold.commit(&commits[2]).is_err(), "a gap");
    assert!(fold.commit(&decode(&other.entries[1]).expect("a commit")).is_err(), "another partition's");
    assert!(fold.step_over(5).is_err(), "a gap before a foreign message");
    let mut elsewhere = Fold::new(ChainPosition::start(ledger_core::LogId([8; 16]), PartitionId(0)));
    assert!(elsewhere.commit(&commits[0]).is_err(), "another log's");
    fold.commit(&commits[1]).expect("a refusal changes nothing");
    assert_eq!(fold.position().read, 2);
}
