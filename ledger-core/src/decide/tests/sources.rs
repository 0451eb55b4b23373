//! Sources: each numbered item is done with exactly once, however its feed is cut and whatever is sent again.

use proptest::prelude::*;

use super::{Done, Rules};
use crate::charge::{Charge, Item, Quantity, UnitPrice};
use crate::commit::Hash;
use crate::decide::{BatchHead, BatchItem, SourceBatch};
use crate::event::{Event, SourceItem};
use crate::ids::{PartitionId, SourceName};
use crate::policy::{OnDecline, Policy};
use crate::rejection::{Code, Rejection};
use crate::testing::{
    World, anna, app, close, debit, key, keyed, label, open, tell, tell_event, tell_rejection, usage, usdc,
    user,
};

/// A line of a feed: its number, its user, its amount.
type Row = (u64, &'static str, &'static str);

const FEED: [Row; 6] = [
    (1, "anna", "0.1"),
    (2, "bob", "0.2"),
    (3, "anna", "0.3"),
    // 4 can not be read.
    (5, "bob", "0.4"),
    (6, "anna", "0.5"),
    (7, "anna", "0.6"),
];

fn source() -> SourceName {
    SourceName::new("usage.csv").unwrap()
}

fn item(&(number, name, amount): &Row) -> BatchItem {
    let mut usage = usage(user(name), Charge::Amount(usdc(amount)));
    usage.item = Some(SourceItem { source: source(), number });
    BatchItem { number, partition: PartitionId(0), usage }
}

fn head(from: u64, to: u64, digest_from: Hash) -> BatchHead {
    let (app, source, actor) = (app(), source(), label("import"));
    BatchHead { app, source, from, to, digest_from, last: false, grant_missing: None, actor }
}

/// The rows inside (from, to], after all before them.
fn batch_of(rows: &[Row], from: u64, to: u64) -> SourceBatch {
    let items = |from, to| rows.iter().filter(|row| from < row.0 && row.0 <= to).map(item).collect();
    let digest_from = SourceBatch::new(head(0, from, Hash::ZERO), items(0, from)).unwrap().digest();
    SourceBatch::new(head(from, to, digest_from), items(from, to)).unwrap()
}

fn batch(from: u64, to: u64) -> SourceBatch {
    batch_of(&FEED, from, to)
}

fn changed(from: u64, to: u64, change: impl FnOnce(&mut BatchHead)) -> SourceBatch {
    let rows = || FEED.iter().filter(|row| from < row.0 && row.0 <= to);
    let digest_from = batch(0, from).digest();
    let mut head = head(from, to, digest_from);
    change(&mut head);
    SourceBatch::new(head, rows().map(item).collect()).unwrap()
}

impl World {
    /// One commit that takes the batch's items up to `until`, as a writer does.
    fn apply_until(&mut self, batch: &SourceBatch, until: u64) -> Result<Vec<String>, Rejection> {
        self.begin();
        let mark = batch.check(&self.ledger)?;
        let mut events: Vec<Event> = vec![];
        for item in batch.items().iter().filter(|item| mark < item.number && item.number <= until) {
            self.keep(&mut events, batch.decide_opening(&self.ledger, item));
            let decided = batch.decide_item(&self.ledger, item);
            self.keep(&mut events, decided.events);
        }
        let marked = batch.mark_at(&self.ledger, until);
        self.keep(&mut events, marked.into_iter().collect());
        Ok(events.iter().map(tell_event).collect())
    }

    fn keep(&mut self, all: &mut Vec<Event>, events: Vec<Event>) {
        self.take(u32::try_from(all.len()).unwrap(), &events);
        all.extend(events);
    }

    fn apply(&mut self, batch: &SourceBatch) -> Vec<String> {
        self.apply_until(batch, batch.to()).unwrap_or_else(|rejection| vec![tell_rejection(&rejection)])
    }
}

fn both_open() -> World {
    World::given(&[Done(open("10")), Done(crate::testing::open_for("bob", "10"))])
}

#[test]
fn a_batch_is_applied_in_order_and_marked() {
    assert_eq!(
        both_open().apply(&batch(0, 3)),
        [
            "debited item 1 0.1 [0.1 of lot 1] fee 0.005: 9.9, healthy",
            "debited item 2 0.2 [0.2 of lot 1] fee 0.01: 9.8, healthy",
            "debited item 3 0.3 [0.3 of lot 1] fee 0.015: 9.6, healthy",
            "marked usage.csv to 3",
        ]
    );
}

#[test]
fn the_same_batch_again_does_nothing() {
    let mut world = both_open();
    world.apply(&batch(0, 3));
    assert!(world.apply(&batch(0, 3)).is_empty());
    assert!(world.apply(&batch(0, 2)).is_empty());
}

