//! The fixed seeds go well, and see all that they should; the named schedules reach what they are for; bugs on purpose
//! are caught by the invariants that they break.

use simulation::{Bug, Outcome, names, run, run_many, run_named};

/// How often a seed has seen something.
type Count = fn(&Outcome) -> u64;

/// The fixed ones.
const SEEDS: u64 = 300;
/// New ones at every run, as far as the time goes.
const NEW: u64 = 200;
const NEW_SECONDS: u64 = 30;

fn well((seen, wrong): (Vec<Outcome>, Vec<String>)) -> Vec<Outcome> {
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    seen
}

#[test]
fn the_fixed_seeds_go_well_and_see_what_they_should() {
    let seen = well(run_many(0, |count| count < SEEDS));
    let sometimes: [(&str, Count); 60] = [
        ("unknown answers", |seen| seen.unknown),
        ("unknown, and it was stored", |seen| seen.unknown_stored),
        ("unknown, and it was not stored", |seen| seen.unknown_not_stored),
        ("crashes", |seen| seen.crashes),
        ("pauses", |seen| seen.pauses),
        ("pauses one by one", |seen| seen.swizzles),
        ("wrong clocks", |seen| seen.clock_wrong),
        ("clocks behind the log", |seen| seen.clock_behind),
        ("clocks that jump under way", |seen| seen.clock_jumps),
        ("clocks that jump too far", |seen| seen.clock_jumps_noticed),
        ("orderly stops", |seen| seen.stops),
        ("last snapshots", |seen| seen.last_snapshots),
        ("brief answers", |seen| seen.brief),
        ("keys that may be forgotten", |seen| seen.keys_expired),
        ("horizons raised", |seen| seen.horizons_raised),
        ("policies that changed", |seen| seen.policies_set.saturating_sub(2)),
        ("fenced owners", |seen| seen.fenced),
        ("conflicts with our own commit", |seen| seen.ours),
        ("keys repeated across a change of terms", |seen| seen.across_terms),
        ("a crossing and money in one commit", |seen| seen.crossed_and_paid),
        ("snapshots", |seen| seen.snapshots),
        ("starts from the newest snapshot", |seen| seen.restored),
        ("starts from an older snapshot", |seen| seen.restored_old),
        ("batches of a source", |seen| seen.batches),
        ("batches sent again", |seen| seen.batches_again),
        ("items of a source", |seen| seen.items),
        ("debits that were only tried", |seen| seen.dry_runs),
        ("tails lost", |seen| seen.log.cuts),
        ("bits turned", |seen| seen.log.flips),
        ("alarms", |seen| seen.alarms),
        ("conflicts", |seen| seen.log.conflicts),
        ("duplicates", |seen| seen.log.duplicates),
        ("resends while the first was in flight", |seen| seen.log.in_process),
        ("lost appends", |seen| seen.log.lost),
        ("lost acks", |seen| seen.log.acks_lost),
        ("late appends", |seen| seen.log.late),
        ("slow replications", |seen| seen.log.slow),
        ("late appends that came too late", |seen| seen.log.late_rejected),
        ("stepdowns that stored", |seen| seen.log.stepdown_stored),
        ("stepdowns that did not", |seen| seen.log.stepdown_dropped),
        ("appends lost with their leader", |seen| seen.log.lost_with_leader),
        ("no responders", |seen| seen.log.no_responders),
        ("a full store", |seen| seen.log.full),
        ("foreign messages", |seen| seen.log.foreign),
        ("answers from the past", |seen| seen.log.stale),
        ("workers killed", |seen| seen.workers.crashes),
        ("workers killed before they heard", |seen| seen.workers.crashes_unheard),
        ("workers stopped", |seen| seen.workers.stops),
        ("requests of workers lost", |seen| seen.workers.lost),
        ("answers to workers lost", |seen| seen.workers.answers_lost),
        ("containers made", |seen| seen.workers.provisioned),
        ("containers put to sleep", |seen| seen.workers.slept),
        ("containers woken", |seen| seen.workers.woken),
        ("containers taken away", |seen| seen.workers.taken_away),
        ("steps that failed", |seen| seen.workers.failures),
        ("sleeps in another way", |seen| seen.workers.escalations),
        ("mails sent", |seen| seen.workers.mails),
        ("mails sent at a later attempt", |seen| seen.workers.mails_retried),
        ("mails that ended otherwise", |seen| seen.workers.mails_ended),
        ("sleepers that the provider woke", |seen| seen.workers.woken_outside),
    ];
    let unseen = sometimes.iter().filter(|(_, count)| seen.iter().all(|seen| count(seen) == 0));
    let unseen: Vec<_> = unseen.map(|(what, _)| what).collect();
    assert!(unseen.is_empty(), "no seed has seen {unseen:?}");
}

/// Seeds that nobody has seen. One that fails prints how to play it again.
#[test]
fn new_seeds_go_well() {
    let begin = std::time::Instant::now();
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    let first = u64::try_from(since.as_millis()).expect("it is before the year 500,000,000");
    well(run_many(first, |count| count < NEW && begin.elapsed().as_secs() < NEW_SECONDS));
}

#[test]
fn a_seed_plays_the_same_twice() {
    let play = |seed| format!("{:?}", run(seed, None).expect("it goes well"));
    assert_eq!(play(3), play(3));
}

#[test]
fn named_schedules_reach_what_they_are_for() {
    run_named().unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
fn bugs_on_purpose_are_caught_by_what_they_break() {
    for (bug, caught_by) in Bug::ALL {
        let is_caught = |wrong: &String| caught_by.iter().any(|id| names(wrong, id));
        let caught = (0..SEEDS).find_map(|seed| run(seed, Some(*bug)).err().filter(is_caught));
        assert!(caught.is_some(), "{bug:?} was not caught by any of {caught_by:?}");
    }
}
