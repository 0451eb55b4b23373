//! What became of an append, and what the log may do to a writer.

use super::*;

#[test]
fn an_unknown_outcome_is_resolved_by_sending_the_same_bytes_again() {
    let mut bench = Bench::serving();
    let commit = appended(&bench.ask(open("anna", "1")));
    for _ in 0..5 {
        assert_eq!(
            bench.outcome(AppendOutcome::Unknown("timed out".into())),
            vec![],
            "no answer, nothing else sent"
        );
        assert_eq!(bench.ask(open("bob", "1")), vec![], "nothing else is appended meanwhile");
        assert_eq!(appended(&bench.pass(SECOND)), commit, "the same bytes");
    }
    let outputs = bench.store(&commit);
    assert_eq!(Commit::decode(&appended(&outputs).bytes).unwrap().events.len(), 1, "bob, opened once");
    assert_eq!(answers(outputs).len(), 1);
}

#[test]
fn a_conflict_with_our_own_bytes_is_success() {
    let mut bench = Bench::serving();
    let commit = appended(&bench.ask(open("anna", "1")));
    let outputs = bench.outcome(AppendOutcome::Conflict);
    assert_eq!(outputs, vec![Output::ReadBack(commit.prefix.sequence)]);
    let given = answers(bench.read_back(Some(Entry::Commit(stored(&commit)))));
    assert_eq!(balance(&given[0].1), "1");
}

#[test]
fn a_conflict_with_nothing_there_yet_means_the_same_bytes_again() {
    let mut bench = Bench::serving();
    let commit = appended(&bench.ask(open("anna", "1")));
    bench.outcome(AppendOutcome::Conflict);
    assert_eq!(bench.read_back(None), vec![], "it may still be on its way: no answer");
    assert_eq!(appended(&bench.pass(SECOND)), commit);
}

#[test]
fn a_read_back_that_fails_is_tried_again() {
    let mut bench = Bench::serving();
    let commit = appended(&bench.ask(open("anna", "1")));
    bench.outcome(AppendOutcome::Conflict);
    let failed = ReadError::Unavailable { doing: "reading", source: "connection lost".into() };
    assert_eq!(bench.input(Input::ReadBack(Err(failed))), vec![]);
    assert_eq!(bench.pass(SECOND), vec![Output::ReadBack(commit.prefix.sequence)]);
}

#[test]
fn a_foreign_message_in_the_place_is_stepped_over_with_the_same_events() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let old = appended(&bench.ask(debit("anna", "0.1", "a")));
    bench.ask(debit("anna", "0.1", "b"));
    bench.outcome(AppendOutcome::Conflict);
    let sequence = old.prefix.sequence;
    let outputs = bench.read_back(Some(Entry::Foreign { sequence, reason: "no header".into() }));
    let new = appended(&outputs);
    assert_eq!(new.prefix, Prefix { sequence: sequence + 1, ..old.prefix });
    let (old, read) = (Commit::decode(&old.bytes).unwrap(), Commit::decode(&new.bytes).unwrap());
    assert_eq!((old.events, old.previous), (read.events, read.previous));
    let outputs = bench.store(&new);
    let given = answers(
        outputs.iter().filter(|output| !matches!(output, Output::Append(_))).map(clone_output).collect(),
    );
    assert!(matches!(&given[0].1, Answer::Done(receipt) if receipt.position.sequence == sequence + 1));
    let next = appended(&outputs);
    let given = answers(bench.store(&next));
    assert!(matches!(&given[0].1, Answer::Done(receipt) if receipt.position.sequence == sequence + 2));
    let again = bench.ask(debit("anna", "0.1", "a"));
    assert!(
        matches!(again[..], [Output::Fetch(_, position)] if position.sequence == sequence + 1),
        "{again:?}"
    );
    replays_whole(&bench, &[sequence]);
}

fn clone_output(output: &Output) -> Output {
    match output {
        Output::Answer(ticket, answer) => Output::Answer(*ticket, answer.clone()),
        _ => unreachable!("only answers are looked at"),
    }
}

