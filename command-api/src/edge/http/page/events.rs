//! What changes on the page, as it changes: server-sent events with pieces of it. The views are looked at once a second
//! for each who watches, and so many may watch at once.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use ledger_core::Timestamp;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::pass::Viewer;
use super::{Asked, html};
use crate::edge::EdgeState;
use crate::edge::http::extract::Params;
use crate::edge::problem::{EdgeCode, Problem};
use crate::edge::verbs;

/// How many may watch at once.
const WATCHERS: usize = 32;
/// How long it is waited between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// How many lines of the log come with one look.
const LINES: &str = "200";

/// Room for who watches, and when they must leave.
pub(super) struct Room {
    seats: Arc<Semaphore>,
    shutdown: CancellationToken,
}

impl Room {
    pub(super) fn new(shutdown: CancellationToken) -> Self {
        Self { seats: Arc::new(Semaphore::new(WATCHERS)), shutdown }
    }

    fn seat(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let full =
            |_| Problem::new(EdgeCode::Overloaded, "Too many watch already; the page itself can be read.");
        Arc::clone(&self.seats).try_acquire_owned().map_err(full)
    }
}

pub(super) async fn events(
    State(state): State<EdgeState>,
    viewer: Viewer,
    Extension(room): Extension<Arc<Room>>,
    headers: HeaderMap,
    params: Params,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let [user, after, after_id] = params.take(["user", "after", "after_id"])?;
    // Who comes back after a break says so in the header.
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let asked = Asked { user: user.filter(|user| !user.is_empty()), after };
    let mut watch = Watch {
        state,
        viewer,
        asked,
        place: seen.or(after_id),
        shown: Shown::default(),
        waiting: VecDeque::new(),
        shutdown: room.shutdown.clone(),
        _seat: room.seat()?,
    };
    // Whoever asks for what can not be shown is told so at once.
    watch.look().await?;
    Ok(Sse::new(futures::stream::unfold(watch, Watch::next)).keep_alive(KeepAlive::default()))
}

/// One who watches.
struct Watch {
    state: EdgeState,
    viewer: Viewer,
    asked: Asked,
    /// Up to where the log was shown.
    place: Option<String>,
    shown: Shown,
    waiting: VecDeque<Event>,
    shutdown: CancellationToken,
    _seat: OwnedSemaphorePermit,
}

/// The pieces as they were sent last.
#[derive(Default)]
struct Shown {
    accounts: String,
    journal: String,
}

impl Watch {
    /// The next event; `None` at shutdown, and when the pass is over.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some((Ok(event), self));
            }
            let shutdown = self.shutdown.clone();
            tokio::select! {
                () = shutdown.cancelled() => return None,
                goes_on = self.wait_and_look() => goes_on.then_some(())?,
            }
        }
    }

    /// Whether it may go on.
    async fn wait_and_look(&mut self) -> bool {
        tokio::time::sleep(PAUSE).await;
        if Timestamp(service_kit::clock::now()) >= self.viewer.until {
            return false;
        }
        // What can not be read now is read by the next look.
        if let Err(problem) = self.look().await {
            tracing::debug!(detail = problem.body().detail, "the page could not be kept up to date");
        }
        true
    }

    async fn look(&mut self) -> Result<(), Problem> {
        let deadline = verbs::deadline(None)?;
        self.look_at_log(deadline).await?;
        self.look_at_accounts(deadline).await
    }

    async fn look_at_log(&mut self, deadline: Timestamp) -> Result<(), Problem> {
        let (who, place) = (&self.viewer.principal, self.place.as_deref());
        let log = verbs::agent_log(&self.state, who, Some(LINES), place, deadline).await?;
        if !log.data.is_empty() {
            self.waiting.push_back(piece("log", &html::lines(&log.data)).id(&log.last_id));
        }
        self.place = Some(log.last_id);
        Ok(())
    }

    async fn look_at_accounts(&mut self, deadline: Timestamp) -> Result<(), Problem> {
        let (who, after) = (&self.viewer.principal, self.asked.after.as_deref());
        let accounts = html::accounts(&verbs::page::accounts(&self.state, who, after, deadline).await?);
        self.waiting.extend(changed("accounts", accounts, &mut self.shown.accounts));
        let Some(user) = &self.asked.user else { return Ok(()) };
        let chosen = verbs::page::chosen(&self.state, who, user, deadline).await?;
        self.waiting.extend(changed("journal", html::journal(&chosen), &mut self.shown.journal));
        Ok(())
    }
}

fn changed(name: &str, html: String, shown: &mut String) -> Option<Event> {
    let event = (html != *shown).then(|| piece(name, &html));
    *shown = html;
    event
}

fn piece(name: &str, html: &str) -> Event {
    // In JSON, so that no line end in a text ends the event.
    Event::default().event(name).data(json!({ "html": html }).to_string())
}
