//! Frozen views: the same lines from both stores, the ones that the judge works out by itself, and none that came later.

use std::sync::Arc;

use event_log::Entry;
use futures::TryStreamExt as _;
use judge::{Fold, Views as Judged, views};
use projector::tables::{JOURNAL, TABLES, Table};
use projector::{Applied, ChainPosition, FrozenViews, ViewStore};

use crate::folding::{delta, start};
use crate::on_both_stores;
use crate::stores::Place;
use crate::world::{Dice, LOG, World};

on_both_stores! {
    every_row_is_the_one_that_the_judge_expects
    what_is_written_later_is_not_seen
}

/// Applies what is missing of a world, some commits at a time.
async fn apply(store: &Arc<dyn ViewStore>, world: &World, mut position: ChainPosition) -> ChainPosition {
    let mut dice = Dice::new(9);
    while position.read < world.entries.len() as u64 {
        let to = position.read + 1 + dice.roll(9);
        let to = world.entries.len().min(usize::try_from(to).expect("small"));
        let delta = delta(world, position, to);
        assert_eq!(store.apply(&delta).await.expect("applied"), Applied::Here);
        position = delta.to;
    }
    position
}

async fn lines(frozen: &mut FrozenViews, table: &'static Table) -> Vec<String> {
    frozen.lines(table).try_collect().await.expect("the tables can be read")
}

/// A world as the judge sees it, and the rows of its journal.
fn judged(world: &World, partition: u16) -> (Judged, Vec<String>) {
    let mut judged = Judged::new(Fold::new(partition).anywhere());
    let mut journal = Vec::new();
    for entry in &world.entries {
        let done = match entry {
            Entry::Commit(commit) => {
                judged.commit(commit.prefix.sequence, &commit.bytes, |_, line| journal.push(line))
            }
            Entry::Foreign { sequence, .. } => judged.foreign(*sequence),
        };
        done.expect("the rules made this world");
    }
    judged.fold().check_sums().expect("it adds up");
    (judged, journal)
}

async fn every_row_is_the_one_that_the_judge_expects(place: Place) {
    let mut worlds = [World::of(0, 21, 150), World::of(1, 22, 150)];
    worlds[1].foreign();
    worlds[1].grow(40);
    let store = place.open().await;
    apply(&store, &worlds[0], start(0)).await;
    apply(&store, &worlds[1], start(1)).await;
    let (first, mut journal) = judged(&worlds[0], 0);
    let (second, more) = judged(&worlds[1], 1);
    journal.extend(more);
    let partitions = [first, second];
    let mut frozen = place.freeze().await;
    let expected: [Vec<String>; 6] = [
        views::accounts(&partitions).collect(),
        views::chain_positions(&partitions, LOG.0).collect(),
        journal,
        views::lots(&partitions).collect(),
        views::sources(&partitions).collect(),
        views::usage_hours(&partitions).collect(),
    ];
    for (table, expected) in TABLES.iter().zip(expected) {
        assert!(!expected.is_empty(), "{}", table.name);
        assert_eq!(lines(&mut frozen, table).await, expected, "{}", table.name);
    }
    frozen.close().await;
}

async fn what_is_written_later_is_not_seen(place: Place) {
    let mut world = World::of(0, 31, 30);
    let store = place.open().await;
    let position = apply(&store, &world, start(0)).await;
    let mut frozen = place.freeze().await;
    world.grow(30);
    let later = apply(&store, &world, position).await;
    let (_, journal) = judged(&world, 0);
    let seen = lines(&mut frozen, &JOURNAL).await;
    assert!(seen.len() < journal.len(), "the world went on");
    assert_eq!(seen, journal[..seen.len()]);
    let mut now = place.freeze().await;
    assert_eq!(lines(&mut now, &JOURNAL).await, journal);
    for table in &TABLES {
        assert_ne!(lines(&mut frozen, table).await, lines(&mut now, table).await, "{}", table.name);
    }
    let half = journal.len() / 2;
    let [partition, sequence, index]: [i64; 3] =
        serde_json::from_str::<Vec<serde_json::Value>>(&journal[half])
            .map(|row| [0, 1, 2].map(|column| row[column].as_i64().expect("a number")))
            .expect("a row is JSON");
    let behind: Vec<String> = now
        .journal_behind([partition, sequence, index])
        .try_collect()
        .await
        .expect("the journal can be read");
    assert_eq!(behind, journal[half + 1..]);
    assert!(later.read > position.read);
}
