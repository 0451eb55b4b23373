//! Opening a term, being overtaken, being fenced.

use super::*;

#[test]
fn a_newer_owner_ends_the_writer_and_nobody_is_told_that_it_worked() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let mut newer = Bench::replayed();
    for commit in &bench.stored[1..] {
        newer.writer.replay(&stored(commit)).unwrap();
    }
    let other = appended(&newer.open_term(2));
    let commit = appended(&bench.ask(debit("anna", "1", "a")));
    assert_eq!(other.prefix, commit.prefix, "both want the same place");
    bench.ask(debit("anna", "1", "b"));
    bench.outcome(AppendOutcome::Conflict);
    let outputs = bench.read_back(Some(Entry::Commit(stored(&other))));
    assert!(
        outputs.contains(&Output::Stop(Stop::Fenced { partition: PARTITION, sequence: 3 + 1 })),
        "{outputs:?}"
    );
    for (_, answer) in answers(outputs) {
        assert!(matches!(answer, Answer::Failed(Failure::Unavailable(_))), "{answer:?}");
    }
    let given = answers(bench.ask(debit("anna", "1", "c")));
    assert!(matches!(&given[0].1, Answer::Failed(Failure::Unavailable(_))));
    assert!(bench.stop().contains("taken over"));
}

#[test]
fn an_idle_writer_that_sees_another_owner_stops() {
    let mut bench = Bench::serving();
    let mut newer = Bench::replayed();
    newer.writer.replay(&stored(&bench.stored[1])).unwrap();
    let other = appended(&newer.open_term(2));
    let outputs = bench.input(Input::Seen(Ok(Some(Entry::Commit(stored(&other))))));
    assert!(matches!(&outputs[..], [Output::Stop(Stop::Fenced { .. })]), "{outputs:?}");
}

#[test]
fn an_opener_that_was_overtaken_replays_on_and_opens_again() {
    let mut old = Bench::serving();
    let mut new = Bench::replayed();
    new.writer.replay(&stored(&old.stored[1])).unwrap();
    let _ = new.open_term(2);
    let commit = appended(&old.ask(open("anna", "1")));
    old.store(&commit);
    assert_eq!(new.outcome(AppendOutcome::Conflict), vec![Output::ReadBack(commit.prefix.sequence)]);
    let outputs = new.read_back(Some(Entry::Commit(stored(&commit))));
    assert_eq!(outputs, vec![Output::Overtaken]);
    new.writer.replay(&stored(&commit)).unwrap();
    let term = appended(&new.open_term(3));
    assert!(new.store(&term).contains(&Output::Opened));
    assert_eq!(balance(&new.done(debit("anna", "0.4", "a"))), "0.6");
}

#[test]
fn calls_wait_until_the_term_is_open() {
    let mut bench = Bench::replayed();
    let term = appended(&bench.open_term(1));
    assert_eq!(bench.ask(open("anna", "1")), vec![]);
    let outputs = bench.store(&term);
    let commit = appended(&outputs);
    assert_eq!(answers(bench.store(&commit)).len(), 1);
}

#[test]
fn a_clock_behind_the_log_opens_nothing() {
    let mut bench = Bench::replayed();
    bench.now = START.plus(-10 * SECOND);
    let opened = bench.writer.open(bench.now, TermNonce([1; 16]), &mut vec![]);
    assert!(matches!(opened, Err(OpenError::ClockBehind { seconds: 10 })));
}

#[test]
fn a_log_that_does_not_chain_is_not_opened() {
    let mut bench = Bench::replayed();
    let wrong = genesis_commit(LOG, PARTITION, 1, 2, START);
    assert!(matches!(bench.writer.replay(&stored(&wrong)), Err(OpenError::Broken(_))));
    let garbage = EncodedCommit::new(
        Prefix { sequence: 2, ..wrong.prefix },
        Class::Usage,
        Bytes::from([&wrong.bytes[..32], b"garbage"].concat()),
    );
    assert!(matches!(bench.writer.replay(&stored(&garbage)), Err(OpenError::Decode { .. })));
}
