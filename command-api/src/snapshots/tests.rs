//! What is on the disk comes back; what is damaged, half written or another's is passed over.

use ledger_core::command::{Debit, Open};
use ledger_core::event::{Event, PolicySet, Usage};
use ledger_core::{
    AccountId, AppId, Charge, Command, Key, Label, Meter, Policy, Position, TermNonce, Timestamp, Usdc,
    UserId, decide,
};
use tempfile::TempDir;

use super::*;

const LOG: LogId = LogId([7; 16]);
const PARTITION: PartitionId = PartitionId(1);

/// A ledger of nothing but its beginning, said to stand at this commit.
fn snapshot(sequence: u64) -> Snapshot {
    let ledger = Ledger::new(PARTITION);
    Snapshot::take(&chain(sequence), &ledger)
}

fn chain(sequence: u64) -> Chain {
    let start = Chain::start(PARTITION);
    Chain { log: Some(LOG), sequence, read: sequence, term: TermNonce([3; 16]), ..start }
}

fn opened(folder: &TempDir) -> Snapshots {
    Snapshots::new(folder.path(), LOG, PARTITION)
}

fn at(place: &mut Snapshots) -> Option<u64> {
    place.restore().map(|restored| restored.state.0.sequence)
}

/// Those of several commits, and where they are.
fn saved(sequences: &[u64]) -> (TempDir, Snapshots) {
    let folder = tempfile::tempdir().unwrap();
    let mut place = opened(&folder);
    sequences.iter().for_each(|sequence| place.save(&snapshot(*sequence)).unwrap());
    (folder, place)
}

#[test]
fn the_newest_comes_back_and_two_are_kept() {
    let (folder, place) = saved(&[9, 10, 100]);
    let whole = place.whole();
    let names: Vec<_> = whole.iter().map(|folder| folder.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["00000000000000000100", "00000000000000000010"]);
    assert_eq!(at(&mut opened(&folder)), Some(100));
    assert_eq!(at(&mut Snapshots::new(folder.path(), LogId([8; 16]), PARTITION)), None, "another log");
}

#[test]
fn a_damaged_one_is_passed_over_and_written_again() {
    let (folder, mut place) = saved(&[9, 10]);
    let state = place.whole()[0].join(STATE);
    let mut bytes = fs::read(&state).unwrap();
    bytes[40] ^= 1;
    fs::write(&state, bytes).unwrap();
    assert_eq!(at(&mut place), Some(9));
    place.save(&snapshot(10)).unwrap();
    assert_eq!(at(&mut opened(&folder)), Some(10));
    for folder in place.whole() {
        fs::write(folder.join(STATE), b"").unwrap();
    }
    assert_eq!(at(&mut place), None);
}

#[test]
fn one_under_a_wrong_name_is_not_taken() {
    let (folder, place) = saved(&[9]);
    let other = Snapshots::new(folder.path(), LOG, PartitionId(2));
    fs::create_dir_all(&other.folder).unwrap();
    fs::rename(&place.whole()[0], other.folder.join(name(9))).unwrap();
    assert_eq!(at(&mut Snapshots::new(folder.path(), LOG, PartitionId(2))), None);
}

#[test]
fn what_a_killed_process_left_is_no_snapshot_and_goes_with_the_next() {
    let (_folder, mut place) = saved(&[9]);
    let part = place.folder.join(format!("{}{PART}77", name(10)));
    fs::create_dir(&part).unwrap();
    fs::copy(place.whole()[0].join(STATE), part.join(STATE)).unwrap();
    assert_eq!(at(&mut place), Some(9));
    place.save(&snapshot(11)).unwrap();
    assert!(!part.exists());
    assert_eq!(at(&mut place), Some(11));
}

#[test]
fn a_place_that_can_not_be_written_says_so() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(LOG.to_string()), b"a file").unwrap();
    let error = opened(&folder).save(&snapshot(9)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
}

#[test]
fn generations_of_keys_are_linked_and_damage_is_not_handed_on() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (mut place, ledger) = (opened(&folder), with_closed_generations());
    let save =
        |place: &mut Snapshots, sequence| place.save(&Snapshot::take(&chain(sequence), &ledger)).unwrap();
    save(&mut place, 10);
    save(&mut place, 20);
    let keys = |folder: &Path| {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|file| file.file_name().unwrap() != STATE).collect::<Vec<_>>()
    };
    let newest = place.whole()[0].clone();
    let files = keys(&newest);
    assert!(!files.is_empty());
    assert!(files.iter().all(|file| fs::metadata(file).unwrap().nlink() == 2), "written once");
    assert_eq!(at(&mut place), Some(20));
    fs::write(&files[0], b"damaged").unwrap();
    assert_eq!(at(&mut opened(&folder)), None, "it is part of both");
    let mut next = opened(&folder);
    save(&mut next, 30);
    assert_eq!(at(&mut opened(&folder)), Some(30));
}

/// An app whose budget of keys is small: each key closes the generation before.
fn with_closed_generations() -> Ledger {
    let mut ledger = Ledger::new(PARTITION);
    let (app, user) = (AppId::new("demo").unwrap(), UserId::new("anna").unwrap());
    let policy = Policy { key_budget: 16, ..Policy::default() };
    take_in(&mut ledger, [Event::PolicySet(PolicySet { app: app.clone(), number: 1, policy })]);
    let account = AccountId { app, user };
    let (initial_balance, actor) = (Usdc::from_credits(100), Label::new("test").unwrap());
    let open = Open { account: account.clone(), key: None, initial_balance, actor, profile: None };
    let opened = decide(&ledger, &Command::Open(open)).events;
    take_in(&mut ledger, opened);
    for number in 0..3 {
        let usage = Usage {
            account: account.clone(),
            key: Some(Key::new(&format!("key {number}")).unwrap()),
            item: None,
            charge: Charge::Amount(Usdc::from_credits(1)),
            meter: Meter::new("search").unwrap(),
            scope: None,
            occurred_at: None,
            metadata: None,
        };
        let debited = decide(&ledger, &Command::Debit(Debit { usage, dry_run: false })).events;
        take_in(&mut ledger, debited);
    }
    ledger
}

fn take_in(ledger: &mut Ledger, events: impl IntoIterator<Item = Event>) {
    ledger.begin(Timestamp(1_800_000_000_000_000));
    for event in events {
        let position = Position { partition: PARTITION, sequence: 1, index: 0 };
        ledger.evolve(position, &event).unwrap();
    }
}
