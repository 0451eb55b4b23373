//! What it answers to a resend, to a wrong sequence and behind a stepdown, as nats-server was seen to.

use ledger_core::TermNonce;
use ledger_core::commit::{CommitBuilder, Hash, Head};
use ledger_core::event::{Event, Genesis};
use ledger_core::slots::SlotMap;

use super::*;

const LOG: LogId = LogId([7; 16]);

fn commit(sequence: Sequence, nonce: u8) -> EncodedCommit {
    let mut builder = CommitBuilder::default();
    builder.push(&Event::Genesis(Genesis { log: LOG, format: 1, partitions: 1, slots: SlotMap::even(1) }));
    builder.seal(&Head {
        log: LOG,
        partition: PartitionId(0),
        sequence,
        previous: 0,
        previous_hash: Hash::ZERO,
        term: TermNonce([nonce; 16]),
        time: Timestamp(1),
    })
}

struct Bench(SimLog, Timestamp);

impl Bench {
    fn new(replicas: Replicas) -> Self {
        Self(SimLog::new(LOG, replicas, 1), Timestamp(0))
    }

    fn append(&mut self, commit: &EncodedCommit) -> AppendOutcome {
        self.0.append(self.1, 1, commit.clone());
        self.outcome()
    }

    /// Lets time pass until the next answer.
    fn outcome(&mut self) -> AppendOutcome {
        loop {
            self.1 = self.0.next_at().expect("an answer comes");
            if let Some((_, Answer::Appended(outcome))) = self.0.step(self.1).pop() {
                return outcome;
            }
        }
    }
}

#[test]
fn a_resend_of_what_is_stored_is_a_conflict_with_one_server_and_a_duplicate_with_three() {
    for (replicas, said) in
        [(Replicas::One, AppendOutcome::Conflict), (Replicas::Three, AppendOutcome::Stored)]
    {
        let mut bench = Bench::new(replicas);
        assert_eq!(bench.append(&commit(1, 1)), AppendOutcome::Stored);
        assert_eq!(bench.append(&commit(1, 1)), said, "{replicas:?}");
        assert_eq!(bench.0.entries().len(), 1);
    }
}

#[test]
fn another_commit_at_a_wrong_sequence_is_a_conflict() {
    for replicas in [Replicas::One, Replicas::Three] {
        let mut bench = Bench::new(replicas);
        assert_eq!(bench.append(&commit(2, 1)), AppendOutcome::Conflict);
        assert_eq!(bench.append(&commit(1, 1)), AppendOutcome::Stored);
        assert_eq!(bench.append(&commit(1, 2)), AppendOutcome::Conflict);
        assert_eq!(bench.0.entries().len(), 1);
    }
}

#[test]
fn what_is_replicated_at_the_same_time_stands_in_the_order_in_which_it_was_proposed() {
    for seed in 0..50 {
        let mut sim = SimLog::new(LOG, Replicas::Three, seed);
        let mut now = Timestamp(0);
        sim.append(now, 1, commit(1, 1));
        while sim.proposed.is_empty() {
            now = sim.next_at().expect("it is on its way");
            sim.step(now);
        }
        sim.append(now, 2, commit(2, 1));
        while let Some(at) = sim.next_at() {
            sim.step(at);
        }
        let sequences: Vec<_> = sim.entries().iter().map(Entry::sequence).collect();
        assert_eq!(sequences, [1, 2], "seed {seed}");
    }
}

#[test]
fn a_lost_ack_and_a_lost_append_look_the_same() {
    for (faults, stored) in
        [(Faults { ack_lost: 1000, ..Faults::default() }, 1), (Faults { lost: 1000, ..Faults::default() }, 0)]
    {
        let mut bench = Bench::new(Replicas::One);
        bench.0.faults = faults;
        assert_eq!(bench.append(&commit(1, 1)), AppendOutcome::Unknown("no answer in time".to_owned()));
        assert_eq!(bench.0.entries().len(), stored);
    }
}

#[test]
fn a_late_append_lands_when_its_sender_has_given_up_unless_its_place_is_taken() {
    for taken in [false, true] {
        let mut bench = Bench::new(Replicas::Three);
        bench.0.faults.late = 1000;
        assert!(matches!(bench.append(&commit(1, 1)), AppendOutcome::Unknown(_)));
        bench.0.faults = Faults::default();
        if taken {
            assert_eq!(bench.append(&commit(1, 2)), AppendOutcome::Stored);
        }
        while let Some(at) = bench.0.next_at() {
            bench.0.step(at);
        }
        assert_eq!(bench.0.entries().len(), 1);
        assert_eq!(bench.0.counts().late_rejected, u64::from(taken));
    }
}

#[test]
fn behind_a_stepdown_nobody_answers_for_a_while_and_the_append_was_stored_by_coin() {
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let mut bench = Bench(SimLog::new(LOG, Replicas::Three, seed), Timestamp(0));
        bench.0.faults.stepdown = 1000;
        assert!(matches!(bench.append(&commit(1, 1)), AppendOutcome::Unknown(_)));
        lengths.insert(bench.0.entries().len());
    }
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [0, 1]);
}
