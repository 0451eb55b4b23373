//! Drip over NATS: request and reply, each caller with an inbox of its own.
//!
//! The client library's own `request` keeps a table of open requests and makes a channel for each; a caller that asks
//! one thing at a time needs neither. So less of the machine goes to the client, and more to what is measured.

use anyhow::{Context as _, Result, bail};
use async_nats::service::NATS_SERVICE_ERROR;
use async_nats::{Client, HeaderMap, Message, Subject, Subscriber};
use bytes::Bytes;
use futures::StreamExt as _;
use ledger_core::{AppId, Usdc};
use serde_json::json;

use super::{Format, Line, Outcome, Target, brief, json};
use crate::load::{Debit, user};

/// How long an answer is waited for: longer than the server's own deadline.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(15);

/// A Drip behind a nats-server.
#[derive(Debug)]
pub struct Nats {
    client: Client,
    app: AppId,
    batches: Format,
}

/// One caller.
#[derive(Debug)]
pub struct NatsLine {
    client: Client,
    open: Subject,
    debit: Subject,
    debits: Subject,
    batches: Format,
    inbox: Subject,
    answers: Subscriber,
}

impl Nats {
    /// Connects. Error: there is nobody at the address.
    pub async fn connect(url: &str, app: AppId, batches: Format) -> Result<Self> {
        let client = async_nats::ConnectOptions::new()
            .name("drip-bench")
            .subscription_capacity(64)
            .client_capacity(8_192)
            .connect(url)
            .await
            .with_context(|| format!("NATS can not be reached at {url}"))?;
        Ok(Self { client, app, batches })
    }
}

impl Target for Nats {
    type Line = NatsLine;

    async fn line(&self, _number: usize) -> Result<NatsLine> {
        let inbox = Subject::from(self.client.new_inbox());
        let answers = self.client.subscribe(inbox.clone()).await?;
        let subject = |group: &str, verb: &str| Subject::from(format!("drip.{group}.{}.{verb}", self.app));
        Ok(NatsLine {
            client: self.client.clone(),
            open: subject("adm", "open"),
            debit: subject("cmd", "debit"),
            debits: subject("cmd", "debits"),
            batches: self.batches,
            inbox,
            answers,
        })
    }
}

impl NatsLine {
    async fn ask(&mut self, subject: Subject, body: Bytes) -> Result<Message, String> {
        let sent = self.client.publish_with_reply(subject, self.inbox.clone(), body).await;
        sent.map_err(|error| error.to_string())?;
        self.answer().await
    }

    async fn ask_brief(&mut self, body: Bytes) -> Result<Message, String> {
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", brief::CONTENT_TYPE);
        let (subject, inbox) = (self.debits.clone(), self.inbox.clone());
        let sent = self.client.publish_with_reply_and_headers(subject, inbox, headers, body).await;
        sent.map_err(|error| error.to_string())?;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<Message, String> {
        match tokio::time::timeout(PATIENCE, self.answers.next()).await {
            Ok(Some(answer)) if answer.status.is_some() => Err("nobody answers on this subject".to_owned()),
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err("the connection is closed".to_owned()),
            Err(_) => Err("no answer".to_owned()),
        }
    }
}

impl Line for NatsLine {
    async fn open(&mut self, account: u32, balance: Usdc) -> Result<()> {
        let body = json!({ "user_id": user(account), "initial_balance": balance });
        let answer = self.ask(self.open.clone(), body.to_string().into()).await;
        let answer = answer.map_err(anyhow::Error::msg).context("an account could not be opened")?;
        match code(&answer) {
            None => Ok(()),
            Some(code) => bail!("an account could not be opened: {code}"),
        }
    }

    async fn debit(&mut self, debits: &[Debit], outcomes: &mut Vec<Outcome>) {
        let asked = match (debits, self.batches) {
            ([one], _) => self.ask(self.debit.clone(), json::one(one, true)).await,
            (many, Format::Json) => self.ask(self.debits.clone(), json::batch(many)).await,
            (many, Format::MessagePack) => self.ask_brief(brief::batch(many)).await,
        };
        let answer = match asked {
            Ok(answer) => answer,
            Err(reason) => return super::all(outcomes, debits.len(), &Outcome::Unknown(reason)),
        };
        match (code(&answer), debits, self.batches) {
            (Some(code), ..) => super::all(outcomes, debits.len(), &json::failed(code)),
            (None, [_], _) => outcomes.push(json::receipt(&answer.payload)),
            (None, many, Format::Json) => json::results(&answer.payload, many.len(), outcomes),
            (None, many, Format::MessagePack) => brief::results(&answer.payload, many, outcomes),
        }
    }
}

fn code(answer: &Message) -> Option<&str> {
    Some(answer.headers.as_ref()?.get(NATS_SERVICE_ERROR)?.as_str())
}
