//! Reading: filters, pages, and waiting for what was written.

use std::sync::Arc;
use std::time::Duration;

use ledger_core::{Level, PartitionId, Position, Timestamp};
use projector::{JournalFilter, JournalKind, JournalRow, Lagging, Order, Positions, Views};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::fake_log::FakeLog;
use crate::on_both_stores;
use crate::running::{Running, arrived};
use crate::stores::{Place, journal};
use crate::world::{World, name, user};

on_both_stores! {
    pages_of_a_journal_neither_skip_nor_repeat
    a_journal_can_be_filtered
    accounts_are_listed_by_the_bytes_of_their_ids
    declines_of_a_source_come_in_pages
    usage_is_cut_at_the_hours_asked_for
    a_debit_is_found_by_its_key
    who_waits_too_long_is_told_how_far_the_views_are
}

async fn views(place: &Place, seed: u64) -> (Views, World) {
    let store = place.open().await;
    let world = World::of(0, seed, 80);
    let running = Running::start(Arc::new(FakeLog::of(std::slice::from_ref(&world))), store.clone());
    arrived(&store, std::slice::from_ref(&world)).await;
    running.stop().await;
    (Views::new(store, None), world)
}

async fn pages_of_a_journal_neither_skip_nor_repeat(place: Place) {
    let (views, _) = views(&place, 51).await;
    let all = journal(&views, &user(0, 1)).await;
    assert!(all.len() > 20, "enough for some pages");
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let mut expected = all.clone();
        if order == Order::NewestFirst {
            expected.reverse();
        }
        let (mut found, mut after): (Vec<JournalRow>, _) = (Vec::new(), None);
        loop {
            let filter = JournalFilter { order, after, ..JournalFilter::default() };
            let page = views.journal(&user(0, 1), &filter, 7).await.expect("a page");
            assert!(page.len() <= 7);
            let Some(last) = page.last() else { break };
            after = Some(last.position);
            found.extend(page);
            assert!(found.len() <= all.len(), "a row came twice");
        }
        assert_eq!(found, expected);
    }
}

async fn a_journal_can_be_filtered(place: Place) {
    let (views, _) = views(&place, 52).await;
    let id = user(0, 2);
    let all = journal(&views, &id).await;
    let kind = Some(JournalKind::Debited);
    let meter = Some(name("search"));
    let filter =
        JournalFilter { kind, meter: meter.clone(), order: Order::OldestFirst, ..JournalFilter::default() };
    let expected: Vec<_> =
        all.iter().filter(|row| Some(row.kind) == kind && row.meter == meter).cloned().collect();
    assert!(!expected.is_empty() && expected.len() < all.len());
    assert_eq!(views.journal(&id, &filter, 10_000).await.expect("filtered"), expected);
    for row in &all {
        assert_eq!(views.event(row.position).await.expect("found").as_ref(), Some(row));
    }
}

async fn accounts_are_listed_by_the_bytes_of_their_ids(place: Place) {
    let (views, world) = views(&place, 53).await;
    let app = name("demo");
    let all = views.accounts(&app, None, None, 1000).await.expect("all");
    let ids: Vec<_> = all.iter().map(|row| row.account.clone()).collect();
    let known = world.users.iter().filter(|id| world.ledger.account(id).is_some());
    assert_eq!(ids, known.cloned().collect::<Vec<_>>());
    let after = ids[2].user.as_str();
    assert_eq!(views.accounts(&app, None, Some(after), 3).await.expect("a page"), all[3..6]);
    for level in [Level::Healthy, Level::Low, Level::Exhausted] {
        let expected: Vec<_> = all.iter().filter(|row| row.level == level).cloned().collect();
        assert_eq!(views.accounts(&app, Some(level), None, 1000).await.expect("filtered"), expected);
    }
    assert!(views.accounts(&name("other"), None, None, 10).await.expect("none").is_empty());
}

async fn declines_of_a_source_come_in_pages(place: Place) {
    let (views, _) = views(&place, 54).await;
    let (app, source) = (name("demo"), name("calls.csv"));
    let all = views.source_declines(&app, &source, 0, 1000).await.expect("all");
    let number = |row: &JournalRow| row.item.as_ref().map_or(0, |item| item.number);
    assert!(all.len() > 5, "enough for two pages");
    assert!(all.is_sorted_by(|a, b| number(a) < number(b)));
    let page = views.source_declines(&app, &source, number(&all[1]), 3).await.expect("a page");
    assert_eq!(page, all[2..5]);
    assert_eq!(views.source(&app, &name("other")).await.expect("none"), None);
}

async fn usage_is_cut_at_the_hours_asked_for(place: Place) {
    let (views, _) = views(&place, 55).await;
    let app = name("demo");
    let all = views.usage(&app, None, Timestamp(0), Timestamp(i64::MAX)).await.expect("all");
    let (from, to) = (all[5].hour, all[all.len() - 5].hour);
    let expected: Vec<_> = all.iter().filter(|row| from <= row.hour && row.hour < to).cloned().collect();
    assert!(expected.len() < all.len() && !expected.is_empty());
    assert_eq!(views.usage(&app, None, from, to).await.expect("cut"), expected);
    let id = user(0, 3);
    let expected: Vec<_> = all.iter().filter(|row| row.account == id).cloned().collect();
    let found = views.usage(&app, Some(id.user.as_str()), Timestamp(i64::MIN), Timestamp(i64::MAX)).await;
    assert_eq!(found.expect("of one"), expected);
}

async fn a_debit_is_found_by_its_key(place: Place) {
    let (views, _) = views(&place, 56).await;
    let id = user(0, 1);
    let mut found = 0;
    for row in journal(&views, &id).await {
        let Some(key) = &row.key else { continue };
        let by_key = views.debit_by_key(&id, key).await.expect("asked");
        match row.kind {
            JournalKind::Debited => assert_eq!(by_key, Some(row)),
            _ => assert_eq!(by_key, None, "not a debit that was paid"),
        }
        found += 1;
    }
    assert!(found > 5);
    assert_eq!(views.debit_by_key(&id, &name("nobody's")).await.expect("asked"), None);
}

async fn who_waits_too_long_is_told_how_far_the_views_are(place: Place) {
    let (polling, world) = views(&place, 57).await;
    let head = world.entries.len() as u64;
    let at = |sequence| Position { partition: PartitionId(0), sequence, index: 3 };
    let soon = || Instant::now() + Duration::from_millis(100);
    let (sender, receiver) = watch::channel(Positions::of(&polling.positions().await.expect("positions")));
    let watching = Views::new(place.open().await, Some(receiver));
    for views in [&polling, &watching] {
        assert_eq!(views.wait_for(at(head), soon()).await, Ok(()));
        let lagging = Lagging { wanted: at(head + 1), reached: head };
        assert_eq!(views.wait_for(at(head + 1), soon()).await, Err(lagging));
    }
    drop(sender);
    assert!(
        watching.wait_for(at(head + 1), soon()).await.is_err(),
        "a projector that ended publishes nothing"
    );
}
