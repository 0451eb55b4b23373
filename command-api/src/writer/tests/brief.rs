//! Brief answers say what full ones say, and a full one carries the event that stands in the log.

use ledger_core::Position;

use super::*;

/// What both forms tell.
#[derive(Debug, PartialEq)]
enum Told {
    Receipt(Position, Usdc, bool),
    Other(Answer),
}

fn told(answer: Answer, stored: &[Commit]) -> Told {
    match answer {
        Answer::Done(receipt) => {
            let Position { sequence, index, .. } = receipt.position;
            let commit = stored.iter().find(|commit| commit.prefix.sequence == sequence).unwrap();
            assert_eq!(commit.events[index as usize], receipt.event);
            Told::Receipt(receipt.position, receipt.balance(), receipt.duplicate)
        }
        Answer::Brief(receipt) => Told::Receipt(receipt.position, receipt.balance, receipt.duplicate),
        other => Told::Other(other),
    }
}

/// Debits of which the first is in flight when the others come: new ones, one that crosses a line, repeated ones, one
/// that is declined. A foreign message takes the place of the first.
fn debits(form: fn(Command) -> Ask) -> Vec<(Ticket, Told)> {
    let mut bench = Bench::serving();
    bench.done(open("anna", "1"));
    let ask = |bench: &mut Bench, amount, key| {
        bench.call(Call { ask: form(debit("anna", amount, key)), deadline: bench.now.plus(10 * SECOND) })
    };
    let first = appended(&ask(&mut bench, "0.1", "a"));
    for (amount, key) in [("0.2", "b"), ("0.2", "b"), ("0.6", "c"), ("0.1", "a"), ("5", "d"), ("0.01", "e")] {
        assert_eq!(ask(&mut bench, amount, key), vec![], "one commit in flight, no answer yet");
    }
    bench.outcome(AppendOutcome::Conflict);
    let foreign = Entry::Foreign { sequence: first.prefix.sequence, reason: "no header".into() };
    let first = appended(&bench.read_back(Some(foreign)));
    let mut outputs = bench.store(&first);
    let second = appended(&outputs);
    outputs.extend(bench.store(&second));
    let stored = [first, second].map(|commit| Commit::decode(&commit.bytes).unwrap());
    answers(outputs).into_iter().map(|(ticket, answer)| (ticket, told(answer, &stored))).collect()
}

#[test]
fn a_brief_answer_says_what_a_full_one_says() {
    let (full, brief) = (debits(Ask::Command), debits(Ask::Brief));
    assert_eq!(full, brief);
    let receipts = full.iter().filter(|(_, told)| matches!(told, Told::Receipt(..)));
    assert_eq!((receipts.count(), full.len()), (6, 7), "{full:?}");
}
