//! Asking Drip: over HTTP, over NATS, by the command line; and amounts as this folder reads them.

use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::stack::Drip;

/// How long a command may run.
const PATIENCE: Duration = Duration::from_secs(90);

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    /// The text of a field.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_else(|| panic!("no text {field} in {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The same answer, which must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

impl Drip {
    /// A request as the app `demo`.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client().request(method, format!("{}{path}", self.url())).bearer_auth(self.key())
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        send(self.request(Method::POST, path).json(body)).await
    }

    /// Opens an account that holds this much.
    pub(crate) async fn open(&self, user: &str, balance: &str) -> Reply {
        self.post("/v1/users", &serde_json::json!({ "user_id": user, "initial_balance": balance }))
            .await
            .expect(201)
    }

    /// The account as its owner knows it.
    pub(crate) async fn account(&self, user: &str) -> Reply {
        self.get(&format!("/v1/users/{}", encode(user))).await.expect(200)
    }

    pub(crate) async fn debit(&self, user: &str, body: &Value) -> Reply {
        self.post(&format!("/v1/users/{}/debits", encode(user)), body).await
    }

    /// All rows of a list, page by page.
    pub(crate) async fn pages(&self, path: &str) -> Vec<Value> {
        let mark = if path.contains('?') { '&' } else { '?' };
        let mut rows = Vec::new();
        let mut next = path.to_owned();
        loop {
            let page = self.get(&next).await.expect(200);
            rows.extend(
                page.body["data"].as_array().unwrap_or_else(|| panic!("a page: {page:?}")).iter().cloned(),
            );
            match page.body["next_cursor"].as_str() {
                Some(cursor) => next = format!("{path}{mark}cursor={}", encode(cursor)),
                None => return rows,
            }
        }
    }
}

/// The answer to a request, which must arrive.
pub(crate) async fn send(request: RequestBuilder) -> Reply {
    try_send(request).await.unwrap_or_else(|error| panic!("no answer: {error:?}"))
}

/// The answer, if one arrives whole.
pub(crate) async fn try_send(request: RequestBuilder) -> Result<Reply, reqwest::Error> {
    let answer = request.send().await?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let bytes = answer.bytes().await?;
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    Ok(Reply { status, headers, body })
}

/// Asks over NATS: the code in the headers, empty for a success, and the body.
pub(crate) async fn ask(nats: &async_nats::Client, subject: &str, body: &[u8]) -> (String, Value) {
    let answer = nats.request(subject.to_owned(), body.to_vec().into()).await;
    let answer = answer.unwrap_or_else(|error| panic!("{subject}: {error}"));
    let code = answer.headers.as_ref().and_then(|headers| headers.get("Nats-Service-Error"));
    let code = code.map(ToString::to_string).unwrap_or_default();
    let body = serde_json::from_slice(&answer.payload).unwrap_or_else(|error| panic!("{subject}: {error}"));
    (code, body)
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The same, which must have ended so.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        self
    }

    /// Its stdout as one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Its stdout as JSON lines.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let line = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.out.lines().map(line).collect()
    }
}

/// Runs a command to its end.
pub(crate) async fn said(mut command: Command) -> Said {
    command.stdin(Stdio::null());
    let mut command = tokio::process::Command::from(command);
    let output = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await;
    let output = output.unwrap_or_else(|_| panic!("{command:?} does not end"));
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code =
        output.status.code().unwrap_or_else(|| panic!("{command:?} was killed: {}", text(&output.stderr)));
    Said { code, out: text(&output.stdout), err: text(&output.stderr) }
}

/// Percent-encodes one segment of a path or one value of a query.
pub(crate) fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let byte = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(byte).collect()
}

/// An amount in USDC, as its JSON text, in millionths.
#[track_caller]
pub(crate) fn credits(amount: &Value) -> i64 {
    let text = amount.as_str().unwrap_or_else(|| panic!("an amount is text, not {amount}"));
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    assert!(fraction.len() <= 6, "{text}");
    let credits =
        format!("{whole}{fraction:0<6}").parse::<i64>().unwrap_or_else(|_| panic!("no amount: {text}"));
    if negative { -credits } else { credits }
}

/// Millionths as an amount in USDC, in its shortest form.
pub(crate) fn usdc(credits: i64) -> String {
    let (sign, credits) = if credits < 0 { ("-", -credits) } else { ("", credits) };
    let (whole, fraction) = (credits / 1_000_000, credits % 1_000_000);
    match fraction {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction:06}").trim_end_matches('0').to_owned(),
    }
}

#[test]
fn amounts_are_read_and_shown_to_the_millionth() {
    for (text, millionths) in
        [("0", 0), ("50", 50_000_000), ("0.000001", 1), ("-0.007", -7_000), ("3.9", 3_900_000)]
    {
        assert_eq!(credits(&Value::from(text)), millionths);
        assert_eq!(usdc(millionths), text);
    }
}
