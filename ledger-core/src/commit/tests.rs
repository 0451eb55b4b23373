//! The bytes of commits: whatever is written reads back, and nothing that is read can do harm.

mod chain;
mod hostile;
mod straight;
mod strategies;
mod upkeep;

use proptest::prelude::*;

use super::{Class, Commit, CommitBuilder, EncodedCommit, Hash, Head};
use crate::charge::Charge;
use crate::event::{Event, Genesis, PolicySet, Slice, Slices, TermOpened};
use crate::ids::{LogId, PartitionId, TermNonce};
use crate::policy::Policy;
use crate::slots::SlotMap;
use crate::testing::{
    START, World, app, close, debit, deposit, grant, items, keyed, label, open, open_for, uuid7,
};
use crate::time::Timestamp;

const LOG: LogId = LogId([1; 16]);
const TERM: TermNonce = TermNonce([2; 16]);

fn head() -> Head {
    Head {
        log: LOG,
        partition: PartitionId(0),
        sequence: 1,
        previous: 0,
        previous_hash: Hash::ZERO,
        term: TERM,
        time: START,
    }
}

fn seal(events: &[Event], head: &Head) -> EncodedCommit {
    let mut builder = CommitBuilder::default();
    events.iter().for_each(|event| builder.push(event));
    builder.seal(head)
}

fn genesis() -> Event {
    Event::Genesis(Genesis { log: LOG, format: 1, partitions: 4, slots: SlotMap::even(4) })
}

fn term(nonce: TermNonce, head: u64) -> Event {
    Event::TermOpened(TermOpened { nonce, head, program: label("drip 0.1.0") })
}

/// A first commit in which every kind of event happens, really decided.
fn lived() -> Vec<Event> {
    let mut world = World::empty();
    let policy = Event::PolicySet(PolicySet { app: app(), number: 1, policy: Policy::default() });
    let mut events = vec![genesis(), term(TERM, 0), policy];
    world.sequence = 1;
    world.ledger.begin(START);
    world.take(0, &events);
    let commands = [
        open("1"),
        open_for("{acme}🦀", "0"),
        deposit("d", "2"),
        grant("g", "0.5"),
        keyed(&uuid7(0), debit("0.7")),
        keyed("k", items(&[("1000", "0.0000025"), ("3", "0.00001")])),
        debit("2.796"),
        debit("0.01"),
        close(),
    ];
    for command in commands {
        let decided = crate::decide(&world.ledger, &command).events;
        world.take(u32::try_from(events.len()).unwrap(), &decided);
        events.extend(decided);
    }
    let digest = Hash([9; 32]);
    let (app, source) = (app(), crate::SourceName::new("usage.csv").unwrap());
    events.push(Event::SourceMarked(crate::event::SourceMarked { app, source, to: 7, digest }));
    events
}

#[test]
fn every_kind_of_event_reads_back_as_it_happened() {
    let events = lived();
    let kinds: std::collections::BTreeSet<_> =
        events.iter().map(|event| serde_json::to_value(event).unwrap()["event"].to_string()).collect();
    assert_eq!(kinds.len(), 11, "{kinds:?}");
    let commit = Commit::decode(&seal(&events, &head()).bytes).unwrap();
    assert_eq!(&*commit.events, events);
}

#[test]
fn an_empty_commit_reads_back() {
    let commit = Commit::decode(&seal(&[], &head()).bytes).unwrap();
    assert!(commit.events.is_empty());
}

#[test]
fn the_same_events_are_sealed_anew_for_the_next_sequence() {
    let mut builder = CommitBuilder::default();
    lived().iter().for_each(|event| builder.push(event));
    let first = builder.seal(&head());
    let second = builder.seal(&Head { sequence: 2, ..head() });
    assert_eq!(builder.seal(&head()), first, "the same head gives the same bytes");
    assert_ne!(first.hash, second.hash);
    assert_eq!((second.prefix.sequence, second.class), (2, Class::Signal));
    let (first, second) = (Commit::decode(&first.bytes).unwrap(), Commit::decode(&second.bytes).unwrap());
    assert_eq!((first.events, first.previous, first.time), (second.events, second.previous, second.time));
}

#[test]
fn two_terms_never_write_the_same_bytes() {
    let other = Head { term: TermNonce([3; 16]), ..head() };
    assert_ne!(seal(&[], &head()).hash, seal(&[], &other).hash);
}

