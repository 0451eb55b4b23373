//! Bytes that no writer wrote: refused with a reason, never a panic.

use proptest::prelude::*;
use serde::Serialize;
use serde_bytes::{ByteArray, ByteBuf};

use super::{LOG, TERM, head, lived, seal};
use crate::chain::Chain;
use crate::commit::{Commit, DecodeError, PREFIX_LEN, Prefix, wire};
use crate::ids::PartitionId;
use crate::ledger::Ledger;

/// Reads the bytes and takes them in as far as they go. Whatever they are, this comes back.
fn take(bytes: &[u8]) {
    super::straight::agree(bytes);
    if let Ok(commit) = Commit::decode(bytes) {
        let accepted = Chain::start(commit.prefix.partition).accept(&commit);
        drop(accepted);
        let applied = Ledger::new(PartitionId(0)).apply(&commit);
        drop(applied);
    }
}

#[test]
fn a_commit_that_was_cut_is_refused() {
    let bytes = seal(&lived(), &head()).bytes;
    for length in 0..bytes.len() {
        assert!(Commit::decode(&bytes[..length]).is_err(), "cut after {length}");
    }
    assert!(matches!(Commit::decode(&bytes[..PREFIX_LEN - 1]), Err(DecodeError::NoPrefix)));
    assert!(matches!(Commit::decode(&bytes[..PREFIX_LEN]), Err(DecodeError::Malformed(_))));
}

#[test]
fn no_single_changed_byte_makes_a_panic() {
    let bytes = seal(&lived(), &head()).bytes;
    for at in 0..bytes.len() {
        for value in
            [0x00, 0x01, 0x7f, 0x80, 0x90, 0xa1, 0xc0, 0xc1, 0xc6, 0xcf, 0xd3, 0xdb, 0xdd, 0xdf, 0xff]
        {
            let mut changed = bytes.to_vec();
            changed[at] = value;
            take(&changed);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_panic(body in prop::collection::vec(any::<u8>(), 0..400)) {
        take(&body);
        take(&[&prefix(1)[..], &body].concat());
        take(&[&prefix(1)[..], &[0x88, 0xa1, b'r', 1], &body].concat());
    }

    #[test]
    fn no_changed_bytes_make_a_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let mut bytes = seal(&lived(), &head()).bytes.to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        take(&bytes);
    }
}

fn prefix(version: u16) -> [u8; PREFIX_LEN] {
    Prefix { log: LOG, partition: PartitionId(0), sequence: 1, version }.to_bytes()
}

/// A body as any program might write it.
#[derive(Serialize)]
struct Body {
    r: u16,
    q: u64,
    h: ByteArray<32>,
    t: i64,
    n: ByteArray<16>,
    s: Vec<String>,
    u: Vec<(u32, String)>,
    e: Vec<wire::Event>,
}

fn body(events: Vec<wire::Event>) -> Body {
    let names = ["demo", "search", "test"].map(str::to_owned);
    Body {
        r: 1,
        q: 0,
        h: ByteArray::new([0; 32]),
        t: 0,
        n: ByteArray::new(TERM.0),
        s: names.to_vec(),
        u: vec![(0, "anna".to_owned())],
        e: events,
    }
}

fn written(version: u16, body: &impl Serialize) -> Vec<u8> {
    [&prefix(version)[..], &rmp_serde::to_vec_named(body).unwrap()].concat()
}

fn refusal(bytes: &[u8]) -> String {
    Commit::decode(bytes).unwrap_err().to_string()
}

const UPGRADE: &str = "needs a program that reads format 4; this one reads up to 3: upgrade it";

#[test]
fn what_needs_a_newer_reader_says_so() {
    assert_eq!(refusal(&written(1, &Body { r: 4, ..body(vec![]) })), UPGRADE);
    assert_eq!(refusal(&written(3, &Body { r: 4, ..body(vec![]) })), UPGRADE);
    assert_eq!(refusal(&written(4, &body(vec![]))), UPGRADE);
    assert_eq!(refusal(&[&prefix(4)[..], b"no MessagePack at all"].concat()), UPGRADE);
}

#[test]
fn what_needs_a_newer_reader_says_so_before_anything_else_is_read() {
    let unknown = std::collections::BTreeMap::from([("r", 4)]);
    assert_eq!(refusal(&written(1, &unknown)), UPGRADE);
    let bytes = written(1, &Body { r: 4, ..body(vec![closed()]) });
    assert_eq!(refusal(&replaced(&bytes, b"\x81\xa1C", b"\x81\xa1Q")), UPGRADE);
}

#[test]
fn a_version_that_never_was_is_refused() {
    assert_eq!(refusal(&written(0, &body(vec![]))), "holds an impossible version");
}

fn closed() -> wire::Event {
    wire::Event::AccountClosed(wire::AccountClosed { account: 0, key: None, balance: 7, actor: 2 })
}

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|part| part == old).expect("the bytes hold what is replaced");
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

