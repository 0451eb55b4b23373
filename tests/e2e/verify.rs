//! `drip verify`: that it finds nothing while all is well, also while Drip serves; and that it names what was changed
//! behind Drip's back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use test_servers::Postgres;

use crate::ask::{Said, credits, said};
use crate::audit::audit;
use crate::load::{Load, Target};
use crate::sqlite::damage;
use crate::stack::{Drip, Engines, Stack, on_both_engines, program};
use crate::usage_files::import;

on_both_engines! {
    a_ledger_is_verified_while_it_serves
}

/// The exit code for something wrong.
const FOUND_WRONG: i32 = 7;

async fn verify(log_flags: &[String], more: &[&str]) -> Said {
    let mut command = program();
    command.args(["verify", "--json"]).args(log_flags).args(more);
    said(command).await
}

/// Verifies a whole ledger that is right.
async fn clean(drip: &Drip) -> Value {
    let report = verify(&drip.log_flags(), &[]).await.expect(0).json();
    assert_eq!(report["result"], "nothing_wrong", "{report}");
    report
}

async fn a_ledger_is_verified_while_it_serves(engines: Engines) {
    let stack = Stack::start(engines).await;
    let drip = &stack.drip;
    let load = Load::prepare(drip).await;
    let target = Target::of(drip);
    load.during(&target, async {
        for _ in 0..3 {
            load.progress(40).await;
            clean(drip).await;
        }
    })
    .await;
    let ledger = audit(drip).await;
    let report = clean(drip).await;
    assert_eq!(credits(&report["totals"]["spent"]), ledger.spent_in_all());
    assert_eq!(credits(&report["totals"]["balances"]), ledger.balances.values().sum::<i64>());
    assert_eq!(report["totals"]["accounts"], ledger.balances.len());
    let rows: u64 = report["views"]["tables"][0]["rows"].as_u64().expect("the journal's rows");
    assert_eq!(
        rows,
        (load.acknowledged() + ledger.balances.len()) as u64,
        "every event has its row, and is one"
    );
    assert_eq!(verify(&drip.log_flags(), &["--log-only"]).await.expect(0).json()["views"], Value::Null);
    since(drip, &report).await;
    noted(drip, &report).await;
    if let Some(nats) = &stack.nats {
        a_foreign_message_is_named(drip, &nats.url()).await;
    }
}

/// From the middle of each partition on.
async fn since(drip: &Drip, whole: &Value) {
    for partition in whole["partitions"].as_array().expect("a list") {
        let (number, last) = (&partition["partition"], partition["commit"].as_u64().expect("a number"));
        let middle = format!("{number}-{}-0", last.div_ceil(2));
        let report = verify(&drip.log_flags(), &["--since", &middle]).await.expect(0).json();
        let part = &report["partitions"][0];
        assert_eq!(
            (&part["sha256"], &part["commits"]),
            (&partition["sha256"], &Value::from(last / 2)),
            "{report}"
        );
    }
    let (number, last) = (&whole["partitions"][0]["partition"], &whole["partitions"][0]["commit"]);
    let end = verify(&drip.log_flags(), &["--since", &format!("{number}-{last}")]).await.expect(0).json();
    assert_eq!(end["partitions"][0]["after_sha256"], whole["partitions"][0]["sha256"], "{end}");
    let beyond = verify(&drip.log_flags(), &["--since", "0-999999-0"]).await.expect(2);
    assert!(beyond.err.contains("no commit of this log stands at 0-999999-0"), "{}", beyond.err);
}

async fn a_foreign_message_is_named(drip: &Drip, nats: &str) {
    let client = async_nats::connect(nats).await.expect("it runs");
    let stream = async_nats::jetstream::new(client);
    let published = stream.publish("drip.ledger.00.usage", "hello".into()).await.expect("sent");
    let sequence = published.await.expect("stored").sequence;
    let report = clean(drip).await;
    assert_eq!(report["foreign"]["count"], 1);
    let first = &report["foreign"]["first"][0];
    assert_eq!((&first["partition"], &first["sequence"]), (&Value::from(0), &Value::from(sequence)));
    assert_eq!(first["reason"], "it has no Drip-Prefix header");
}

