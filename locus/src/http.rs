//! One call: its attempts under one deadline, and what is repeated.

use std::time::{Duration, Instant as Stopwatch};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::redact::snippet;
use crate::refusal;
use crate::secret::Secret;
use crate::timing::{Timing, jittered};

/// More than any of these services sends. A longer answer is refused before it fills the memory.
const ANSWER_MAX: usize = 16 * 1024 * 1024;

/// How long an unused connection is kept. Less than the five seconds after which many servers close one: a call that is
/// sent into a closing connection would leave a doubt for nothing.
const IDLE_MAX: Duration = Duration::from_secs(4);

/// Whose manners an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Pay,
    Build,
    Mail,
}

/// Sends calls to one service.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    base: Url,
    service: Service,
    pub(crate) timing: Timing,
}

/// What is sent, the same in every attempt.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    url: Url,
    body: Option<Vec<u8>>,
    idempotency_key: Option<HeaderValue>,
    repeatable: bool,
    slow: bool,
    confidential: bool,
    upstream_is_free: bool,
}

/// A success.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
    /// What the call was made with, to be hidden when the answer says it back.
    pub(crate) own: Option<Secret>,
}

impl Call {
    /// With a JSON body.
    pub(crate) fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let json =
            serde_json::to_vec(body).map_err(|error| Error::invalid(self.name(), error.to_string()))?;
        self.body = Some(json);
        Ok(self)
    }

    /// With parameters behind the path, which no error shows.
    pub(crate) fn query(mut self, pairs: &[(&str, String)]) -> Self {
        if !pairs.is_empty() {
            self.url.query_pairs_mut().extend_pairs(pairs);
        }
        self
    }

    /// Sending it again does no harm.
    pub(crate) fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// It is known to take longer.
    pub(crate) fn slow(mut self) -> Self {
        self.slow = true;
        self
    }

    /// The bodies hold secrets of any shape, so nothing of the answer is shown.
    pub(crate) fn confidential(mut self) -> Self {
        self.confidential = true;
        self
    }

    /// A 502 in the API's own words is documented to have cost nothing.
    pub(crate) fn upstream_is_free(mut self) -> Self {
        self.upstream_is_free = true;
        self
    }

    /// Under this key the service does it once.
    pub(crate) fn idempotency_key(mut self, key: &str) -> Result<Self, Error> {
        let key = HeaderValue::from_str(key);
        self.idempotency_key = Some(key.map_err(|error| Error::invalid(self.name(), error.to_string()))?);
        Ok(self.repeatable())
    }

    /// Method and path, as errors say it.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, snippet(self.url.path(), None))
    }

    /// What may be shown of an answer.
    pub(crate) fn shown(&self, text: &str, own: Option<&Secret>) -> String {
        if self.confidential { "(not shown)".to_owned() } else { snippet(text, own) }
    }

    pub(crate) const fn is_upstream_free(&self) -> bool {
        self.upstream_is_free
    }

    /// An attempt whose fate is unknown leaves no doubt when there is nothing to change.
    fn changes(&self) -> bool {
        self.method != Method::GET
    }

    /// It meets itself: an earlier attempt of this very call, under the same idempotency key, is still being worked on.
    fn meets_itself(&self, error: &Error, doubt: bool) -> bool {
        doubt && self.idempotency_key.is_some() && *error.kind() == ErrorKind::Conflict
    }
}

