//! What is rare, far away or huge must not stop the views, and stands in both stores alike.

use bytes::Bytes;
use ledger_core::commit::{Commit, CommitBuilder, Hash, Head};
use ledger_core::event::{
    AccountOpened, Debited, Declined, Event, Genesis, MoneyIn, Slice, SourceItem, SourceMarked, Usage,
};
use ledger_core::money::{AMOUNT_MAX, BALANCE_MAX};
use ledger_core::sealed::Sealed;
use ledger_core::slots::SlotMap;
use ledger_core::{AccountId, Charge, Code, Level, PartitionId, Sequence, TermNonce, Timestamp, Usdc};
use projector::{Applied, Delta, Fold, Views};

use crate::folding::{delta, start};
use crate::on_both_stores;
use crate::stores::{Place, dump, journal};
use crate::world::{LOG, World, name, user};

on_both_stores! {
    moments_beyond_the_calendar_are_held_at_its_ends
    totals_beyond_their_range_stop_at_its_end
    a_profile_is_kept_as_far_as_it_can_be_read
    a_decline_for_nobody_opens_no_account
    ids_are_ordered_by_their_bytes_whatever_the_language
    a_source_may_be_counted_before_it_is_marked
    one_large_delta_is_the_same_as_many_small_ones
}

/// A log whose commits hold just these events; the rules are not asked.
fn fold(commits: &[Vec<Event>], time: i64) -> Vec<Delta> {
    let mut position = start(0);
    let mut deltas = Vec::new();
    for events in commits {
        let mut fold = Fold::new(position);
        fold.commit(&commit(&position, events, time)).expect("it continues the chain");
        let delta = fold.finish();
        position = delta.to;
        deltas.push(delta);
    }
    deltas
}

fn commit(after: &projector::ChainPosition, events: &[Event], time: i64) -> Commit {
    let mut builder = CommitBuilder::default();
    if after.read == 0 {
        let slots = SlotMap::even(1);
        builder.push(&Event::Genesis(Genesis { log: LOG, format: 1, partitions: 1, slots }));
    }
    events.iter().for_each(|event| builder.push(event));
    let sequence: Sequence = after.read + 1;
    let (previous, previous_hash): (Sequence, Hash) = (after.sequence, after.hash);
    let (partition, term, time) = (PartitionId(0), TermNonce([0; 16]), Timestamp(time));
    let head = Head { log: LOG, partition, sequence, previous, previous_hash, term, time };
    Commit::decode(&builder.seal(&head).bytes).expect("what is written can be read")
}

async fn apply(place: &Place, deltas: &[Delta]) -> Views {
    let store = place.open().await;
    for delta in deltas {
        assert_eq!(store.apply(delta).await.expect("applied"), Applied::Here);
    }
    Views::new(store, None)
}

fn opened(account: &AccountId, profile: Option<Sealed>) -> Event {
    let (account, initial_balance, level) = (account.clone(), BALANCE_MAX, Level::Healthy);
    let actor = name("test");
    Event::AccountOpened(AccountOpened { account, key: None, initial_balance, level, actor, profile })
}

fn usage(account: &AccountId, item: Option<u64>) -> Usage {
    let item = item.map(|number| SourceItem { source: name("calls.csv"), number });
    Usage {
        account: account.clone(),
        key: None,
        item,
        charge: Charge::Amount(AMOUNT_MAX),
        meter: name("search"),
        scope: None,
        occurred_at: None,
        metadata: None,
    }
}

fn debited(usage: Usage) -> Debited {
    Debited {
        usage,
        charged: AMOUNT_MAX,
        fee: AMOUNT_MAX,
        slices: vec![Slice { lot: 1, amount: AMOUNT_MAX }].into(),
        balance: BALANCE_MAX,
        level: Level::Healthy,
        epoch_started: None,
    }
}

async fn moments_beyond_the_calendar_are_held_at_its_ends(place: Place) {
    let id = user(0, 1);
    let at = |micros| {
        let usage = Usage { occurred_at: Some(Timestamp(micros)), ..usage(&id, None) };
        Event::Debited(debited(usage))
    };
    let events = vec![opened(&id, None), at(i64::MIN), at(i64::MAX), at(-1)];
    let views = apply(&place, &fold(&[events], i64::MAX)).await;
    let rows = journal(&views, &id).await;
    let (first, last) = (-62_135_596_800_000_000, 253_402_300_799_999_999);
    let times: Vec<_> = rows.iter().map(|row| row.occurred_at.map(|at| at.0)).collect();
    assert_eq!(times, [None, Some(first), Some(last), Some(-1)]);
    assert!(rows.iter().all(|row| row.recorded_at.0 == last));
    let hours = views.usage(&name("demo"), None, Timestamp(i64::MIN), Timestamp(i64::MAX)).await;
    let hours: Vec<_> = hours.expect("usage").iter().map(|row| row.hour.0).collect();
    assert_eq!(hours, [first, -3_600_000_000, 253_402_297_200_000_000]);
    assert_eq!(views.positions().await.expect("positions")[0].time.0, last);
}