/// What an auditor noted of each partition is held against the log.
async fn noted(drip: &Drip, whole: &Value) {
    let notes: Vec<String> = whole["partitions"].as_array().expect("a list").iter().map(note).collect();
    let flags: Vec<&str> = notes.iter().flat_map(|note| ["--expect", note]).collect();
    let report = verify(&drip.log_flags(), &flags).await.expect(0).json();
    assert_eq!(report["noted"].as_array().expect("a list").len(), notes.len());
    let unknown = "Whether this is the log you knew";
    assert!(!report["not_checked"].to_string().contains(unknown), "{report}");
    assert!(whole["not_checked"].to_string().contains(unknown), "{whole}");

    let (place, hash) = notes[0].split_once('=').expect("two parts");
    let other = format!("{place}={}", hash.chars().rev().collect::<String>());
    let found = verify(&drip.log_flags(), &["--log-only", "--expect", &other]).await.expect(FOUND_WRONG);
    assert_eq!(found.json()["finding"]["kind"], "noted");
    assert!(found.err.contains(&format!("another one stands at {}", &place[2..])), "{}", found.err);
    let found =
        verify(&drip.log_flags(), &["--expect", &format!("0-999999={hash}")]).await.expect(FOUND_WRONG);
    assert!(found.err.contains("but the log ends at"), "{}", found.err);
    let refused = verify(&drip.log_flags(), &["--expect", &format!("77-1={hash}")]).await.expect(2);
    assert!(refused.err.contains("there is no partition 77"), "{}", refused.err);
}

/// The seal of a partition, as `--expect` takes it.
fn note(partition: &Value) -> String {
    let hash = partition["sha256"].as_str().expect("a text");
    format!("{}-{}={hash}", partition["partition"], partition["commit"])
}

#[tokio::test]
async fn a_log_that_was_replaced_with_its_views_is_told_by_what_was_noted() {
    let (known, other) = (at_rest().await, at_rest().await);
    let note = note(&clean(&known).await["partitions"][0]);
    let replaced = known.folder().join("replaced");
    copy(&other.data_dir(), &replaced);
    let flags = ["--data-dir".to_owned(), replaced.display().to_string()];
    // It is right in itself.
    verify(&flags, &[]).await.expect(0);
    for more in [vec!["--log-only"], vec![]] {
        let found = verify(&flags, &[&more[..], &["--expect", &note]].concat()).await.expect(FOUND_WRONG);
        assert!(found.err.contains("was noted with the SHA-256"), "{}", found.err);
        assert!(found.err.contains("look for the log that holds what was noted"), "{}", found.err);
    }
}

/// A ledger with a bit of everything, at rest: a source, its declines, crossings, money in.
async fn at_rest() -> Drip {
    // What workers write comes when it comes: the tests name what stands last in the log.
    let mut drip = Drip::prepared(&["up"], &[]).with(&["--without-workers"]);
    drip.restart().await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/llm-calls.csv");
    said(import(&drip, &file, "0.02", &[])).await.expect(0);
    drip.cli(&["account", "deposit", "user-1", "5", "--key", "paid"]).await.expect(0);
    drip.cli(&["debit", "user-1", "0.5", "--meter", "search"]).await.expect(0);
    audit(&drip).await;
    drip.stop().await;
    drip
}

#[tokio::test]
async fn both_stores_have_the_digests_that_python_works_out() {
    let drip = at_rest().await;
    let report = clean(&drip).await;
    let mut python = Command::new("python3");
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("digest.py")).arg(drip.data_dir().join("views.db"));
    let python = said(python).await.expect(0).json();
    let digests = digests(&report);
    for (table, digest) in &digests {
        assert_eq!(python[table], *digest, "{table}");
    }
    assert_eq!(python["all"], report["views"]["sha256"]);

    // The same log, folded into Postgres. Its new term is one more commit, and no row but the one of its position.
    let database = Postgres::shared().await.fresh_database().await;
    let flags = ["--database-url".to_owned(), database];
    let mut other = Drip::prepared(&["up"], &flags).with(&["--without-workers"]);
    copy(&drip.data_dir(), &other.data_dir());
    other.restart().await;
    audit(&other).await;
    other.stop().await;
    let without_position = |mut digests: BTreeMap<String, String>| {
        digests.remove("chain_positions").expect("it is there");
        digests
    };
    let there = self::digests(&clean(&other).await);
    assert_eq!(without_position(there), without_position(digests));
}

