//! JetStream: the contract, and strangers in our streams.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use event_log::{AppendOutcome, Entry, EventLog, LogIdentity, ReadError, contract};
use futures::StreamExt as _;
use ledger_core::LogId;
use ledger_core::commit::{EncodedCommit, Hash};
use serde_json::{Value, json};
use test_servers::NatsServer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::setup::{IDENTITY, ZERO, api, created, opened, stranger};

const SUBJECT: &str = "drip.ledger.00.usage";

/// A log on a server of its own, which goes with it.
struct Fresh {
    log: Arc<dyn EventLog>,
    server: NatsServer,
}

impl Fresh {
    fn log(&self) -> Arc<dyn EventLog> {
        Arc::clone(&self.log)
    }
}

async fn fresh() -> Fresh {
    let server = NatsServer::start().await;
    Fresh { log: Arc::new(created(&server).await), server }
}

mod keeps {
    crate::contract!();
}

#[tokio::test]
async fn of_two_racing_appenders_one_wins_each_sequence() {
    let Fresh { log, server } = fresh().await;
    contract::of_two_racing_appenders_one_wins_each_sequence(log, Arc::new(opened(&server).await)).await;
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let Fresh { log, mut server } = fresh().await;
    contract::reopening_keeps_everything(log, async {
        server.kill();
        server.restart().await;
        Arc::new(opened(&server).await) as Arc<dyn EventLog>
    })
    .await;
}

#[tokio::test]
async fn a_commit_tells_when_the_server_stored_it() {
    let fresh = fresh().await;
    contract::fill(&*fresh.log, ZERO, 1).await;
    let read = contract::stored(&*fresh.log, ZERO, 1).await.stored_at.expect("the server says it");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let age = i64::try_from(now.as_micros()).expect("small") - read.0;
    assert!((0..10_000_000).contains(&age), "stored {age} µs ago");
    let followed = contract::next(&mut fresh.log.follow(ZERO, 0)).await;
    let Entry::Commit(followed) = followed else { panic!("it is ours") };
    assert_eq!(followed.stored_at, Some(read));
}

/// Stores a message with these bytes on the wire, headers included, past every client library.
async fn publish_raw(server: &NatsServer, headers: &str, body: &str) {
    let address = server.url().replace("nats://", "");
    let mut stream = TcpStream::connect(address).await.expect("the server is up");
    let (head, all) = (headers.len(), headers.len() + body.len());
    let connect = r#"CONNECT {"verbose":false,"headers":true}"#;
    let text = format!("{connect}\r\nHPUB {SUBJECT} {head} {all}\r\n{headers}{body}\r\nPING\r\n");
    stream.write_all(text.as_bytes()).await.expect("the server reads");
    let mut answer = String::new();
    while !answer.contains("PONG") {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).await.expect("the server answers");
        assert_ne!(length, 0, "the server closed the connection: {answer}");
        answer.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
}

/// Follows from the start until this many came. Answers which were foreign.
async fn foreign(log: &dyn EventLog, count: u64) -> Vec<u64> {
    let mut following = log.follow(ZERO, 0);
    let mut foreign = Vec::new();
    for sequence in 1..=count {
        let entry = contract::next(&mut following).await;
        assert_eq!(entry.sequence(), sequence);
        if matches!(entry, Entry::Foreign { .. }) {
            foreign.push(sequence);
        }
    }
    foreign
}

/// Headers that are none make the client library drop the connection, and with it the answers on their way.
async fn until_answered(log: &dyn EventLog, commit: &EncodedCommit) -> AppendOutcome {
    for _ in 0..10 {
        match log.append(commit).await {
            AppendOutcome::Unknown(_) => {}
            outcome => return outcome,
        }
    }
    panic!("the log is there again after a moment");
}

async fn read_until_answered(log: &dyn EventLog, sequence: u64) -> Option<Entry> {
    for _ in 0..10 {
        match log.read(ZERO, sequence).await {
            Err(ReadError::Unavailable { .. }) => {}
            read => return read.expect("not damaged"),
        }
    }
    panic!("the log is there again after a moment");
}

