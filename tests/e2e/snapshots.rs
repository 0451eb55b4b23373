//! A start goes on from the newest snapshot that can be used: after kills, after damage, and never on a log that does
//! not hold what the snapshot knows.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use test_servers::{NatsServer, Postgres};

use crate::ask::said;
use crate::load::{Load, Target, a_moment};
use crate::stack::{Drip, Engines, engine_flags, on_both_engines, program};

/// Many snapshots in a short time.
const EAGER: [&str; 2] = ["--snapshot-after", "4000"];
const RESTORED: &str = "restored from a snapshot";
const PASSED_OVER: &str = "a snapshot is passed over";

on_both_engines!(drip_is_killed_while_it_writes_snapshots_and_goes_on_from_them);

async fn drip_is_killed_while_it_writes_snapshots_and_goes_on_from_them(engines: Engines) {
    let nats = NatsServer::start().await;
    let flags = match engines {
        Engines::Embedded => vec![],
        Engines::Servers => engine_flags(&nats, &Postgres::shared().await.fresh_database().await),
    };
    let mut drip = Drip::prepared(&["up"], &flags).with(&EAGER);
    drip.restart().await;
    let load = Load::prepare(&drip).await;
    let target = Target::of(&drip);
    let chaos = async {
        for _ in 0..4 {
            load.progress(200).await;
            a_moment(100).await;
            drip.kill();
            drip.restart().await;
        }
        load.progress(50).await;
    };
    load.during(&target, chaos).await;
    assert!(drip.log().contains(RESTORED), "{}", drip.log());
    load.check(&drip).await;
    drip.stop().await;
    assert_green(&drip).await;
}

/// `drip verify` has nothing to say against log and views.
async fn assert_green(drip: &Drip) {
    let mut verify = program();
    verify.arg("verify").args(drip.log_flags());
    said(verify).await.expect(0);
}

/// The state files of the newest snapshots, the newest first.
fn states(drip: &Drip) -> Vec<PathBuf> {
    let mut folder = drip.data_dir().join("snapshots");
    for _ in 0..2 {
        folder = fs::read_dir(folder).unwrap().next().expect("one log, one partition").unwrap().path();
    }
    let mut states: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join("state")).collect();
    states.sort_by(|a, b| b.cmp(a));
    states
}

/// In the middle, where the accounts are.
fn damage(file: &PathBuf) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(file, bytes).unwrap();
}

/// Two snapshots, each written by an orderly stop, of 1 USDC of which 0.3 is spent.
async fn stopped_twice() -> Drip {
    let mut drip = Drip::embedded().await;
    drip.open("anna", "1").await;
    drip.stop().await;
    drip.restart().await;
    drip.debit("anna", &json!({ "amount": "0.3", "meter": "search", "key": "a" })).await.expect(200);
    drip.stop().await;
    drip
}

#[tokio::test]
async fn a_damaged_snapshot_costs_time_and_nothing_else() {
    for (damaged, restored) in [(0, true), (1, true), (2, false)] {
        let mut drip = stopped_twice().await;
        let states = states(&drip);
        assert_eq!(states.len(), 2);
        states[..damaged].iter().for_each(damage);
        let said_before = drip.output().len();
        drip.restart().await;
        let said = &drip.output()[said_before..];
        assert_eq!(said.matches(PASSED_OVER).count(), damaged, "{said}");
        assert_eq!(said.contains(RESTORED), restored, "{said}");
        assert_eq!(drip.account("anna").await.text("balance"), "0.7");
        let again = drip.debit("anna", &json!({ "amount": "0.3", "meter": "search", "key": "a" })).await;
        assert_eq!(again.expect(200).body["duplicate"], json!(true));
        drip.stop().await;
        assert_green(&drip).await;
    }
}

#[tokio::test]
async fn a_log_that_does_not_hold_what_the_snapshot_knows_is_refused() {
    let mut drip = Drip::embedded().await;
    drip.open("anna", "1").await;
    drip.stop().await;
    let older = database(&drip, "log.db");
    drip.restart().await;
    drip.open("bert", "1").await;
    drip.stop().await;
    drop_database(&drip, "log.db");
    drop_database(&drip, "views.db");
    older.iter().for_each(|(file, bytes)| fs::write(file, bytes).unwrap());
    drip.spawn();
    assert_eq!(drip.ended().await.code(), Some(1), "{}", drip.log());
    let output = drip.output();
    assert_eq!(output.matches("term opened").count(), 2, "nothing was appended");
    for word in ["a snapshot knows", "the log ends at", "remove the folder `snapshots`"] {
        assert!(output.contains(word), "no {word:?} in\n{output}");
    }
    fs::remove_dir_all(drip.data_dir().join("snapshots")).unwrap();
    drip.restart().await;
    assert_eq!(drip.account("anna").await.text("balance"), "1");
    assert_eq!(drip.get("/v1/users/bert").await.status, 404, "what the log lost is lost");
}

/// The files of a SQLite database, and what they hold.
fn database(drip: &Drip, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let files = ["", "-wal", "-shm"].map(|part| drip.data_dir().join(format!("{name}{part}")));
    files.into_iter().filter_map(|file| Some((file.clone(), fs::read(file).ok()?))).collect()
}

fn drop_database(drip: &Drip, name: &str) {
    database(drip, name).iter().for_each(|(file, _)| fs::remove_file(file).unwrap());
}

#[tokio::test]
async fn no_snapshots_are_written_or_read_when_none_are_wanted() {
    let mut drip = Drip::prepared(&["up"], &[]).with(&["--snapshot-after", "0"]);
    drip.restart().await;
    drip.open("anna", "1").await;
    drip.stop().await;
    assert!(!drip.data_dir().join("snapshots").exists());
    drip.restart().await;
    assert!(!drip.log().contains(RESTORED));
}
