//! `drip replay`: views folded anew while Drip serves, whatever was in them before; and into a file, up to a moment.

use std::process::Command;

use serde_json::{Value, json};
use test_servers::{NatsServer, Postgres};

use crate::ask::{Said, said};
use crate::audit::{audit, events};
use crate::load::{Load, Target, a_moment};
use crate::sqlite::damage;
use crate::stack::{Drip, Engines, Stack, on_both_engines, program};

on_both_engines! {
    views_are_folded_anew_while_drip_serves,
    a_replay_that_is_killed_leaves_the_views_as_they_are_and_goes_on_later,
}

async fn tool(name: &str, drip: &Drip, more: &[&str]) -> Said {
    let mut command = program();
    command.args([name, "--json"]).args(drip.log_flags()).args(more);
    said(command).await
}

async fn replay(drip: &Drip, more: &[&str]) -> Value {
    tool("replay", drip, more).await.expect(0).json()
}

/// The digest of the views, which are right.
async fn verified(drip: &Drip) -> Value {
    let report = tool("verify", drip, &[]).await.expect(0).json();
    report["views"]["sha256"].clone()
}

/// Rows of all tables that were removed, and added.
fn changed(report: &Value) -> (u64, u64) {
    let sum = |what: &str| {
        let tables = report["tables"].as_array().expect("a list").iter();
        tables.map(|table| table[what].as_u64().expect("a number")).sum()
    };
    (sum("removed"), sum("added"))
}

async fn views_are_folded_anew_while_drip_serves(engines: Engines) {
    let stack = Stack::start(engines).await;
    let drip = &stack.drip;
    let load = Load::prepare(drip).await;
    let target = Target::of(drip);
    load.during(&target, async {
        for _ in 0..3 {
            load.progress(60).await;
            let report = replay(drip, &[]).await;
            assert_eq!(changed(&report), (0, 0), "the views were right: {report}");
            verified(drip).await;
        }
    })
    .await;
    load.check(drip).await;
    let report = replay(drip, &["--restart"]).await;
    assert_eq!(report["sha256"], verified(drip).await, "{report}");
    let heads: u64 = report["at"].as_array().expect("a list").iter().map(after_dash).sum();
    assert_eq!(report["messages"], heads, "all of it was folded");
    assert_eq!(changed(&report), (0, 0));
}

fn after_dash(at: &Value) -> u64 {
    at.as_str().and_then(|at| at.split_once('-')).expect("P-N").1.parse().expect("a number")
}

async fn a_replay_that_is_killed_leaves_the_views_as_they_are_and_goes_on_later(engines: Engines) {
    let stack = Stack::start(engines).await;
    let drip = &stack.drip;
    let load = Load::prepare(drip).await;
    let target = Target::of(drip);
    load.during(&target, load.progress(400)).await;
    audit(drip).await;
    let before = verified(drip).await;
    for _ in 0..6 {
        let mut command = program();
        command.arg("replay").args(drip.log_flags());
        let mut running = command.stdout(std::process::Stdio::null()).spawn().expect("it starts");
        a_moment(250).await;
        // It may be done already.
        running.kill().ok();
        running.wait().expect("it was started");
        assert_eq!(verified(drip).await, before);
    }
    assert_eq!(replay(drip, &[]).await["sha256"], before);
}

/// A Drip on the embedded engines that has stopped, with two users.
async fn at_rest() -> Drip {
    // What workers write comes when it comes: the tests count rows.
    let mut drip = Drip::prepared(&["up"], &[]).with(&["--without-workers"]);
    drip.restart().await;
    for user in ["anna", "bert"] {
        drip.open(user, "5").await;
        drip.debit(user, &json!({ "amount": "0.25", "meter": "search" })).await.expect(200);
    }
    audit(&drip).await;
    drip.stop().await;
    drip
}

