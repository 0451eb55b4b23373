//! When snapshots are taken, what they hold, and that a writer goes on from one as from a replay.

use ledger_core::commit::Hash;
use ledger_core::{Chain, Ledger, Snapshot};

use super::*;

/// The next commit is large enough.
fn eager() -> Bench {
    let mut bench = Bench::serving();
    bench.writer = bench.writer.with_snapshots_after(1);
    bench
}

fn snapshots(outputs: &[Output]) -> Vec<Snapshot> {
    let snapshots = outputs.iter().filter_map(|output| match output {
        Output::Snapshot(snapshot) => Some((**snapshot).clone()),
        _ => None,
    });
    snapshots.collect()
}

fn restored(snapshot: &Snapshot) -> (Chain, Ledger) {
    let generation = |wanted: Hash| {
        snapshot.generations().find(|(hash, _)| *hash == wanted).map(|(_, generation)| generation.to_bytes())
    };
    Snapshot::restore(&snapshot.to_bytes(), generation).unwrap()
}

/// Opens accounts until a snapshot is due.
fn next_snapshot(bench: &mut Bench) -> Snapshot {
    for number in 0..100 {
        let commit = appended(&bench.ask(open(&format!("until-{number}"), "1")));
        if let Some(snapshot) = snapshots(&bench.store(&commit)).pop() {
            return snapshot;
        }
    }
    panic!("so many commits are larger than the last snapshot");
}

/// What is known after the replay of all that is stored.
fn replayed(bench: &Bench) -> Snapshot {
    let mut writer = Writer::new(PARTITION, config());
    bench.stored.iter().for_each(|commit| writer.replay(&stored(commit)).unwrap());
    Snapshot::take(writer.chain(), writer.ledger())
}

#[test]
fn a_snapshot_comes_with_the_commit_it_stands_at_when_that_is_durable() {
    let mut bench = eager();
    let first = bench.ask(open("anna", "1"));
    assert_eq!(snapshots(&first), []);
    // Decided meanwhile, and not part of it.
    bench.ask(debit("anna", "0.4", "a"));
    let outputs = bench.store(&appended(&first));
    let taken = snapshots(&outputs);
    assert_eq!(taken, [replayed(&bench)], "the state at the commit, to the last byte");
    assert_eq!(taken[0].chain, *bench.writer.chain());
}

#[test]
fn an_append_that_is_never_stored_leaves_no_snapshot() {
    let mut bench = eager();
    bench.ask(open("anna", "1"));
    let mut outputs = bench.outcome(AppendOutcome::Unknown("lost".to_owned()));
    outputs.extend(bench.pass(SECOND));
    outputs.extend(bench.outcome(AppendOutcome::Fatal("no".to_owned())));
    assert_eq!(snapshots(&outputs), []);
    assert_eq!(bench.writer.last_snapshot(), None, "nor is there one at the end");
}

#[test]
fn a_commit_that_must_move_on_carries_no_snapshot_of_its_old_place() {
    let mut bench = eager();
    bench.ask(open("anna", "1"));
    bench.outcome(AppendOutcome::Conflict);
    let outputs = bench.read_back(Some(Entry::Foreign { sequence: 3, reason: "no commit".to_owned() }));
    let moved = appended(&outputs);
    assert_eq!(snapshots(&bench.store(&moved)), []);
    let next = next_snapshot(&mut bench);
    assert_eq!(next.chain, *bench.writer.chain(), "the next one is right again");
    let ledger = restored(&next).1;
    assert_eq!(ledger.account(&account("anna")).unwrap().opened().sequence, 4);
}

