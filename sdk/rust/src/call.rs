//! One call: its attempts, which share a key and an absolute deadline, and what their failures mean together.

use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::{Error, Problem};

const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_CAP: Duration = Duration::from_secs(1);

/// What is sent, the same in every attempt.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) authorization: HeaderValue,
    /// JSON.
    pub(crate) body: Option<Vec<u8>>,
    /// The idempotency key, which stands in the body; kept here for the caller of a call that got no answer.
    pub(crate) key: Option<String>,
    /// It may change something, so an attempt without an answer leaves a doubt.
    pub(crate) writes: bool,
}

/// What came of one attempt.
enum Attempt {
    /// A final answer.
    Answered(StatusCode, Vec<u8>),
    /// The server did nothing and says so, or was never reached.
    NotDone { reason: String, retry_after: Option<Duration> },
    /// It was sent, and nobody knows.
    Unknown { reason: String, retry_after: Option<Duration> },
}

/// What is left of the time of a call.
struct Clock {
    at: DateTime<Utc>,
    end: Instant,
}

/// The server answers at the deadline at the latest, and says why; that answer needs a moment to arrive.
const ANSWER_GRACE: Duration = Duration::from_millis(500);

impl Clock {
    fn start(deadline: Duration) -> Self {
        Self { at: Utc::now() + deadline, end: Instant::now() + deadline }
    }

    fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }
}

impl Call {
    /// Sends it until it is answered or its time is over.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        http: &reqwest::Client,
        deadline: Duration,
    ) -> Result<T, Error> {
        let clock = Clock::start(deadline);
        let mut doubt = false;
        let mut step = RETRY_FIRST;
        loop {
            let (reason, retry_after) = match self.attempt(http, &clock).await? {
                Attempt::Answered(status, body) => return self.read(status, &body, doubt),
                Attempt::NotDone { reason, retry_after } => (reason, retry_after),
                Attempt::Unknown { reason, retry_after } => {
                    doubt = true;
                    (reason, retry_after)
                }
            };
            let pause = retry_after.unwrap_or_else(|| jittered(step));
            step = (step * 2).min(RETRY_CAP);
            if pause >= clock.left() {
                return Err(self.given_up(doubt, reason));
            }
            tracing::debug!(url = %self.url, %reason, "the call is sent again");
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, http: &reqwest::Client, clock: &Clock) -> Result<Attempt, Error> {
        let mut request = http
            .request(self.method.clone(), self.url.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header("Drip-Deadline", clock.at.to_rfc3339_opts(SecondsFormat::Micros, true))
            .timeout(clock.left() + ANSWER_GRACE);
        if let Some(body) = &self.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        match request.send().await {
            Ok(response) => Ok(Self::classify(response).await),
            Err(error) if error.is_builder() => Err(Error::Invalid(chain(&error))),
            Err(error) if error.is_connect() => {
                Ok(Attempt::NotDone { reason: chain(&error), retry_after: None })
            }
            Err(error) => Ok(Attempt::Unknown { reason: chain(&error), retry_after: None }),
        }
    }

    async fn classify(response: Response) -> Attempt {
        let status = response.status();
        let retry_after = retry_after(&response);
        let body = match response.bytes().await {
            Ok(body) => body.to_vec(),
            Err(error) => return Attempt::Unknown { reason: chain(&error), retry_after },
        };
        let asks_again = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        if !asks_again || is_not_set_up(status, &body) {
            return Attempt::Answered(status, body);
        }
        let reason = said(status, &body);
        match says_not_done(status, &body) {
            true => Attempt::NotDone { reason, retry_after },
            false => Attempt::Unknown { reason, retry_after },
        }
    }

    fn read<T: DeserializeOwned>(&self, status: StatusCode, body: &[u8], doubt: bool) -> Result<T, Error> {
        if status.is_success() {
            return serde_json::from_slice(body).map_err(|error| self.protocol(error.to_string()));
        }
        match problem(status, body) {
            // An earlier attempt may have got through, and this says nothing of it.
            Some(problem) if doubt && !is_decided(status, &problem) => {
                Err(self.given_up(true, problem.to_string()))
            }
            Some(problem) => Err(Error::Rejected(Box::new(problem))),
            None => Err(self.protocol(format!("it answered {status} without a problem that can be read"))),
        }
    }

    fn given_up(&self, doubt: bool, reason: String) -> Error {
        let url = origin(&self.url);
        if doubt && self.writes {
            return Error::OutcomeUnknown { url, key: self.key.clone(), reason };
        }
        Error::Unavailable { url, reason }
    }

    fn protocol(&self, reason: String) -> Error {
        Error::Protocol { url: origin(&self.url), reason }
    }
}

/// The ledger has looked at the key: had an earlier attempt got through, it would have said so.
fn is_decided(status: StatusCode, problem: &Problem) -> bool {
    let at_the_door = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
    problem.code != "deadline_passed" && !at_the_door.contains(&status)
}

/// Between half of the step and the whole, so that clients which failed together do not come back together.
fn jittered(step: Duration) -> Duration {
    let (random, _) = Uuid::new_v4().as_u64_pair();
    let half = step / 2;
    let span = u64::try_from(half.as_nanos()).expect("half of RETRY_CAP fits").max(1);
    half + Duration::from_nanos(random % span)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.parse().ok().map(Duration::from_secs)
}

fn problem(status: StatusCode, body: &[u8]) -> Option<Problem> {
    let problem: Problem = serde_json::from_slice(body).ok()?;
    (!problem.code.is_empty()).then(|| Problem { status: status.as_u16(), ..problem })
}

/// Drip says that it was not set up for this: asking again changes nothing.
fn is_not_set_up(status: StatusCode, body: &[u8]) -> bool {
    let says = |problem: Problem| problem.code == "not_configured";
    status == StatusCode::NOT_IMPLEMENTED && problem(status, body).is_some_and(says)
}

/// Drip itself says that it did nothing, or that a service it needs for this did not do its part. The same status from a proxy, which may have passed the request on before it
/// lost the answer, says nothing of the kind; and 429 is never Drip's.
fn says_not_done(status: StatusCode, body: &[u8]) -> bool {
    let code = problem(status, body).map(|problem| problem.code).unwrap_or_default();
    match status {
        StatusCode::SERVICE_UNAVAILABLE => matches!(code.as_str(), "overloaded" | "unavailable"),
        StatusCode::BAD_GATEWAY => code == "upstream_failed",
        _ => false,
    }
}

fn said(status: StatusCode, body: &[u8]) -> String {
    problem(status, body).map_or_else(|| format!("it answered {status}"), |problem| problem.to_string())
}

/// The error and all its causes in one sentence. The URL is left out: whoever shows it says where.
fn chain(error: &reqwest::Error) -> String {
    if error.is_timeout() && !error.is_connect() {
        return "the deadline passed".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}
