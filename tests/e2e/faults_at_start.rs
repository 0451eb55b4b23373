//! What keeps Drip from starting is told in a sentence that names it, without a trace of the program's inside.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use test_servers::{NatsServer, Postgres, free_port};

use crate::ask::said;
use crate::stack::{Drip, engine_flags, program};

/// How soon it must be told.
const SOON: Duration = Duration::from_secs(15);
/// The exit code for what can not be reached.
const UNREACHABLE: i32 = 4;

fn up(data_dir: &Path, flags: &[String]) -> Command {
    let mut command = program();
    command.arg("up").arg("--data-dir").arg(data_dir).args(flags);
    if !flags.iter().any(|flag| flag == "--http") {
        command.arg("--http").arg(format!("127.0.0.1:{}", free_port()));
    }
    command
}

fn text(flags: &[&str]) -> Vec<String> {
    flags.iter().map(ToString::to_string).collect()
}

/// It ends soon, with this code, and says all these words.
#[track_caller]
fn refused(command: Command, code: i32, words: &[&str]) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    let words: Vec<String> = words.iter().map(ToString::to_string).collect();
    async move {
        let begin = Instant::now();
        let said = said(command).await;
        assert!(begin.elapsed() < SOON, "{caller}: told after {:?} only", begin.elapsed());
        assert_eq!(said.code, code, "{caller}: {}", said.err);
        assert_eq!(said.out, "", "{caller}: what went wrong is no data");
        for word in words {
            assert!(said.err.contains(&word), "{caller}: no {word:?} in\n{}", said.err);
        }
        for word in ["panicked", "backtrace", "RUST_BACKTRACE", "src/"] {
            assert!(!said.err.contains(word), "{caller}: {word:?} in\n{}", said.err);
        }
        assert!(said.err.lines().count() <= 8, "{caller}: too much to say:\n{}", said.err);
    }
}

#[tokio::test]
async fn a_data_folder_that_can_not_be_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    refused(up(&file, &[]), 1, &[&file.display().to_string(), "--data-dir"]).await;
    let inside = file.join("data");
    refused(up(&inside, &[]), 1, &[&inside.display().to_string(), "--data-dir"]).await;
    // Not even root can make folders here.
    refused(up(Path::new("/proc/drip"), &[]), 1, &["/proc/drip", "--data-dir"]).await;
}

#[tokio::test]
async fn an_address_of_another_database_is_refused_before_anything_is_made_and_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    for url in ["mysql://me:secret@x/drip", "localhost:5432/drip?secret", ""] {
        let command = up(&data, &text(&["--database-url", url]));
        refused(command, 2, &["--database-url", "must begin with postgres:// or postgresql://"]).await;
        let said = said(up(&data, &text(&["--database-url", url]))).await;
        assert!(!said.err.contains("secret") && !data.exists(), "{}", said.err);
    }
}

#[tokio::test]
async fn a_second_init_has_nothing_to_tell() {
    let (nats, postgres) = (NatsServer::start().await, Postgres::shared().await);
    let dir = tempfile::tempdir().unwrap();
    let flags = engine_flags(&nats, &postgres.fresh_database().await);
    for _ in 0..2 {
        let mut init = program();
        init.arg("init").arg("--data-dir").arg(dir.path()).args(&flags);
        let init = said(init).await.expect(0);
        assert_eq!(init.err, "ready: the log is in NATS, the views are in Postgres\n");
    }
}

#[tokio::test]
async fn a_file_that_is_no_log_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log.db");
    fs::write(&log, "This is a letter, and no log. ".repeat(1000)).unwrap();
    refused(up(dir.path(), &[]), 1, &["log.db"]).await;
    assert!(fs::read_to_string(&log).unwrap().starts_with("This is a letter"));
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refused(up(&dir.path().join("data"), &text(&["--http", &address])), 1, &[&address, "--http"]).await;
    assert!(!dir.path().join("data").exists(), "nothing was made");
}

#[tokio::test]
async fn a_second_drip_on_one_folder_is_refused_and_the_first_goes_on() {
    let mut first = Drip::embedded().await;
    let dir = first.data_dir();
    refused(up(&dir, &[]), 1, &["already runs", &dir.display().to_string()]).await;
    first.open("anna", "1").await;
    first.stop().await;
}

#[tokio::test]
async fn flags_that_can_not_be_meant_are_refused_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    for (flag, value, word) in [
        ("--public-url", "ftp://drip.example.org", "https://"),
        ("--public-url", "drip.example.org", "https://"),
        ("--top-up-url", "notaurl", "https://"),
        ("--agentmail-inbox", "inbox", "address"),
        ("--wallet-floor=-1", "", "negative"),
        ("--log-patience", "0", "1"),
        ("--sweep", "9", "10"),
    ] {
        let flags = [flag, value].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
        let name = flag.split('=').next().unwrap();
        refused(up(&data, &text(&flags)), 2, &[name, word]).await;
    }
    // That of mails is looked into once the rest stands.
    let templates = dir.path().join("templates");
    fs::create_dir(&templates).unwrap();
    fs::write(templates.join("pausd.txt"), "Subject: x\n\n{{ reference }}").unwrap();
    let flags = ["--mail-templates", templates.to_str().unwrap()];
    refused(up(&data, &text(&flags)), 1, &["pausd.txt", "paused.txt"]).await;
}

