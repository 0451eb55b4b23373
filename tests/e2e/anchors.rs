//! A log whose disk has lost its tail, or that was replaced: whoever would write to it or fold it stops with a sentence,
//! and nothing is appended.

use serde_json::json;
use test_servers::{NatsServer, Postgres, cut_stream};

use crate::ask::{Said, said};
use crate::stack::{BOUND, Drip, engine_flags, program, until};

/// So long the log must look other than it was; in production 30 s.
const PATIENCE: &str = "2";
const STREAM: &str = "LEDGER-00";

fn flags(nats: &NatsServer, database: &str) -> Vec<String> {
    let mut flags = engine_flags(nats, database);
    flags.extend(["--log-patience", PATIENCE].map(str::to_owned));
    flags
}

/// A Drip on a log of one partition, with many small commits.
async fn at_work(nats: &NatsServer, database: &str) -> Drip {
    let mut flags = flags(nats, database);
    flags.extend(["--partitions", "1"].map(str::to_owned));
    let mut drip = Drip::prepared(&["up"], &flags);
    drip.restart().await;
    for user in 0..40 {
        drip.open(&format!("user-{user}"), "1").await;
    }
    // The views know of all of it, so that they can tell what is missing.
    let all = format!("/v1/users?limit=1&wait_for=0-{}-0", last_sequence(nats).await);
    assert_eq!(drip.get(&all).await.status, 200);
    drip
}

async fn last_sequence(nats: &NatsServer) -> u64 {
    let client = async_nats::connect(nats.url()).await.expect("the server is up");
    let stream = async_nats::jetstream::new(client).get_stream(STREAM).await.expect("the stream is there");
    stream.cached_info().state.last_sequence
}

/// While nobody uses it, the disk loses half of the log. How long the log was and is.
async fn lose_half(nats: &mut NatsServer) -> (u64, u64) {
    let before = last_sequence(nats).await;
    nats.stop().await;
    cut_stream(&nats.store_dir(), STREAM, 0.5);
    nats.restart().await;
    let after = last_sequence(nats).await;
    assert!(0 < after && after < before, "{after} of {before}: the server has built its index anew");
    (before, after)
}

/// A command of the server side, to its end.
async fn run(drip: &Drip, role: &[&str], flags: &[String]) -> Said {
    let mut command = program();
    command.args(role).arg("--data-dir").arg(drip.data_dir()).args(flags);
    said(command).await
}

fn assert_said(said: &Said, words: &[String]) {
    assert_eq!(said.code, 1, "{}", said.err);
    for word in words {
        assert!(said.err.contains(word), "no {word:?} in\n{}", said.err);
    }
    assert!(!said.err.contains("panicked"), "{}", said.err);
}

#[tokio::test]
async fn a_log_that_lost_its_tail_is_refused_by_writer_and_projector_until_the_loss_is_accepted() {
    let mut nats = NatsServer::start().await;
    let postgres = Postgres::shared().await;
    let (old, fresh) = (postgres.fresh_database().await, postgres.fresh_database().await);
    let mut drip = at_work(&nats, &old).await;
    drip.stop().await;
    let (before, after) = lose_half(&mut nats).await;

    // Views that know nothing: only what is kept beside the log tells.
    let fresh = flags(&nats, &fresh);
    let init = run(&drip, &["init"], &fresh).await;
    assert_eq!(init.code, 0, "{}", init.err);
    let http = format!("127.0.0.1:{}", test_servers::free_port());
    let words = [format!("commit {before} "), format!("ends at {after}"), "has the hash".to_owned()];
    let writer = [&fresh[..], &["--http".to_owned(), http]].concat();
    assert_said(&run(&drip, &["run", "command-api"], &writer).await, &words);
    assert_said(&run(&drip, &["run", "projector"], &fresh).await, &words);
    // The views know as well.
    let known = run(&drip, &["run", "projector"], &flags(&nats, &old)).await;
    assert_said(&known, &[format!("ends at {after}")]);
    let known = run(&drip, &["init"], &flags(&nats, &old)).await;
    assert_said(&known, &["behind the views".to_owned(), format!("ends at {after}")]);
    assert_eq!(last_sequence(&nats).await, after, "nothing was appended");

    // What is left is right in itself, and views that know nothing do not miss it.
    let verified = run(&drip, &["verify", "--log-only"], &fresh).await;
    assert_eq!(verified.code, 7, "{}", verified.err);
    assert!(verified.err.contains(&format!("the log ends at {after}")), "{}", verified.err);
    let listed = run(&drip, &["anchors", "list"], &fresh).await;
    assert!(listed.out.contains(&format!("differs: the log ends at {after}")), "{}", listed.out);
    let careless = run(&drip, &["anchors", "forget"], &fresh).await;
    assert_eq!(careless.code, 2, "{}", careless.err);
    let forgotten = run(&drip, &["anchors", "forget", "--yes-data-is-lost"], &fresh).await;
    assert_eq!(forgotten.code, 0, "{}", forgotten.err);
    assert!(forgotten.out.contains("writer") && forgotten.out.contains("projector"), "{}", forgotten.out);
    let mut drip = Drip::prepared(&["up"], &fresh);
    drip.restart().await;
    drip.open("a new user", "1").await;
    drip.stop().await;
    assert!(last_sequence(&nats).await > after, "Drip works on what is left");
    let again = run(&drip, &["anchors", "forget", "--yes-data-is-lost"], &fresh).await;
    assert!(again.out.lines().count() <= 1 && again.err.contains("nothing was forgotten"), "{}", again.err);
}

#[tokio::test]
async fn a_log_that_loses_its_tail_under_a_running_drip_stops_it_and_nothing_is_appended() {
    let mut nats = NatsServer::start().await;
    let database = Postgres::shared().await.fresh_database().await;
    let mut drip = at_work(&nats, &database).await;
    let (before, after) = lose_half(&mut nats).await;
    let health = until(BOUND, "health says that the log is in doubt", async || {
        let health = drip.get("/health/ready").await;
        health.body.to_string().contains("in doubt whether the log is whole").then_some(health)
    });
    let health = health.await;
    assert_eq!(health.status, 503);
    assert!(health.body.to_string().contains(&format!("ends at {after}")), "{health:?}");
    let debit = drip.debit("user-1", &json!({ "amount": "0.1", "meter": "search", "key": "k" })).await;
    assert_eq!(debit.status, 503, "{debit:?}");

    let status = drip.ended().await;
    assert_eq!(status.code(), Some(1), "{}", drip.log());
    for word in [format!("commit {before} "), format!("ends at {after}"), "cut or replaced".to_owned()] {
        assert!(drip.output().contains(&word), "no {word:?} in\n{}", drip.log());
    }
    drip.assert_no_panic();
    assert_eq!(last_sequence(&nats).await, after, "nothing was appended");
}
