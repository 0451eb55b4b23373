//! Projectors: the fixed seeds see all that they should, and bugs on purpose are caught.

use simulation::{Bug, Seen, run};

/// How often a seed has seen something.
type Count = fn(&Seen) -> u64;

/// Others than the writers' seeds.
const SEEDS: std::ops::Range<u64> = 1000..1060;

#[test]
fn the_fixed_seeds_go_well_and_see_what_projectors_can_meet() {
    let play = |seed| run(seed, None).unwrap_or_else(|wrong| panic!("{wrong}")).views;
    let seen: Vec<Seen> = SEEDS.map(play).collect();
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

#[test]
fn bugs_on_purpose_are_caught() {
    for bug in [
        Bug::PositionAfterRows,
        Bug::PositionBeforeRows,
        Bug::ElsewhereIsHere,
        Bug::AheadKept,
        Bug::FoldedTwice,
    ] {
        let wrong = SEEDS.filter_map(|seed| run(seed, Some(bug)).err()).next();
        assert!(wrong.as_ref().is_some_and(|wrong| wrong.contains(": I10: ")), "{bug:?}: {wrong:?}");
    }
}
