//! The clock that looks at sessions: the provider may send no webhooks at all, and no message is needed.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::time::Duration;

use futures::StreamExt as _;
use ledger_core::{SessionId, Timestamp};
use projector::Views;
use projector::upkeep::{CheckoutRow, CheckoutState};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Checkouts;
use crate::edge::EdgeState;

/// How many sessions are looked at beside each other.
const AT_ONCE: usize = 8;
/// How many are read from the views at once.
const PAGE: u32 = 1_000;

/// Looks at waiting sessions until `shutdown`: often while they are young, then every minute until they have ended.
pub async fn poll(state: EdgeState, shutdown: CancellationToken) -> Result<(), Infallible> {
    let Some(checkouts) = &state.house.checkouts else {
        shutdown.cancelled().await;
        return Ok(());
    };
    let mut looked = HashMap::new();
    let tick = checkouts.config.young_every.max(Duration::from_millis(10));
    loop {
        let round = round(&state, checkouts, &mut looked);
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = round => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(tick) => {}
        }
    }
}

async fn round(state: &EdgeState, checkouts: &Checkouts, looked: &mut HashMap<String, Instant>) {
    let Ok(waiting) = waiting(&state.views).await.inspect_err(|error| {
        tracing::warn!(error = error as &dyn std::error::Error, "waiting sessions could not be read");
    }) else {
        return;
    };
    let known: HashSet<&str> = waiting.iter().map(|row| &*row.session).collect();
    looked.retain(|session, _| known.contains(&**session));
    let now = Timestamp(service_kit::clock::now());
    let mut due: Vec<_> = waiting.into_iter().filter(|row| is_due(checkouts, row, looked, now)).collect();
    // Who has waited longest for a look comes first, whatever the others bring: each has its turn.
    due.sort_by_key(|row| looked.get(&row.session).copied());
    looked.extend(due.iter().map(|row| (row.session.clone(), Instant::now())));
    let looks = futures::stream::iter(due).map(|row| look(state, checkouts, row, now));
    looks.buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// All sessions that wait to be paid.
async fn waiting(views: &Views) -> Result<Vec<CheckoutRow>, projector::Error> {
    let mut all: Vec<CheckoutRow> = Vec::new();
    loop {
        let after = all.last().map(|row| (row.opened_at, &*row.session));
        let page = views.checkouts_waiting(None, CheckoutState::Pending, after, PAGE).await?;
        let last = page.len() < PAGE as usize;
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}

fn is_due(
    checkouts: &Checkouts,
    row: &CheckoutRow,
    looked: &HashMap<String, Instant>,
    now: Timestamp,
) -> bool {
    let config = &checkouts.config;
    let age = Duration::from_micros(u64::try_from(now.since(row.opened_at)).unwrap_or(0));
    let every = if age < config.young_for { config.young_every } else { config.every };
    looked.get(&row.session).is_none_or(|last| last.elapsed() >= every)
}

async fn look(state: &EdgeState, checkouts: &Checkouts, row: CheckoutRow, now: Timestamp) {
    let Ok(session) = SessionId::new(&row.session) else { return };
    let looked = checkouts.look(&state.desk, &row.account, &session, row.expires_at, now).await;
    if let Err(error) = looked {
        // The next round asks again.
        tracing::warn!(
            session = row.session,
            error = &error as &dyn std::error::Error,
            "a session was not settled"
        );
    }
}
