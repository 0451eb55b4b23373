//! The fixed seeds go well, and see all that they should; bugs on purpose are caught.

use simulation::{Bug, Outcome, run};

/// How often a seed has seen something.
type Count = fn(&Outcome) -> u64;

const SEEDS: std::ops::Range<u64> = 0..100;

#[test]
fn the_fixed_seeds_go_well_and_see_what_they_should() {
    let seen: Vec<Outcome> =
        SEEDS.map(|seed| run(seed, None).unwrap_or_else(|wrong| panic!("{wrong}"))).collect();
    let sometimes: [(&str, Count); 17] = [
        ("unknown answers", |seen| seen.unknown),
        ("crashes", |seen| seen.crashes),
        ("pauses", |seen| seen.pauses),
        ("fenced owners", |seen| seen.fenced),
        ("snapshots", |seen| seen.snapshots),
        ("starts from the newest snapshot", |seen| seen.restored),
        ("starts from an older snapshot", |seen| seen.restored_old),
        ("conflicts", |seen| seen.log.conflicts),
        ("duplicates", |seen| seen.log.duplicates),
        ("lost appends", |seen| seen.log.lost),
        ("lost acks", |seen| seen.log.acks_lost),
        ("late appends that came too late", |seen| seen.log.late_rejected),
        ("stepdowns that stored", |seen| seen.log.stepdown_stored),
        ("stepdowns that did not", |seen| seen.log.stepdown_dropped),
        ("no responders", |seen| seen.log.no_responders),
        ("foreign messages", |seen| seen.log.foreign),
        ("answers from the past", |seen| seen.log.stale),
    ];
    for (what, count) in sometimes {
        assert!(seen.iter().map(count).sum::<u64>() > 0, "no seed has seen {what}");
    }
}

/// For some seconds, seeds that nobody has seen. One that fails prints how to play it again.
#[test]
fn new_seeds_go_well() {
    let begin = std::time::Instant::now();
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    let first = u64::try_from(since.as_millis()).expect("it is before the year 500,000,000");
    for seed in (first..).take_while(|_| begin.elapsed().as_secs() < 20) {
        run(seed, None).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}

#[test]
fn a_seed_plays_the_same_twice() {
    let play = |seed| format!("{:?}", run(seed, None).expect("it goes well"));
    assert_eq!(play(3), play(3));
}

#[test]
fn bugs_on_purpose_are_caught() {
    for bug in [
        Bug::AnswerBeforeAck,
        Bug::StaleOwnerKeepsAnswering,
        Bug::ConflictIsNotStored,
        Bug::SkipExpectedSequence,
        Bug::StateOfAnotherMoment,
    ] {
        let caught = SEEDS.clone().any(|seed| run(seed, Some(bug)).is_err());
        assert!(caught, "{bug:?} was not caught");
    }
}
