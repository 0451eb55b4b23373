//! The production backend: NATS JetStream, one stream a partition. No type of NATS leaves this folder.
//!
//! `connect` opens the connection, `config` says what a stream must be like, `durability` asks the server
//! whether its acknowledgements mean the disk, `open` puts the three together; `append` and `follow` do the
//! work, and `anchors` remembers how far it had come.

mod anchors;
mod append;
mod config;
mod connect;
mod durability;
mod follow;
mod open;

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

pub use connect::connect;

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::RequestError;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{RawMessageError, RawMessageErrorKind};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use ledger_core::commit::EncodedCommit;
use ledger_core::{PartitionId, Sequence, Timestamp};

use crate::classify::{Found, Place, classify};
use crate::{Anchor, AppendOutcome, Entry, EventLog, LogIdentity, ReadError};

/// The header that repeats a commit's prefix, in hex.
const PREFIX_HEADER: &str = "Drip-Prefix";
/// The header that holds the commit's id; the server drops repeats of it within two minutes.
const ID_HEADER: &str = "Nats-Msg-Id";

/// How to reach NATS, and what is allowed there. Not to be printed: the address may hold a password.
#[derive(Clone)]
pub struct JetStreamOptions {
    /// `nats://host:port`, with `user:password@` where needed; several servers of one cluster by commas.
    pub url: String,
    /// A credentials file (JWT and key), where the server asks for one.
    pub credentials: Option<PathBuf>,
    /// The monitoring addresses, `http://host:port`, of all servers that may hold the log. They are asked
    /// whether acknowledged means on the disk.
    pub monitor_urls: Vec<String>,
    /// For development: do not ask. Acknowledged commits may be lost in a power cut.
    pub allow_unsafe_durability: bool,
    /// The log is only read: whether acknowledged means on the disk is the writer's business, and not asked.
    pub only_reads: bool,
    /// What the reply subjects of the log's connection begin with. The server's permissions must name it.
    pub inbox_prefix: String,
    /// How long the acknowledgement of an append, or the answer to a request, is waited for.
    pub timeout: Duration,
    /// For how long the log must look other than it is known before that is believed: a leader that was away for a
    /// moment answers from the past.
    pub patience: Duration,
}

impl JetStreamOptions {
    /// The defaults for this address: no credentials, no monitoring address, inboxes of the log's own, answers
    /// waited for 5 s, and believed after 30 s when they contradict what is known.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials: None,
            monitor_urls: Vec::new(),
            allow_unsafe_durability: false,
            only_reads: false,
            inbox_prefix: "_INBOX_drip_log".to_owned(),
            timeout: Duration::from_secs(5),
            patience: Duration::from_secs(30),
        }
    }
}

/// A log in JetStream, over a connection of its own.
///
/// Dropping it and all that follows from it also drops what the connection had not sent yet: a writer that
/// lost a race opens a new one, so that nothing of its old term is sent later.
#[derive(Debug, Clone)]
pub struct JetStreamLog {
    identity: LogIdentity,
    context: Context,
    patience: Duration,
}

fn stream_name(partition: PartitionId) -> String {
    format!("LEDGER-{:02}", partition.0)
}

#[async_trait]
impl EventLog for JetStreamLog {
    fn identity(&self) -> LogIdentity {
        self.identity
    }

    async fn append(&self, commit: &EncodedCommit) -> AppendOutcome {
        match self.identity.refuses(&commit.prefix) {
            Some(reason) => AppendOutcome::Fatal(reason),
            None => append::append(&self.context, commit).await,
        }
    }

    async fn read(&self, partition: PartitionId, sequence: Sequence) -> Result<Option<Entry>, ReadError> {
        self.identity.has(partition)?;
        if sequence == 0 {
            return Ok(None);
        }
        let stream = self.context.get_stream_no_info(stream_name(partition)).await;
        let stream = stream.map_err(|error| unavailable("finding the stream", error))?;
        // By the stream's leader: a direct get may be answered by a replica that lags behind.
        match stream.get_raw_message(sequence).await {
            Ok(message) => entry(self.place(partition, sequence), message).map(Some),
            Err(error) => not_read(sequence, error),
        }
    }

    async fn head(&self, partition: PartitionId) -> Result<Sequence, ReadError> {
        self.identity.has(partition)?;
        let info = open::info(&self.context, &stream_name(partition)).await;
        let info = info.map_err(|error| unavailable("asking for the stream's state", error))?;
        info["state"]["last_seq"]
            .as_u64()
            .ok_or_else(|| unavailable("asking for the stream's state", "no last_seq"))
    }

    async fn time(&self) -> Result<Option<Timestamp>, ReadError> {
        let doing = "asking for the server's time";
        let info = open::info(&self.context, &stream_name(PartitionId(0))).await;
        let info = info.map_err(|error| unavailable(doing, error))?;
        let time = info["ts"].as_str().and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
        let time = time.ok_or_else(|| unavailable(doing, "no ts"))?;
        Ok(Some(Timestamp(time.timestamp_micros())))
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    async fn anchors(&self, partition: PartitionId) -> Result<Vec<Anchor>, ReadError> {
        self.identity.has(partition)?;
        anchors::known(&self.context, partition).await
    }

    async fn keep_anchor(&self, anchor: &Anchor) -> Result<(), ReadError> {
        self.identity.has(anchor.partition)?;
        anchors::keep(&self.context, anchor).await
    }

    fn follow(
        &self,
        partition: PartitionId,
        after: Sequence,
    ) -> BoxStream<'static, Result<Entry, ReadError>> {
        follow::follow(self.clone(), partition, after)
    }
}

impl JetStreamLog {
    /// Forgets what the keeper of this anchor has kept, if it still is this one: somebody who knows what was lost
    /// accepts it.
    ///
    /// Errors: it can not be done now; the anchor was changed meanwhile.
    pub async fn forget_anchor(&self, anchor: &Anchor) -> Result<(), ReadError> {
        anchors::forget(&self.context, anchor).await
    }

    fn place(&self, partition: PartitionId, sequence: Sequence) -> Place {
        Place { log: self.identity.log, partition, sequence }
    }
}

fn unavailable(doing: &'static str, source: impl Into<crate::error::Cause>) -> ReadError {
    ReadError::Unavailable { doing, source: source.into() }
}

fn entry(place: Place, message: StreamMessage) -> Result<Entry, ReadError> {
    let stored_at = Some(Timestamp(message.time.timestamp_micros()));
    judge(place, Some(&message.headers), message.payload, stored_at)
}

fn judge(
    place: Place,
    headers: Option<&HeaderMap>,
    body: Bytes,
    stored_at: Option<Timestamp>,
) -> Result<Entry, ReadError> {
    let header = |name: &str| headers.and_then(|all| all.get(name)).map(|value| value.as_str());
    classify(place, Found { prefix: header(PREFIX_HEADER), id: header(ID_HEADER), body, stored_at })
}

/// Nothing there, no answer, or a message whose headers are no headers. Only a stranger writes such a one.
fn not_read(sequence: Sequence, error: RawMessageError) -> Result<Option<Entry>, ReadError> {
    let transport = error.source().is_some_and(|source| source.is::<RequestError>());
    match error.kind() {
        RawMessageErrorKind::NoMessageFound => Ok(None),
        RawMessageErrorKind::Other if !transport => {
            Ok(Some(Entry::Foreign { sequence, reason: format!("it can not be parsed: {error}") }))
        }
        _ => Err(unavailable("reading a message", error)),
    }
}
