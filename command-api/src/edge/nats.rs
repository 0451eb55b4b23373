//! NATS: the verbs as a micro service, request and reply in JSON or MessagePack.
//!
//! The app stands in the subject, so that a server's permissions are the tenancy. A subject may also name a partition:
//! callers that hash ask its owner straight. The connection must be one of its own: a caller chooses the subject of its reply, and must not be able to make Drip write its answer somewhere
//! else than into an inbox.

mod address;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::service::{NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE, Request, ServiceExt as _};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use futures::FutureExt as _;
use futures::stream::{StreamExt as _, select_all};
use planted::Bug;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ask::Call;
use crate::edge::EdgeState;
use crate::edge::auth::Principal;
use crate::edge::dto::answers::{DebitsAnswer, ErrorBody};
use crate::edge::dto::format::{self, Format};
use crate::edge::dto::plain::PlainBatch;
use crate::edge::dto::requests::AnyDebitsRequest;
use crate::edge::posted::{Answered, Open, Posted};
use crate::edge::problem::{EdgeCode, Problem};
use crate::edge::verbs::{self, AskedDebit};

pub use address::straight_subject;
use address::{Address, verb_of};

/// What is listened to, and the schema of its body. The `*` is the app. Each but the last is listened to once more,
/// straight to a partition: see [`straight_subject`].
pub const SUBJECTS: &[(&str, &str)] = &[
    ("drip.cmd.*.get", "GetRequest"),
    ("drip.cmd.*.debit", "DebitRequest"),
    ("drip.cmd.*.debits", "AnyDebitsRequest"),
    ("drip.adm.*.open", "OpenRequest"),
    ("drip.adm.*.grant", "MoneyRequest"),
    ("drip.adm.*.deposit", "MoneyRequest"),
    ("drip.adm.*.close", "CloseRequest"),
    ("drip.adm.*.container", "ContainerRequest"),
    ("drip.adm.*.hibernate", "HibernateRequest"),
    ("drip.adm.*.restore", "RestoreRequest"),
    ("drip.adm.*.checkout", "CheckoutRequest"),
    ("drip.cmd.*.routing", "RoutingRequest"),
];

/// How many requests are taken at once.
const REQUESTS_AT_ONCE: usize = 256;
/// How many requests are worked on at once; beyond it they are answered `overloaded`.
const AT_ONCE: usize = 4_096;
/// What headers and protocol may add to an answer, in bytes.
const ENVELOPE: usize = 512;
/// The header that says how a request is written.
const CONTENT_TYPE: &str = "Content-Type";
/// Answers go to inboxes only: the common one, or those of an app or a program by a prefix of their own.
const INBOXES: [&str; 2] = ["_INBOX.", "_INBOX_"];
/// Drip's own inboxes, where it waits for what the log answers.
const OWN_INBOX: &str = "_INBOX_drip";
/// How often it is told that requests were thrown away.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The service can not be offered.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// It could not be announced, or its subjects not be listened to.
    #[error(
        "the service `drip` could not be started on NATS; may this user subscribe to drip.cmd.> and drip.adm.>?"
    )]
    Start(#[source] async_nats::Error),
    /// The connection ended for good.
    #[error("the connection to NATS on which commands arrive was closed")]
    Closed,
}

/// Answers requests until `shutdown`, then finishes what is under way. `client`: a connection of its own.
///
/// Errors: the service could not be started, or its connection ended.
pub async fn serve(client: Client, state: EdgeState, shutdown: CancellationToken) -> Result<(), NatsError> {
    let service = client
        .service_builder()
        .description("Drip: a ledger of pay-per-use credits")
        .queue_group("drip")
        .start("drip", env!("CARGO_PKG_VERSION"))
        .await
        .map_err(NatsError::Start)?;
    let mut endpoints = Vec::with_capacity(2 * SUBJECTS.len());
    for (subject, _) in SUBJECTS {
        let builder = service.endpoint_builder().name(verb_of(subject));
        endpoints.push(builder.add(subject).await.map_err(NatsError::Start)?);
        if let Some(straight) = straight_subject(subject) {
            let builder = service.endpoint_builder().name(format!("{}-straight", verb_of(subject)));
            endpoints.push(builder.add(straight).await.map_err(NatsError::Start)?);
        }
    }
    let mut requests = select_all(endpoints).ready_chunks(REQUESTS_AT_ONCE);
    let edge = Arc::new(Edge::new(client, state));
    let (tracker, mut posted) = (TaskTracker::new(), Posted::new());
    let result = loop {
        tokio::select! {
            () = shutdown.cancelled() => break Ok(()),
            ready = requests.next() => match ready {
                Some(ready) => edge.take_all(ready, &mut posted, &tracker).await,
                None => break Err(NatsError::Closed),
            },
            answered = posted.answered() => edge.respond_all(answered).await,
        }
    };
    // Nothing more can be done about a service that does not sign off: the connection ends with it.
    let _ = service.stop().await;
    drop(requests);
    while !posted.is_empty() {
        let answered = posted.answered().await;
        edge.respond_all(answered).await;
    }
    tracker.close();
    tracker.wait().await;
    let _ = edge.client.flush().await;
    result
}

