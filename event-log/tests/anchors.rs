//! Anchors on a real nats-server: kept, guarded, missed; and a log whose disk is damaged.

use std::sync::Arc;
use std::time::Duration;

use event_log::anchors::{self, Difference};
use event_log::{
    AnchorError, AppendOutcome, EventLog, JetStreamLog, JetStreamOptions, Keeper, LogIdentity, contract,
};
use ledger_core::LogId;
use serde_json::{Value, json};
use test_servers::{NatsServer, cut_stream, flip_bit_in_stream, replace_stream};

use crate::setup::{IDENTITY, ZERO, api, created, opened, options, stranger};

const STREAM: &str = "KV_DRIP-ANCHORS";

#[tokio::test]
async fn kept_anchors_never_go_backwards() {
    let server = NatsServer::start().await;
    contract::kept_anchors_never_go_backwards(Arc::new(created(&server).await)).await;
}

#[tokio::test]
async fn of_two_who_keep_anchors_at_once_the_highest_stays() {
    let server = NatsServer::start().await;
    let (one, other) = (Arc::new(created(&server).await), Arc::new(opened(&server).await));
    contract::of_two_who_keep_anchors_at_once_the_highest_stays(one, other).await;
}

#[tokio::test]
async fn an_anchor_outlives_the_server_and_is_forgotten_only_as_it_was_read() {
    let mut server = NatsServer::start().await;
    let log = created(&server).await;
    let first = contract::anchor(IDENTITY, 7, "first", Keeper::Writer);
    let second = contract::anchor(IDENTITY, 8, "second", Keeper::Writer);
    log.keep_anchor(&first).await.expect("kept");
    server.kill();
    server.restart().await;
    let log = opened(&server).await;
    assert_eq!(log.anchors(ZERO).await.expect("readable"), [first]);
    log.keep_anchor(&second).await.expect("kept");
    log.forget_anchor(&first).await.expect_err("it is another one by now");
    log.forget_anchor(&second).await.expect("forgotten");
    assert_eq!(log.anchors(ZERO).await.expect("readable"), []);
    log.keep_anchor(&first).await.expect("kept again, lower");
    assert_eq!(log.anchors(ZERO).await.expect("readable"), [first]);
}

#[tokio::test]
async fn what_a_stranger_writes_into_the_bucket_is_named() {
    let server = NatsServer::start().await;
    let log = created(&server).await;
    let context = stranger(&server).await;
    let projector = serde_json::to_vec(&contract::anchor(IDENTITY, 7, "", Keeper::Projector)).expect("JSON");
    for value in [b"garbage".to_vec(), b"{}".to_vec(), projector] {
        let publish = context.publish("$KV.DRIP-ANCHORS.00.writer", value.into()).await;
        publish.expect("sent").await.expect("stored");
        let anchor = contract::anchor(IDENTITY, 9, "", Keeper::Writer);
        for error in [log.anchors(ZERO).await.map(drop), log.keep_anchor(&anchor).await] {
            let error = error.expect_err("it is no anchor of this key").to_string();
            assert!(error.contains("anchor 00.writer") && error.contains("nats kv del"), "{error}");
        }
    }
    // What KV clients write to remove a key.
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("KV-Operation", "DEL");
    let publish = context.publish_with_headers("$KV.DRIP-ANCHORS.00.writer", headers, "".into()).await;
    publish.expect("sent").await.expect("stored");
    assert_eq!(log.anchors(ZERO).await.expect("readable"), []);
}

#[tokio::test]
async fn a_log_without_its_bucket_is_not_opened_to_be_written() {
    let server = NatsServer::start().await;
    created(&server).await;
    stranger(&server).await.delete_stream(STREAM).await.expect("deleted");
    let refused = JetStreamLog::open(&options(&server)).await.expect_err("no bucket").to_string();
    assert!(refused.contains("no bucket DRIP-ANCHORS") && refused.contains("`drip init`"), "{refused}");
    let reads = JetStreamOptions { only_reads: true, ..options(&server) };
    JetStreamLog::open(&reads).await.expect("who only reads needs none");
    JetStreamLog::create_anchors(&options(&server)).await.expect("created");
    opened(&server).await;
    JetStreamLog::create_anchors(&options(&server)).await.expect("it is there");
}