#[test]
fn the_same_file_again_charges_nothing_and_a_grown_one_only_what_is_new() {
    let mut world = both_open();
    world.apply(&batch(0, 5));
    let before = world.ledger.account(&anna()).cloned();
    assert!(world.apply(&changed(0, 5, |head| head.last = true)).is_empty());
    assert_eq!(world.ledger.account(&anna()).cloned(), before);
    assert_eq!(
        world.apply(&changed(0, 7, |head| head.last = true)),
        [
            "debited item 6 0.5 [0.5 of lot 1] fee 0.025: 9.1, healthy",
            "debited item 7 0.6 [0.6 of lot 1] fee 0.03: 8.5, healthy",
            "marked usage.csv to 7",
        ]
    );
}

#[test]
fn a_line_that_can_not_be_read_is_a_number_without_an_item() {
    let mut world = both_open();
    world.apply(&batch(0, 3));
    assert_eq!(world.apply(&batch(3, 4)), ["marked usage.csv to 4"]);
    assert_eq!(world.apply(&batch(3, 5)).len(), 2);
}

#[test]
fn a_batch_that_was_interrupted_goes_on_in_its_middle() {
    let mut world = both_open();
    assert_eq!(world.apply_until(&batch(0, 7), 3).unwrap().len(), 4);
    let rest = world.apply(&batch(0, 7));
    assert_eq!(rest.len(), 4);
    assert!(rest[0].starts_with("debited item 5 "), "{rest:?}");
}

#[test]
fn items_before_the_batch_must_be_known() {
    let mut world = both_open();
    assert_eq!(world.apply(&batch(3, 5)), ["refused: source_gap, mark 0"]);
    world.apply(&batch(0, 2));
    assert_eq!(world.apply(&batch(3, 5)), ["refused: source_gap, mark 2"]);
}

#[test]
fn another_feed_under_the_same_name_is_refused() {
    for other in [(3, "anna", "0.31"), (3, "bob", "0.3"), (4, "anna", "0.3")] {
        let mut world = both_open();
        world.apply(&batch(0, 5));
        let mut rows = FEED;
        rows[2] = other;
        for to in [5, 7] {
            let told = world.apply(&batch_of(&rows, 0, to));
            assert_eq!(told, ["refused: source_differs, mark 5"], "{other:?} up to {to}");
        }
    }
}

#[test]
fn a_first_batch_that_claims_a_past_is_refused() {
    let claimed = changed(0, 3, |head| head.digest_from = Hash([7; 32]));
    assert_eq!(both_open().apply(&claimed), ["refused: source_differs, mark 0"]);
}

#[test]
fn a_feed_that_ends_before_the_mark_is_refused() {
    let mut world = both_open();
    world.apply(&batch(0, 5));
    assert_eq!(world.apply(&changed(0, 3, |head| head.last = true)), ["refused: source_shorter, mark 5"]);
    assert!(world.apply(&changed(3, 5, |head| head.last = true)).is_empty());
}

#[test]
fn a_source_of_an_unknown_app_is_refused() {
    assert_eq!(World::empty().apply(&batch(0, 3)), ["refused: app_unknown"]);
}

#[test]
fn the_items_of_a_batch_are_numbered_in_order_inside_it() {
    let numbered = |from, to, numbers: &[u64]| {
        let items = numbers.iter().map(|number| item(&(*number, "anna", "0.1"))).collect();
        SourceBatch::new(head(from, to, Hash::ZERO), items).map(|_| ())
    };
    assert_eq!(numbered(3, 5, &[4, 5]), Ok(()));
    assert_eq!(numbered(3, 3, &[]), Ok(()));
    let cases: [(u64, u64, &[u64]); 6] =
        [(3, 5, &[3]), (3, 5, &[6]), (3, 5, &[5, 4]), (3, 5, &[4, 4]), (3, 3, &[3]), (4, 3, &[])];
    for (from, to, numbers) in cases {
        assert_eq!(numbered(from, to, numbers), Err(Code::SourceRange.into()), "{from} {to} {numbers:?}");
    }
}

#[test]
fn missing_accounts_are_opened_with_the_grant_and_open_ones_get_none() {
    let mut world = World::given(&[Done(open("10"))]);
    let granted = changed(0, 3, |head| head.grant_missing = Some(usdc("50")));
    assert_eq!(
        world.apply(&granted),
        [
            "debited item 1 0.1 [0.1 of lot 1] fee 0.005: 9.9, healthy",
            "bob opened with 50: healthy",
            "debited item 2 0.2 [0.2 of lot 1] fee 0.01: 49.8, healthy",
            "debited item 3 0.3 [0.3 of lot 1] fee 0.015: 9.6, healthy",
            "marked usage.csv to 3",
        ]
    );
}

#[test]
fn a_declined_item_is_recorded_and_final() {
    let mut world = World::given(&[Done(open("0.25"))]);
    assert_eq!(
        world.apply(&batch(0, 3)),
        [
            "debited item 1 0.1 [0.1 of lot 1] fee 0.005: 0.15, healthy",
            "declined item 2: account_unknown, balance 0",
            "declined item 3: insufficient_credit, balance 0.15",
            "marked usage.csv to 3",
        ]
    );
    world.ask(&crate::testing::deposit("d", "10"));
    assert!(world.apply(&batch(0, 3)).is_empty());
}

