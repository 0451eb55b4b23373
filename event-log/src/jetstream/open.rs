//! Creating the streams, and opening them only if they are as they must be.

use async_nats::jetstream::Context;
use ledger_core::PartitionId;
use serde_json::Value;

use super::{JetStreamLog, JetStreamOptions, anchors, config, connect, durability, stream_name};
use crate::error::Cause;
use crate::{LogIdentity, OpenError, PARTITIONS_MAX};

/// The server's code for a stream that does not exist.
const STREAM_NOT_FOUND: u64 = 10059;
/// The largest message that must fit: a commit of the largest size with one large command more, and its headers.
const PAYLOAD_MIN: usize = 1_000_000;

impl JetStreamLog {
    /// Creates the streams of a log and the bucket of its anchors. Those that exist are left as they are: the id of the first one is the
    /// log's, so a creation that was cut off can be repeated with any id. Answers the identity of the log
    /// that is there now. `replicas`: 1, or 3 or 5 in a cluster.
    ///
    /// Errors: NATS can not be reached or refuses; a stream exists with another configuration; anchors say that there
    /// was a log, and its first stream is gone.
    pub async fn create(
        options: &JetStreamOptions,
        wanted: LogIdentity,
        replicas: u8,
    ) -> Result<LogIdentity, OpenError> {
        wanted.check()?;
        let (_, context) = connect::connect_log(options).await?;
        refuse_if_gone(&context).await?;
        let first = ensure(&context, &config::wanted(wanted, PartitionId(0), replicas.into())).await?;
        let found = config::identity(&first).unwrap_or(wanted);
        if found.partitions != wanted.partitions {
            return Err(OpenError::OtherPartitions { found: found.partitions, wanted: wanted.partitions });
        }
        compare(found, PartitionId(0), replicas.into(), &first)?;
        for partition in found.partitions().skip(1) {
            let stream = ensure(&context, &config::wanted(found, partition, replicas.into())).await?;
            compare(found, partition, replicas.into(), &stream)?;
        }
        create_bucket(&context, replicas.into()).await?;
        Ok(found)
    }

    /// Creates the bucket of the anchors alone, for a log that is there without one.
    ///
    /// Errors: NATS can not be reached or refuses; there is no log; the bucket exists with another configuration.
    pub async fn create_anchors(options: &JetStreamOptions) -> Result<(), OpenError> {
        let (_, context) = connect::connect_log(options).await?;
        let first = existing(&context, &stream_name(PartitionId(0))).await?;
        let first = first.ok_or_else(|| not_created(options))?;
        create_bucket(&context, config::replicas(&first).unwrap_or(1)).await
    }

    /// Opens the log, over a new connection.
    ///
    /// Errors: NATS can not be reached, is too old or refuses; there is no log; a stream's configuration
    /// differs in any field from what is needed, or the bucket of the anchors is missing; acknowledged does not mean on the disk, or nobody can tell.
    pub async fn open(options: &JetStreamOptions) -> Result<Self, OpenError> {
        let (client, context) = connect::connect_log(options).await?;
        let payload = client.server_info().max_payload;
        if payload < PAYLOAD_MIN {
            return Err(OpenError::Payload { found: payload, wanted: PAYLOAD_MIN });
        }
        let not_created = || not_created(options);
        let first = existing(&context, &stream_name(PartitionId(0))).await?.ok_or_else(not_created)?;
        let stranger = || OpenError::Configuration {
            stream: stream_name(PartitionId(0)),
            differences: vec!["its metadata does not say which log it belongs to".to_owned()],
        };
        let identity = config::identity(&first).ok_or_else(stranger)?;
        let replicas = config::replicas(&first).unwrap_or(1);
        for partition in identity.partitions() {
            let stream = existing(&context, &stream_name(partition)).await?.ok_or_else(not_created)?;
            compare(identity, partition, replicas, &stream)?;
        }
        if !options.only_reads {
            check_bucket(options, &context, replicas).await?;
        }
        if options.allow_unsafe_durability {
            tracing::warn!("durability is not checked: acknowledged commits may be lost in a power cut");
        } else if !options.only_reads {
            durability::check(options, &client.server_info().server_id, replicas).await?;
        }
        Ok(Self { identity, context, patience: options.patience })
    }
}

