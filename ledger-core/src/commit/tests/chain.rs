//! The chain: what continues a log, and what does not.

use super::{LOG, TERM, genesis, head, seal, term};
use crate::chain::Chain;
use crate::commit::{Commit, Hash, Head};
use crate::event::Event;
use crate::ids::{LogId, PartitionId, TermNonce};
use crate::testing::START;

const NEXT: TermNonce = TermNonce([3; 16]);

/// What would come next after these.
fn next(chain: &Chain) -> Head {
    let Chain { sequence, hash, read, time, term, partition, .. } = *chain;
    Head { log: LOG, partition, sequence: read + 1, previous: sequence, previous_hash: hash, term, time }
}

fn commit(events: &[Event], head: &Head) -> Commit {
    Commit::decode(&seal(events, head).bytes).unwrap()
}

/// A log of a genesis and a term.
fn begun() -> Chain {
    let mut chain = Chain::start(PartitionId(0));
    chain.accept(&commit(&[genesis()], &Head { term: TERM, ..head() })).unwrap();
    chain.accept(&commit(&[term(TERM, 1)], &Head { term: TERM, ..next(&chain) })).unwrap();
    chain
}

/// Why these events with this head do not continue the chain; the chain is then as it was.
#[track_caller]
fn refused(chain: &Chain, events: &[Event], change: impl FnOnce(&mut Head)) -> String {
    let (mut head, mut after) = (next(chain), *chain);
    change(&mut head);
    let broken = after.accept(&commit(events, &head)).unwrap_err();
    assert_eq!(after, *chain, "a refused commit changes nothing");
    broken.reason
}

#[test]
fn a_commit_that_continues_the_chain_is_taken() {
    let mut chain = begun();
    let taken = commit(&[], &next(&chain));
    chain.accept(&taken).unwrap();
    assert_eq!((chain.sequence, chain.read, chain.hash), (3, 3, taken.hash));
    assert_eq!((chain.log, chain.term, chain.time), (Some(LOG), TERM, START));
}

#[test]
fn a_gap_and_a_repetition_are_refused() {
    assert_eq!(refused(&begun(), &[], |head| head.sequence = 4), "4 follows 2 with a gap");
    assert_eq!(refused(&begun(), &[], |head| head.sequence = 2), "2 follows 2 with a gap");
    let mut chain = begun();
    assert_eq!(chain.step_over(4).unwrap_err().to_string(), "partition 0, commit 4: 4 follows 2 with a gap");
}

#[test]
fn a_commit_names_its_true_predecessor() {
    let wrong_hash = refused(&begun(), &[], |head| head.previous_hash = Hash([7; 32]));
    assert!(wrong_hash.starts_with("it names 2 0707"), "{wrong_hash}");
    let wrong_sequence = refused(&begun(), &[], |head| head.previous = 1);
    assert!(wrong_sequence.starts_with("it names 1 "), "{wrong_sequence}");
}

#[test]
fn a_commit_of_another_log_or_partition_is_refused() {
    let reason = "it belongs to another log or partition";
    assert_eq!(refused(&begun(), &[], |head| head.log = LogId([9; 16])), reason);
    assert_eq!(refused(&begun(), &[], |head| head.partition = PartitionId(1)), reason);
}

#[test]
fn time_does_not_go_back() {
    let reason = "its time is before its predecessor's";
    assert_eq!(refused(&begun(), &[], |head| head.time = START.plus(-1)), reason);
}

#[test]
fn a_foreign_message_is_stepped_over_and_the_chain_goes_on_from_the_last_valid_commit() {
    let mut chain = begun();
    chain.step_over(3).unwrap();
    assert_eq!((chain.read, chain.sequence), (3, 2));
    let after = commit(&[], &next(&chain));
    assert_eq!((after.prefix.sequence, after.previous), (4, 2));
    chain.accept(&after).unwrap();
    assert_eq!((chain.read, chain.sequence), (4, 4));
}

#[test]
fn a_foreign_message_may_stand_before_the_genesis() {
    let mut chain = Chain::start(PartitionId(0));
    chain.step_over(1).unwrap();
    chain.accept(&commit(&[genesis()], &Head { sequence: 2, ..head() })).unwrap();
    assert_eq!(chain.sequence, 2);
}

#[test]
fn a_log_begins_with_its_own_genesis() {
    let start = Chain::start(PartitionId(0));
    let reason = "a log begins with its genesis";
    assert_eq!(refused(&start, &[], |head| head.log = LOG), reason);
    assert_eq!(refused(&start, &[term(TERM, 0)], |head| head.term = TERM), reason);
    assert_eq!(refused(&start, &[genesis()], |head| head.log = LogId([9; 16])), reason);
    assert!(refused(&start, &[genesis()], |head| head.previous = 1).starts_with("it names 1 "));
}

#[test]
fn a_new_term_begins_with_its_opening() {
    let reason = "it belongs to a term that is not the open one";
    assert_eq!(refused(&begun(), &[], |head| head.term = NEXT), reason);
    let mut chain = begun();
    chain.accept(&commit(&[term(NEXT, 2)], &Head { term: NEXT, ..next(&chain) })).unwrap();
    assert_eq!(chain.term, NEXT);
    assert_eq!(refused(&chain, &[], |head| head.term = TERM), reason);
    chain.accept(&commit(&[], &next(&chain))).unwrap();
}

#[test]
fn an_opening_names_its_own_term_and_the_head_it_replayed_to() {
    let reason = "it opens a term that is not its own, or not from here";
    for (opening, in_term) in [
        (term(NEXT, 1), NEXT),
        (term(NEXT, 3), NEXT),
        (term(NEXT, 2), TERM),
        (term(TERM, 2), NEXT),
        (term(TERM, 1), TERM),
    ] {
        assert_eq!(
            refused(&begun(), std::slice::from_ref(&opening), |head| head.term = in_term),
            reason,
            "{opening:?}"
        );
    }
}

#[test]
fn an_opening_after_a_foreign_message_names_the_last_valid_commit() {
    let mut chain = begun();
    chain.step_over(3).unwrap();
    chain.accept(&commit(&[term(NEXT, 2)], &Head { term: NEXT, ..next(&chain) })).unwrap();
    assert_eq!((chain.term, chain.sequence), (NEXT, 4));
}
