//! What workers look for in the views is what the ledger would let them do.

use std::sync::Arc;

use ledger_core::AccountId;
use ledger_core::upkeep::{NoticeState, Operation};
use projector::upkeep::rows::CheckoutState;
use projector::{ViewStore, Views};

use crate::folding::{delta, start};
use crate::on_both_stores;
use crate::stores::Place;
use crate::world::World;

on_both_stores! {
    the_containers_that_are_due_are_those_of_the_ledger
    the_mails_that_are_open_are_those_of_the_ledger
    the_sessions_that_wait_are_those_of_the_ledger
}

fn waits(state: CheckoutState) -> bool {
    matches!(state, CheckoutState::Pending | CheckoutState::Parked)
}

/// A world at several moments: what it holds then, and the views of that.
async fn at_each_moment(place: Place, look: impl AsyncFn(&World, &Views)) {
    let store: Arc<dyn ViewStore> = place.open().await;
    let mut world = World::new(0, 77);
    let (views, mut position) = (Views::new(store.clone(), None), start(0));
    for _ in 0..40 {
        world.grow(6);
        let delta = delta(&world, position, world.entries.len());
        store.apply(&delta).await.expect("applied");
        position = delta.to;
        look(&world, &views).await;
    }
}

async fn the_containers_that_are_due_are_those_of_the_ledger(place: Place) {
    let seen = std::sync::Mutex::new(Vec::new());
    at_each_moment(place, async |world, views| {
        let due = world.users.iter().filter_map(|id| Some((id, world.ledger.account(id)?.due()?)));
        let due: Vec<(&AccountId, Operation)> = due.collect();
        let rows = views.containers_due(None, 1_000).await.expect("rows");
        assert!(rows.iter().map(|row| &row.account).eq(due.iter().map(|(id, _)| *id)), "{rows:?}, {due:?}");
        // Page by page.
        if let [first, ..] = &due[..] {
            let rest = views.containers_due(Some(first.0), 1_000).await.expect("rows");
            assert_eq!(rest, rows[1..]);
        }
        seen.lock().expect("one thread").extend(due.iter().map(|(_, operation)| *operation));
    })
    .await;
    let seen = seen.into_inner().expect("one thread");
    for operation in [Operation::Provision, Operation::Hibernate, Operation::Restore, Operation::Deprovision]
    {
        assert!(seen.contains(&operation), "{operation:?} was never due");
    }
}

async fn the_mails_that_are_open_are_those_of_the_ledger(place: Place) {
    at_each_moment(place, async |world, views| {
        let upkeep = world.users.iter().filter_map(|id| Some((id, world.ledger.account(id)?.upkeep()?)));
        let mails = upkeep.flat_map(|(id, upkeep)| upkeep.notices.iter().map(move |mail| (id, mail)));
        let open = mails.filter(|(_, mail)| !mail.state.is_final());
        let mut open: Vec<_> =
            open.map(|(id, mail)| (id.clone(), mail.kind, mail.epoch, mail.steps)).collect();
        let rows = views.notices_open(1_000).await.expect("rows");
        assert!(rows.iter().all(|row| !NoticeState::is_final(row.state)));
        let rows = rows.into_iter().map(|row| (row.account, row.kind, row.epoch, row.steps));
        let mut rows: Vec<_> = rows.collect();
        open.sort();
        rows.sort();
        assert_eq!(rows, open);
    })
    .await;
}

async fn the_sessions_that_wait_are_those_of_the_ledger(place: Place) {
    at_each_moment(place, async |world, views| {
        for id in &world.users {
            let upkeep = world.ledger.account(id).and_then(|account| account.upkeep());
            let waiting = upkeep.into_iter().flat_map(|upkeep| &upkeep.checkouts);
            let mut waiting: Vec<_> =
                waiting.map(|known| (known.session.to_string(), known.parked)).collect();
            let rows = views.checkouts(id, 1_000).await.expect("rows");
            let rows = rows.into_iter().filter(|row| waits(row.state));
            let mut rows: Vec<_> = rows.map(|row| (row.session, row.reason)).collect();
            waiting.sort_by(|a, b| a.0.cmp(&b.0));
            rows.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(rows, waiting, "{id}");
        }
    })
    .await;
}