async fn totals_beyond_their_range_stop_at_its_end(place: Place) {
    let id = user(0, 1);
    let debit = || {
        let slices = Vec::new();
        Event::Debited(Debited { slices: slices.into(), ..debited(usage(&id, Some(u64::MAX))) })
    };
    let many = || (0..5_000).map(|_| debit()).collect::<Vec<_>>();
    let commits = [vec![opened(&id, None)], many(), many(), many()];
    let views = apply(&place, &fold(&commits, 0)).await;
    let row = views.account(&id).await.expect("account").expect("it is there");
    let most = Usdc::from_credits(i64::MAX);
    assert_eq!((row.charged, row.fees), (most, most));
    let hours = views.usage(&name("demo"), None, Timestamp(0), Timestamp(1)).await.expect("usage");
    assert_eq!((hours[0].count, hours[0].charged, hours[0].fees), (15_000, most, most));
    let source = views.source(&name("demo"), &name("calls.csv")).await.expect("source").expect("known");
    assert_eq!((source.debits, source.charged), (15_000, most));
}

async fn a_profile_is_kept_as_far_as_it_can_be_read(place: Place) {
    let sealed = |key_id, text: &'static str| Sealed { key_id, bytes: Bytes::from_static(text.as_bytes()) };
    let profiles = [
        (sealed(0, r#"{"email":"a@b.c","metadata":{"n":1.10}}"#), Some("a@b.c"), Some(r#"{"n":1.10}"#)),
        (sealed(0, r#"{"email":"nul\u0000","metadata":null}"#), Some("nul\u{fffd}"), None),
        (sealed(0, r#"{"metadata":"nul\u0000"}"#), None, Some(r#""nul\u0000""#)),
        (sealed(0, r#"{"other":1}"#), None, None),
        (sealed(0, "no JSON"), None, None),
        (sealed(3, "\u{1}\u{2}"), None, None),
    ];
    let events =
        (0..).zip(&profiles).map(|(number, (sealed, ..))| opened(&user(0, number), Some(sealed.clone())));
    let views = apply(&place, &fold(&[events.collect()], 0)).await;
    for (number, (_, email, metadata)) in (0..).zip(profiles) {
        let row = views.account(&user(0, number)).await.expect("account").expect("it is there");
        assert_eq!((row.email.as_deref(), row.metadata.as_deref()), (email, metadata), "{number}");
    }
}

#[tokio::test]
async fn metadata_that_is_encrypted_or_unreadable_is_shown_as_what_it_is() {
    let id = user(0, 1);
    let cases = [
        (0, r#" {"big": 123456789012345678901234567890} "#, r#" {"big": 123456789012345678901234567890} "#),
        (0, "nul\0", r#"{"key_id":0,"sealed":"6e756c00"}"#),
        (5, "{}", r#"{"key_id":5,"sealed":"7b7d"}"#),
    ];
    let with = |(key_id, text, _): &(u32, &'static str, &str)| {
        let metadata = Some(Sealed { key_id: *key_id, bytes: Bytes::from_static(text.as_bytes()) });
        Event::Debited(debited(Usage { metadata, ..usage(&id, None) }))
    };
    let events = std::iter::once(opened(&id, None)).chain(cases.iter().map(with)).collect();
    let delta = fold(&[events], 0).remove(0);
    let shown: Vec<_> = delta.journal[1..].iter().map(|row| row.metadata.as_deref()).collect();
    assert_eq!(shown, cases.map(|(.., shown)| Some(shown)));
}

async fn ids_are_ordered_by_their_bytes_whatever_the_language(place: Place) {
    let ids = ["B", "Z-1", "a", "b", "z", "ä", "🦀"];
    let account = |id: &&str| AccountId { app: name("demo"), user: name(id) };
    let events = ids.iter().rev().map(|id| opened(&account(id), None)).collect();
    let views = apply(&place, &fold(&[events], 0)).await;
    let rows = views.accounts(&name("demo"), None, None, 100).await.expect("accounts");
    assert_eq!(rows.iter().map(|row| row.account.user.as_str()).collect::<Vec<_>>(), ids);
    let after = views.accounts(&name("demo"), None, Some("a"), 1).await.expect("accounts");
    assert_eq!(after[0].account.user.as_str(), "b");
}

async fn a_decline_for_nobody_opens_no_account(place: Place) {
    let (nobody, known) = (user(0, 1), user(0, 2));
    let declined = |account: &AccountId, code| {
        Event::Declined(Declined { usage: usage(account, Some(4)), code, dusted: false, balance: Usdc::ZERO })
    };
    let events = vec![
        opened(&known, None),
        declined(&nobody, Code::AccountUnknown),
        declined(&known, Code::InsufficientCredit),
    ];
    let deltas = fold(&[events], 0);
    assert_eq!(deltas[0].accounts.keys().collect::<Vec<_>>(), [&known]);
    let views = apply(&place, &deltas).await;
    assert_eq!(views.account(&nobody).await.expect("asked"), None);
    assert_eq!(journal(&views, &nobody).await[0].code, Some(Code::AccountUnknown));
    assert_eq!(views.source_declines(&name("demo"), &name("calls.csv"), 3, 9).await.expect("asked").len(), 2);
}

async fn a_source_may_be_counted_before_it_is_marked(place: Place) {
    let id = user(0, 1);
    let item = |number| Event::Debited(debited(usage(&id, Some(number))));
    let mark = |to| {
        let digest = Hash([9; 32]);
        Event::SourceMarked(SourceMarked { app: name("demo"), source: name("calls.csv"), to, digest })
    };
    let commits = [vec![opened(&id, None), item(1)], vec![item(2), mark(2)], vec![item(3)], vec![mark(7)]];
    let deltas = fold(&commits, 0);
    let store = place.open().await;
    let views = Views::new(store.clone(), None);
    for (delta, expected) in deltas.iter().zip([(1, 0), (2, 2), (3, 2), (3, 7)]) {
        store.apply(delta).await.expect("applied");
        let report = views.source(&name("demo"), &name("calls.csv")).await.expect("asked").expect("known");
        assert_eq!((report.debits, report.partitions[0].upto), expected);
        assert_eq!(report.partitions[0].digest == Hash::ZERO, expected.1 == 0);
    }
}

/// More rows than one statement of SQLite takes.
async fn one_large_delta_is_the_same_as_many_small_ones(place: Place) {
    let money = |id: &AccountId, lot| MoneyIn {
        account: id.clone(),
        key: name(&format!("key {lot}")),
        amount: Usdc::from_credits(5),
        lot,
        priority: 100,
        balance: BALANCE_MAX,
        baseline: BALANCE_MAX,
        level: Level::Healthy,
        epoch_started: None,
        wakes: false,
        actor: name("test"),
        metadata: None,
    };
    let ids: Vec<AccountId> = (0..700).map(|number| user(0, number)).collect();
    let open = ids.iter().map(|id| opened(id, None)).collect();
    let deposit = ids.iter().map(|id| Event::Deposited(money(id, 2))).collect();
    let debit = ids.iter().map(|id| Event::Debited(debited(usage(id, None)))).collect();
    let views = apply(&place, &fold(&[open, deposit, debit], 0)).await;
    let accounts = views.accounts(&name("demo"), None, None, 10_000).await.expect("accounts");
    assert_eq!(accounts.len(), 700);
    assert!(accounts.iter().all(|row| (row.deposited.credits(), row.charged) == (5, AMOUNT_MAX)));
    for id in &ids {
        let left: Vec<_> = views.lots(id).await.expect("lots").iter().map(|lot| lot.left).collect();
        assert_eq!(left, [BALANCE_MAX - AMOUNT_MAX, Usdc::from_credits(5)]);
    }
}

#[tokio::test]
async fn a_whole_log_in_one_delta_gives_the_rows_of_many_deltas() {
    let world = World::of(0, 71, 80);
    let places = [Place::sqlite().await, Place::postgres().await];
    let (small, large) = (places[0].open().await, places[1].open().await);
    let mut position = start(0);
    for to in 1..=world.entries.len() {
        let delta = delta(&world, position, to);
        small.apply(&delta).await.expect("applied");
        position = delta.to;
    }
    large.apply(&delta(&world, start(0), world.entries.len())).await.expect("applied");
    assert_eq!(dump(&small).await, dump(&large).await);
}
