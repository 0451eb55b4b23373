//! Rows of inputs at their moments (in milliseconds), each with what comes out.

use event_log::StoredCommit;
use ledger_core::commit::{CommitBuilder, Hash, Head};
use ledger_core::event::{Event, Genesis, PolicySet};
use ledger_core::slots::SlotMap;
use ledger_core::{AppId, Chain, Policy, TermNonce};

use super::*;

const LOG: LogId = LogId([7; 16]);
const HERE: PartitionId = PartitionId(0);

type Step = (i64, Input, &'static str);

fn play(config: &Config, steps: Vec<Step>) -> Machine {
    let mut machine = Machine::new(config, LOG, HERE);
    for (place, (millis, input, expected)) in steps.into_iter().enumerate() {
        let (given, mut out) = (format!("{input:?}"), Vec::new());
        machine.step(Timestamp(millis * 1000), input, &mut out);
        let said = out.iter().map(say).collect::<Vec<_>>().join(", ");
        assert_eq!(said, expected, "step {place}, at {millis}: {given}");
    }
    machine
}

fn say(output: &Output) -> String {
    match output {
        Output::ReadPositions => "read".to_owned(),
        Output::Compare(position) => format!("compare {}", position.read),
        Output::Follow(after) => format!("follow {after}"),
        Output::Apply(delta) => format!("apply {}..{}", delta.from.read, delta.to.read),
        Output::Publish(read) => format!("publish {read}"),
        Output::Stop(error) => format!("stop: {error}"),
    }
}

/// The first commits of a log; the fourth place holds somebody else's message.
fn entries() -> Vec<Entry> {
    let mut chain = Chain::start(HERE);
    (1..=8)
        .map(|sequence| if sequence == 4 { foreign(&mut chain) } else { commit(&mut chain, sequence) })
        .collect()
}

fn foreign(chain: &mut Chain) -> Entry {
    chain.step_over(4).expect("it is the next");
    Entry::Foreign { sequence: 4, reason: "a test put it there".to_owned() }
}

fn commit(chain: &mut Chain, sequence: Sequence) -> Entry {
    let mut builder = CommitBuilder::default();
    let app = AppId::new("demo").expect("a good name");
    builder.push(&match sequence {
        1 => Event::Genesis(Genesis { log: LOG, format: 1, partitions: 1, slots: SlotMap::even(1) }),
        _ => Event::PolicySet(PolicySet { app, number: 1, policy: Policy::default() }),
    });
    let (previous, previous_hash, time) = (chain.sequence, chain.hash, Timestamp(0));
    let term = TermNonce([0; 16]);
    let made =
        builder.seal(&Head { log: LOG, partition: HERE, sequence, previous, previous_hash, term, time });
    let stored = StoredCommit { prefix: made.prefix, hash: made.hash, bytes: made.bytes, stored_at: None };
    chain.accept(&decode(&stored).expect("it was just made")).expect("it is the next");
    Entry::Commit(stored)
}

/// The entry at this sequence.
fn entry(sequence: usize) -> Input {
    Input::Entry(entries()[sequence - 1].clone())
}

/// Views that were folded up to here.
fn at(read: usize) -> Input {
    let mut folded = Batch::new(ChainPosition::start(LOG, HERE));
    entries()[..read].iter().for_each(|entry| folded.take(entry).expect("they follow each other"));
    Input::Positions(Ok(vec![folded.split_off().to]))
}

fn nowhere() -> Input {
    Input::Positions(Ok(vec![]))
}

fn same() -> Input {
    Input::Compared(Ok(None))
}

fn here() -> Input {
    Input::Applied(Ok(Applied::Here))
}

fn out_of_reach() -> Error {
    Error::Unavailable { doing: "it", source: "a test".into() }
}

fn unreadable() -> ReadError {
    ReadError::Unavailable { doing: "it", source: "a test".into() }
}

/// A projector that follows from here, and then these steps.
fn following(read: usize, steps: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let (compare, follow) = match read {
        0 => ("compare 0", "publish 0, follow 0"),
        2 => ("compare 2", "publish 2, follow 2"),
        _ => panic!("no test begins there"),
    };
    let positions = if read == 0 { nowhere() } else { at(read) };
    let begin = [(0, Input::Tick, "read"), (0, positions, compare), (0, same(), follow)];
    begin.into_iter().chain(steps).collect()
}

fn by_threes() -> Config {
    Config { batch_entries: 3, ..Config::default() }
}

#[test]
fn what_comes_together_goes_together_and_the_next_is_folded_meanwhile() {
    let steps = [
        (1, entry(1), ""),
        (1, entry(2), ""),
        (1, Input::Idle, "apply 0..2"),
        (2, entry(3), ""),
        (2, Input::Idle, ""),
        (2, entry(4), ""),
        (3, here(), "publish 2, apply 2..4"),
        (4, here(), "publish 4"),
        (4, Input::Idle, ""),
        (5, entry(5), ""),
        (5, Input::Idle, "apply 4..5"),
    ];
    play(&Config::default(), following(0, steps));
}

#[test]
fn a_delta_is_bounded_and_so_is_what_is_folded_ahead() {
    let full = [(1, entry(1), ""), (1, entry(2), ""), (1, entry(3), "apply 0..3")];
    let ahead = [(2, entry(4), ""), (2, entry(5), "")];
    let machine = play(&by_threes(), following(0, full.into_iter().chain(ahead)));
    assert!(machine.takes_entries() && !machine.holds_back());
    let full = [(1, entry(1), ""), (1, entry(2), ""), (1, entry(3), "apply 0..3")];
    let ahead = [(2, entry(4), ""), (2, entry(5), ""), (2, entry(6), "")];
    let machine = play(&by_threes(), following(0, full.into_iter().chain(ahead)));
    assert!(!machine.takes_entries());
    let bytes = |entry: &Entry| match entry {
        Entry::Commit(stored) => stored.bytes.len(),
        Entry::Foreign { .. } => 0,
    };
    let small = Config { batch_bytes: entries()[..2].iter().map(bytes).sum(), ..Config::default() };
    let machine = play(&small, following(0, [(1, entry(1), ""), (1, entry(2), "apply 0..2")]));
    assert!(machine.takes_entries(), "a delta is with the store, the next one is empty");
}

#[test]
fn it_says_what_it_waits_for() {
    let fresh = Machine::new(&Config::default(), LOG, HERE);
    assert!(fresh.wake_at().is_some() && !fresh.takes_entries() && !fresh.holds_back());
    let follows = play(&Config::default(), following(0, []));
    assert!(follows.wake_at().is_none() && follows.takes_entries() && !follows.holds_back());
    let holds = play(&Config::default(), following(0, [(1, entry(1), "")]));
    assert!(holds.holds_back());
    let stands_by = [(1, entry(1), ""), (1, Input::Idle, "apply 0..1")];
    let elsewhere = (5, Input::Applied(Ok(Applied::Elsewhere)), "");
    let stands_by = play(&Config::default(), following(0, stands_by.into_iter().chain([elsewhere])));
    assert_eq!(stands_by.wake_at(), Some(Timestamp(255_000)));
    assert!(!stands_by.takes_entries());
}

#[test]
fn views_that_somebody_else_moved_are_taken_up_from_where_they_are() {
    let steps = [
        (1, entry(1), ""),
        (1, Input::Idle, "apply 0..1"),
        (2, entry(2), ""),
        (5, Input::Applied(Ok(Applied::Elsewhere)), ""),
        (5, entry(3), ""),
        (254, Input::Tick, ""),
        (255, Input::Tick, "read"),
        (256, at(3), "compare 3"),
        (257, same(), "publish 3, follow 3"),
        (258, entry(4), ""),
        (258, Input::Idle, "apply 3..4"),
    ];
    play(&Config::default(), following(0, steps));
}

#[test]
fn after_an_unknown_outcome_nothing_in_memory_counts() {
    for (found, compare, follow, next, apply) in [
        (at(1), "compare 1", "publish 1, follow 1", entry(2), "apply 1..2"),
        (nowhere(), "compare 0", "publish 0, follow 0", entry(1), "apply 0..1"),
    ] {
        let steps = [
            (1, entry(1), ""),
            (1, Input::Idle, "apply 0..1"),
            (2, entry(2), ""),
            (5, Input::Applied(Err(out_of_reach())), ""),
            (25, Input::Tick, "read"),
            (26, found, compare),
            (27, same(), follow),
            (28, next, ""),
            (28, Input::Idle, apply),
        ];
        play(&Config::default(), following(0, steps));
    }
}

#[test]
fn what_comes_before_a_failure_is_applied_first() {
    let flight = || vec![(1, entry(1), ""), (1, Input::Idle, "apply 0..1"), (2, entry(2), "")];
    let outage = [
        (3, Input::Failed(unreadable()), ""),
        (4, here(), "publish 1, apply 1..2"),
        (5, here(), "publish 2"),
        (25, Input::Tick, "read"),
    ];
    play(&Config::default(), following(0, flight().into_iter().chain(outage)));
    let damaged = || {
        let reason = "a bit was flipped".to_owned();
        Input::Failed(ReadError::Damaged { partition: HERE, sequence: 3, reason })
    };
    let damage = [
        (3, damaged(), ""),
        (4, here(), "publish 1, apply 1..2"),
        (5, here(), "publish 2, stop: the projector can not read the log"),
    ];
    play(&Config::default(), following(0, flight().into_iter().chain(damage)));
    let nothing_before = [(1, damaged(), "stop: the projector can not read the log"), (2, Input::Tick, "")];
    play(&Config::default(), following(0, nothing_before));
    let held_back =
        [(1, entry(1), ""), (1, Input::Failed(unreadable()), "apply 0..1"), (2, here(), "publish 1")];
    play(&Config::default(), following(0, held_back));
}

#[test]
fn an_entry_that_is_brought_again_is_stepped_over() {
    let steps = [
        (1, entry(2), ""),
        (1, Input::Idle, ""),
        (2, entry(3), ""),
        (2, entry(3), ""),
        (2, entry(1), ""),
        (2, Input::Idle, "apply 2..3"),
        (3, entry(2), ""),
        (3, entry(3), ""),
        (4, here(), "publish 3"),
    ];
    play(&Config::default(), following(2, steps));
}

#[test]
fn what_is_missing_is_asked_for_again_until_it_is_believed() {
    let again = |millis| {
        vec![
            (millis, entry(4), ""),
            (millis + 2000, Input::Tick, "read"),
            (millis + 2001, at(2), "compare 2"),
            (millis + 2002, same(), "publish 2, follow 2"),
        ]
    };
    let four = || (1..5).flat_map(|second| again(second * 10_000));
    let damaged = "stop: the log is damaged. Stop writing to it and restore it from a backup";
    play(&Config::default(), following(2, four().chain([(60_000, entry(4), damaged)])));
    let found = [(60_000, entry(3), ""), (60_000, entry(5), "apply 2..3"), (60_001, here(), "publish 3")];
    play(&Config::default(), following(2, four().chain(found)));
}

#[test]
fn what_does_not_continue_the_chain_is_damage() {
    let damaged = "stop: the log is damaged. Stop writing to it and restore it from a backup";
    let other = Chain { sequence: 2, hash: Hash([1; 32]), read: 2, log: Some(LOG), ..Chain::start(HERE) };
    let wrong = || Input::Entry(commit(&mut other.clone(), 3));
    play(&Config::default(), following(2, [(1, wrong(), damaged)]));
    let behind = [(1, entry(1), ""), (1, entry(2), ""), (1, wrong(), "apply 0..2")];
    let behind = behind.into_iter().chain([(
        2,
        here(),
        "publish 2, stop: the log is damaged. Stop writing to it and restore it from a backup",
    )]);
    play(&Config::default(), following(0, behind));
}

#[test]
fn a_log_that_looks_other_than_remembered_is_believed_when_its_answers_agree_for_long_enough() {
    let short = |head| Input::Compared(Ok(Some(Difference::EndsAt(head))));
    let cut = "stop: the log is behind the views or differs from them: partition 0 was folded up to commit 3, but \
        the log ends at 1. The log was cut or replaced; nothing was changed. Restore the log; or, if what it lost is \
        lost for good, give that up: `drip anchors forget` where the log is on NATS, then drop the views and run \
        `drip init` (docs/using.md, \"What if the log lost its tail\")";
    let believed = vec![
        (0, Input::Tick, "read"),
        (0, at(3), "compare 3"),
        (0, short(2), ""),
        (3_000, Input::Tick, "compare 3"),
        (3_000, short(1), ""),
        (32_000, Input::Tick, "compare 3"),
        (32_000, short(1), ""),
        (35_000, Input::Tick, "compare 3"),
        (35_000, short(1), cut),
    ];
    play(&Config::default(), believed);
    let outwaited = vec![
        (0, Input::Tick, "read"),
        (0, at(3), "compare 3"),
        (0, short(1), ""),
        (29_000, Input::Tick, "compare 3"),
        (29_000, Input::Compared(Err(unreadable())), ""),
        (31_000, Input::Tick, "compare 3"),
        (31_000, short(1), ""),
        (60_000, Input::Tick, "compare 3"),
        (60_000, same(), "publish 3, follow 3"),
    ];
    play(&Config::default(), outwaited);
}

#[test]
fn views_of_another_log_are_left_alone() {
    let other = ChainPosition::start(LogId([9; 16]), PartitionId(5));
    let mut machine = Machine::new(&Config::default(), LOG, HERE);
    let mut out = Vec::new();
    machine.step(Timestamp(0), Input::Tick, &mut out);
    machine.step(Timestamp(0), Input::Positions(Ok(vec![other])), &mut out);
    let [Output::ReadPositions, Output::Stop(ProjectorError::OtherLog { views, log })] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!((*views, *log), (other.log, LOG));
}

#[test]
fn pauses_grow_while_it_fails_and_begin_anew_when_it_has_worked() {
    let fails = |millis| (millis, Input::Positions(Err(out_of_reach())), "");
    let steps = vec![
        (0, Input::Tick, "read"),
        fails(0),
        (9, Input::Tick, ""),
        (20, Input::Tick, "read"),
        fails(20),
        (39, Input::Tick, ""),
        (60, Input::Tick, "read"),
        fails(60),
        (99, Input::Tick, ""),
        (140, Input::Tick, "read"),
        (140, nowhere(), "compare 0"),
        (140, same(), "publish 0, follow 0"),
        (150, Input::Failed(unreadable()), ""),
        (170, Input::Tick, "read"),
        fails(170),
        (190, Input::Tick, "read"),
    ];
    play(&Config::default(), steps);
}

#[test]
fn views_that_can_never_work_stop_it() {
    let refused = || Error::Impossible("level");
    let words = format!("stop: {}", refused());
    let mut machine = Machine::new(&Config::default(), LOG, HERE);
    let mut out = Vec::new();
    machine.step(Timestamp(0), Input::Tick, &mut out);
    machine.step(Timestamp(0), Input::Positions(Err(refused())), &mut out);
    assert_eq!(out.iter().map(say).collect::<Vec<_>>(), ["read".to_owned(), words]);
    assert!(machine.wake_at().is_none() && !machine.takes_entries());
}