#[tokio::test]
async fn what_a_stranger_stores_is_stepped_over() {
    let Fresh { log, server } = fresh().await;
    let mut live = log.follow(ZERO, 0);
    let other = LogIdentity { log: LogId([0x22; 16]), ..IDENTITY };
    let theirs = contract::commit(other, ZERO, 2, "of another log");
    let late = contract::commit(IDENTITY, ZERO, 1, "ours, at another place");
    let headers = [
        "NATS/1.0\r\n\r\n".to_owned(),
        "NATS/1.0 408 Request Timeout\r\n\r\n".to_owned(),
        "NATS/1.0 409 Consumer Deleted\r\n\r\n".to_owned(),
        "NATS/1.0 503\r\n\r\n".to_owned(),
        "NATS/1.0 100 Idle Heartbeat\r\n\r\n".to_owned(),
        "NATS/1.0\r\nDrip-Prefix: nonsense\r\n\r\n".to_owned(),
        "NATS/1.0\r\nno colon in this line\r\n\r\n".to_owned(),
        "no header at all\r\n\r\n".to_owned(),
        "NATS/1.0\r\nDrip-Prefix: \u{1F980}\r\n\r\n".to_owned(),
        format!("NATS/1.0\r\nDrip-Prefix: {}\r\n\r\n", theirs.prefix.to_hex()),
        format!("NATS/1.0\r\nDrip-Prefix: {}\r\n\r\n", late.prefix.to_hex()),
    ];
    let mut expected = Vec::new();
    let mut sequence = 0;
    for headers in &headers {
        sequence += 1;
        assert_eq!(
            log.append(&contract::commit(IDENTITY, ZERO, sequence, "ours")).await,
            AppendOutcome::Stored
        );
        publish_raw(&server, headers, "a stranger's").await;
        sequence += 1;
        expected.push(sequence);
        let in_its_place = contract::commit(IDENTITY, ZERO, sequence, "ours");
        assert_eq!(until_answered(&*log, &in_its_place).await, AppendOutcome::Conflict, "{headers:?}");
        let read = read_until_answered(&*log, sequence).await;
        assert!(matches!(read, Some(Entry::Foreign { .. })), "{headers:?}: {read:?}");
        for _ in 0..2 {
            contract::next(&mut live).await;
        }
    }
    sequence += 1;
    assert_eq!(log.append(&contract::commit(IDENTITY, ZERO, sequence, "ours")).await, AppendOutcome::Stored);
    assert_eq!(foreign(&*log, sequence).await, expected);
}

#[tokio::test]
async fn what_claims_to_be_ours_and_is_not_is_damage() {
    let ours = contract::commit(IDENTITY, ZERO, 2, "ours");
    let other = contract::commit(IDENTITY, ZERO, 2, "other");
    let elsewhere = contract::commit(IDENTITY, ZERO, 3, "elsewhere");
    for (id, body) in [(ours.hash, &other), (elsewhere.hash, &elsewhere), (Hash::ZERO, &ours)] {
        let Fresh { log, server } = fresh().await;
        contract::fill(&*log, ZERO, 1).await;
        forge(&server, &ours, id, body).await;
        let read = log.read(ZERO, 2).await.expect_err("damaged");
        assert!(matches!(read, ReadError::Damaged { sequence: 2, .. }), "{read}");
        let mut following = log.follow(ZERO, 0);
        assert_eq!(contract::next(&mut following).await.sequence(), 1);
        let followed = following.next().await.expect("an error item").expect_err("damaged");
        assert!(matches!(followed, ReadError::Damaged { sequence: 2, .. }), "{followed}");
        assert!(following.next().await.is_none(), "damage ends the following");
    }
}

/// Stores the header of one commit, any id, and the body of another.
async fn forge(server: &NatsServer, header: &EncodedCommit, id: Hash, body: &EncodedCommit) {
    let mut headers = HeaderMap::new();
    headers.insert("Drip-Prefix", header.prefix.to_hex().as_str());
    headers.insert("Nats-Msg-Id", id.to_string().as_str());
    let context = stranger(server).await;
    let publish = context.publish_with_headers(SUBJECT, headers, body.bytes.clone()).await;
    publish.expect("sent").await.expect("stored");
}

#[tokio::test]
async fn a_missing_commit_is_damage() {
    let server = NatsServer::start().await;
    let log = created(&server).await;
    let context = stranger(&server).await;
    let mut config = api(&context, "STREAM.INFO.LEDGER-00".to_owned(), &Value::Null).await["config"].take();
    // Somebody with too many rights, before the log was opened: deletions are denied from then on.
    context.delete_stream("LEDGER-00").await.expect("deleted");
    config["deny_delete"] = json!(false);
    api(&context, "STREAM.CREATE.LEDGER-00".to_owned(), &config).await;
    contract::fill(&log, ZERO, 3).await;
    api(&context, "STREAM.MSG.DELETE.LEDGER-00".to_owned(), &json!({ "seq": 2 })).await;
    let mut following = log.follow(ZERO, 0);
    assert_eq!(contract::next(&mut following).await.sequence(), 1);
    let error = tokio::time::timeout(Duration::from_secs(20), following.next()).await.expect("in time");
    let error = error.expect("an error item").expect_err("damaged").to_string();
    assert!(error.contains("sequence 2: it is missing, though a later one is there"), "{error}");
}
