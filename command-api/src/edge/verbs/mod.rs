//! The verbs: what is done, whichever way it was asked.

mod agent_log;
mod bound;
pub mod checkouts;
pub mod page;
mod reads;
mod upkeep;
pub mod work;
mod writes;

use std::time::Duration;

use event_log::Entry;
use ledger_core::commit::Commit;
use ledger_core::event::Event;
use ledger_core::rejection::Code;
use ledger_core::time::SECOND;
use ledger_core::{PartitionId, Position, Sequence, Timestamp};
use tokio::time::Instant;

use crate::edge::EdgeState;
use crate::edge::auth::Principal;
use crate::edge::dto::convert;
use crate::edge::problem::{EdgeCode, Problem};

pub use agent_log::{agent_log, wallet};
pub use reads::{
    AccountsQuery, JournalQuery, SourceQuery, accounts, debits_by_key, journal, routing, source,
    source_declines,
};
pub use upkeep::{hibernate, notices, restore, set_container};
pub use writes::{
    AskedDebit, ask_debit, close, debit, debits, deposit, get, grant, open, plain_debits, source_batch,
};

/// How far ahead a deadline may lie, in microseconds.
const DEADLINE_MAX: i64 = 30 * SECOND;
/// How far ahead it lies when the caller names none, in microseconds.
const DEADLINE_DEFAULT: i64 = 10 * SECOND;

/// The moment after which nothing is decided. Problem: it is no time, is over, or is too far.
pub fn deadline(text: Option<&str>) -> Result<Timestamp, Problem> {
    let now = Timestamp(service_kit::clock::now());
    let Some(text) = text else { return Ok(now.plus(DEADLINE_DEFAULT)) };
    let deadline = convert::moment("deadline", text)?;
    if deadline < now {
        return Err(Code::DeadlinePassed.into());
    }
    if deadline > now.plus(DEADLINE_MAX) {
        return Err(Code::DeadlineTooFar.into());
    }
    Ok(deadline)
}

/// The deadline on the clock that waits go by.
fn instant(deadline: Timestamp) -> Instant {
    let left = deadline.since(Timestamp(service_kit::clock::now()));
    Instant::now() + Duration::from_micros(u64::try_from(left).unwrap_or(0))
}

/// A body may name its app; it must be the caller's own.
fn check_app(who: &Principal, app: Option<&str>) -> Result<(), Problem> {
    match app {
        Some(app) if app != who.app.as_str() => {
            Err(Problem::new(EdgeCode::AppMismatch, format!("The caller's app is {}.", who.app)).at("app"))
        }
        _ => Ok(()),
    }
}

/// What the views answer before the deadline. A read changes nothing, so that its failure is never an unknown outcome.
async fn from_views<T>(
    deadline: Timestamp,
    read: impl Future<Output = Result<T, projector::Error>>,
) -> Result<T, Problem> {
    let late = |_| Problem::new(EdgeCode::Unavailable, "The views did not answer in time.");
    let read = tokio::time::timeout_at(instant(deadline), read).await.map_err(late)?;
    read.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "the views could not be read");
        Problem::new(EdgeCode::Unavailable, "The views can not be read now.")
    })
}

/// Waits until the views hold what stands at this position.
async fn wait_for(state: &EdgeState, position: Position, deadline: Timestamp) -> Result<(), Problem> {
    let waited = state.views.wait_for(position, instant(deadline)).await;
    waited.map_err(|lagging| Problem::new(EdgeCode::Unavailable, lagging.to_string()))
}

/// Waits until the views hold everything that is in the log now, and so everything acknowledged so far.
async fn wait_for_all(state: &EdgeState, deadline: Timestamp) -> Result<(), Problem> {
    let caught_up = state.log.identity().partitions().map(async |partition| {
        let sequence = head(state, partition, deadline).await?;
        wait_for(state, Position { partition, sequence, index: 0 }, deadline).await
    });
    futures::future::try_join_all(caught_up).await.map(drop)
}

/// The event that stands at a position.
async fn event_at(state: &EdgeState, position: Position) -> Result<Event, Problem> {
    let unreadable = || Problem::new(EdgeCode::Unavailable, "The log can not be read now.");
    let entry = state.log.read(position.partition, position.sequence).await.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "an event could not be read");
        unreadable()
    })?;
    let Some(Entry::Commit(stored)) = entry else { return Err(unreadable()) };
    let commit = Commit::decode(&stored.bytes).map_err(|_| unreadable())?;
    commit.events.get(position.index as usize).cloned().ok_or_else(unreadable)
}

async fn head(state: &EdgeState, partition: PartitionId, deadline: Timestamp) -> Result<Sequence, Problem> {
    let unreachable = || Problem::new(EdgeCode::Unavailable, "The log can not be reached now.");
    let asked = tokio::time::timeout_at(instant(deadline), state.log.head(partition)).await;
    asked.map_err(|_| unreachable())?.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "the log could not be asked how far it is");
        unreachable()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::time::to_rfc3339;

    #[tokio::test(start_paused = true)]
    async fn views_that_hang_are_unavailable_at_the_deadline() {
        let deadline = Timestamp(service_kit::clock::now()).plus(5 * SECOND);
        let (begin, hanging) = (Instant::now(), std::future::pending::<Result<(), _>>());
        let problem = from_views(deadline, hanging).await.unwrap_err();
        assert_eq!((problem.body().code, problem.body().status), ("unavailable", 503));
        assert!((4..=5).contains(&begin.elapsed().as_secs()));
    }

    #[test]
    fn a_deadline_is_at_most_30_seconds_ahead_and_10_when_not_said() {
        let now = Timestamp(service_kit::clock::now());
        let said = |seconds: i64| deadline(Some(&to_rfc3339(now.plus(seconds * SECOND))));
        assert_eq!(said(20), Ok(now.plus(20 * SECOND)));
        assert_eq!(said(40), Err(Code::DeadlineTooFar.into()));
        assert_eq!(said(-5), Err(Code::DeadlinePassed.into()));
        let field = deadline(Some("soon")).unwrap_err();
        assert_eq!((field.body().code, field.body().field.as_deref()), ("invalid_field", Some("deadline")));
        assert!((9..=10).contains(&(deadline(None).unwrap().since(now) / SECOND)));
    }
}
