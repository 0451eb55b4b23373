//! Drip over HTTP/1.1: each caller with a connection of its own that stays open.
//!
//! As little client as can be: a request is one write, and of an answer the status and the length are read. A library's
//! client took as much of the machine as the server that was to be measured.

use std::io::Write as _;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use ledger_core::Usdc;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Line, Outcome, Target, json};
use crate::load::{Debit, user};

/// The longest answer that is read: a batch's is a few hundred bytes a debit.
const ANSWER_MAX: usize = 64 * 1024 * 1024;

/// A Drip behind an address, asked as the owner of an API key.
#[derive(Debug)]
pub struct Http {
    address: String,
    api_key: String,
}

/// One caller.
#[derive(Debug)]
pub struct HttpLine {
    stream: TcpStream,
    /// The headers that are the same in every request.
    headers: String,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Http {
    /// `url`: `http://host:port`. Error: it is not of that form, or the key is no key.
    pub fn new(url: &str, api_key: &str) -> Result<Self> {
        let address = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let address = address.with_context(|| format!("{url} is not of the form http://host:port"))?;
        ensure!(api_key.bytes().all(|byte| byte.is_ascii_graphic()), "the API key is not plain text");
        Ok(Self { address: address.to_owned(), api_key: api_key.to_owned() })
    }
}

impl Target for Http {
    type Line = HttpLine;

    async fn line(&self, _number: usize) -> Result<HttpLine> {
        let unreachable = || format!("Drip can not be reached at http://{}", self.address);
        let stream = TcpStream::connect(&self.address).await.with_context(unreachable)?;
        stream.set_nodelay(true)?;
        let headers = format!(
            "host: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n",
            self.address, self.api_key
        );
        Ok(HttpLine { stream, headers, request: Vec::new(), answer: Vec::new() })
    }
}

impl HttpLine {
    /// Status and body of the answer. Error: there is none.
    async fn post(&mut self, path: &str, body: &Bytes) -> Result<(u16, &[u8])> {
        self.request.clear();
        let (headers, length) = (&self.headers, body.len());
        write!(self.request, "POST {path} HTTP/1.1\r\n{headers}content-length: {length}\r\n\r\n")?;
        self.request.extend_from_slice(body);
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        let head = loop {
            self.read().await?;
            if let Some(head) = Head::of(&self.answer)? {
                break head;
            }
        };
        while self.answer.len() < head.body + head.length {
            self.read().await?;
        }
        Ok((head.status, &self.answer[head.body..head.body + head.length]))
    }

    async fn read(&mut self) -> Result<()> {
        ensure!(self.stream.read_buf(&mut self.answer).await? > 0, "the connection was closed");
        ensure!(self.answer.len() <= ANSWER_MAX, "the answer does not end");
        Ok(())
    }
}

/// The beginning of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Where the body begins.
    body: usize,
    /// How long it is.
    length: usize,
}

impl Head {
    /// Nothing while it is not there as a whole. Error: it is not the head of an answer with a length.
    fn of(answer: &[u8]) -> Result<Option<Self>> {
        let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(None) };
        let mut lines = std::str::from_utf8(&answer[..end])?.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
        let length = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        match (status, length) {
            (Some(status), Some(length)) => Ok(Some(Self { status, body: end + 4, length })),
            _ => bail!("the answer has no status or no length"),
        }
    }
}

impl Line for HttpLine {
    async fn open(&mut self, account: u32, balance: Usdc) -> Result<()> {
        let body = json!({ "user_id": user(account), "initial_balance": balance });
        let (status, body) = self.post("/v1/users", &body.to_string().into()).await?;
        ensure!(is_good(status), "an account could not be opened: {status} {}", json::problem(body));
        Ok(())
    }

    async fn debit(&mut self, debits: &[Debit], outcomes: &mut Vec<Outcome>) {
        let answer = match debits {
            [one] => {
                let path = format!("/v1/users/{}/debits", user(one.account));
                self.post(&path, &json::one(one, false)).await
            }
            many => self.post("/v1/debits", &json::batch(many)).await,
        };
        match answer {
            Err(error) => super::all(outcomes, debits.len(), &Outcome::Unknown(format!("{error:#}"))),
            Ok((status, body)) if !is_good(status) => {
                super::all(outcomes, debits.len(), &json::failed(&json::problem(body)));
            }
            Ok((_, body)) if debits.len() == 1 => outcomes.push(json::receipt(body)),
            Ok((_, body)) => json::results(body, debits.len(), outcomes),
        }
    }
}

fn is_good(status: u16) -> bool {
    (200..300).contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_an_answer_is_read_when_it_is_there() {
        let answer = b"HTTP/1.1 402 Payment Required\r\nContent-Type: x\r\nContent-Length: 12\r\n\r\n{}";
        let head = Head { status: 402, body: answer.len() - 2, length: 12 };
        assert_eq!(Head::of(answer).unwrap(), Some(head));
        assert_eq!(Head::of(&answer[..answer.len() - 4]).unwrap(), None);
        for bad in ["HTTP/1.1 200 OK\r\nx: 1\r\n\r\n", "HTTP/1.1 x\r\ncontent-length: 1\r\n\r\n", "\r\n\r\n"]
        {
            assert!(Head::of(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_has_the_form_of_one() {
        assert!(Http::new("http://127.0.0.1:1/", "k").is_ok());
        assert!(Http::new("https://127.0.0.1:1", "k").is_err());
        assert!(Http::new("http://127.0.0.1:1", "k\r\nx: y").is_err());
    }
}