#[test]
fn a_declined_item_may_dust() {
    let mut world = World::given(&[Rules(Policy { on_decline: OnDecline::Exhaust, ..Policy::default() })]);
    world.ask(&open("0.25"));
    let told = world.apply(&batch(2, 2).clone());
    assert_eq!(told, ["refused: source_gap, mark 0"]);
    let told = world.apply(&batch_of(&[(1, "anna", "0.3"), (2, "anna", "0.3")], 0, 2));
    assert_eq!(
        told,
        [
            "declined item 1: insufficient_credit, dusted, balance 0.25",
            "crossed low at 0.25 of 0.25 in epoch 1 by decline",
            "crossed exhausted at 0.25 of 0.25 in epoch 1 by decline",
            "declined item 2: insufficient_credit, balance 0.25",
            "marked usage.csv to 2",
        ]
    );
}

#[test]
fn every_refusal_of_an_item_is_recorded() {
    let mut world = World::given(&[Done(open("1")), Done(close())]);
    let told = world.apply(&batch_of(&[(1, "anna", "0.3"), (2, "anna", "0")], 0, 2));
    let declined = "declined item 1: account_closed, balance 1";
    assert_eq!(told, [declined, "declined item 2: account_closed, balance 1", "marked usage.csv to 2"]);
    let told = both_open().apply(&batch_of(&[(1, "anna", "-0.3")], 0, 1));
    assert_eq!(told, ["declined item 1: amount_not_positive, balance 10", "marked usage.csv to 1"]);
}

#[test]
fn an_item_with_a_key_that_was_used_is_not_charged_again() {
    let mut world = World::given(&[Done(open("1")), Done(keyed("k", debit("0.1")))]);
    let mut again = item(&(1, "anna", "0.1"));
    again.usage.key = Some(key("k"));
    let feed = SourceBatch::new(head(0, 1, Hash::ZERO), vec![again]).unwrap();
    assert_eq!(world.apply(&feed), ["marked usage.csv to 1"]);
}

#[test]
fn a_debit_with_the_key_of_an_item_that_was_paid_is_a_duplicate() {
    let mut world = World::given(&[Done(open("1"))]);
    let mut first = item(&(1, "anna", "0.1"));
    first.usage.key = Some(key("k"));
    world.apply(&SourceBatch::new(head(0, 1, Hash::ZERO), vec![first]).unwrap());
    assert_eq!(tell(&world.ask(&keyed("k", debit("0.1")))), ["duplicate of 0-3-0"]);
}

#[test]
#[should_panic(expected = "no other tenant may be charged")]
fn a_batch_never_holds_an_item_of_another_app() {
    let mut foreign = item(&FEED[0]);
    foreign.usage.account.app = crate::ids::AppId::new("other").unwrap();
    let _ = SourceBatch::new(head(0, 9, Hash::ZERO), vec![foreign]);
}

#[test]
fn the_digest_covers_every_field_of_an_item() {
    let plain = item(&FEED[0]);
    let digest = |item: BatchItem| SourceBatch::new(head(0, 9, Hash::ZERO), vec![item]).unwrap().digest();
    let line = |name: &str, quantity: &str, price: &str| Item {
        name: label(name),
        quantity: Quantity::parse(quantity).unwrap(),
        unit_price: UnitPrice::parse(price).unwrap(),
    };
    let mut seen = vec![digest(plain.clone())];
    let changes: [fn(&mut BatchItem); 5] = [
        |item| {
            item.number = 2;
            item.usage.item = Some(SourceItem { source: source(), number: 2 });
        },
        |item| item.usage.key = Some(key("k")),
        |item| item.usage.scope = Some(crate::ids::Scope::new("s").unwrap()),
        |item| item.usage.occurred_at = Some(crate::time::Timestamp(0)),
        |item| item.usage.metadata = Some(crate::sealed::Sealed::plain("{}")),
    ];
    for change in changes {
        let mut other = plain.clone();
        change(&mut other);
        seen.push(digest(other));
    }
    for lines in [
        vec![line("a", "1", "0.1")],
        vec![line("b", "1", "0.1")],
        vec![line("a", "1", "0.2")],
        vec![line("a", "2", "0.1")],
        vec![line("a", "1", "0.1"), line("a", "1", "0.1")],
    ] {
        let mut other = plain.clone();
        other.usage.charge = Charge::Items(lines);
        seen.push(digest(other));
    }
    let all = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), all);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn however_a_feed_is_cut_and_repeated_each_item_is_charged_once(
        cuts in prop::collection::vec((0..8_u64, 0..8_u64, 0..8_u64), 0..30)
    ) {
        let mut world = both_open();
        let mut told = vec![];
        for (from, to, until) in cuts {
            let (from, to) = (from.min(to), from.max(to));
            told.extend(world.apply_until(&batch(from, to), until.clamp(from, to)).unwrap_or_default());
        }
        told.extend(world.apply(&batch(0, 7)));
        let numbers: Vec<_> =
            told.iter().filter_map(|line| line.strip_prefix("debited item ")).map(|line| line[..1].to_owned()).collect();
        prop_assert_eq!(numbers, ["1", "2", "3", "5", "6", "7"]);
    }
}