struct Edge {
    client: Client,
    state: EdgeState,
    /// The same for callers that hash, one a partition.
    straight: Vec<EdgeState>,
    room: Arc<Semaphore>,
    told: Mutex<Option<Instant>>,
}

impl Edge {
    fn new(client: Client, state: EdgeState) -> Self {
        let desks = state.desk.partitions().filter_map(|partition| state.desk.straight_to(partition));
        let straight = desks.map(|desk| EdgeState { desk, ..state.clone() }).collect();
        Self { client, state, straight, room: Arc::new(Semaphore::new(AT_ONCE)), told: Mutex::new(None) }
    }

    async fn take_all(self: &Arc<Self>, requests: Vec<Request>, posted: &mut Posted, tracker: &TaskTracker) {
        for request in requests {
            self.take(request, posted, tracker).await;
        }
    }

    /// Begins to work on a request, if it may be answered and there is room.
    async fn take(self: &Arc<Self>, request: Request, posted: &mut Posted, tracker: &TaskTracker) {
        if request.message.reply.as_ref().is_some_and(|reply| !is_inbox(reply)) {
            self.tell_refused();
            return;
        }
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            let problem = Problem::new(EdgeCode::Overloaded, EdgeCode::Overloaded.title());
            self.respond(&request, Err(problem)).await;
            return;
        };
        if Address::of(&request.message.subject).verb == "debit" {
            let refused = self.post(request, posted, permit);
            self.respond_all(refused.into_iter().collect()).await;
            return;
        }
        let edge = Arc::clone(self);
        tracker.spawn(async move {
            let answered = AssertUnwindSafe(edge.answer(&request)).catch_unwind().await;
            let answer = answered.unwrap_or_else(|_| Err(panicked(&request)));
            edge.respond(&request, answer).await;
            drop(permit);
        });
    }

    /// Asks for a debit. The answer, when it is no.
    fn post(&self, request: Request, posted: &mut Posted, permit: OwnedSemaphorePermit) -> Option<Answered> {
        let read = catch_unwind(AssertUnwindSafe(|| self.read_debit(&request)));
        let (format, state, (call, asked)) = match read.unwrap_or_else(|_| Err(panicked(&request))) {
            Ok(read) => read,
            Err(problem) => {
                let format = format_of(&request).unwrap_or(Format::Json);
                return Some(Answered { request, format, receipt: Err(problem) });
            }
        };
        posted.ask(&state.desk, call, Open { request, format, asked, permit })
    }

    fn read_debit(&self, request: &Request) -> Result<(Format, &EdgeState, (Call, AskedDebit)), Problem> {
        let format = format_of(request)?;
        let address = Address::of(&request.message.subject);
        let (who, state) = (address.principal()?, self.state_at(&address)?);
        Ok((format, state, verbs::ask_debit(&who, format.read(&request.message.payload)?)?))
    }

    async fn respond_all(&self, answered: Vec<Answered>) {
        for Answered { request, format, receipt } in answered {
            let answer = receipt.and_then(|receipt| format.write(&receipt)).map(Bytes::from);
            self.respond(&request, answer).await;
        }
    }

    async fn answer(&self, request: &Request) -> Result<Bytes, Problem> {
        let format = format_of(request)?;
        let address = Address::of(&request.message.subject);
        let who = address.principal()?;
        let (state, payload) = (self.state_at(&address)?, &request.message.payload[..]);
        let bytes = match address.verb {
            "get" => format.write(&verbs::get(state, &who, format.read(payload)?).await?),
            "debits" => format.write(&self.debits(state, &who, format, payload).await?),
            "open" => format.write(&verbs::open(state, &who, format.read(payload)?).await?),
            "grant" => format.write(&verbs::grant(state, &who, format.read(payload)?).await?),
            "deposit" => format.write(&verbs::deposit(state, &who, format.read(payload)?).await?),
            "close" => format.write(&verbs::close(state, &who, format.read(payload)?).await?),
            "container" => format.write(&verbs::set_container(state, &who, format.read(payload)?).await?),
            "hibernate" => format.write(&verbs::hibernate(state, &who, format.read(payload)?).await?),
            "restore" => format.write(&verbs::restore(state, &who, format.read(payload)?).await?),
            "checkout" => format.write(&verbs::checkouts::open(state, &who, format.read(payload)?).await?),
            "routing" => format.write(&verbs::routing(state, &who, &format.read(payload)?)?),
            _ => Err(Problem::new(EdgeCode::NotFound, "There is no such verb.")),
        };
        bytes.map(Bytes::from)
    }

    /// Where this is asked: every partition, or the one that the subject names.
    fn state_at(&self, address: &Address<'_>) -> Result<&EdgeState, Problem> {
        let Some(named) = address.partition else { return Ok(&self.state) };
        // Only as it is written elsewhere: `0` beside `00` would walk around a permission.
        let number = named.parse().ok().filter(|number| format!("{number:02}") == named);
        number.and_then(|number: usize| self.straight.get(number)).ok_or_else(|| {
            let last = self.straight.len().saturating_sub(1);
            Problem::invalid("partition", format_args!("in the subject must be 00 to {last:02}"))
        })
    }

    async fn debits(
        &self,
        state: &EdgeState,
        who: &Principal,
        format: Format,
        payload: &[u8],
    ) -> Result<DebitsAnswer, Problem> {
        if let Some(batch) = PlainBatch::read(format, payload, who) {
            return verbs::plain_debits(state, batch, self.answer_max()).await;
        }
        match AnyDebitsRequest::read(format, payload)? {
            AnyDebitsRequest::Batch(body) => verbs::debits(state, who, body, Some(self.answer_max())).await,
            AnyDebitsRequest::Source(body) => {
                verbs::source_batch(state, who, body).await.map(DebitsAnswer::Source)
            }
        }
    }

    /// The largest answer that can be sent.
    fn answer_max(&self) -> usize {
        self.client.server_info().max_payload.saturating_sub(ENVELOPE)
    }

    async fn respond(&self, request: &Request, answer: Result<Bytes, Problem>) {
        if request.message.reply.is_none() {
            return;
        }
        let answer = answer.and_then(|bytes| self.check_size(bytes));
        let (bytes, headers) = match answer {
            Ok(bytes) => (bytes, HeaderMap::new()),
            // Who sent what can not be read is told so in JSON.
            Err(problem) => refusal(problem, format_of(request).unwrap_or(Format::Json)),
        };
        if let Err(error) = request.respond_with_headers(Ok(bytes), headers).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "an answer could not be sent");
        }
    }

    /// Only what was read can still be too large: batches are bounded before they are decided.
    fn check_size(&self, bytes: Bytes) -> Result<Bytes, Problem> {
        if bytes.len() <= self.answer_max() {
            return Ok(bytes);
        }
        Err(Problem::new(EdgeCode::PayloadTooLarge, "The answer is too large for this NATS server."))
    }

    /// Once a minute at most: whoever sends such requests must not fill the log.
    fn tell_refused(&self) {
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if told.is_none_or(|last| last.elapsed() >= TELL_EVERY) {
            *told = Some(Instant::now());
            tracing::warn!(
                "requests whose reply subject is not an inbox (_INBOX.… or _INBOX_…) of the caller are thrown away"
            );
        }
    }
}

