//! What a ledger's stream must be like, to the last field.

use ledger_core::{LogId, PartitionId};
use serde_json::{Map, Value, json};

use super::stream_name;
use crate::LogIdentity;

/// Which rules tie one commit to the one before it; a stream for others is not for this program.
const CHAIN_VERSION: &str = "1";

/// The whole configuration. Nothing expires, nothing can be deleted or rewritten, full means refused; a
/// message is one commit. What is not named here must be off.
pub(super) fn wanted(identity: LogIdentity, partition: PartitionId, replicas: u64) -> Value {
    let subject = |class: &str| format!("drip.ledger.{:02}.{class}", partition.0);
    json!({
        "name": stream_name(partition),
        "subjects": [subject("usage"), subject("signal")],
        "retention": "limits",
        "discard": "new",
        "storage": "file",
        "num_replicas": replicas,
        "max_age": 0,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_msgs_per_subject": -1,
        "max_consumers": -1,
        "max_msg_size": 1 << 20,
        "duplicate_window": 120_000_000_000_u64,
        "compression": "none",
        "deny_delete": true,
        "deny_purge": true,
        "metadata": {
            "drip.log": identity.log.to_string(),
            "drip.partitions": identity.partitions.to_string(),
            "drip.chain": CHAIN_VERSION,
        },
    })
}

/// Which log a stream belongs to, by its metadata.
pub(super) fn identity(config: &Value) -> Option<LogIdentity> {
    let text = |name: &str| config["metadata"][name].as_str();
    let log: LogId = text("drip.log")?.parse().ok()?;
    let partitions = text("drip.partitions")?.parse().ok()?;
    LogIdentity { log, partitions }.check().ok()
}

/// How many replicas a stream has, if it is a number that makes sense (two have no majority without both).
pub(super) fn replicas(config: &Value) -> Option<u64> {
    config["num_replicas"].as_u64().filter(|count| matches!(count, 1 | 3 | 5))
}

/// Where the two differ, each as a piece of a sentence. What the server adds by itself is no difference.
pub(super) fn differences(wanted: &Value, found: &Value) -> Vec<String> {
    let (wanted, found) = (fields(wanted), fields(found));
    let mut names: Vec<&String> = wanted.keys().chain(found.keys()).collect();
    names.sort();
    names.dedup();
    let differ = |name: &&String| wanted.get(*name) != found.get(*name);
    let describe = |name: &String| {
        let show = |value: Option<&Value>| value.map_or("not set".to_owned(), Value::to_string);
        format!("{name} is {}, must be {}", show(found.get(name)), show(wanted.get(name)))
    };
    names.into_iter().filter(differ).map(describe).collect()
}

/// The fields that say something: those that are off are the same as those that are not there.
fn fields(config: &Value) -> Map<String, Value> {
    let Some(config) = config.as_object() else { return Map::new() };
    let mut fields = config.clone();
    if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
        metadata.retain(|name, _| !name.starts_with("_nats."));
    }
    if let Some(Value::Array(subjects)) = fields.get_mut("subjects") {
        subjects.sort_by_key(ToString::to_string);
    }
    fields.retain(|_, value| !is_off(value));
    fields
}

fn is_off(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}
