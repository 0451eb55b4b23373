//! Pages for people: what the sandbox is and does, live, and where a session is paid. They work without JavaScript.

use std::convert::Infallible;
use std::fmt::{Display, Write as _};
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use serde_json::Value;
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt as _};

use crate::build::{BuildService, Deployment};
use crate::clock::Time;
use crate::handle::Handle;
use crate::mail::Message;
use crate::pay::{PayOptions, Session, SessionStatus};
use crate::record::Entry;
use crate::store::Shared;

const STYLE: &str = include_str!("page.css");
/// Reads the page again at every change, at most four times a second.
const SCRIPT: &str = include_str!("page.js");
/// How much of each list is shown.
const ROWS_MAX: usize = 60;

pub(crate) async fn live(State(handle): State<Handle>) -> Html<String> {
    let refresh = "<noscript><meta http-equiv=\"refresh\" content=\"2\"></noscript>";
    let record = table(&["#", "At", "Effect", ""], handle.record().iter().rev(), effect);
    let body = [
        summary(&handle),
        section("Containers", &containers(&handle)),
        section("Mails", &table(&["From", "To", "Subject", "Text"], handle.messages().iter().rev(), mail)),
        section("Payments", &payments(&handle)),
        section("Record", &record),
    ];
    Html(document("Locus sandbox", refresh, &format!("{}<script>{SCRIPT}</script>", body.concat())))
}

fn summary(handle: &Handle) -> String {
    let ((usdc, promo), credits) = (handle.balances(), handle.credits());
    let (now, refused) = (handle.now().text(), handle.refused());
    format!(
        "<p>{now} &middot; wallet {usdc} USDC and {promo} promo &middot; {credits} credits at Build &middot; \
         {refused} requests refused</p>"
    )
}

fn containers(handle: &Handle) -> String {
    let (projects, deployments, now) = (handle.projects(), handle.deployments(), handle.now());
    table(&["Project and service", "State", "Reached", "URL"], handle.services().iter().rev(), |service| {
        let project = projects.iter().find(|project| project.id == service.project_id);
        let project = project.map_or("", |project| project.name.as_str());
        container(handle, project, &deployments, service, now)
    })
}

fn payments(handle: &Handle) -> String {
    table(&["Session", "Amount", "Status", ""], handle.sessions().iter().rev(), |session| {
        let page = format!("<a href=\"{}/checkout/{}\">page</a>", handle.0.public_url, session.id);
        [escaped(&session.id), escaped(session.amount), escaped(format!("{:?}", session.status)), page]
    })
}

fn mail(message: &Message) -> [String; 4] {
    let letter = &message.letter;
    let (subject, text) = (letter.subject.as_deref().unwrap_or(""), letter.text.as_deref().unwrap_or(""));
    [escaped(&message.from), escaped(letter.to.join(", ")), escaped(subject), escaped(text)]
}

pub(crate) async fn events(
    State(handle): State<Handle>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = WatchStream::new(handle.0.changes());
    let events = changes.map(|change| Ok(Event::default().data(change.to_string())));
    Sse::new(events).keep_alive(KeepAlive::default())
}

/// Where a session says it is paid. The button goes to the control listener, which alone hands out money.
pub(crate) async fn checkout(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let session = shared.look(|turn| turn.store.pay.sessions.get(&id).cloned());
    let Some(session) = session else {
        let page = document("No such session", "", "<p>There is no such session.</p>");
        return (StatusCode::NOT_FOUND, Html(page)).into_response();
    };
    let (what, amount) =
        (escaped(session.description.as_deref().unwrap_or("Checkout")), escaped(session.amount));
    let text =
        format!("<p>{what}: {amount} {}</p>{}", escaped(&session.currency), state_of(&shared, &session));
    Html(document("Checkout", "<meta http-equiv=\"refresh\" content=\"2\">", &text)).into_response()
}

fn state_of(shared: &Shared, session: &Session) -> String {
    match session.status {
        SessionStatus::Pending if session.paying => "<p>The payment is being confirmed.</p>".to_owned(),
        SessionStatus::Pending => {
            let action = format!("{}/checkout/{}/pay", shared.control_url, session.id);
            format!("<form method=\"post\" action=\"{action}\"><button>Pay</button></form>")
        }
        status => format!("<p>{status:?}</p>"),
    }
}

/// The button, and back to the page it is on.
pub(crate) async fn pay(State(handle): State<Handle>, Path(id): Path<String>) -> Response {
    match handle.pay_session(&id, PayOptions::default()) {
        Ok(_) => Redirect::to(&format!("{}/checkout/{id}", handle.0.public_url)).into_response(),
        Err(refused) => (StatusCode::CONFLICT, refused.to_string()).into_response(),
    }
}

fn container(
    handle: &Handle,
    project: &str,
    deployments: &[Deployment],
    service: &BuildService,
    now: Time,
) -> [String; 4] {
    let state = match service.last_deployed_at {
        None => "not deployed",
        Some(_) if service.desired == 0 => "hibernated",
        Some(_) if service.runs_at(now) => "running",
        Some(_) => "starting",
    };
    let last = deployments.iter().find(|one| Some(&one.id) == service.last_deployment_id.as_ref());
    let last =
        last.map_or_else(String::new, |last| format!(", deployment {} {}", last.version, last.status.name()));
    let url = format!("{}/svc/{}{}", handle.0.public_url, service.slug(), service.health_check_path);
    let reached = if service.answers_at(now) { "yes" } else { "no" };
    [
        escaped(format!("{project} / {}", service.name)),
        escaped(format!("{state}{last}")),
        reached.to_owned(),
        format!("<a href=\"{0}\">{0}</a>", escaped(url)),
    ]
}

fn effect(entry: &Entry) -> [String; 4] {
    let mut fields = serde_json::to_value(&entry.effect).unwrap_or_default();
    let name = fields.as_object_mut().and_then(|fields| fields.remove("kind"));
    let name = name.as_ref().and_then(Value::as_str).unwrap_or_default().replace('_', " ");
    let said =
        fields.as_object().into_iter().flatten().map(|(name, value)| format!("{name} {}", plain(value)));
    let said: Vec<String> = said.collect();
    [entry.n.to_string(), entry.at.text(), escaped(name), escaped(said.join(", "))]
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn table<T>(heads: &[&str; 4], rows: impl Iterator<Item = T>, cells: impl Fn(T) -> [String; 4]) -> String {
    let mut html = format!("<table><tr><th>{}</th></tr>", heads.join("</th><th>"));
    for row in rows.take(ROWS_MAX) {
        let _ = write!(html, "<tr><td>{}</td></tr>", cells(row).join("</td><td>"));
    }
    html + "</table>"
}

fn section(title: &str, html: &str) -> String {
    format!("<section><h2>{title}</h2>{html}</section>")
}

fn document(title: &str, head: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\">{head}<style>{STYLE}</style></head>\
         <body><h1>{title}</h1><main>{body}</main></body></html>"
    )
}

/// Text that came from anywhere, as HTML.
fn escaped(text: impl Display) -> String {
    let mut html = String::new();
    for c in text.to_string().chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            c => html.push(c),
        }
    }
    html
}