/// What was sealed under it can never be opened again: nobody must find out by a container that does not start.
#[tokio::test]
async fn a_lost_key_is_not_replaced_without_a_word() {
    let lost = "a secret key was made, and the log is not new";
    let mut drip = Drip::embedded().await;
    drip.open("anna", "1").await;
    assert!(!drip.log().contains(lost), "{}", drip.log());
    drip.stop().await;
    fs::remove_file(drip.data_dir().join("secret.key")).unwrap();
    drip.restart().await;
    assert!(drip.log().contains(lost), "{}", drip.log());
    drip.stop().await;
    drip.restart().await;
    assert_eq!(drip.output().matches(lost).count(), 1, "it is told once: {}", drip.output());
    drip.stop().await;
}

#[tokio::test]
async fn a_broken_configuration_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("drip.toml");
    for (config, word) in [
        ("[apps.demo]\nfee_bps = 20000\n", "fee_bps"),
        ("[apps.demo]\nfees = 1\n", "fees"),
        ("[apps.demo\n", "line 1"),
        ("", "no app"),
        ("[apps.demo]\n[[api_keys]]\napp = \"demo\"\nname = \"x\"\nsha256 = \"short\"\n", "sha256"),
        ("[apps.demo]\n[[api_keys]]\napp = \"other\"\nname = \"x\"\nsha256 = \"00\"\n", "api_keys"),
    ] {
        fs::write(&file, config).unwrap();
        refused(up(dir.path(), &[]), 1, &[&file.display().to_string(), word]).await;
    }
}

#[tokio::test]
async fn servers_that_can_not_be_reached_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let nats = format!("nats://127.0.0.1:{}", free_port());
    refused(up(dir.path(), &text(&["--nats", &nats])), UNREACHABLE, &["NATS", &nats, "--nats"]).await;
    let address = format!("127.0.0.1:{}", free_port());
    let postgres = format!("postgres://drip:secret@{address}/drip");
    let command = up(dir.path(), &text(&["--database-url", &postgres]));
    refused(command, UNREACHABLE, &["Postgres", &address, "--database-url"]).await;
    let said = said(up(dir.path(), &text(&["--database-url", &postgres]))).await;
    assert!(!said.err.contains("secret"), "{}", said.err);
}

#[tokio::test]
async fn a_nats_server_that_syncs_now_and_then_is_refused_unless_allowed() {
    let nats = NatsServer::builder().default_sync().start().await;
    let database = Postgres::shared().await.fresh_database().await;
    let dir = tempfile::tempdir().unwrap();
    let flags = engine_flags(&nats, &database);
    refused(up(dir.path(), &flags), 1, &["sync_interval: always"]).await;
    let unknown = flags.iter().filter(|flag| !flag.contains("monitor") && !flag.starts_with("http")).cloned();
    refused(up(dir.path(), &unknown.collect::<Vec<_>>()), 1, &["monitor"]).await;
    let allowed = flags.iter().cloned().chain(["--allow-unsafe-durability".to_owned()]).collect::<Vec<_>>();
    let mut drip = Drip::prepared(&["up"], &allowed);
    drip.restart().await;
    drip.open("anna", "1").await;
    drip.stop().await;
}

#[tokio::test]
async fn a_log_behind_its_views_is_refused() {
    let mut drip = Drip::embedded().await;
    let dir = drip.data_dir();
    let kept = drip.folder().join("kept");
    drip.stop().await;
    fs::create_dir(&kept).unwrap();
    copy_log(&dir, &kept);
    drip.restart().await;
    let opened = drip.open("anna", "1").await;
    drip.get(&format!("/v1/users?wait_for={}", opened.text("position"))).await.expect(200);
    drip.stop().await;

    // The log of yesterday, the views of today.
    remove_log(&dir);
    copy_log(&kept, &dir);
    refused(up(&dir, &[]), 1, &["behind the views"]).await;
    // Another log.
    let mut other = Drip::embedded().await;
    other.stop().await;
    remove_log(&dir);
    copy_log(&other.data_dir(), &dir);
    refused(up(&dir, &[]), 1, &["views belong to"]).await;
}

fn log_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let is_log =
        |file: &std::path::PathBuf| file.file_name().unwrap().to_string_lossy().starts_with("log.db");
    files.filter(is_log).collect()
}

fn copy_log(from: &Path, to: &Path) {
    for file in log_files(from) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

fn remove_log(dir: &Path) {
    log_files(dir).iter().for_each(|file| fs::remove_file(file).unwrap());
}