/// Rows and SHA-256 of each table.
fn digests(report: &Value) -> BTreeMap<String, String> {
    let tables = report["views"]["tables"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let of = |table: &Value| (text(&table["table"]), format!("{} {}", table["rows"], text(&table["sha256"])));
    tables.iter().map(of).collect()
}

/// What is done to which file, and what is said of it.
const DAMAGE: [(&str, &str, &[&str]); 10] = [
    (
        "views.db",
        "UPDATE accounts SET balance = balance + 1 WHERE user_id = 'user-1'",
        &["demo/user-1, event 0-", "balance is", "by the log, and"],
    ),
    (
        "views.db",
        "UPDATE accounts SET carry = carry + 1 WHERE user_id = 'user-2'",
        &["user_id \"user-2\" of accounts", "(demo/user-2, event 0-", "carry is"],
    ),
    (
        "views.db",
        "DELETE FROM journal WHERE rowid = (SELECT max(rowid) / 2 FROM journal)",
        &["of journal (demo/user-", "expected a row, found no such row"],
    ),
    (
        "views.db",
        "INSERT INTO accounts SELECT app, 'zoe', balance, baseline, level, epoch, dusted, closed, carry, deposited, \
         granted, charged, fees, email, metadata, opened_at, opened_partition, opened_sequence, opened_idx, \
         last_partition, last_sequence, last_idx, paused, forced FROM accounts LIMIT 1",
        &["user_id \"zoe\" of accounts", "expected no such row, found a row"],
    ),
    (
        "views.db",
        "UPDATE lots SET \"left\" = 7 WHERE user_id = 'user-1' AND lot = 2",
        &["lot 2 of lots (demo/user-1, event 0-", "and 7 in the views"],
    ),
    ("views.db", "DELETE FROM sources", &["source \"llm-calls.csv\"", "of sources", "found no such row"]),
    ("views.db", "UPDATE usage_hours SET count = count + 1", &["of usage_hours (demo/user-", "count is"]),
    (
        "views.db",
        "UPDATE chain_positions SET read = read + 9",
        &["the views have read partition 0 up to message", "and it ends at"],
    ),
    (
        "log.db",
        "UPDATE commits SET bytes = CAST(substr(bytes, 1, 300) || x'00' || substr(bytes, 302) AS BLOB) \
         WHERE sequence = 4",
        &["partition 0, commit 4 is damaged", "its bytes do not hash to its id"],
    ),
    (
        "log.db",
        "DELETE FROM commits WHERE sequence = 3",
        &["partition 0, commit 3 is damaged", "it is missing"],
    ),
];

#[tokio::test]
async fn what_was_changed_behind_drips_back_is_named() {
    let drip = at_rest().await;
    let copied = drip.folder().join("copy");
    for (file, sql, words) in DAMAGE {
        copy(&drip.data_dir(), &copied);
        damage(&copied.join(file), sql).await;
        let found =
            verify(&["--data-dir".to_owned(), copied.display().to_string()], &[]).await.expect(FOUND_WRONG);
        assert_eq!(found.json()["result"], "something_wrong", "{sql}: {}", found.out);
        for word in words {
            assert!(found.err.contains(word), "{sql}: no {word:?} in {}", found.err);
        }
    }
}

/// One commit was rewritten, with its hash: only the next one can tell, and the views are right.
#[tokio::test]
async fn a_commit_that_was_rewritten_is_not_blamed_on_the_views() {
    let mut drip = at_rest().await;
    // The last one of all: only the views know that it was another.
    rewrite(&drip).await;
    let found = verify(&drip.log_flags(), &[]).await.expect(FOUND_WRONG);
    assert!(
        found.err.contains("the log and the views differ: the views were folded from a commit"),
        "{}",
        found.err
    );
    assert!(found.err.contains("nothing here tells which"), "{}", found.err);
    // With one behind it.
    drip = at_rest().await;
    drip.restart().await;
    drip.stop().await;
    rewrite(&drip).await;
    let found = verify(&drip.log_flags(), &[]).await.expect(FOUND_WRONG);
    assert!(found.err.contains("the log is wrong: 0-"), "{}", found.err);
    assert!(found.err.contains("the rule \"chain\" is broken"), "{}", found.err);
}

/// Nobody knows then which of them is wrong.
#[tokio::test]
async fn a_row_that_differs_is_blamed_on_nobody_while_the_log_is_not_read_to_its_end() {
    const NEWER: &str = "import sqlite3, sys, hashlib
c = sqlite3.connect(sys.argv[1])
at, b = c.execute('SELECT sequence, bytes FROM commits ORDER BY sequence DESC').fetchone()
b = b[:30] + bytes([0, 99]) + b[32:]
c.execute('UPDATE commits SET bytes = ?, hash = ? WHERE sequence = ?', (b, hashlib.sha256(b).digest(), at))
c.commit()";
    let mut drip = at_rest().await;
    let (views, before) = (drip.data_dir().join("views.db"), drip.folder().join("views of before.db"));
    fs::copy(&views, &before).expect("there is room");
    drip.restart().await;
    drip.stop().await;
    fs::copy(&before, &views).expect("there is room");
    python(&drip, NEWER).await;
    let newer = verify(&drip.log_flags(), &[]).await.expect(1);
    assert!(newer.err.contains("use a newer Drip"), "{}", newer.err);
    damage(&views, "UPDATE accounts SET balance = balance + 1 WHERE user_id = 'user-1'").await;
    let found = verify(&drip.log_flags(), &[]).await.expect(FOUND_WRONG);
    for words in
        ["balance is", "and behind it the log can not be checked from", "not known whether it or the views"]
    {
        assert!(found.err.contains(words), "no {words:?} in {}", found.err);
    }
}

#[tokio::test]
async fn a_log_that_is_no_database_any_more_is_wrong() {
    let drip = at_rest().await;
    fs::write(drip.data_dir().join("log.db"), "This is a letter, and no log. ".repeat(1000))
        .expect("there is room");
    let found = verify(&drip.log_flags(), &[]).await.expect(FOUND_WRONG);
    assert!(found.err.contains("log.db is damaged"), "{}", found.err);
}

async fn rewrite(drip: &Drip) {
    const REWRITE: &str = "import sqlite3, sys, hashlib
c = sqlite3.connect(sys.argv[1])
at, b = c.execute('SELECT sequence, bytes FROM commits WHERE instr(bytes, ?) > 0 ORDER BY sequence DESC', (b'search',)).fetchone()
b = b.replace(b'search', b'starch')
c.execute('UPDATE commits SET bytes = ?, hash = ? WHERE sequence = ?', (b, hashlib.sha256(b).digest(), at))
c.commit()";
    python(drip, REWRITE).await;
}

/// Runs a script on the log, which is told as its first argument.
async fn python(drip: &Drip, script: &str) {
    let mut python = Command::new("python3");
    python.args(["-c", script]).arg(drip.data_dir().join("log.db"));
    said(python).await.expect(0);
}

#[tokio::test]
async fn a_row_changed_in_postgres_is_named_while_drip_serves() {
    let nats = test_servers::NatsServer::start().await;
    let postgres = Postgres::shared().await;
    let database = postgres.fresh_database().await;
    let drip = Drip::on_engines(&nats, &database).await;
    drip.open("anna", "5").await;
    drip.debit("anna", &serde_json::json!({ "amount": "0.25", "meter": "search" })).await.expect(200);
    audit(&drip).await;
    clean(&drip).await;
    for (break_it, mend_it, words) in [
        (
            "UPDATE accounts SET charged = charged + 1",
            "UPDATE accounts SET charged = charged - 1",
            &[
                "user_id \"anna\" of accounts (demo/anna, event",
                "charged is 250000 by the log, and 250001 in the views",
            ],
        ),
        (
            "UPDATE journal SET meter = 'Search' WHERE kind = 'debited'",
            "UPDATE journal SET meter = 'search' WHERE kind = 'debited'",
            &["of journal (demo/anna, event", "meter is \"search\" by the log, and \"Search\" in the views"],
        ),
    ] {
        postgres.sql(&database, break_it).await;
        let found = verify(&drip.log_flags(), &[]).await.expect(FOUND_WRONG);
        for word in words {
            assert!(found.err.contains(word), "{break_it}: no {word:?} in {}", found.err);
        }
        postgres.sql(&database, mend_it).await;
    }
    clean(&drip).await;
    // Rows that can not be read are not taken for rows that are missing.
    postgres.sql(&database, "DROP TABLE lots").await;
    let unreadable = verify(&drip.log_flags(), &[]).await.expect(1);
    assert!(unreadable.err.contains("reading the frozen views failed"), "{}", unreadable.err);
}

/// Copies the files of a folder, in place of what was there.
fn copy(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).expect("it is ours");
    }
    fs::create_dir_all(to).expect("its parent is there");
    for entry in fs::read_dir(from).expect("it is there").map(|entry| entry.expect("readable")) {
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("there is room");
        }
    }
}
