//! The page for people: what an app's accounts are at, live. It only shows. Useful without JavaScript, which keeps it up
//! to date where there is some.
//!
//! In reading order: `pass` (who may look), `html` (what it looks like), `events` (what changes).

mod events;
mod html;
mod pass;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use tokio_util::sync::CancellationToken;

use self::events::Room;
use self::html::View;
use self::pass::Viewer;
use super::extract::{self, Params};
use crate::edge::EdgeState;
use crate::edge::problem::{EdgeCode, Problem};
use crate::edge::verbs;

/// How many lines of the agent log are shown at first.
const LINES: &str = "50";

pub(super) fn router(shutdown: CancellationToken) -> Router<EdgeState> {
    Router::new()
        .route("/", get(page))
        .route("/events", get(events::events))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .layer(Extension(Arc::new(Room::new(shutdown))))
        .layer(map_response(guarded))
}

/// What is asked of the page.
#[derive(Debug, Default)]
struct Asked {
    /// Whose journal is shown.
    user: Option<String>,
    /// Behind whom the accounts begin.
    after: Option<String>,
}

async fn page(
    State(state): State<EdgeState>,
    viewer: Option<Viewer>,
    params: Params,
) -> Result<Response, Problem> {
    let [user, after] = params.take(["user", "after"])?;
    let asked = Asked { user: user.filter(|user| !user.is_empty()), after };
    match viewer {
        Some(viewer) => shown(&state, &viewer, &asked).await,
        None => Ok(form(&state, StatusCode::OK, None)),
    }
}

async fn shown(state: &EdgeState, viewer: &Viewer, asked: &Asked) -> Result<Response, Problem> {
    let (who, deadline) = (&viewer.principal, verbs::deadline(None)?);
    let log = verbs::agent_log(state, who, Some(LINES), None, deadline).await?;
    let accounts = verbs::page::accounts(state, who, asked.after.as_deref(), deadline).await?;
    let chosen = match &asked.user {
        Some(user) => Some(verbs::page::chosen(state, who, user, deadline).await?),
        None => None,
    };
    let view = View { app: who.app.as_str(), accounts: &accounts, chosen: chosen.as_ref(), log: &log };
    Ok(document(StatusCode::OK, |nonce| html::page(&view, nonce)))
}

/// The form that asks for the key.
fn form(state: &EdgeState, status: StatusCode, refused: Option<&str>) -> Response {
    let open = state.house.vault.is_some();
    document(status, |nonce| html::login(open, refused, nonce))
}

async fn login(State(state): State<EdgeState>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    refuse_other_sites(&headers)?;
    let body = extract::read(body).await?;
    if state.house.vault.is_none() {
        return Ok(form(&state, StatusCode::NOT_IMPLEMENTED, None));
    }
    let key = pass::key_of(&body).unwrap_or_default();
    match pass::cookie(&state, key.trim()) {
        Some(cookie) => Ok(home(&cookie)),
        None => Ok(form(&state, StatusCode::UNAUTHORIZED, Some("This API key is not known here."))),
    }
}

async fn logout(State(state): State<EdgeState>, headers: HeaderMap) -> Result<Response, Problem> {
    refuse_other_sites(&headers)?;
    Ok(home(&pass::no_cookie(&state)))
}

/// Another site's page must not log anybody in or out. Browsers say where a form came from; who says nothing is none.
fn refuse_other_sites(headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    match site {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(Problem::new(EdgeCode::Forbidden, "The form was not sent from this page.")),
    }
}

fn home(cookie: &HeaderValue) -> Response {
    let headers = [(header::LOCATION, HeaderValue::from_static("/")), (header::SET_COOKIE, cookie.clone())];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// A page, whose own script and style alone are run: they carry a number that is drawn for each answer.
fn document(status: StatusCode, html: impl FnOnce(&str) -> String) -> Response {
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy).expect("a fixed text and hex digits");
    (status, [(header::CONTENT_SECURITY_POLICY, policy)], Html(html(&nonce))).into_response()
}

/// What holds for all answers here, also for those that are no page.
async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::CACHE_CONTROL, "no-store");
    response
}
