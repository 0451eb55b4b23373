//! A log that loses or changes what was acknowledged, under a writer that is at work.

use event_log::anchors::Difference;
use event_log::{Alarm, Anchor};
use ledger_core::LogId;

use super::*;

const CUT: Option<Difference> = Some(Difference::EndsAt(1));

impl Bench {
    /// An account is open; the log holds three commits.
    fn at_work() -> Self {
        let mut bench = Self::serving();
        bench.done(open("anna", "1"));
        bench
    }

    /// The log answers that it differs so from what was durable, after so many seconds.
    fn compared(&mut self, seconds: i64, found: Option<Difference>) -> Vec<Output> {
        let anchor = self.writer.anchor().expect("something is durable");
        self.now = self.now.plus(seconds * SECOND);
        self.input(Input::Compared(anchor, Ok(found)))
    }

    fn get(&mut self) -> Answer {
        let call = Call { ask: Ask::Get(account("anna")), deadline: self.now.plus(SECOND) };
        answers(self.call(call)).pop().expect("a read is answered at once").1
    }
}

fn unavailable(outputs: Vec<Output>) -> String {
    match answers(outputs).as_slice() {
        [(_, Answer::Failed(Failure::Unavailable(reason)))] => reason.clone(),
        other => panic!("refused for now, not {other:?}"),
    }
}

fn unreachable() -> ReadError {
    ReadError::Unavailable { doing: "reading", source: "connection lost".into() }
}

#[test]
fn what_was_acknowledged_is_what_the_log_must_hold() {
    let mut bench = Bench::at_work();
    let last = bench.stored.last().unwrap().clone();
    let anchor = bench.writer.anchor().unwrap();
    assert_eq!((anchor.log, anchor.sequence, anchor.hash), (LOG, last.prefix.sequence, last.hash));
    bench.ask(debit("anna", "0.1", "a"));
    assert_eq!(bench.writer.anchor(), Some(anchor), "what is in flight is not durable yet");
}

#[test]
fn while_in_doubt_nothing_is_appended_or_answered_and_health_says_why() {
    let mut bench = Bench::at_work();
    assert_eq!(bench.compared(0, CUT), vec![]);
    let health = bench.stop();
    assert!(health.contains("in doubt") && health.contains("the log ends at 1"), "{health}");
    assert_eq!(unavailable(bench.ask(debit("anna", "0.1", "a"))), health);
    assert!(matches!(bench.get(), Answer::Failed(Failure::Unavailable(_))), "reads are guesses now");
    bench.compared(29, CUT);
    assert!(bench.stop().contains("in doubt"), "it is not believed yet");
    // An answer that changes back.
    assert_eq!(bench.compared(0, None), vec![]);
    assert_eq!(bench.writer.health(bench.now), Ok(()));
    assert_eq!(balance(&bench.done(debit("anna", "0.1", "a"))), "0.9");
}

#[test]
fn agreeing_answers_end_the_writer_with_a_sentence() {
    for found in [Difference::EndsAt(1), Difference::OtherLog(LogId([9; 16]))] {
        let mut bench = Bench::at_work();
        let anchor = bench.writer.anchor().unwrap();
        bench.compared(0, Some(found));
        bench.compared(29, Some(found));
        let stop = Stop::Differs(Alarm { anchor, found });
        assert_eq!(bench.compared(1, Some(found)), vec![Output::Stop(stop)]);
        let said = bench.stop();
        for word in ["the writer", "commit 3 ", &anchor.hash.to_string(), &found.to_string()] {
            assert!(said.contains(word), "{word:?} in {said}");
        }
        assert!(unavailable(bench.ask(debit("anna", "0.1", "a"))).contains("cut or replaced"));
    }
}

#[test]
fn answers_that_differ_from_each_other_or_fail_are_not_believed() {
    let mut bench = Bench::at_work();
    for head in 0..3 {
        assert_eq!(bench.compared(29, Some(Difference::EndsAt(head))), vec![]);
    }
    let anchor = bench.writer.anchor().unwrap();
    assert_eq!(bench.input(Input::Compared(anchor, Err(unreachable()))), vec![]);
    assert_eq!(bench.compared(31, Some(Difference::EndsAt(2))), vec![]);
    assert!(bench.stop().contains("in doubt"));
    let damaged = ReadError::Damaged { partition: PARTITION, sequence: 3, reason: "a bit".into() };
    let outputs = bench.input(Input::Compared(anchor, Err(damaged)));
    assert!(
        matches!(&outputs[..], [Output::Stop(Stop::Damaged(reason))] if reason.contains("a bit")),
        "{outputs:?}"
    );
}