#[tokio::test]
async fn whatever_was_changed_in_the_views_is_mended_and_counted() {
    let drip = at_rest().await;
    let right = verified(&drip).await;
    for (sql, counts) in [
        ("UPDATE accounts SET balance = balance + 1 WHERE user_id = 'anna'", (1, 1)),
        ("UPDATE accounts SET email = 'x' WHERE user_id = 'anna'", (1, 1)),
        ("UPDATE accounts SET user_id = 'zoe' WHERE user_id = 'anna'", (1, 1)),
        ("DELETE FROM journal WHERE sequence > 3", (0, 3)),
        ("DELETE FROM lots", (0, 2)),
        ("DELETE FROM chain_positions", (12, 0)),
        ("UPDATE usage_hours SET count = count + 1", (2, 2)),
        ("UPDATE chain_positions SET foreign_count = 7", (1, 1)),
    ] {
        damage(&drip.data_dir().join("views.db"), sql).await;
        tool("verify", &drip, &[]).await.expect(7);
        let report = replay(&drip, &[]).await;
        assert_eq!(changed(&report), counts, "{sql}: {report}");
        assert_eq!(report["sha256"], right, "{sql}");
        assert_eq!(verified(&drip).await, right, "{sql}");
    }
    let left = std::fs::read_dir(drip.data_dir()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("views.next.db")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_row_changed_in_postgres_is_mended_while_drip_serves_and_grants_stay() {
    let (nats, postgres) = (NatsServer::start().await, Postgres::shared().await);
    let database = postgres.fresh_database().await;
    let drip = Drip::on_engines(&nats, &database).await;
    drip.open("anna", "5").await;
    audit(&drip).await;
    let right = verified(&drip).await;
    postgres.sql(&database, "CREATE VIEW report AS SELECT balance FROM accounts").await;
    postgres.sql(&database, "UPDATE accounts SET charged = charged + 1").await;
    tool("verify", &drip, &[]).await.expect(7);
    let report = replay(&drip, &[]).await;
    assert_eq!((changed(&report), &report["sha256"]), ((1, 1), &right));
    assert_eq!(verified(&drip).await, right);
    drip.open("bert", "1").await;
    audit(&drip).await;
    verified(&drip).await;
}

#[tokio::test]
async fn live_views_are_not_touched_when_they_are_ahead_or_another_replay_is_under_way() {
    let drip = at_rest().await;
    let views = drip.data_dir().join("views.db");
    damage(&views, "UPDATE chain_positions SET read = read + 9").await;
    let ahead = tool("replay", &drip, &[]).await.expect(1);
    assert!(ahead.err.contains("the log ends at"), "{}", ahead.err);
    damage(&views, "UPDATE chain_positions SET read = read - 9").await;
    let holding = "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); time.sleep(60)";
    let mut python = Command::new("python3");
    python.args(["-c", holding]).arg(drip.data_dir().join("views.next.lock"));
    let mut other = python.stdout(std::process::Stdio::piped()).spawn().expect("python3 is there");
    let mut said = [0; 4];
    std::io::Read::read_exact(other.stdout.as_mut().expect("it was asked for"), &mut said)
        .expect("it says so");
    let second = tool("replay", &drip, &[]).await.expect(1);
    assert!(second.err.contains("another rebuild of these views is under way"), "{}", second.err);
    other.kill().expect("it runs");
    other.wait().expect("it was started");
    replay(&drip, &[]).await;
}

#[tokio::test]
async fn a_log_is_folded_into_a_file_whole_or_up_to_a_moment() {
    let drip = at_rest().await;
    let right = verified(&drip).await;
    let before = std::fs::read(drip.data_dir().join("log.db")).unwrap();
    let file = |name: &str| drip.folder().join(name).display().to_string();
    let (whole, part, past, before_it) =
        (file("whole.db"), file("part.db"), file("past.db"), file("before_it.db"));
    assert_eq!(replay(&drip, &["--to", &whole]).await["sha256"], right);
    let mut python = Command::new("python3");
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/digest.py")).arg(&whole);
    assert_eq!(said(python).await.expect(0).json()["all"], right, "Python works it out alike");

    let refused = tool("replay", &drip, &["--to", &whole]).await.expect(2);
    assert!(refused.err.contains("is there already"), "{}", refused.err);
    let report = replay(&drip, &["--to", &part, "--until-position", "0-3"]).await;
    assert_eq!((&report["at"], &report["messages"]), (&json!(["0-3"]), &json!(3)));
    let report = replay(&drip, &["--to", &past, "--until", "2001-01-01T00:00:00Z"]).await;
    assert_eq!((&report["at"], &report["messages"]), (&json!([]), &json!(0)));
    let people = said_of(&drip, &["--to", &file("empty.db"), "--until", "2001-01-01T00:00:00Z"]).await;
    assert!(people.out.contains("as they stand before the first commit"), "{}", people.out);
    assert_whole_alone(&drip, &["whole.db", "part.db", "past.db", "empty.db"]);
    // A moment ends what is before it, as `drip events --until` does.
    let all = events(&drip, &[]).await;
    let fourth = all.iter().find(|event| event["position"] == "0-4-0").expect("it is there");
    let moment = fourth["time"].as_str().expect("a text");
    let report = replay(&drip, &["--to", &before_it, "--until", moment]).await;
    assert_eq!(report["at"], json!(["0-3"]), "{moment}");
    for (flags, words) in [
        (vec!["--to", "x.db", "--until-position", "0-999-0"], "no commit of this log stands at 0-999-0"),
        (
            vec!["--to", "x.db", "--until-position", "three"],
            "'three' is not a place in the log; one looks like 0-812",
        ),
        (vec!["--to", "x.db", "--until-position", "7-1-0"], "there is no partition 7: the log has 1"),
        (
            vec!["--to", "x.db", "--until-position", "0-3", "--until-position", "0-4"],
            "--until-position is given twice for partition 0: 0-3-0 and 0-4-0",
        ),
        (vec!["--to", "/nowhere/x.db"], "can not make /nowhere/x.db\n"),
        (vec!["--to", "x.db", "--until", "yesterday"], "a time looks like"),
        (vec!["--until", "2026-01-01T00:00:00Z"], "--to"),
        (vec!["--restart", "--to", "x.db"], "--restart"),
    ] {
        let refused = tool("replay", &drip, &flags).await.expect(2);
        assert!(refused.err.contains(words), "{flags:?}: {}", refused.err);
    }
    assert!(std::fs::read(drip.data_dir().join("log.db")).unwrap() == before, "the log is not touched");
    assert_eq!(verified(&drip).await, right, "nor are the live views");
}

/// What a replay says to people.
async fn said_of(drip: &Drip, more: &[&str]) -> Said {
    let mut command = program();
    command.arg("replay").args(drip.log_flags()).args(more);
    said(command).await.expect(0)
}

/// These files stand beside the data folder without any of SQLite's own, and none of them needs one: the two bytes of
/// the head that say how it is written do not speak of a write-ahead log (2).
fn assert_whole_alone(drip: &Drip, names: &[&str]) {
    for name in names {
        let head = std::fs::read(drip.folder().join(name)).expect("it was made");
        assert_eq!(head[18..20], [1, 1], "{name}");
    }
    let there = std::fs::read_dir(drip.folder()).expect("it is ours");
    let there = there.map(|entry| entry.expect("it can be read").file_name().into_string().expect("UTF-8"));
    let beside: Vec<_> = there.filter(|name| name.contains(".db") && !names.contains(&&**name)).collect();
    assert!(beside.is_empty(), "{beside:?}");
}

#[tokio::test]
async fn what_an_interrupted_replay_left_may_be_damaged() {
    let drip = at_rest().await;
    let right = verified(&drip).await;
    std::fs::write(drip.data_dir().join("views.next.db"), "no database, but long enough. ".repeat(100))
        .unwrap();
    assert_eq!(replay(&drip, &[]).await["sha256"], right);
}

#[tokio::test]
async fn a_user_of_the_database_who_may_not_is_told_so_and_the_views_are_not_blamed() {
    let (nats, postgres) = (NatsServer::start().await, Postgres::shared().await);
    let database = postgres.fresh_database().await;
    let drip = Drip::on_engines(&nats, &database).await;
    let reader = database.replacen("//drip@", "//drip_reader@", 1);
    postgres.sql(&database, "DROP ROLE IF EXISTS drip_reader; CREATE ROLE drip_reader LOGIN").await;
    postgres.sql(&database, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO drip_reader").await;
    let flags = drip.log_flags().into_iter().map(|flag| if flag == database { reader.clone() } else { flag });
    let mut replay = program();
    replay.arg("replay").args(flags);
    let refused = said(replay).await.expect(1);
    assert!(refused.err.contains("the user of the database may not do what is needed"), "{}", refused.err);
    assert!(!refused.err.contains("drop the views"), "{}", refused.err);
}

#[tokio::test]
async fn one_that_is_interrupted_says_so_and_what_to_do() {
    let mut drip = Drip::embedded().await;
    drip.open("alice", "5").await;
    audit(&drip).await;
    drip.stop().await;
    let right = verified(&drip).await;
    // Somebody writes the live views for long: the replay waits for them, and is interrupted there.
    let mut replay = program();
    replay.args(["replay"]).args(drip.log_flags());
    let mut interrupted = Command::new("python3");
    interrupted.args(["-c", INTERRUPT]).arg(drip.data_dir().join("views.db"));
    interrupted.arg(replay.get_program()).args(replay.get_args());
    let interrupted = said(interrupted).await.expect(8);
    assert!(interrupted.err.contains("Run it again: it goes on where it was"), "{}", interrupted.err);
    assert_eq!(verified(&drip).await, right);
    assert_eq!(self::replay(&drip, &[]).await["sha256"], right);
}

/// Holds the right to write a SQLite file while a command runs, and interrupts that once it has folded.
const INTERRUPT: &str = "
import os, signal, sqlite3, subprocess, sys, time
live, command = sys.argv[1], sys.argv[2:]
held = sqlite3.connect(live, isolation_level=None)
held.execute('BEGIN IMMEDIATE')
running = subprocess.Popen(command)
folded = os.path.join(os.path.dirname(live), 'views.next.db')
while running.poll() is None:
    try:
        if sqlite3.connect(folded).execute('SELECT COUNT(*) FROM journal').fetchone()[0]:
            break
    except sqlite3.OperationalError:
        pass
    time.sleep(0.01)
running.send_signal(signal.SIGTERM)
sys.exit(running.wait())
";
