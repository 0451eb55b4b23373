//! Reading a partition in order, for ever, over a consumer that is made anew whenever anything is odd.
//!
//! The consumer is ours and not the client library's ordered one: that one begins at the very first message
//! again when it is recreated before it delivered anything, and swallows a first missed heartbeat.

use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use ledger_core::{PartitionId, Sequence, Timestamp};

use super::{JetStreamLog, judge, stream_name};
use crate::error::Cause;
use crate::{Entry, EventLog as _, ReadError};

/// Commits are at most a quarter of a megabyte, so a full batch is bounded too.
const BATCH: usize = 64;
/// Twice this without a word from the server, and the consumer is made anew.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// After so long without a message the next one is asked for by its sequence: a stranger can store one that the
/// client library takes for a word of the server and swallows, and as the last one it would never be missed.
const IDLE: Duration = Duration::from_secs(5);
/// How long the server keeps a consumer that nobody asks any more.
const INACTIVE: Duration = Duration::from_secs(30);
/// So many times in a row the server must say that a commit is missing before it is believed: a leader that
/// was away for a while can answer from an old state for a moment.
const MISSING_ANSWERS: u32 = 5;

pub(super) fn follow(
    log: JetStreamLog,
    partition: PartitionId,
    after: Sequence,
) -> BoxStream<'static, Result<Entry, ReadError>> {
    let follower = Follower {
        log,
        partition,
        last: after.min(Sequence::MAX - 1),
        source: Source::Consumer,
        failures: 0,
        missing: 0,
    };
    stream::try_unfold(follower, |mut follower| async {
        let entry = follower.next().await?;
        Ok(Some((entry, follower)))
    })
    .boxed()
}

struct Follower {
    log: JetStreamLog,
    partition: PartitionId,
    last: Sequence,
    source: Source,
    /// Since the last entry.
    failures: u32,
    /// How often, since the last entry, a later message came and the next one could not be read.
    missing: u32,
}

/// Where the next entry comes from.
enum Source {
    /// A consumer, still to be made.
    Consumer,
    /// A consumer's messages.
    Messages(Box<pull::Stream>),
    /// One read by sequence. It gets past a message that breaks consumers: a stranger can store one whose
    /// headers the client library can not parse or takes for an answer of the server.
    Read {
        /// A later message was seen, so this one must be there.
        must_exist: bool,
    },
}

impl Follower {
    async fn next(&mut self) -> Result<Entry, ReadError> {
        self.log.identity.has(self.partition)?;
        loop {
            let entry = match &mut self.source {
                Source::Consumer => self.consume().await,
                Source::Messages(messages) => match tokio::time::timeout(IDLE, messages.next()).await {
                    Ok(message) => self.take(message.map(|message| message.map_err(Cause::from)))?,
                    Err(_idle) => self.swallowed().await?,
                },
                Source::Read { must_exist } => {
                    let must_exist = *must_exist;
                    self.read(must_exist).await?
                }
            };
            if let Some(entry) = entry {
                (self.last, self.failures, self.missing) = (entry.sequence(), 0, 0);
                return Ok(entry);
            }
        }
    }

    /// Makes the consumer. Answers nothing yet.
    async fn consume(&mut self) -> Option<Entry> {
        match self.messages().await {
            Ok(messages) => self.source = Source::Messages(Box::new(messages)),
            Err(error) => self.failed("can not read from NATS; trying again", &error).await,
        }
        None
    }

    async fn messages(&self) -> Result<pull::Stream, Cause> {
        let context = &self.log.context;
        let inbox = context.client().new_inbox();
        let unique = inbox.rsplit('.').next().unwrap_or_default();
        let config = pull::Config {
            // Named, because permissions are given for names.
            name: Some(format!("drip-{unique}")),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.last + 1 },
            ack_policy: AckPolicy::None,
            inactive_threshold: INACTIVE,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = context.create_consumer_on_stream(config, stream_name(self.partition)).await?;
        let messages =
            consumer.stream().max_messages_per_batch(BATCH).heartbeat(HEARTBEAT).messages().await?;
        Ok(messages)
    }

    /// A message, if it is the next one. Whatever else comes ends the consumer.
    fn take(&mut self, message: Option<Result<Message, Cause>>) -> Result<Option<Entry>, ReadError> {
        let broken = |reason: &str| tracing::debug!(partition = %self.partition, after = self.last, reason);
        let mut must_exist = false;
        match message {
            Some(Ok(message)) => match message.info() {
                Ok(info) if info.stream_sequence == self.last + 1 => {
                    let place = self.log.place(self.partition, info.stream_sequence);
                    let stored_at = Some(Timestamp(info.published.timestamp_micros()));
                    return judge(place, message.headers.as_ref(), message.payload.clone(), stored_at)
                        .map(Some);
                }
                Ok(info) => {
                    must_exist = info.stream_sequence > self.last;
                    broken("a message came out of turn");
                }
                Err(_) => broken("a message came without its place"),
            },
            Some(Err(error)) => broken(&error.to_string()),
            None => broken("the messages ended"),
        }
        self.source = Source::Read { must_exist };
        Ok(None)
    }

    /// What the consumer should have brought and did not, and then a new one; mostly there is nothing.
    async fn swallowed(&mut self) -> Result<Option<Entry>, ReadError> {
        let next = match self.log.read(self.partition, self.last + 1).await {
            Ok(next) => next,
            // The consumer's own heartbeats tell of outages.
            Err(ReadError::Unavailable { .. }) => None,
            Err(error) => return Err(error),
        };
        if next.is_some() {
            self.source = Source::Consumer;
        }
        Ok(next)
    }

    /// The next entry by its sequence, and then a new consumer.
    async fn read(&mut self, must_exist: bool) -> Result<Option<Entry>, ReadError> {
        match self.log.read(self.partition, self.last + 1).await {
            Ok(Some(entry)) => {
                self.source = Source::Consumer;
                return Ok(Some(entry));
            }
            Ok(None) => {
                self.missing += u32::from(must_exist);
                if self.missing >= MISSING_ANSWERS {
                    let place = self.log.place(self.partition, self.last + 1);
                    return Err(place.damaged("it is missing, though a later one is there"));
                }
                self.source = Source::Consumer;
                self.wait().await;
            }
            Err(ReadError::Unavailable { source, .. }) => {
                self.failed("can not read from NATS; trying again", &source).await;
            }
            Err(error) => return Err(error),
        }
        Ok(None)
    }

    async fn failed(&mut self, what: &str, error: &Cause) {
        tracing::warn!(partition = %self.partition, after = self.last, %error, "{what}");
        self.wait().await;
    }

    /// At once after the first failure, then later and later, up to two seconds.
    async fn wait(&mut self) {
        let doublings = self.failures.min(5);
        let pause = if self.failures == 0 { 0 } else { 50 << doublings };
        self.failures += 1;
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}