#[test]
fn what_is_in_flight_is_not_sent_again_while_in_doubt() {
    let mut bench = Bench::at_work();
    bench.ask(debit("anna", "0.1", "a"));
    assert!(!bench.writer.wants_comparison(bench.now), "an append tells by itself");
    // On a log that lost its tail: something else is expected, and nothing stands there.
    bench.outcome(AppendOutcome::Conflict);
    bench.read_back(None);
    bench.now = bench.now.plus(3 * SECOND);
    assert!(bench.writer.wants_comparison(bench.now), "it does not get through");
    assert_eq!(bench.compared(0, CUT), vec![]);
    for _ in 0..20 {
        assert_eq!(bench.pass(SECOND), vec![], "nothing is sent");
    }
    let outputs = bench.compared(10, CUT);
    assert!(matches!(&outputs[..], [Output::Answer(..), Output::Stop(Stop::Differs(_))]), "{outputs:?}");
    assert_eq!(answers(outputs)[0].1, Answer::Failed(Failure::OutcomeUnknown), "it may have been stored");
}

#[test]
fn what_is_in_flight_is_sent_again_when_the_doubt_is_over() {
    let mut bench = Bench::at_work();
    let commit = appended(&bench.ask(debit("anna", "0.1", "a")));
    bench.outcome(AppendOutcome::Unknown("timed out".into()));
    bench.compared(3, CUT);
    assert_eq!(bench.pass(5 * SECOND), vec![]);
    bench.compared(1, None);
    assert_eq!(appended(&bench.pass(SECOND)), commit);
}

#[test]
fn what_gathered_meanwhile_waits_for_the_end_of_the_doubt() {
    let mut bench = Bench::at_work();
    let commit = appended(&bench.ask(debit("anna", "0.1", "a")));
    bench.ask(debit("anna", "0.1", "b"));
    bench.compared(3, CUT);
    // The append got through at last; what it is compared with is what was known before.
    let outputs = bench.store(&commit);
    assert_eq!(answers(outputs).len(), 1, "it is durable, and nothing follows it");
    let outputs = bench.compared(1, None);
    assert_eq!(appended(&outputs).prefix.sequence, commit.prefix.sequence + 1);
}

#[test]
fn a_foreign_message_in_doubt_makes_nobody_append() {
    let mut bench = Bench::at_work();
    let commit = appended(&bench.ask(debit("anna", "0.1", "a")));
    bench.outcome(AppendOutcome::Conflict);
    bench.compared(3, Some(Difference::NothingAt(3)));
    let sequence = commit.prefix.sequence;
    let foreign = Entry::Foreign { sequence, reason: "a test".into() };
    assert_eq!(bench.read_back(Some(foreign)), vec![]);
    bench.compared(1, None);
    assert_eq!(appended(&bench.pass(2 * SECOND)).prefix.sequence, sequence + 1);
}

#[test]
fn a_term_that_is_not_open_yet_is_held_up_too() {
    let mut bench = Bench::replayed();
    appended(&bench.open_term(1));
    bench.outcome(AppendOutcome::Conflict);
    bench.read_back(None);
    bench.now = bench.now.plus(3 * SECOND);
    assert!(bench.writer.wants_comparison(bench.now));
    let genesis: Anchor = bench.writer.anchor().unwrap();
    assert_eq!(genesis.sequence, 1);
    assert_eq!(bench.compared(0, Some(Difference::EndsAt(0))), vec![]);
    assert!(bench.stop().contains("in doubt"));
    assert_eq!(bench.pass(9 * SECOND), vec![]);
    let outputs = bench.compared(21, Some(Difference::EndsAt(0)));
    assert!(matches!(&outputs[..], [Output::Stop(Stop::Differs(_))]), "{outputs:?}");
}

#[test]
fn a_log_of_which_the_first_answer_counts_is_believed_at_once() {
    let mut bench = Bench::at_work();
    bench.writer.doubt = event_log::anchors::Doubt::new(std::time::Duration::ZERO);
    let outputs = bench.compared(0, CUT);
    assert!(matches!(&outputs[..], [Output::Stop(Stop::Differs(_))]), "{outputs:?}");
}
