//! When calls are answered, and with what.

use super::*;

#[test]
fn nothing_is_answered_before_the_append_is_acknowledged() {
    let mut bench = Bench::serving();
    let outputs = bench.ask(open("anna", "1"));
    assert_eq!(outputs.len(), 1, "only the append: {outputs:?}");
    let commit = appended(&outputs);
    let given = answers(bench.store(&commit));
    assert_eq!(given.len(), 1);
    assert_eq!(balance(&given[0].1), "1");
}

#[test]
fn what_comes_while_a_commit_is_in_flight_goes_together_into_the_next() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let first = appended(&bench.ask(debit("anna", "0.1", "a")));
    for key in ["b", "c", "d"] {
        assert_eq!(bench.ask(debit("anna", "0.1", key)), vec![], "one commit in flight, no answer yet");
    }
    let outputs = bench.store(&first);
    let second = appended(&outputs);
    assert_eq!(answers(outputs).len(), 1);
    assert_eq!(Commit::decode(&second.bytes).unwrap().events.len(), 3);
    let balances: Vec<_> = answers(bench.store(&second)).iter().map(|(_, answer)| balance(answer)).collect();
    assert_eq!(balances, ["0.8", "0.7", "0.6"]);
}

#[test]
fn reads_and_refusals_wait_for_what_they_rest_on() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let spent = appended(&bench.ask(debit("anna", "1", "a")));
    assert_eq!(bench.call(Call { ask: Ask::Get(account("anna")), deadline: bench.now }), vec![]);
    assert_eq!(
        bench.ask(debit("anna", "1", "b")),
        vec![],
        "refused because of a debit that is not durable yet"
    );
    let given = answers(bench.store(&spent));
    assert_eq!(balance(&given[1].1), "0");
    assert!(matches!(&given[2].1, Answer::Rejected(rejection) if rejection.code == Code::InsufficientCredit));
}

#[test]
fn with_nothing_in_flight_reads_are_answered_at_once() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let given = answers(bench.call(Call { ask: Ask::Get(account("anna")), deadline: bench.now }));
    assert_eq!(balance(&given[0].1), "1");
}

#[test]
fn a_repeated_key_is_answered_with_the_first_outcome() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let first = appended(&bench.ask(debit("anna", "0.1", "a")));
    assert_eq!(bench.ask(debit("anna", "0.1", "a")), vec![], "the first is not durable yet");
    let given = answers(bench.store(&first));
    assert!(matches!(&given[1].1, Answer::Done(receipt) if receipt.duplicate));
    let outputs = bench.ask(debit("anna", "0.1", "a"));
    let Output::Fetch(ticket, position) = outputs[0] else {
        panic!("an old outcome is fetched: {outputs:?}")
    };
    let event = Commit::decode(&first.bytes).unwrap().events[position.index as usize].clone();
    let given = answers(bench.input(Input::Fetched(ticket, Ok((position, event)))));
    assert!(
        matches!(&given[0].1, Answer::Done(receipt) if receipt.duplicate && receipt.position == position)
    );
    assert_eq!(balance(&given[0].1), "0.9");
}

#[test]
fn a_declined_call_keeps_its_answer_and_a_new_call_is_decided_afresh() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "0.05"));
    let call = Call { ask: Ask::Command(debit("anna", "0.1", "a")), deadline: bench.now.plus(10 * SECOND) };
    assert!(matches!(&answers(bench.call(call.clone()))[0].1, Answer::Rejected(_)));
    bench.done(deposit("anna", "1", "pay"));
    assert!(
        matches!(&answers(bench.call(call.clone()))[0].1, Answer::Rejected(_)),
        "an attempt of the same call"
    );
    let again = Call { deadline: call.deadline.plus(1), ..call };
    assert!(
        bench.call(again).iter().any(|output| matches!(output, Output::Append(_))),
        "another call with the same key"
    );
}

#[test]
fn nothing_is_decided_after_its_deadline_or_too_long_before_it() {
    let mut bench = Bench::serving();
    let at = |deadline| Call { ask: Ask::Command(open("anna", "1")), deadline };
    let code = |outputs| match &answers(outputs)[0].1 {
        Answer::Rejected(rejection) => rejection.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(bench.call(at(bench.now.plus(-1)))), Code::DeadlinePassed);
    assert_eq!(code(bench.call(at(bench.now.plus(MINUTE)))), Code::DeadlineTooFar);
}

#[test]
fn a_call_that_waited_in_the_queue_past_its_deadline_is_not_decided() {
    let mut bench = Bench::replayed();
    let term = appended(&bench.open_term(1));
    bench.call(Call { ask: Ask::Command(open("anna", "1")), deadline: bench.now.plus(SECOND) });
    bench.now = bench.now.plus(2 * SECOND);
    let given = answers(bench.store(&term));
    assert!(matches!(&given[0].1, Answer::Rejected(rejection) if rejection.code == Code::DeadlinePassed));
}

#[test]
fn a_first_outcome_that_can_not_be_read_is_unknown_and_never_undone() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    bench.done(debit("anna", "0.1", "a"));
    let outputs = bench.ask(debit("anna", "0.1", "a"));
    let Output::Fetch(ticket, _) = outputs[0] else { panic!("{outputs:?}") };
    let given = answers(bench.input(Input::Fetched(ticket, Err("connection lost".into()))));
    assert_eq!(given[0].1, Answer::Failed(Failure::OutcomeUnknown));
}

#[test]
fn an_attempt_past_its_deadline_is_told_what_an_earlier_one_did() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let late = Call { ask: Ask::Command(debit("anna", "0.1", "a")), deadline: bench.now.plus(-1) };
    let given = answers(bench.call(late.clone()));
    assert!(matches!(&given[0].1, Answer::Rejected(rejection) if rejection.code == Code::DeadlinePassed));
    let first = appended(&bench.ask(debit("anna", "0.1", "a")));
    assert_eq!(bench.call(late), vec![], "the first is in flight");
    let given = answers(bench.store(&first));
    assert!(matches!(&given[1].1, Answer::Done(receipt) if receipt.duplicate));
}

#[test]
fn a_declined_dry_run_or_other_content_says_nothing_about_a_call() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "0.05"));
    let deadline = bench.now.plus(10 * SECOND);
    let dry = Command::Debit(Debit { usage: usage("anna", "0.1", "a"), dry_run: true });
    bench.call(Call { ask: Ask::Command(dry), deadline });
    bench.call(Call { ask: Ask::Command(debit("anna", "0.2", "a")), deadline });
    bench.done(deposit("anna", "1", "pay"));
    let outputs = bench.call(Call { ask: Ask::Command(debit("anna", "0.1", "a")), deadline });
    let commit = appended(&outputs);
    assert_eq!(balance(&answers(bench.store(&commit))[0].1), "0.95");
}

#[test]
fn fresh_keys_are_not_judged_by_a_draft_that_waited_long() {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let first = appended(&bench.ask(debit("anna", "0.1", "a")));
    bench.ask(debit("anna", "0.1", "b"));
    bench.now = bench.now.plus(6 * MINUTE);
    let millis = bench.now.0 / 1_000;
    let key = format!("{:08x}-{:04x}-7000-8000-000000000000", millis >> 16, millis & 0xffff);
    assert_eq!(bench.ask(debit("anna", "0.1", &key)), vec![], "it waits for a draft of its own time");
    let second = appended(&bench.store(&first));
    let outputs = bench.store(&second);
    let third = appended(&outputs);
    assert_eq!(balance(&answers(bench.store(&third))[0].1), "0.7");
}
