//! A nats-server that is killed, paused, and started again, under writers and followers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use event_log::{AppendOutcome, Entry, EventLog, JetStreamLog, JetStreamOptions, contract};
use futures::join;
use ledger_core::Sequence;
use ledger_core::commit::EncodedCommit;
use test_servers::NatsServer;

use crate::setup::{IDENTITY, ZERO, created, options};

fn burst(sequence: Sequence) -> EncodedCommit {
    contract::commit(IDENTITY, ZERO, sequence, &"in a burst ".repeat(500))
}

/// Appends as a writer does: the same bytes again until they stand there. Counts the tries that failed.
async fn insist(log: &JetStreamLog, commit: &EncodedCommit, failed: &AtomicU64) {
    loop {
        match log.append(commit).await {
            AppendOutcome::Stored => return,
            AppendOutcome::Conflict => match log.read(ZERO, commit.prefix.sequence).await {
                Ok(Some(Entry::Commit(found))) => {
                    assert_eq!(found.hash, commit.hash, "nobody else writes here");
                    return;
                }
                Ok(Some(other)) => panic!("nobody else writes here: {other:?}"),
                Ok(None) | Err(_) => {}
            },
            AppendOutcome::Unknown(_) | AppendOutcome::Refused(..) => {}
            AppendOutcome::Fatal(reason) => panic!("{reason}"),
        }
        failed.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn append(log: &JetStreamLog, sequence: Sequence, payload: &str) {
    insist(log, &contract::commit(IDENTITY, ZERO, sequence, payload), &AtomicU64::new(0)).await;
}

/// Until somebody else has counted so far.
async fn reached(counter: &AtomicU64, count: u64) {
    let wait = async {
        while counter.load(Ordering::Relaxed) < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("the other one goes on");
}

#[tokio::test]
async fn a_server_killed_in_a_burst_keeps_what_it_acknowledged_and_the_rest_is_resolved() {
    let mut server = NatsServer::start().await;
    created(&server).await;
    let options = JetStreamOptions { timeout: Duration::from_millis(500), ..options(&server) };
    let log = JetStreamLog::open(&options).await.expect("the log is there and in order");
    let (count, head, failed) = (600, AtomicU64::new(0), AtomicU64::new(0));
    let mut live = log.follow(ZERO, 0);
    let write = async {
        for sequence in 1..=count {
            insist(&log, &burst(sequence), &failed).await;
            head.store(sequence, Ordering::Relaxed);
        }
    };
    let kill = async {
        for sequence in [100, 250, 400] {
            reached(&head, sequence).await;
            server.kill();
            reached(&failed, failed.load(Ordering::Relaxed) + 1).await;
            server.restart().await;
        }
    };
    let follow = async {
        for sequence in 1..=count {
            let Entry::Commit(found) = contract::next(&mut live).await else {
                panic!("nobody else writes here")
            };
            assert_eq!((found.prefix.sequence, found.hash), (sequence, burst(sequence).hash));
        }
    };
    join!(write, kill, follow);
    assert_eq!(log.head(ZERO).await.expect("readable"), count);
    for sequence in 1..=count {
        assert_eq!(contract::stored(&log, ZERO, sequence).await.bytes, burst(sequence).bytes);
    }
}

#[tokio::test]
async fn while_the_server_is_away_appends_are_unknown_and_land_once_when_it_is_back() {
    let mut server = NatsServer::start().await;
    let log = created(&server).await;
    contract::fill(&log, ZERO, 1).await;
    server.kill();
    let second = contract::commit(IDENTITY, ZERO, 2, "while it was away");
    for _ in 0..2 {
        let outcome = log.append(&second).await;
        assert!(matches!(outcome, AppendOutcome::Unknown(_)), "{outcome:?}");
    }
    let read = log.read(ZERO, 1).await.expect_err("nobody answers").to_string();
    assert!(read.starts_with("the log can not be read now: "), "{read}");
    server.restart().await;
    append(&log, 2, "while it was away").await;
    append(&log, 3, "after").await;
    assert_eq!(log.head(ZERO).await.expect("readable"), 3);
}

#[tokio::test]
async fn a_follower_goes_on_after_every_kind_of_outage() {
    let mut server = NatsServer::start().await;
    let log = created(&server).await;
    let mut following = log.follow(ZERO, 0);
    let mut sequence = 0;
    for outage in ["none", "kill", "restart", "pause", "kill"] {
        match outage {
            "kill" => server.kill(),
            "restart" => server.stop().await,
            "pause" => server.pause(),
            _ => {}
        }
        // The follower waits through it, longer than its heartbeats.
        let waiting = tokio::time::timeout(Duration::from_secs(5), contract::next(&mut following)).await;
        assert!(waiting.is_err(), "nothing was appended: {waiting:?}");
        match outage {
            "kill" | "restart" => server.restart().await,
            "pause" => server.resume(),
            _ => {}
        }
        for _ in 0..3 {
            sequence += 1;
            append(&log, sequence, outage).await;
            assert_eq!(contract::next(&mut following).await.sequence(), sequence, "{outage}");
        }
    }
}

#[tokio::test]
async fn a_follower_that_nobody_asks_for_a_while_loses_nothing() {
    let mut server = NatsServer::start().await;
    let log = created(&server).await;
    let mut following = log.follow(ZERO, 0);
    contract::fill(&log, ZERO, 200).await;
    for sequence in 1..=10 {
        assert_eq!(contract::next(&mut following).await.sequence(), sequence);
    }
    server.kill();
    server.restart().await;
    for sequence in 201..=400 {
        append(&log, sequence, "unseen").await;
    }
    for sequence in 11..=400 {
        assert_eq!(contract::next(&mut following).await.sequence(), sequence);
    }
}