#[test]
fn an_unknown_field_is_ignored() {
    let known = written(1, &body(vec![closed()]));
    let events = Commit::decode(&known).unwrap().events;
    let nested = b"\xa2zz\x92\x81\xa1k\xc0\xcb\x3f\xf0\0\0\0\0\0\0";
    let in_event = replaced(&known, b"\x81\xa1C\x83", &[b"\x81\xa1C\x84", &nested[..]].concat());
    assert_eq!(Commit::decode(&in_event).unwrap().events, events);
    let in_body = replaced(&known, b"\x88\xa1r", &[b"\x89", &nested[..], b"\xa1r"].concat());
    assert_eq!(Commit::decode(&in_body).unwrap().events, events);
}

#[test]
fn an_unknown_kind_of_event_is_an_error() {
    let bytes = replaced(&written(1, &body(vec![closed()])), b"\x81\xa1C", b"\x81\xa1Q");
    assert!(matches!(Commit::decode(&bytes), Err(DecodeError::Malformed(_))));
}

#[test]
fn a_missing_field_and_one_that_stands_twice_are_errors() {
    let known = written(1, &body(vec![closed()]));
    for (old, new) in [
        (&b"\xa1C\x83\xa1a\0"[..], &b"\xa1C\x82"[..]),
        (b"\xa1C\x83\xa1a\0", b"\xa1C\x84\xa1a\0\xa1a\0"),
        (b"\x88\xa1r\x01", b"\x87"),
    ] {
        assert!(matches!(Commit::decode(&replaced(&known, old, new)), Err(DecodeError::Malformed(_))));
    }
}

fn debited(change: impl FnOnce(&mut wire::Debited)) -> wire::Event {
    let mut event = wire::Debited {
        account: 0,
        key: None,
        item: None,
        items: None,
        meter: 1,
        scope: None,
        occurred_at: None,
        metadata: None,
        charged: 7,
        fee: 0,
        lot: Some(1),
        slices: vec![],
        balance: 3,
        level: 0,
        epoch_started: None,
    };
    change(&mut event);
    wire::Event::Debited(event)
}

fn declined(change: impl FnOnce(&mut wire::Declined)) -> wire::Event {
    let mut event = wire::Declined {
        account: 0,
        key: None,
        item: None,
        amount: Some(-7),
        items: None,
        meter: 1,
        scope: None,
        occurred_at: None,
        metadata: None,
        code: "insufficient_credit".to_owned(),
        dusted: false,
        balance: 3,
    };
    change(&mut event);
    wire::Event::Declined(event)
}

fn crossed(line: u8, reason: u8) -> wire::Event {
    wire::Event::Crossed(wire::Crossed { account: 0, line, balance: 0, baseline: 0, epoch: 1, reason })
}

fn policy(fee_bps: u16, low_percent: u8, on_decline: u8, key_window_hours: u16) -> wire::Event {
    let (app, number, key_budget) = (0, 1, None);
    let event =
        wire::PolicySet { app, number, fee_bps, low_percent, on_decline, key_window_hours, key_budget };
    wire::Event::PolicySet(event)
}

fn genesis(partitions: u16, slots: &[(u16, u16)]) -> wire::Event {
    let log = ByteArray::new(LOG.0);
    wire::Event::Genesis(wire::Genesis { log, format: 1, partitions, slots: slots.to_vec() })
}

