//! The clock that looks at sessions: the provider may send no webhooks at all, and no message is needed.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use futures::StreamExt as _;
use ledger_core::time::MINUTE;
use ledger_core::{SessionId, Timestamp};
use projector::Views;
use projector::upkeep::{CheckoutRow, CheckoutState};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{CheckoutConfig, Checkouts};
use crate::edge::EdgeState;

/// How many sessions are looked at beside each other.
const AT_ONCE: usize = 8;
/// How many are known to wait at once; the rest have their turn when these are done with.
const KNOWN_MAX: u32 = 100_000;
/// How often it is looked again at what nobody had paid in time, when its grace is over too; how many of those with one round.
const AGAIN_EVERY: Duration = Duration::from_secs(60 * 60);
const AGAIN_MAX: usize = 100;
/// For how long that is done, in microseconds since the opening. The provider may have told of no payment because it was
/// asked with another key, or in another environment.
const AGAIN_FOR: i64 = 7 * 24 * 60 * MINUTE;

/// When sessions were last looked at.
type Looked = HashMap<String, Instant>;

/// What is known from one round to the next.
#[derive(Default)]
struct Rounds {
    pending: Looked,
    expired: Looked,
    /// When the expired ones were last read.
    read: Option<Instant>,
}

/// Looks at sessions until `shutdown`: at those that wait to be paid often while they are young, then every minute; at
/// those that nobody had paid in time now and then.
pub async fn poll(state: EdgeState, shutdown: CancellationToken) -> Result<(), Infallible> {
    let Some(checkouts) = &state.house.checkouts else {
        shutdown.cancelled().await;
        return Ok(());
    };
    let mut rounds = Rounds::default();
    let tick = checkouts.config.young_every.max(Duration::from_millis(10));
    loop {
        let round = round(&state, checkouts, &mut rounds);
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

async fn round(state: &EdgeState, checkouts: &Checkouts, rounds: &mut Rounds) {
    let now = Timestamp(service_kit::clock::now());
    let Ok(due) = rounds.due(&state.views, &checkouts.config, now).await.inspect_err(|error| {
        tracing::warn!(error = error as &dyn std::error::Error, "waiting sessions could not be read");
    }) else {
        return;
    };
    let looks = futures::stream::iter(due).map(|row| look(state, checkouts, row, now));
    looks.buffer_unordered(AT_ONCE).collect::<()>().await;
}

impl Rounds {
    /// Those whose time has come.
    async fn due(
        &mut self,
        views: &Views,
        config: &CheckoutConfig,
        now: Timestamp,
    ) -> Result<Vec<CheckoutRow>, projector::Error> {
        let pending = views.checkouts_waiting(None, CheckoutState::Pending, KNOWN_MAX).await?;
        let mut due = due(pending, &mut self.pending, usize::MAX, |row| every(config, row, now));
        if self.read.is_none_or(|read| read.elapsed() >= config.every) {
            self.read = Some(Instant::now());
            let expired = views.checkouts_expired(now.plus(-AGAIN_FOR), KNOWN_MAX).await?;
            due.extend(self::due(expired, &mut self.expired, AGAIN_MAX, |row| again(config, row, now)));
        }
        Ok(due)
    }
}

/// Those whose time has come, at most so many; they count as looked at. Who has waited longest for a look comes first,
/// whatever the others bring: each has its turn.
fn due(
    rows: Vec<CheckoutRow>,
    looked: &mut Looked,
    most: usize,
    every: impl Fn(&CheckoutRow) -> Duration,
) -> Vec<CheckoutRow> {
    let mut last = std::mem::take(looked);
    looked.extend(rows.iter().filter_map(|row| last.remove_entry(&row.session)));
    let is_due = |row: &CheckoutRow| looked.get(&row.session).is_none_or(|last| last.elapsed() >= every(row));
    let mut due: Vec<_> = rows.into_iter().filter(is_due).collect();
    due.sort_by_key(|row| looked.get(&row.session).copied());
    due.truncate(most);
    looked.extend(due.iter().map(|row| (row.session.clone(), Instant::now())));
    due
}

fn every(config: &CheckoutConfig, row: &CheckoutRow, now: Timestamp) -> Duration {
    let age = Duration::from_micros(u64::try_from(now.since(row.opened_at)).unwrap_or(0));
    if age < config.young_for { config.young_every } else { config.every }
}

/// A payment may be confirmed late.
fn again(config: &CheckoutConfig, row: &CheckoutRow, now: Timestamp) -> Duration {
    let since = Duration::from_micros(u64::try_from(now.since(row.stepped_at)).unwrap_or(0));
    if since < config.grace { config.every } else { AGAIN_EVERY }
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

#[cfg(test)]
mod tests {
    use ledger_core::{AccountId, AppId, PartitionId, Position, Usdc, UserId};
    use tokio::time::advance;

    use super::*;

    fn row(session: &str) -> CheckoutRow {
        CheckoutRow {
            account: AccountId { app: AppId::new("demo").unwrap(), user: UserId::new("anna").unwrap() },
            session: session.to_owned(),
            amount: Usdc::ZERO,
            url: String::new(),
            state: CheckoutState::Pending,
            reason: None,
            paid: None,
            payment: None,
            key: None,
            actor: String::new(),
            expires_at: Timestamp(0),
            opened_at: Timestamp(0),
            opened: Position { partition: PartitionId(0), sequence: 1, index: 0 },
            stepped_at: Timestamp(0),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_has_its_turn_and_none_comes_before_its_time() {
        let mut looked = Looked::new();
        let mut look = |sessions: [&str; 4]| {
            let rows = sessions.map(row).into();
            let due = due(rows, &mut looked, 2, |_| Duration::from_secs(60));
            due.into_iter().map(|row| row.session).collect::<Vec<_>>()
        };
        assert_eq!(look(["a", "b", "c", "d"]), ["a", "b"]);
        advance(Duration::from_secs(1)).await;
        assert_eq!(look(["a", "b", "c", "d"]), ["c", "d"]);
        assert_eq!(look(["a", "b", "c", "d"]), [""; 0]);
        advance(Duration::from_secs(59)).await;
        // A new one goes before whoever was looked at.
        assert_eq!(look(["a", "b", "c", "e"]), ["e", "a"]);
        assert_eq!(look(["a", "b", "c", "e"]), ["b"]);
        advance(Duration::from_secs(1)).await;
        assert_eq!(look(["a", "b", "c", "e"]), ["c"]);
    }
}
