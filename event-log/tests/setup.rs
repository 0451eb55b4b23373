//! What the tests of both backends need.

use event_log::{JetStreamLog, JetStreamOptions, LogIdentity, contract};
use ledger_core::{LogId, PartitionId};
use serde_json::Value;
use std::time::Duration;
use test_servers::NatsServer;

pub(crate) const ZERO: PartitionId = PartitionId(0);

pub(crate) const IDENTITY: LogIdentity =
    LogIdentity { log: LogId([0x11; 16]), partitions: contract::PARTITIONS };

/// How to reach this server, with short waits: these tests take answers away on purpose.
pub(crate) fn options(server: &NatsServer) -> JetStreamOptions {
    JetStreamOptions {
        monitor_urls: vec![server.monitor_url()],
        timeout: Duration::from_secs(2),
        ..JetStreamOptions::new(server.url())
    }
}

/// A new log on this server.
pub(crate) async fn created(server: &NatsServer) -> JetStreamLog {
    let found =
        JetStreamLog::create(&options(server), IDENTITY, 1).await.expect("an empty server takes a log");
    assert_eq!(found, IDENTITY);
    opened(server).await
}

pub(crate) async fn opened(server: &NatsServer) -> JetStreamLog {
    JetStreamLog::open(&options(server)).await.expect("the log is there and in order")
}

/// Somebody else's connection to the same server.
pub(crate) async fn stranger(server: &NatsServer) -> async_nats::jetstream::Context {
    let client = async_nats::connect(server.url()).await.expect("the server is up");
    async_nats::jetstream::new(client)
}

/// A request to JetStream's API that must succeed.
pub(crate) async fn api(context: &async_nats::jetstream::Context, subject: String, body: &Value) -> Value {
    let answer: Value = context.request(subject.clone(), body).await.expect("the server answers");
    assert_eq!(answer["error"], Value::Null, "{subject} {body}");
    answer
}
