//! Projectors over a log full of everything that can happen: the fixed seeds see all that they should, and bugs on
//! purpose are caught.

use ledger_core::Timestamp;
use ledger_core::time::SECOND;
use simulation::views::{Bug, Course, Seen, play};
use world::{LOG, World};

#[path = "../../../projector/tests/world.rs"]
#[allow(dead_code, reason = "the projector's own tests use all of it")]
mod world;

/// How often a seed has seen something.
type Count = fn(&Seen) -> u64;

const SEEDS: std::ops::Range<u64> = 0..60;

/// A log that comes to be within two minutes, now and then with somebody else's message.
fn course(seed: u64) -> Course {
    let mut world = World::of(0, seed, 20);
    for _ in 0..4 {
        world.foreign();
        world.grow(40);
    }
    let entries = world.entries;
    let time = |place: i64| Timestamp(place * 120 * SECOND / 180);
    let times = (0..).take(entries.len()).map(time).collect();
    Course { log: LOG, entries, times, moments: [0, 150, 180].map(|at| Timestamp(at * SECOND)) }
}

#[test]
fn the_fixed_seeds_go_well_and_see_what_projectors_can_meet() {
    let of = |seed| play(&course(seed), seed, None).unwrap_or_else(|wrong| panic!("{wrong}"));
    let seen: Vec<Seen> = SEEDS.map(of).collect();
    let sometimes: [(&str, Count); 13] = [
        ("an applied delta", |seen| seen.applied),
        ("a conflict about the position", |seen| seen.elsewhere),
        ("a commit whose answer was lost", |seen| seen.answers_lost),
        ("a failed transaction", |seen| seen.failed),
        ("a commit that was given up before", |seen| seen.late),
        ("a delta that was folded ahead and dropped", |seen| seen.dropped),
        ("a crash", |seen| seen.crashes),
        ("a pause", |seen| seen.pauses),
        ("an entry that was brought again", |seen| seen.again),
        ("an entry that was lost on its way", |seen| seen.gaps),
        ("a stream that ended", |seen| seen.ended),
        ("a comparison of all rows", |seen| seen.audits),
        ("a log that was refused", |seen| seen.refused),
    ];
    for (what, count) in sometimes {
        assert!(seen.iter().map(count).sum::<u64>() > 0, "no seed has seen {what}");
    }
}

/// For some seconds, seeds that nobody has seen.
#[test]
fn new_seeds_go_well() {
    let begin = std::time::Instant::now();
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    let first = u64::try_from(since.as_millis()).expect("it is before the year 500,000,000");
    for seed in (first..).take_while(|_| begin.elapsed().as_secs() < 5) {
        play(&course(seed), seed, None).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}

#[test]
fn a_seed_plays_the_same_twice() {
    let of = |seed| format!("{:?}", play(&course(seed), seed, None).expect("it goes well"));
    assert_eq!(of(7), of(7));
}

#[test]
fn bugs_on_purpose_are_caught() {
    for bug in [
        Bug::PositionAfterRows,
        Bug::PositionBeforeRows,
        Bug::ElsewhereIsHere,
        Bug::AheadKept,
        Bug::FoldedTwice,
    ] {
        let wrong = SEEDS.filter_map(|seed| play(&course(seed), seed, Some(bug)).err()).next();
        assert!(wrong.as_ref().is_some_and(|wrong| wrong.contains(": I10: ")), "{bug:?}: {wrong:?}");
    }
}