#[test]
fn a_repeated_name_stands_once_in_a_commit() {
    let mut world = World::new();
    world.ask(&open("1"));
    let event = world.ask(&debit("0.007")).events.remove(0);
    let (one, two) = (seal(std::slice::from_ref(&event), &head()), seal(&[event.clone(), event], &head()));
    let count =
        |bytes: &[u8], text: &str| bytes.windows(text.len()).filter(|part| *part == text.as_bytes()).count();
    for text in ["anna", "search", "demo"] {
        assert_eq!((count(&one.bytes, text), count(&two.bytes, text)), (1, 1), "{text}");
    }
}

#[test]
fn only_commits_that_a_worker_must_act_on_are_signals() {
    for event in lived() {
        let expected = if event.is_signal() { Class::Signal } else { Class::Usage };
        assert_eq!(seal(&[event], &head()).class, expected);
    }
    assert_eq!(seal(&[], &head()).class, Class::Usage);
    let usage = |event: &Event| !event.is_signal();
    let signal_last: Vec<_> = lived().into_iter().filter(usage).chain(lived().into_iter().take(4)).collect();
    assert_eq!(seal(&signal_last, &head()).class, Class::Signal);
}

#[test]
fn positions_are_counted_from_zero_inside_the_commit() {
    let commit = Commit::decode(&seal(&lived(), &Head { sequence: 42, ..head() }).bytes).unwrap();
    let positions: Vec<_> = commit.positioned().map(|(position, _)| position.to_string()).take(3).collect();
    assert_eq!(positions, ["0-42-0", "0-42-1", "0-42-2"]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_reads_back(
        events in prop::collection::vec(strategies::event(), 0..12),
        head in strategies::head(),
    ) {
        let mut builder = CommitBuilder::default();
        for (at, event) in events.iter().enumerate() {
            prop_assert_eq!(builder.count() as usize, at);
            builder.push(event);
            prop_assert!(builder.seal(&head).bytes.len() <= builder.size());
        }
        let sealed = builder.seal(&head);
        let commit = Commit::decode(&sealed.bytes).unwrap();
        prop_assert_eq!(&*commit.events, events.as_slice());
        let Head { log, partition, sequence, previous, previous_hash, term, time } = head;
        prop_assert_eq!((commit.prefix.log, commit.prefix.partition, commit.prefix.sequence), (log, partition, sequence));
        prop_assert_eq!((commit.previous, commit.previous_hash, commit.term), (previous, previous_hash, term));
        prop_assert_eq!((commit.time, commit.hash), (time, sealed.hash));
        prop_assert_eq!(Hash::of(&sealed.bytes), sealed.hash);
    }

    #[test]
    fn a_plain_debit_is_written_as_serde_writes_it(
        debits in prop::collection::vec(strategies::debited(), 1..8),
        plain in any::<bool>(),
    ) {
        let (mut straight, mut by_serde) = (CommitBuilder::default(), CommitBuilder::default());
        for mut debit in debits {
            if plain {
                (debit.usage.item, debit.usage.metadata, debit.epoch_started) = (None, None, None);
                debit.usage.charge = Charge::Amount(debit.charged);
                debit.slices = Slices::from_elem(Slice { lot: 1, amount: debit.charged }, 1);
            }
            let taken = straight.write_plain_debit(&debit);
            prop_assert!(taken || !plain);
            let debit = Event::Debited(debit);
            if !taken {
                straight.write_any(&debit);
            }
            by_serde.write_any(&debit);
        }
        prop_assert_eq!(straight.seal(&head()).bytes, by_serde.seal(&head()).bytes);
        prop_assert_eq!(straight.events, by_serde.events);
    }

    #[test]
    fn the_size_is_never_too_low_however_long_the_names_are(
        names in prop::collection::vec("[^\\p{Cc}$.]{1,60}", 0..300),
        time in any::<i64>(),
    ) {
        let mut builder = CommitBuilder::default();
        for name in names.iter().filter(|name| name.len() <= 200) {
            let command = open_for(name, "1");
            let mut world = World::new();
            world.ask(&command).events.iter().for_each(|event| builder.push(event));
        }
        let head = Head { previous: u64::MAX, time: Timestamp(time), ..head() };
        prop_assert!(builder.seal(&head).bytes.len() <= builder.size());
    }
}
