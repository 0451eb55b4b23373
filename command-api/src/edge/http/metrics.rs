//! `/metrics`: figures for those who watch, in the text format of Prometheus. They tell what all users hold, so they are
//! for who works for the house, or for the only app there is.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::{FromRequestParts, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::routing::get;
use ledger_core::Usdc;
use ledger_core::event::Solvency;
use projector::upkeep::CheckoutState;

use crate::edge::EdgeState;
use crate::edge::auth::{Principal, Worker};
use crate::edge::problem::{EdgeCode, Problem};

/// How far is counted.
const COUNT_MAX: u32 = 10_000;

pub(super) fn router() -> Router<EdgeState> {
    Router::new().route("/metrics", get(metrics))
}

/// Who may see what all users hold.
struct Watcher;

impl FromRequestParts<EdgeState> for Watcher {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &EdgeState) -> Result<Self, Problem> {
        if Worker::from_request_parts(parts, state).await.is_ok() {
            return Ok(Self);
        }
        let who = Principal::from_request_parts(parts, state).await?;
        let only = state.keyring.only_app() == Some(&who.app);
        let detail = "There are several apps here: ask with the key of workers.";
        if only { Ok(Self) } else { Err(Problem::new(EdgeCode::Forbidden, detail)) }
    }
}

async fn metrics(State(state): State<EdgeState>, _: Watcher) -> Result<impl IntoResponse, Problem> {
    let text = gather(&state).await.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "the views could not be read");
        Problem::new(EdgeCode::Unavailable, "The views can not be read now.")
    })?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

async fn gather(state: &EdgeState) -> Result<String, projector::Error> {
    let views = &state.views;
    let mut page = Page::default();
    for (partition, health) in state.desk.health() {
        let labels = format!("{{partition=\"{partition}\"}}");
        page.gauge("drip_writer_up", &labels, "whether the writer takes commands", u8::from(health.is_ok()));
    }
    let due = views.containers_due(None, COUNT_MAX).await?.len();
    page.gauge("drip_containers_due", "", "containers that are not as they are wanted", due);
    let mails = views.notices_open(COUNT_MAX).await?.len();
    page.gauge("drip_notices_open", "", "mails that are not done with", mails);
    for (wanted, name) in [(CheckoutState::Pending, "pending"), (CheckoutState::Parked, "parked")] {
        let waiting = views.checkouts_waiting(None, wanted, COUNT_MAX).await?.len();
        let labels = format!("{{state=\"{name}\"}}");
        page.gauge(
            "drip_checkouts_waiting",
            &labels,
            "sessions that wait for money or for a person",
            waiting,
        );
    }
    if let Some(row) = views.solvency().await? {
        page.money(
            "drip_balances_usdc",
            "the sum of all balances when it was last compared",
            Some(row.balances),
        );
        page.money("drip_wallet_usdc", "the wallet then; absent: unknown", row.wallet);
        page.money("drip_wallet_promo_usdc", "promotional credit then", row.promo);
        page.money(
            "drip_build_credits_usd",
            "credits for containers then; absent: unknown",
            row.build_credits,
        );
        page.money("drip_build_monthly_usd", "what containers cost a month", row.build_monthly);
        let help = "0 ok, 1 warn, 2 critical, 3 unknown";
        page.gauge("drip_solvency_level", "{of=\"wallet\"}", help, number(row.wallet_level));
        page.gauge("drip_solvency_level", "{of=\"build\"}", help, number(row.build_level));
        let seconds = row.recorded_at.0.div_euclid(1_000_000);
        page.gauge(
            "drip_solvency_checked_seconds",
            "",
            "when it was compared, in seconds since 1970",
            seconds,
        );
    }
    Ok(page.text)
}

fn number(level: Solvency) -> u8 {
    match level {
        Solvency::Ok => 0,
        Solvency::Warn => 1,
        Solvency::Critical => 2,
        Solvency::Unknown => 3,
    }
}

/// A page in the making. Rows of one name stand together.
#[derive(Default)]
struct Page {
    text: String,
    last: &'static str,
}

impl Page {
    fn gauge(&mut self, name: &'static str, labels: &str, help: &str, value: impl std::fmt::Display) {
        if self.last != name {
            writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} gauge")
                .expect("a String takes everything");
            self.last = name;
        }
        writeln!(self.text, "{name}{labels} {value}").expect("a String takes everything");
    }

    /// What is not known has no row: it is no zero.
    fn money(&mut self, name: &'static str, help: &str, amount: Option<Usdc>) {
        if let Some(amount) = amount {
            self.gauge(name, "", help, &*amount.text());
        }
    }
}