fn panicked(request: &Request) -> Problem {
    tracing::error!(subject = %request.message.subject, "a request made Drip panic; this is a bug");
    Problem::internal()
}

fn is_inbox(reply: &str) -> bool {
    let inbox = INBOXES.iter().any(|inbox| reply.starts_with(inbox)) && !reply.starts_with(OWN_INBOX);
    inbox || planted::on(Bug::AnyReplySubject)
}

/// How a request is written, and so its answer: as the header `Content-Type` says; in JSON when there is none.
fn format_of(request: &Request) -> Result<Format, Problem> {
    let named = request.message.headers.as_ref().and_then(|headers| headers.get(CONTENT_TYPE));
    named.map_or(Some(Format::Json), |named| Format::named(named.as_str())).ok_or_else(format::unsupported)
}

fn refusal(problem: Problem, format: Format) -> (Bytes, HeaderMap) {
    let problem = problem.of_request(&uuid::Uuid::now_v7().to_string());
    let mut headers = HeaderMap::new();
    headers.insert(NATS_SERVICE_ERROR_CODE, problem.body().status.to_string());
    headers.insert(NATS_SERVICE_ERROR, problem.body().code);
    let body = format.write(&ErrorBody { error: problem }).expect("texts and numbers can always be written");
    (body.into(), headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_inboxes_are_answered() {
        for (reply, inbox) in [
            ("_INBOX.abc.1", true),
            ("_INBOX_demo.abc", true),
            ("_INBOX_drip_log.abc.1", false),
            ("_INBOX_drip_cmd.abc", false),
            ("_INBOX", false),
            ("_INBOXES.abc", false),
            ("drip.ledger.00.usage", false),
            ("$JS.API.STREAM.DELETE.LEDGER-00", false),
            ("x_INBOX.abc", false),
            ("", false),
        ] {
            assert_eq!(is_inbox(reply), inbox, "{reply}");
        }
    }

    #[test]
    fn a_refusal_says_in_its_headers_what_it_is() {
        let (bytes, headers) = refusal(Problem::missing("user_id"), Format::Json);
        assert_eq!(headers.get(NATS_SERVICE_ERROR_CODE).unwrap().as_str(), "422");
        assert_eq!(headers.get(NATS_SERVICE_ERROR).unwrap().as_str(), "missing_field");
        let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(body["error"]["field"], "user_id");
        assert!(body["error"]["request_id"].is_string());
        let (bytes, _) = refusal(Problem::missing("user_id"), Format::MessagePack);
        let body: serde_json::Value = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!(body["error"]["field"], "user_id");
    }
}