fn not_created(options: &JetStreamOptions) -> OpenError {
    OpenError::NotCreated { place: format!("on {}", connect::without_password(&options.url)) }
}

/// A new log must not take the place of one that somebody remembers: its disk may have lost it.
async fn refuse_if_gone(context: &Context) -> Result<(), OpenError> {
    let first = stream_name(PartitionId(0));
    let there = existing(context, &first).await?.is_some();
    if there || existing(context, anchors::STREAM).await?.is_none() {
        return Ok(());
    }
    for partition in (0..PARTITIONS_MAX).map(PartitionId) {
        let known = anchors::known(context, partition).await;
        let known = known.map_err(|error| refused("read", anchors::STREAM, &error.into()))?;
        if let Some(anchor) = known.first() {
            return Err(OpenError::LogGone { stream: first, anchor: *anchor });
        }
    }
    Ok(())
}

async fn create_bucket(context: &Context, replicas: u64) -> Result<(), OpenError> {
    let wanted = anchors::wanted(replicas);
    same(anchors::STREAM, &wanted, &ensure(context, &wanted).await?)
}

async fn check_bucket(options: &JetStreamOptions, context: &Context, replicas: u64) -> Result<(), OpenError> {
    match existing(context, anchors::STREAM).await? {
        Some(found) => same(anchors::STREAM, &anchors::wanted(replicas), &found),
        None => Err(OpenError::NoAnchors { url: connect::without_password(&options.url) }),
    }
}

fn compare(
    identity: LogIdentity,
    partition: PartitionId,
    replicas: u64,
    found: &Value,
) -> Result<(), OpenError> {
    same(&stream_name(partition), &config::wanted(identity, partition, replicas), found)
}

fn same(stream: &str, wanted: &Value, found: &Value) -> Result<(), OpenError> {
    let differences = config::differences(wanted, found);
    match differences.is_empty() {
        true => Ok(()),
        false => Err(OpenError::Configuration { stream: stream.to_owned(), differences }),
    }
}

/// The configuration of the stream, created if it is not there. Two may do this at once: whoever comes second
/// finds what the first one made.
async fn ensure(context: &Context, wanted: &Value) -> Result<Value, OpenError> {
    let name = wanted["name"].as_str().unwrap_or_default();
    if let Some(found) = existing(context, name).await? {
        return Ok(found);
    }
    let created = request(context, &format!("STREAM.CREATE.{name}"), wanted).await;
    match (created, existing(context, name).await?) {
        (_, Some(found)) => Ok(found),
        (Err(error), None) => Err(refused("create", name, &error)),
        (Ok(_), None) => Err(refused("create", name, &"it was created and is not there".into())),
    }
}

/// The configuration of a stream, if it exists.
async fn existing(context: &Context, stream: &str) -> Result<Option<Value>, OpenError> {
    match info(context, stream).await {
        Ok(mut info) => Ok(Some(info["config"].take())),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(refused("inspect", stream, &error)),
    }
}

fn is_not_found(error: &Cause) -> bool {
    let error = error.downcast_ref::<async_nats::jetstream::Error>();
    error.is_some_and(|error| error.error_code().0 == STREAM_NOT_FOUND)
}

fn refused(doing: &'static str, stream: &str, error: &Cause) -> OpenError {
    OpenError::Refused { doing, stream: stream.to_owned(), reason: error.to_string() }
}

/// All the server says about a stream, as it says it: a typed answer would hide fields that the client
/// library does not know.
pub(super) async fn info(context: &Context, stream: &str) -> Result<Value, Cause> {
    request(context, &format!("STREAM.INFO.{stream}"), &Value::Null).await
}

async fn request(context: &Context, subject: &str, body: &Value) -> Result<Value, Cause> {
    let mut answer: Value = context.request(subject.to_owned(), body).await?;
    match answer["error"].take() {
        Value::Null => Ok(answer),
        error => Err(serde_json::from_value::<async_nats::jetstream::Error>(error)?.into()),
    }
}