/// What was stored, with foreign messages in between, replays to the state the writer has.
fn replays_whole(bench: &Bench, foreign: &[u64]) {
    let mut twin = Writer::new(PARTITION, config());
    for commit in &bench.stored {
        while foreign.contains(&(twin.chain().read + 1)) {
            twin.replay_foreign(twin.chain().read + 1).unwrap();
        }
        twin.replay(&stored(commit)).unwrap();
    }
    assert_eq!(twin.chain(), bench.writer.chain());
    for (id, account) in bench.writer.ledger().accounts() {
        assert_eq!(twin.ledger().account(&id), Some(account), "{id}");
    }
}

#[test]
fn a_full_log_refuses_new_calls_and_keeps_what_it_has() {
    let mut bench = Bench::serving();
    let commit = appended(&bench.ask(open("anna", "1")));
    bench.outcome(AppendOutcome::Refused(Refusal::Full, "no space".into()));
    let given = answers(bench.ask(open("bob", "1")));
    assert!(matches!(&given[0].1, Answer::Failed(Failure::Unavailable(reason)) if reason == "no space"));
    assert_eq!(appended(&bench.pass(2 * SECOND)), commit);
    assert_eq!(answers(bench.store(&commit)).len(), 1);
    bench.done(open("bob", "1"));
}

#[test]
fn a_queue_that_is_full_answers_overloaded() {
    let mut bench = Bench::replayed();
    let _ = bench.open_term(1);
    for _ in 0..100 {
        assert_eq!(bench.ask(open("anna", "1")), vec![]);
    }
    assert!(matches!(&answers(bench.ask(open("anna", "1")))[0].1, Answer::Failed(Failure::Overloaded)));
}

#[test]
fn a_commit_stays_below_its_size_and_the_rest_waits_for_the_next() {
    let mut bench = Bench::serving();
    bench.writer.config.queue_max = 100_000;
    bench.done(open("anna", "1000"));
    let mut commit = appended(&bench.ask(debit("anna", "0.001", "first")));
    for number in 0..20_000 {
        bench.ask(debit("anna", "0.001", &format!("{number}")));
    }
    let mut answered = 0;
    while answered < 20_001 {
        assert!(commit.bytes.len() < 300 * 1024, "{} bytes", commit.bytes.len());
        let outputs = bench.store(&commit);
        if let Some(next) = outputs.iter().find_map(|output| match output {
            Output::Append(commit) => Some(commit.clone()),
            _ => None,
        }) {
            commit = next;
        }
        answered += answers(outputs).len();
    }
    let id = account("anna");
    assert_eq!(bench.writer.ledger().account(&id).unwrap().balance().to_string(), "979.999");
}

#[test]
fn a_fatal_answer_of_the_log_leaves_what_was_sent_unknown() {
    let mut bench = Bench::serving();
    bench.ask(open("anna", "1"));
    let outputs = bench.outcome(AppendOutcome::Fatal("wrong stream".into()));
    assert!(outputs.contains(&Output::Stop(Stop::Fatal("wrong stream".into()))));
    assert_eq!(answers(outputs)[0].1, Answer::Failed(Failure::OutcomeUnknown));
}

#[test]
fn an_idle_writer_that_can_not_see_the_log_stops_answering_until_it_can() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let get = |bench: &mut Bench| {
        let call = Call { ask: Ask::Get(account("anna")), deadline: bench.now };
        answers(bench.call(call)).remove(0).1
    };
    let away =
        || Input::Seen(Err(ReadError::Unavailable { doing: "reading", source: "connection lost".into() }));
    bench.input(away());
    assert_eq!(balance(&get(&mut bench)), "1", "it may be a moment");
    bench.now = bench.now.plus(3 * SECOND);
    bench.input(away());
    assert!(matches!(get(&mut bench), Answer::Failed(Failure::Unavailable(_))));
    assert!(bench.stop().contains("can not be reached"));
    bench.input(Input::Seen(Ok(None)));
    assert_eq!(balance(&get(&mut bench)), "1");
}

#[test]
fn a_log_that_does_not_acknowledge_makes_the_writer_unready() {
    let mut bench = Bench::serving();
    let commit = appended(&bench.ask(open("anna", "1")));
    assert_eq!(bench.writer.health(bench.now), Ok(()));
    bench.now = bench.now.plus(3 * SECOND);
    assert!(bench.stop().contains("does not acknowledge"));
    bench.store(&commit);
    assert_eq!(bench.writer.health(bench.now), Ok(()));
}