#[test]
fn snapshots_are_as_far_apart_as_was_asked_and_as_the_last_was_large() {
    let mut bench = Bench::serving();
    bench.writer = bench.writer.with_snapshots_after(2_000);
    // What was replayed counts as well.
    let mut written = bench.stored[0].bytes.len();
    for number in 0..60 {
        let commit = appended(&bench.ask(open(&format!("user-{number}"), "1")));
        written += commit.bytes.len();
        for snapshot in snapshots(&bench.store(&commit)) {
            assert!(written >= 2_000, "{written}");
            written = 0;
            assert!(snapshot.size() < 20_000);
        }
        assert!(written < 20_000, "one is due");
    }
    let mut large = Bench::serving();
    let state = restored(&bench.writer.last_snapshot().unwrap());
    large.writer = Writer::restored(PARTITION, config(), state, 1 << 30).with_snapshots_after(1);
    large.stored = bench.stored.clone();
    let term = appended(&large.open_term(9));
    large.store(&term);
    for number in 0..60 {
        let commit = appended(&large.ask(open(&format!("more-{number}"), "1")));
        assert_eq!(snapshots(&large.store(&commit)), []);
    }
}

#[test]
fn a_restored_writer_goes_on_as_the_one_that_replayed() {
    let mut bench = eager();
    bench.done(open("anna", "1"));
    bench.done(debit("anna", "0.4", "a"));
    let snapshot = next_snapshot(&mut bench);
    let at = bench.stored.len();
    bench.done(debit("anna", "0.3", "b"));
    bench.done(deposit("anna", "2", "c"));
    let mut late = Bench::serving();
    late.writer = Writer::restored(PARTITION, config(), restored(&snapshot), 1).with_snapshots_after(1);
    late.stored = bench.stored.clone();
    bench.stored[at..].iter().for_each(|commit| late.writer.replay(&stored(commit)).unwrap());
    assert_eq!(Snapshot::take(late.writer.chain(), late.writer.ledger()), replayed(&bench));
    let term = appended(&late.open_term(2));
    late.store(&term);
    let answer = late.ask(debit("anna", "0.4", "a"));
    assert!(matches!(&answer[..], [Output::Fetch(..)]), "the key is known: {answer:?}");
    assert_eq!(balance(&late.done(debit("anna", "0.1", "d"))), "2.2");
}

#[test]
fn the_last_snapshot_holds_what_is_new_and_is_written_once() {
    let mut bench = Bench::serving();
    assert_eq!(bench.writer.last_snapshot(), None, "none are wanted");
    bench.writer = bench.writer.with_snapshots_after(1 << 20);
    let sent = bench.ask(open("anna", "1"));
    assert_eq!(bench.writer.last_snapshot(), None, "something is in flight");
    bench.store(&appended(&sent));
    assert_eq!(bench.writer.last_snapshot(), Some(replayed(&bench)));
    assert_eq!(bench.writer.last_snapshot(), None, "nothing is new");
}

/// Host A looked at its clock without a commit, and stopped in order. Host B, 100 ms behind it, wrote on without A's
/// snapshot. A starts again.
#[test]
fn a_last_snapshot_takes_what_another_host_wrote_meanwhile() {
    let policy = Policy { key_window_hours: 1, key_budget: 16, ..Policy::default() };
    let config = || WriterConfig { policies: vec![(app(), policy)], ..config() };
    let mut a = Bench::serving();
    a.writer = Writer::new(PARTITION, config()).with_snapshots_after(1 << 20);
    for commit in &a.stored {
        a.writer.replay(&stored(commit)).unwrap();
    }
    let term = appended(&a.open_term(2));
    a.store(&term);
    a.done(open("anna", "1"));
    for number in 0..16 {
        a.done(debit("anna", "0.01", &format!("word {number}")));
    }
    // A question, 91 minutes later, and the end.
    a.now = START.plus(91 * MINUTE);
    let deadline = a.now.plus(SECOND);
    a.call(Call { ask: Ask::Get(account("anna")), deadline });
    let last = a.writer.last_snapshot().unwrap();

    let mut b = Bench::replayed();
    b.writer = Writer::new(PARTITION, config());
    b.stored = a.stored.clone();
    b.stored.iter().for_each(|commit| b.writer.replay(&stored(commit)).unwrap());
    b.now = START.plus(91 * MINUTE - 100_000);
    let term = appended(&b.open_term(3));
    b.store(&term);
    b.done(debit("anna", "0.01", "word 16"));

    let mut again = Writer::restored(PARTITION, config(), restored(&last), last.size());
    for commit in &b.stored[a.stored.len()..] {
        again.replay(&stored(commit)).unwrap();
    }
}