impl Http {
    /// For the service at this base URL. Connects only when called.
    pub(crate) fn new(service: Service, base: &str, timing: Timing) -> Result<Self, Error> {
        let base = parse_base(base)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("drip-locus/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(timing.connect)
            .pool_idle_timeout(IDLE_MAX)
            .tcp_nodelay(true);
        if is_loopback(&base) {
            // A proxy can not reach this machine's own loopback.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| Error::invalid(base.as_str(), error.to_string()))?;
        Ok(Self { client, base, service, timing })
    }

    pub(crate) const fn base(&self) -> &Url {
        &self.base
    }

    /// A call of these parts of a path, each encoded.
    pub(crate) fn call(&self, method: Method, path: &[&str]) -> Result<Call, Error> {
        let named = |part: &&&str| !matches!(**part, "" | "." | "..");
        if let Some(bad) = path.iter().find(|part| !named(part)) {
            let name = format!("{method} {}", snippet(&path.join("/"), None));
            return Err(Error::invalid(name, format!("\"{bad}\" can be no part of a path")));
        }
        let mut url = self.base.clone();
        let path: String = path.iter().map(|part| format!("/{}", encoded(part))).collect();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        let repeatable = matches!(method, Method::GET | Method::PUT | Method::PATCH | Method::DELETE);
        let (body, idempotency_key) = (None, None);
        let (slow, confidential, upstream_is_free) = (false, false, false);
        Ok(Call { method, url, body, idempotency_key, repeatable, slow, confidential, upstream_is_free })
    }

    /// When a call that begins now ends.
    pub(crate) fn deadline(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.timing.total).unwrap_or(now + Duration::from_secs(3600))
    }

    /// Sends it, again where that does no harm, until it is answered or the deadline is near.
    pub(crate) async fn send(
        &self,
        call: &Call,
        bearer: Option<&Secret>,
        deadline: Instant,
    ) -> Result<Answer, Error> {
        let mut pauses = self.timing.pauses.iter();
        let mut doubt = false;
        loop {
            let error = match self.attempt(call, bearer, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error.repeatable(call.repeatable).after_doubt(doubt),
            };
            doubt |= error.is_ambiguous() && call.changes();
            let again = call.repeatable && (error.is_retryable() || call.meets_itself(&error, doubt));
            let Some(pause) = pauses.next().filter(|_| again) else { return Err(error) };
            let pause = error.retry_after().unwrap_or_else(|| jittered(*pause));
            if pause >= left(deadline) {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(
        &self,
        call: &Call,
        bearer: Option<&Secret>,
        deadline: Instant,
    ) -> Result<Answer, Error> {
        let limit = if call.slow { self.timing.slow_call } else { self.timing.call };
        let limit = limit.min(left(deadline));
        if limit.is_zero() {
            let kind = ErrorKind::Transport { ambiguous: false };
            return Err(Error::new(kind, call.name(), "there was no time left to send it"));
        }
        let mut request = self.client.request(call.method.clone(), call.url.clone()).timeout(limit);
        if let Some(bearer) = bearer {
            request = request.header(AUTHORIZATION, authorization(bearer, call)?);
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header("Idempotency-Key", key.clone());
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let start = Stopwatch::now();
        let sent = request.send().await;
        trace(call, sent.as_ref().ok().map(Response::status), start);
        let response = sent.map_err(|error| transport(call, &error, bearer))?;
        self.read(call, response, bearer).await
    }

    async fn read(&self, call: &Call, response: Response, bearer: Option<&Secret>) -> Result<Answer, Error> {
        let status = response.status();
        let after = refusal::retry_after(response.headers());
        let body = match whole(response).await {
            Ok(Some(body)) => String::from_utf8_lossy(&body).into_owned(),
            // The status alone says enough of a refusal.
            Ok(None) | Err(_) if !status.is_success() => String::new(),
            Ok(None) => {
                let snippet = "(too long)".to_owned();
                return Err(Error::new(ErrorKind::Decode { snippet }, call.name(), "the answer is too long"));
            }
            Err(error) => return Err(transport(call, &error, bearer)),
        };
        refusal::check(self.service, call, Answer { status, body, own: bearer.cloned() }, after)
    }

    /// The status of a foreign page, asked for once and without any secret.
    pub(crate) async fn peek(&self, url: Url) -> Result<StatusCode, reqwest::Error> {
        let (start, path) = (Stopwatch::now(), snippet(url.path(), None));
        let status =
            self.client.get(url).timeout(self.timing.call).send().await.map(|answer| answer.status());
        let code = status.as_ref().map_or(0, |status| status.as_u16());
        tracing::debug!(method = "GET", %path, status = code, ms = start.elapsed().as_millis(), "probed");
        status
    }
}

impl Answer {
    /// Reads this part of the answer.
    pub(crate) fn decode<T: DeserializeOwned>(&self, call: &Call, json: &str) -> Result<T, Error> {
        serde_json::from_str(json).map_err(|error| self.unreadable(call, &error.to_string()))
    }

    /// It says something else than expected.
    pub(crate) fn unreadable(&self, call: &Call, reason: &str) -> Error {
        let snippet = call.shown(&self.body, self.own.as_ref());
        let detail = format!("{}: {snippet}", call.shown(reason, self.own.as_ref()));
        Error::new(ErrorKind::Decode { snippet }, call.name(), detail)
    }
}

/// One line a call: what was asked, how it went, how long it took.
fn trace(call: &Call, status: Option<StatusCode>, start: Stopwatch) {
    let path = snippet(call.url.path(), None);
    let status = status.map_or(0, |status| status.as_u16());
    tracing::debug!(method = %call.method, %path, status, ms = start.elapsed().as_millis(), "called");
}

fn authorization(bearer: &Secret, call: &Call) -> Result<HeaderValue, Error> {
    let text = HeaderValue::from_str(&format!("Bearer {}", bearer.expose()));
    let mut value = text.map_err(|_| Error::invalid(call.name(), "the token can not stand in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The body, or nothing when it is too long.
async fn whole(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn transport(call: &Call, error: &reqwest::Error, own: Option<&Secret>) -> Error {
    let detail = snippet(&cause(error), own);
    if error.is_builder() {
        return Error::invalid(call.name(), detail);
    }
    // Only a connection that did not come about is proof that nothing was sent.
    Error::new(ErrorKind::Transport { ambiguous: !error.is_connect() }, call.name(), detail)
}

/// The innermost cause. The URL, which the outer ones show, may hold a query.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return if error.is_connect() { "no connection in time" } else { "no answer in time" }.to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn parse_base(text: &str) -> Result<Url, Error> {
    // What has a user or a query may have a secret there.
    let shown = if text.contains(['@', '?']) { "(not shown)".to_owned() } else { snippet(text, None) };
    let invalid = |reason: &str| Error::invalid(shown.as_str(), format!("no base URL: {reason}"));
    let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("it must begin with https:// (or http:// for a service on this machine)"));
    }
    let user = !url.username().is_empty() || url.password().is_some();
    if user || url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it must have no user, no query and no fragment"));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Everything but the unreserved characters in percent form: the ids of mails hold '<', '>' and '@'.
fn encoded(part: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte| if unreserved(byte) { char::from(byte).into() } else { format!("%{byte:02X}") };
    part.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(base: &str) -> Http {
        Http::new(Service::Pay, base, Timing::default()).unwrap()
    }

    #[test]
    fn paths_are_joined_and_encoded() {
        for (base, path, url) in [
            ("http://x/api", &["pay", "balance"][..], "http://x/api/pay/balance"),
            ("http://x/api/", &["a"], "http://x/api/a"),
            ("http://x", &["<1@x/y>", "é%"], "http://x/%3C1%40x%2Fy%3E/%C3%A9%25"),
        ] {
            assert_eq!(http(base).call(Method::GET, path).unwrap().url.as_str(), url);
        }
        for bad in ["", ".", ".."] {
            let error = http("http://x").call(Method::GET, &["a", bad, "b"]).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn a_call_is_named_without_query_and_secrets() {
        let call = http("http://x").call(Method::GET, &["a", "claw_dev_1"]).unwrap();
        let call = call.query(&[("token", "hidden".to_owned())]);
        assert_eq!(call.name(), "GET /a/claw_…");
        assert!(call.url.as_str().ends_with("?token=hidden"));
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        let secret = ["http://x?k=hunter2", "http://u:hunter2@x", "http://:hunter2@x", "hunter2@x"];
        for bad in ["", "x", "ftp://x", "http://x#f"].into_iter().chain(secret) {
            let error = Http::new(Service::Pay, bad, Timing::default()).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Invalid, "{bad}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
