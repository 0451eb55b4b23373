//! The anchors of a log in the KV bucket `DRIP-ANCHORS`: one key a partition and keeper.
//!
//! A bucket is a stream that holds the last message of each subject. What is needed of it is one read and one guarded
//! write, so that is how it is spoken to; the client library's own reads may be answered by a replica that lags.
//! Reads here are answered by the leader, which may be stale for a moment all the same: an older anchor is only weaker.
//!
//! The bucket stands on the same disks as the log. It can be damaged too, or be restored together with it from a
//! backup of yesterday; then only the views know better.

use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::context::traits::Publisher as _;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::RawMessageErrorKind;
use ledger_core::{PartitionId, Sequence};
use serde_json::{Value, json};

use super::unavailable;
use crate::{Anchor, Keeper, ReadError};

/// The bucket's stream; `DRIP-ANCHORS` to those who speak KV.
pub(super) const STREAM: &str = "KV_DRIP-ANCHORS";
const PREFIX: &str = "$KV.DRIP-ANCHORS.";
/// Who keeps anchors here.
const KEEPERS: [Keeper; 2] = [Keeper::Writer, Keeper::Projector];
/// So often the place of an anchor may turn out to be taken by somebody else who keeps it at the same time.
const TRIES: u32 = 5;
/// By KV's own convention a message with this header says that its key holds nothing.
const OPERATION_HEADER: &str = "KV-Operation";

/// The whole configuration of the bucket's stream.
pub(super) fn wanted(replicas: u64) -> Value {
    json!({
        "name": STREAM,
        "subjects": [format!("{PREFIX}>")],
        "retention": "limits",
        "discard": "new",
        "storage": "file",
        "num_replicas": replicas,
        "max_age": 0,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_msgs_per_subject": 1,
        "max_consumers": -1,
        "max_msg_size": 4096,
        "duplicate_window": 120_000_000_000_u64,
        "compression": "none",
        "deny_delete": true,
        "deny_purge": true,
    })
}

fn key(partition: PartitionId, keeper: Keeper) -> String {
    format!("{:02}.{}", partition.0, keeper.name())
}

/// What is kept of a partition.
pub(super) async fn known(context: &Context, partition: PartitionId) -> Result<Vec<Anchor>, ReadError> {
    let mut anchors = Vec::new();
    for keeper in KEEPERS {
        anchors.extend(Slot::read(context, key(partition, keeper)).await?.anchor);
    }
    Ok(anchors)
}

/// Keeps an anchor, unless a higher one or another log's is there.
pub(super) async fn keep(context: &Context, anchor: &Anchor) -> Result<(), ReadError> {
    for _ in 0..TRIES {
        let slot = Slot::read(context, key(anchor.partition, anchor.kept_by)).await?;
        match slot.anchor {
            Some(known) if known.log != anchor.log => {
                return Err(slot.unusable(format!("it belongs to log {}", known.log)));
            }
            Some(known) if known.sequence >= anchor.sequence => return Ok(()),
            _ => {}
        }
        let value = serde_json::to_vec(anchor).expect("an anchor holds only text and numbers");
        if slot.write(context, PublishMessage::build().payload(value.into())).await? {
            return Ok(());
        }
    }
    Err(unavailable("keeping an anchor", "somebody else keeps it at the same time, again and again"))
}

/// Removes what the keeper of this anchor has kept.
pub(super) async fn forget(context: &Context, anchor: &Anchor) -> Result<(), ReadError> {
    let slot = Slot::read(context, key(anchor.partition, anchor.kept_by)).await?;
    if slot.anchor != Some(*anchor) {
        return Err(slot.unusable("it was changed meanwhile".to_owned()));
    }
    let nothing = PublishMessage::build().header(OPERATION_HEADER, "DEL");
    match slot.write(context, nothing).await? {
        true => Ok(()),
        false => Err(unavailable("forgetting an anchor", "it was changed meanwhile")),
    }
}

/// A key of the bucket as it was found.
struct Slot {
    key: String,
    /// Of its last message; 0: none.
    revision: Sequence,
    anchor: Option<Anchor>,
}

impl Slot {
    async fn read(context: &Context, key: String) -> Result<Self, ReadError> {
        let stream = context.get_stream_no_info(STREAM).await;
        let stream = stream.map_err(|error| unavailable("finding the bucket of anchors", error))?;
        match stream.get_last_raw_message_by_subject(&format!("{PREFIX}{key}")).await {
            Ok(message) => Self::of(key, &message),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => {
                Ok(Self { key, revision: 0, anchor: None })
            }
            Err(error) => Err(unavailable("reading an anchor", error)),
        }
    }

    fn of(key: String, message: &StreamMessage) -> Result<Self, ReadError> {
        let mut slot = Self { key, revision: message.sequence, anchor: None };
        if message.headers.get(OPERATION_HEADER).is_none() {
            let anchor: Result<Anchor, _> = serde_json::from_slice(&message.payload);
            let anchor = anchor.map_err(|error| slot.unusable(error.to_string()))?;
            if key_of(&anchor) != slot.key {
                return Err(slot.unusable(format!("it is one of {}", key_of(&anchor))));
            }
            slot.anchor = Some(anchor);
        }
        Ok(slot)
    }

    /// Stores what follows this revision; `false`: somebody else has stored something since.
    async fn write(&self, context: &Context, message: PublishMessage) -> Result<bool, ReadError> {
        let message = message.expected_last_subject_sequence(self.revision).expected_stream(STREAM);
        let message = message.outbound_message(format!("{PREFIX}{}", self.key));
        let sent = context.publish_message(message).await;
        let answer = match sent {
            Ok(acknowledgement) => acknowledgement.await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(false),
            Err(error) => Err(unavailable("keeping an anchor", error)),
        }
    }

    fn unusable(&self, reason: String) -> ReadError {
        ReadError::Anchor { key: self.key.clone(), reason }
    }
}

fn key_of(anchor: &Anchor) -> String {
    key(anchor.partition, anchor.kept_by)
}
