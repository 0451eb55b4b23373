//! Drip over HTTP/1.1: each caller with a connection of its own that stays open.

use anyhow::{Context as _, Result, bail};
use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use ledger_core::Usdc;
use serde_json::json;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Line, Outcome, Target, json};
use crate::load::{Debit, user};

/// A Drip behind an address, asked as the owner of an API key.
#[derive(Debug)]
pub struct Http {
    address: String,
    authorization: HeaderValue,
}

/// One caller.
#[derive(Debug)]
pub struct HttpLine {
    sender: SendRequest<Whole>,
    host: HeaderValue,
    authorization: HeaderValue,
    /// Drives the connection, as long as the line lives.
    _connection: JoinSet<()>,
}

/// A body that is there as a whole.
#[derive(Debug)]
struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<hyper::body::Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(hyper::body::Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

impl Http {
    /// `url`: `http://host:port`. Error: it is not of that form, or the key is no key.
    pub fn new(url: &str, api_key: &str) -> Result<Self> {
        let address = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let address = address.with_context(|| format!("{url} is not of the form http://host:port"))?;
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {api_key}")).context("the API key is not plain text")?;
        authorization.set_sensitive(true);
        Ok(Self { address: address.to_owned(), authorization })
    }
}

impl Target for Http {
    type Line = HttpLine;

    async fn line(&self, _number: usize) -> Result<HttpLine> {
        let unreachable = || format!("Drip can not be reached at http://{}", self.address);
        let stream = TcpStream::connect(&self.address).await.with_context(unreachable)?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.with_context(unreachable)?;
        let mut driving = JoinSet::new();
        // How it ends shows in the answers.
        driving.spawn(async move { drop(connection.await) });
        let host = HeaderValue::from_str(&self.address)?;
        Ok(HttpLine { sender, host, authorization: self.authorization.clone(), _connection: driving })
    }
}

impl HttpLine {
    async fn post(&mut self, path: &str, body: Bytes) -> Result<(StatusCode, Bytes)> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, self.host.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(Whole(Some(body)))?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        Ok((answer.status(), whole(answer).await?))
    }
}

async fn whole(mut answer: Response<Incoming>) -> Result<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(frame) =
        std::future::poll_fn(|context| Pin::new(answer.body_mut()).poll_frame(context)).await
    {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.freeze())
}

impl Line for HttpLine {
    async fn open(&mut self, account: u32, balance: Usdc) -> Result<()> {
        let body = json!({ "user_id": user(account), "initial_balance": balance });
        let (status, body) = self.post("/v1/users", body.to_string().into()).await?;
        if !status.is_success() {
            bail!("an account could not be opened: {status} {}", json::problem(&body));
        }
        Ok(())
    }

    async fn debit(&mut self, debits: &[Debit], outcomes: &mut Vec<Outcome>) {
        let answer = match debits {
            [one] => {
                let path = format!("/v1/users/{}/debits", user(one.account));
                self.post(&path, json::one(one, false)).await
            }
            many => self.post("/v1/debits", json::batch(many)).await,
        };
        match answer {
            Err(error) => super::all(outcomes, debits.len(), &Outcome::Unknown(format!("{error:#}"))),
            Ok((status, body)) if !status.is_success() => {
                super::all(outcomes, debits.len(), &json::failed(&json::problem(&body)));
            }
            Ok((_, body)) if debits.len() == 1 => outcomes.push(json::receipt(&body)),
            Ok((_, body)) => json::results(&body, debits.len(), outcomes),
        }
    }
}