#[test]
fn what_no_writer_writes_is_impossible() {
    let most = crate::money::BALANCE_MAX.credits();
    let quantity = crate::charge::Quantity::UNITS_MAX;
    let price = crate::charge::UnitPrice::UNITS_MAX;
    let cases: Vec<(wire::Event, &str)> = vec![
        (debited(|event| event.account = 1), "account index"),
        (debited(|event| event.meter = 3), "text index"),
        (debited(|event| event.charged = -1), "amount"),
        (debited(|event| event.balance = most + 1), "amount"),
        (debited(|event| event.fee = i64::MIN), "amount"),
        (debited(|event| event.level = 3), "level"),
        (debited(|event| event.slices = vec![(1, 7)]), "slices"),
        (debited(|event| event.key = Some(wire::Key::Text(String::new()))), "key"),
        (debited(|event| event.key = Some(wire::Key::Text("a\nb".to_owned()))), "key"),
        (debited(|event| event.items = Some(vec![(1, quantity + 1, 0)])), "quantity"),
        (debited(|event| event.items = Some(vec![(1, 0, price + 1)])), "unit price"),
        (declined(|event| event.amount = None), "charge"),
        (declined(|event| event.items = Some(vec![])), "charge"),
        (declined(|event| event.code = "because".to_owned()), "rejection code"),
        (crossed(0, 1), "line"),
        (crossed(3, 1), "line"),
        (crossed(1, 0), "crossing reason"),
        (crossed(1, 4), "crossing reason"),
        (policy(10_001, 20, 1, 24), "fee_bps"),
        (policy(500, 100, 1, 24), "low_percent"),
        (policy(500, 20, 0, 24), "on_decline"),
        (policy(500, 20, 4, 24), "on_decline"),
        (policy(500, 20, 1, 0), "key_window_hours"),
        (policy(500, 20, 1, 169), "key_window_hours"),
        (genesis(1, &[]), "slot map"),
        (genesis(1, &[(1, 0)]), "slot map"),
        (genesis(2, &[(0, 0), (4096, 1)]), "slot map"),
        (genesis(1, &[(0, 0), (2048, 1)]), "slot map"),
    ];
    for (event, what) in cases {
        let told = format!("{event:?}");
        let refusal = refusal(&written(1, &body(vec![event])));
        assert_eq!(refusal, format!("holds an impossible {what}"), "{told}");
    }
    for fine in
        [debited(|_| ()), declined(|_| ()), crossed(1, 3), policy(0, 0, 3, 168), genesis(1, &[(0, 0)])]
    {
        assert!(Commit::decode(&written(1, &body(vec![fine]))).is_ok());
    }
}

#[test]
fn names_in_the_tables_keep_to_their_rules() {
    let user = |app, id: &str| Body { u: vec![(app, id.to_owned())], ..body(vec![]) };
    assert_eq!(refusal(&written(1, &user(0, "$fee"))), "holds an impossible user id");
    assert_eq!(refusal(&written(1, &user(0, ""))), "holds an impossible user id");
    assert_eq!(refusal(&written(1, &user(9, "anna"))), "holds an impossible text index");
    let named = Body { s: vec!["Demo".to_owned()], ..body(vec![]) };
    assert_eq!(refusal(&written(1, &named)), "holds an impossible app");
}

#[test]
fn a_key_in_bytes_has_16_of_them() {
    let uuid = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
    let key = crate::Key::new(uuid).unwrap();
    let bytes =
        written(1, &body(vec![debited(|event| event.key = key.uuid().copied().map(wire::Key::Uuid))]));
    let decoded = Commit::decode(&bytes).unwrap();
    assert!(format!("{:?}", decoded.events[0]).contains(uuid));
    let short = replaced(&bytes, b"\xc4\x10\x01\x7f\x22\xe2", b"\xc4\x0f\x7f\x22\xe2");
    assert!(matches!(Commit::decode(&short), Err(DecodeError::Malformed(_))));
}

#[test]
fn a_claim_of_a_huge_length_is_refused_without_its_memory() {
    let claim = [&prefix(1)[..], b"\x88\xa1r\x01\xa1q\0\xa1s\xdd\xff\xff\xff\xff"].concat();
    assert!(matches!(Commit::decode(&claim), Err(DecodeError::Malformed(_))));
    let deep = [&prefix(1)[..], b"\x88\xa1r\x01\xa1z", &[0x91; 100_000]].concat();
    assert!(matches!(Commit::decode(&deep), Err(DecodeError::Malformed(_))));
}

#[test]
fn metadata_is_kept_byte_by_byte() {
    let sealed = wire::Sealed(7, ByteBuf::from(vec![0xff, 0x00, 0x80]));
    let bytes = written(1, &body(vec![debited(|event| event.metadata = Some(sealed))]));
    let crate::Event::Debited(event) = &Commit::decode(&bytes).unwrap().events[0] else { panic!("a debit") };
    let metadata = event.usage.metadata.clone().unwrap();
    assert_eq!((metadata.key_id, &metadata.bytes[..]), (7, &[0xff, 0x00, 0x80][..]));
}
