//! A snapshot gives the state back, and nothing that was changed is taken for one. That random ledgers live on through
//! their snapshots is tried in `model_tests`.

use std::collections::BTreeMap;

use super::*;
use crate::ids::{LogId, PartitionId, TermNonce};
use crate::policy::Policy;
use crate::testing::{World, debit, deposit, keyed, open, open_for, uuid7};

/// Accounts, lots, kept keys, and three generations of keys of which two are closed.
fn ledger() -> World {
    let mut world = World::new();
    world.set(Policy { key_budget: 32, ..Policy::default() });
    for command in [open("10"), open_for("{acme}🦀", "0"), keyed("paid", deposit("d", "5"))] {
        world.ask(&command);
    }
    for number in 0..5 {
        let key = if number % 2 == 0 { uuid7(1_000 * number) } else { format!("key {number}") };
        world.ask(&keyed(&key, debit("0.7")));
    }
    world
}

fn chain() -> Chain {
    Chain {
        log: Some(LogId([7; 16])),
        sequence: 9,
        read: 9,
        term: TermNonce([3; 16]),
        ..Chain::start(PartitionId(0))
    }
}

fn files(snapshot: &Snapshot) -> BTreeMap<Hash, Bytes> {
    snapshot.generations().map(|(hash, generation)| (hash, generation.to_bytes())).collect()
}

#[test]
fn a_snapshot_gives_the_state_back_to_the_last_byte() {
    let snapshot = Snapshot::take(&chain(), &ledger().ledger);
    let files = files(&snapshot);
    assert_eq!(files.len(), 2, "two of three generations are closed");
    let (chain, restored) =
        Snapshot::restore(&snapshot.to_bytes(), |hash| files.get(&hash).cloned()).unwrap();
    assert_eq!(Snapshot::take(&chain, &restored), snapshot);
}

#[test]
fn whatever_byte_is_changed_it_is_no_snapshot_any_more() {
    let snapshot = Snapshot::take(&chain(), &ledger().ledger);
    let (files, bytes) = (files(&snapshot), snapshot.to_bytes());
    let refused = |bytes: &[u8]| {
        let restored = Snapshot::restore(bytes, |hash| files.get(&hash).cloned());
        restored.map(drop).unwrap_err()
    };
    for at in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        let expected = if at < MAGIC.len() { SnapshotError::Layout } else { SnapshotError::Damaged };
        assert_eq!(refused(&changed), expected, "byte {at}");
    }
    assert_eq!(refused(&bytes[..bytes.len() - 1]), SnapshotError::Damaged);
    assert_eq!(refused(&[]), SnapshotError::Layout);
}

#[test]
fn a_snapshot_whose_keys_are_missing_or_changed_is_not_used() {
    let snapshot = Snapshot::take(&chain(), &ledger().ledger);
    let files = files(&snapshot);
    let (last, keys) = files.last_key_value().unwrap();
    let restored =
        Snapshot::restore(&snapshot.to_bytes(), |hash| (hash != *last).then(|| files[&hash].clone()));
    assert_eq!(restored.map(drop), Err(SnapshotError::Generation(*last)));
    let other = Bytes::from([&keys[..], b"\0"].concat());
    let changed = |hash| Some(if hash == *last { other.clone() } else { files[&hash].clone() });
    assert_eq!(
        Snapshot::restore(&snapshot.to_bytes(), changed).map(drop),
        Err(SnapshotError::Generation(*last))
    );
}
