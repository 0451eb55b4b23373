//! Frozen views: the same lines from both stores, the ones that the judge works out by itself, and none that came later.

use std::sync::Arc;

use event_log::Entry;
use futures::TryStreamExt as _;
use judge::{Beside, Fold, views};
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

/// Applies what is missing of a world, at most so many commits at a time.
async fn apply(
    store: &Arc<dyn ViewStore>,
    world: &World,
    mut position: ChainPosition,
    batch: u64,
) -> ChainPosition {
    let mut dice = Dice::new(9);
    while position.read < world.entries.len() as u64 {
        let to = position.read + 1 + dice.roll(batch);
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

/// A world as the judge sees it, and the rows of its journal and its agent log.
struct Judged {
    views: views::Views,
    journal: Vec<String>,
    signals: Vec<String>,
}

fn judged(world: &World, partition: u16) -> Judged {
    let mut views = views::Views::new(Fold::new(partition).anywhere());
    let (mut journal, mut signals) = (Vec::new(), Vec::new());
    for entry in &world.entries {
        let done = match entry {
            Entry::Commit(commit) => {
                views.commit_beside(commit.prefix.sequence, &commit.bytes, |table, _, line| match table {
                    Beside::Journal => journal.push(line),
                    Beside::AgentLog => signals.push(line),
                })
            }
            Entry::Foreign { sequence, .. } => views.foreign(*sequence),
        };
        done.expect("the rules made this world");
    }
    views.fold().check_sums().expect("it adds up");
    Judged { views, journal, signals }
}

/// The rows of all tables, in the order of their names.
fn expected(worlds: &[World]) -> [Vec<String>; 11] {
    let judged: Vec<Judged> = (0..).zip(worlds).map(|(partition, world)| judged(world, partition)).collect();
    let journal = judged.iter().flat_map(|judged| judged.journal.clone()).collect();
    let signals = judged.iter().flat_map(|judged| judged.signals.clone()).collect();
    let partitions: Vec<_> = judged.into_iter().map(|judged| judged.views).collect();
    [
        views::accounts(&partitions).collect(),
        signals,
        views::chain_positions(&partitions, LOG.0).collect(),
        views::checkouts(&partitions).collect(),
        views::containers(&partitions).collect(),
        journal,
        views::lots(&partitions).collect(),
        views::notices(&partitions).collect(),
        views::solvency(&partitions).collect(),
        views::sources(&partitions).collect(),
        views::usage_hours(&partitions).collect(),
    ]
}

/// Random courses, decided by the rules: the judge finds nothing in them, and whatever the batches, its rows are those of
/// the projector.
async fn every_row_is_the_one_that_the_judge_expects(place: Place) {
    let mut worlds = [World::of(0, 21, 300), World::of(1, 22, 120)];
    worlds[1].foreign();
    worlds[1].grow(40);
    let store = place.open().await;
    apply(&store, &worlds[0], start(0), 9).await;
    apply(&store, &worlds[1], start(1), 60).await;
    let mut frozen = place.freeze().await;
    for (table, expected) in TABLES.iter().zip(expected(&worlds)) {
        assert!(!expected.is_empty(), "{}", table.name);
        let rows = lines(&mut frozen, table).await;
        let differs = rows.iter().zip(&expected).find(|(row, expected)| row != expected);
        assert_eq!(differs, None, "{}", table.name);
        assert_eq!(rows.len(), expected.len(), "{}", table.name);
    }
    frozen.close().await;
}

/// A course may break a rule of the judge that another one does not: so there are some more than the stores are asked of.
#[test]
fn the_judge_finds_nothing_in_what_the_rules_made() {
    let mut words = std::collections::BTreeSet::new();
    for seed in 100..112 {
        let signals = judged(&World::of(0, seed, 200), 0).signals;
        let row = |line: &String| serde_json::from_str::<Vec<serde_json::Value>>(line).expect("a row");
        words.extend(signals.iter().map(row).map(|row| format!("{} {} {}", row[6], row[7], row[11])));
    }
    let said = |word: &str| assert!(words.contains(word), "no {word} in {words:#?}");
    for word in [
        r#""lifecycle" "service_deleted" null"#,
        r#""lifecycle" "project_deleted" null"#,
        r#""lifecycle" "running" null"#,
        r#""lifecycle" "asleep" null"#,
        r#""notice" "superseded" null"#,
        r#""notice" "abandoned" "refused""#,
        r#""notice" "sent" "m-1""#,
        r#""checkout" "parked" "late""#,
        r#""checkout" "parked" "amount_differs""#,
        r#""checkout" "paid" "0x7""#,
        r#""checkout" "paid" null"#,
        r#""checkout" "dismissed" null"#,
    ] {
        said(word);
    }
}

/// Of what was before the place where it begins it knows nothing, and must not take that for a broken rule.
#[test]
fn the_judge_finds_nothing_from_the_middle_on() {
    for seed in 100..112 {
        let world = World::of(0, seed, 160);
        for begin in [3, 20, 60, 110] {
            let commit = judge::wire::Commit::read(&world.commits[begin - 1].bytes).expect("a commit");
            let mut fold = Fold::since(judge::fold::Chain::behind(&commit)).anywhere();
            let mut rest = (begin as u64 + 1..).zip(&world.commits[begin..]);
            let judged = rest.try_for_each(|(sequence, commit)| fold.commit(sequence, &commit.bytes));
            judged.and_then(|()| fold.check_sums()).expect("the rules made this world");
        }
    }
}

async fn what_is_written_later_is_not_seen(place: Place) {
    let mut world = World::of(0, 31, 30);
    let store = place.open().await;
    let position = apply(&store, &world, start(0), 9).await;
    let mut frozen = place.freeze().await;
    world.grow(30);
    let later = apply(&store, &world, position, 9).await;
    let journal = judged(&world, 0).journal;
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
