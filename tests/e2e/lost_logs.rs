//! A log whose file is gone or another one: nothing is acknowledged into it, and no other is begun in its place while
//! something beside it remembers it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::ask::{Said, said};
use crate::stack::{BOUND, Drip, program, until};

/// What belongs to a database file.
const PARTS: [&str; 3] = ["", "-wal", "-shm"];

fn remove(drip: &Drip, database: &str) {
    for part in PARTS {
        match fs::remove_file(drip.data_dir().join(format!("{database}{part}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{database}{part}: {error}"),
            _ => {}
        }
    }
}

/// With an account and a snapshot, stopped.
async fn with_a_snapshot() -> Drip {
    let mut drip = Drip::embedded().await;
    drip.open("anna", "5").await;
    drip.debit("anna", &json!({ "amount": "0.25" })).await.expect(200);
    drip.stop().await;
    drip
}

async fn up(drip: &Drip) -> Said {
    let mut command = program();
    command.args(["up", "--http", "127.0.0.1:0"]).args(drip.log_flags());
    said(command).await
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_log_that_was_removed() {
    let mut drip = Drip::embedded().await;
    drip.open("anna", "5").await;
    remove(&drip, "log.db");
    let answer = drip.debit("anna", &json!({ "amount": "0.25" })).await;
    assert!([503, 504].contains(&answer.status), "{answer:?}");
    let status = drip.ended().await;
    assert_eq!(status.code(), Some(1));
    assert!(drip.output().contains("log.db was removed, moved or replaced"), "{}", drip.output());
}

#[tokio::test]
async fn an_owner_that_is_not_asked_finds_out_by_itself() {
    // Workers would ask.
    let mut drip = Drip::prepared(&["up"], &[]).with(&["--without-workers"]);
    drip.restart().await;
    drip.open("anna", "5").await;
    remove(&drip, "log.db");
    until(BOUND, "it is not ready", async || (drip.get("/health/ready").await.status == 503).then_some(()))
        .await;
    until(BOUND, "it stops answering from memory", async || {
        (drip.get("/v1/users/anna").await.status == 503).then_some(())
    })
    .await;
}

#[tokio::test]
async fn no_other_log_is_begun_while_views_or_snapshots_remember_one() {
    let drip = with_a_snapshot().await;
    remove(&drip, "log.db");
    for (gone, memory) in
        [("nothing", "holds snapshots of the log"), ("snapshots", "the views in SQLite were folded from")]
    {
        if gone == "snapshots" {
            fs::remove_dir_all(drip.data_dir().join("snapshots")).expect("they are there");
        }
        let refused = up(&drip).await.expect(1);
        for words in ["there is no log in the data folder", memory, "Nothing was created", "docs/replay.md"] {
            assert!(refused.err.contains(words), "{gone}: no {words:?} in {}", refused.err);
        }
        assert!(!drip.data_dir().join("log.db").exists(), "nothing was created");
    }
    // Who says that all is lost, by removing what remembers it, begins anew.
    remove(&drip, "views.db");
    let mut init = program();
    init.arg("init").args(drip.log_flags());
    said(init).await.expect(0);
}

/// What a copy leaves on a full disk. SQLite would take it for new, and remove the write-ahead log beside it.
#[tokio::test]
async fn an_empty_file_is_no_log() {
    let drip = with_a_snapshot().await;
    for part in ["log.db", "log.db-wal"] {
        fs::write(drip.data_dir().join(part), if part == "log.db" { "" } else { "what was written last" })
            .expect("there is room");
    }
    fs::remove_dir_all(drip.data_dir().join("snapshots")).expect("they are there");
    remove(&drip, "views.db");
    let refused = up(&drip).await.expect(1);
    assert!(refused.err.contains("log.db-wal holds what was written last"), "{}", refused.err);
    assert!(drip.data_dir().join("log.db-wal").exists(), "it is left alone");
}

/// A data folder is one log's, and another log on NATS is not that one.
#[tokio::test]
async fn what_lies_beside_a_log_in_the_folder_is_not_remembered_of_another() {
    let drip = with_a_snapshot().await;
    let nats = test_servers::NatsServer::start().await;
    let database = test_servers::Postgres::shared().await.fresh_database().await;
    let mut init = program();
    init.arg("init").args(crate::stack::engine_flags(&nats, &database)).args(drip.log_flags());
    said(init).await.expect(0);
}

#[tokio::test]
async fn snapshots_alone_remember_a_log_too() {
    let drip = with_a_snapshot().await;
    remove(&drip, "log.db");
    remove(&drip, "views.db");
    let refused = up(&drip).await.expect(1);
    assert!(refused.err.contains("holds snapshots of the log"), "{}", refused.err);
}

#[tokio::test]
async fn views_of_another_log_are_not_blamed() {
    let (drip, other) = (with_a_snapshot().await, with_a_snapshot().await);
    remove(&drip, "log.db");
    fs::copy(other.data_dir().join("log.db"), drip.data_dir().join("log.db")).expect("there is room");
    let mut verify = program();
    verify.arg("verify").args(drip.log_flags());
    let found = said(verify).await.expect(7);
    assert!(found.err.contains("the views were folded from the log"), "{}", found.err);
    assert!(found.err.contains("One of the two was replaced"), "{}", found.err);
}

/// Who may only read needs no more than that, once nobody writes.
#[tokio::test]
async fn an_auditor_who_may_only_read_can_audit() {
    let drip = with_a_snapshot().await;
    let dir = drip.folder().join("copy");
    fs::create_dir(&dir).expect("its parent is there");
    for file in ["log.db", "views.db"] {
        fs::copy(drip.data_dir().join(file), dir.join(file)).expect("there is room");
        mode(&dir.join(file), 0o444);
    }
    mode(drip.folder(), 0o755);
    mode(&dir, 0o555);
    for arguments in [&["verify"][..], &["events"]] {
        let mut command = as_nobody(&drip);
        command.args(arguments).arg("--data-dir").arg(&dir);
        said(command).await.expect(0);
    }
    mode(&dir, 0o755);
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// The program, by a user who owns nothing where we are root, whom nobody asks for rights.
fn as_nobody(drip: &Drip) -> Command {
    const NOBODY: u32 = 65_534;
    let copy = drip.folder().join("drip");
    if !copy.exists() {
        fs::copy(program().get_program(), &copy).expect("there is room");
        mode(&copy, 0o755);
    }
    let mut command = Command::new(copy);
    command.env_clear();
    if fs::metadata("/proc/self").is_ok_and(|ours| ours.uid() == 0) {
        command.uid(NOBODY);
    }
    command
}
