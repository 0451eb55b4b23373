//! A server that answers each request as a function says. It speaks just enough HTTP/1.1, and can do what a proper
//! server can not: take a request and close without an answer.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// "GET /api/pay/balance".
    pub(crate) line: String,
    /// By lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body as it came.
    pub(crate) bytes: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.bytes).unwrap_or(Value::Null)
    }
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A status, headers of its own, and a body.
    Answer(u16, &'static str, String),
    /// The connection closes without a word.
    Lost,
    /// The connection closes in the middle of the body.
    Torn,
    /// Nothing, for ever.
    Silence,
}

/// An answer.
pub(crate) fn answer(status: u16, body: &str) -> Reply {
    Reply::Answer(status, "", body.to_owned())
}

type Script = dyn FnMut(&Seen) -> Reply + Send;

/// The server. It stops when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers as the function says.
    #[expect(clippy::disallowed_methods, reason = "the task ends with the server that owns it")]
    pub(crate) async fn with(script: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(script));
        let task = tokio::spawn(accept(listener, script, Arc::clone(&seen)));
        Self { address, seen, task }
    }

    /// Gives these replies in order, and the last one for ever.
    pub(crate) async fn replies(replies: &[Reply]) -> Self {
        let mut replies: Vec<_> = replies.iter().rev().cloned().collect();
        Self::with(move |_| match replies.len() {
            0 | 1 => replies[0].clone(),
            _ => replies.pop().expect("there are some"),
        })
        .await
    }

    /// One answer for ever.
    pub(crate) async fn says(status: u16, body: &str) -> Self {
        Self::replies(&[answer(status, body)]).await
    }

    /// A BuildWithLocus that gives a token and then these replies in order, the last one for ever.
    pub(crate) async fn with_token(replies: &[Reply]) -> Self {
        let mut replies: Vec<_> = replies.iter().rev().cloned().collect();
        Self::with(move |seen| match (seen.line.ends_with("/auth/exchange"), replies.len()) {
            (true, _) => answer(200, r#"{"token":"opaque-token-1","expiresIn":"30d"}"#),
            (false, 0 | 1) => replies[0].clone(),
            (false, _) => replies.pop().expect("there are some"),
        })
        .await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests that came, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Their lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }

    /// The one request that came, apart from exchanges.
    pub(crate) fn only(&self) -> Seen {
        let mut calls = self.seen();
        calls.retain(|seen| !seen.line.ends_with("/auth/exchange"));
        assert_eq!(calls.len(), 1, "{calls:?}");
        calls.remove(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, script: Arc<Mutex<Script>>, seen: Arc<Mutex<Vec<Seen>>>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
        connections.spawn(async move {
            // A client that hangs up is part of the tests.
            let _ = serve(stream, &script, &seen).await;
        });
    }
}

async fn serve(mut stream: TcpStream, script: &Mutex<Script>, seen: &Mutex<Vec<Seen>>) -> io::Result<()> {
    let request = read(&mut stream).await?;
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    let reply = script.lock().unwrap_or_else(PoisonError::into_inner)(&request);
    let text = match reply {
        Reply::Lost => return Ok(()),
        Reply::Silence => std::future::pending().await,
        Reply::Torn => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_owned(),
        Reply::Answer(status, headers, body) => {
            let length =
                if status == 204 { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
            format!("HTTP/1.1 {status} Said\r\nConnection: close\r\n{headers}{length}\r\n{body}")
        }
    };
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

async fn read(stream: &mut TcpStream) -> io::Result<Seen> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let (line, headers) = parse(&String::from_utf8_lossy(&bytes[..head]));
    let length = headers.get("content-length").and_then(|length| length.parse::<usize>().ok()).unwrap_or(0);
    while bytes.len() < head + length {
        stream.read_buf(&mut bytes).await?;
    }
    let bytes = String::from_utf8_lossy(&bytes[head..]).into_owned();
    Ok(Seen { line, headers, bytes })
}

fn parse(head: &str) -> (String, BTreeMap<String, String>) {
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    let pairs = lines.filter_map(|line| line.split_once(':'));
    let headers = pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    (line, headers)
}