#[tokio::test]
async fn every_difference_in_the_buckets_configuration_is_refused() {
    let server = NatsServer::start().await;
    created(&server).await;
    let context = stranger(&server).await;
    let good = api(&context, format!("STREAM.INFO.{STREAM}"), &Value::Null).await["config"].take();
    for (field, value) in [
        ("max_age", json!(3_600_000_000_000_u64)),
        ("max_msgs_per_subject", json!(5)),
        ("storage", json!("memory")),
        ("allow_direct", json!(true)),
        ("discard", json!("old")),
    ] {
        context.delete_stream(STREAM).await.expect("deleted");
        let mut config = good.clone();
        config[field] = value.clone();
        api(&context, format!("STREAM.CREATE.{STREAM}"), &config).await;
        for refused in [
            JetStreamLog::open(&options(&server)).await.map(drop),
            JetStreamLog::create(&options(&server), IDENTITY, 1).await.map(drop),
            JetStreamLog::create_anchors(&options(&server)).await,
        ] {
            let refused = refused.expect_err(field).to_string();
            assert!(refused.contains(&format!("{STREAM} is not configured")), "{refused}");
            assert!(refused.contains(&format!("{field} is ")), "{field} {value}: {refused}");
        }
    }
}

#[tokio::test]
async fn a_new_log_does_not_take_the_place_of_one_that_is_remembered() {
    let server = NatsServer::start().await;
    let log = created(&server).await;
    log.keep_anchor(&contract::anchor(IDENTITY, 7, "", Keeper::Writer)).await.expect("kept");
    let context = stranger(&server).await;
    for stream in ["LEDGER-00", "LEDGER-01"] {
        context.delete_stream(stream).await.expect("deleted");
    }
    let other = LogIdentity { log: LogId([0x22; 16]), partitions: 1 };
    let refused =
        JetStreamLog::create(&options(&server), other, 1).await.expect_err("remembered").to_string();
    for word in ["LEDGER-00 is gone", "the writer", "commit 7", &IDENTITY.log.to_string(), "nats kv del"] {
        assert!(refused.contains(word), "{word:?} in {refused}");
    }
    let missing = JetStreamLog::open(&options(&server)).await.expect_err("nothing was created").to_string();
    assert!(missing.contains("there is no log"), "{missing}");
    context.delete_stream(STREAM).await.expect("deleted");
    JetStreamLog::create(&options(&server), other, 1).await.expect("nobody remembers the first one");
}

/// The log is whole, then its disk loses what stands behind the middle, while nobody is connected.
async fn damaged(damage: impl FnOnce(&NatsServer)) -> (NatsServer, Result<(), AnchorError>) {
    let mut server = NatsServer::start().await;
    let log = created(&server).await;
    contract::fill(&log, ZERO, 40).await;
    let anchor = contract::anchor(IDENTITY, 40, "filling", Keeper::Writer);
    log.keep_anchor(&anchor).await.expect("kept");
    anchors::check(&log, &log.anchors(ZERO).await.expect("readable")).await.expect("it is whole");
    drop(log);
    server.stop().await;
    damage(&server);
    server.restart().await;
    let options = JetStreamOptions { patience: Duration::from_millis(300), ..options(&server) };
    let log = JetStreamLog::open(&options).await.expect("the server says nothing");
    let known = log.anchors(ZERO).await.expect("readable");
    assert_eq!(known, [anchor]);
    (server, anchors::check(&log, &known).await)
}

#[tokio::test]
async fn a_log_whose_tail_was_cut_off_on_the_disk_is_found_shorter() {
    let (_server, checked) = damaged(|server| cut_stream(&server.store_dir(), "LEDGER-00", 0.5)).await;
    let found = match checked {
        Err(AnchorError::Differs(alarm)) => alarm.found,
        other => panic!("the log was cut, and {other:?}"),
    };
    assert!(matches!(found, Difference::EndsAt(10..=30)), "{found:?}");
}

#[tokio::test]
async fn a_log_with_a_flipped_bit_on_the_disk_is_found_shorter() {
    let (_server, checked) =
        damaged(|server| flip_bit_in_stream(&server.store_dir(), "LEDGER-00", 0.5)).await;
    match checked {
        Err(AnchorError::Differs(alarm)) => {
            assert!(matches!(alarm.found, Difference::EndsAt(..40)), "{alarm}")
        }
        other => panic!("a bit was flipped, and {other:?}"),
    }
}

#[tokio::test]
async fn a_log_that_was_replaced_by_another_of_the_same_length_is_found_to_be_another() {
    let mut other = NatsServer::start().await;
    let theirs = created(&other).await;
    for sequence in 1..=40 {
        let outcome = theirs.append(&contract::commit(IDENTITY, ZERO, sequence, "another")).await;
        assert_eq!(outcome, AppendOutcome::Stored);
    }
    drop(theirs);
    other.stop().await;
    let (_server, checked) =
        damaged(|server| replace_stream(&server.store_dir(), "LEDGER-00", &other.store_dir())).await;
    let hash = contract::commit(IDENTITY, ZERO, 40, "another").hash;
    match checked {
        Err(AnchorError::Differs(alarm)) => {
            assert_eq!(alarm.found, Difference::OtherAt { sequence: 40, hash }, "{alarm}");
        }
        other => panic!("it is another log, and {other:?}"),
    }
}
