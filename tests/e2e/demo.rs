//! `drip demo`: the whole story, from an empty account to the audit, as its watcher sees it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::ask::{Said, credits, said};
use crate::stack::program;

/// The promise: a minute at most, also in a debug build.
const A_MINUTE: Duration = Duration::from_secs(60);

async fn demo(flags: &[&str]) -> Said {
    let begin = Instant::now();
    let mut command = program();
    command.arg("demo").args(flags);
    // What is in the environment is another Drip's, and must not be touched.
    command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    command.env("DRIP_NATS_URL", "nats://127.0.0.1:1").env("LOCUS_API_KEY", "claw_of_somebody");
    let said = said(command).await.expect(0);
    assert!(begin.elapsed() < A_MINUTE, "{:?}\n{}", begin.elapsed(), said.out);
    said
}

/// The places of these texts, which must come in this order.
#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let place =
            rest.find(part).unwrap_or_else(|| panic!("no {part:?} behind what comes before it\n{text}"));
        rest = &rest[place + part.len()..];
    }
}

#[tokio::test]
async fn the_story_is_told_in_order_and_nothing_wrong_is_found() {
    let told = demo(&[]).await;
    in_order(
        &told.out,
        &[
            "1  A user arrives",
            "account     mia <mia@example.com>, paused",
            "2  The user pays",
            "signed webhook checkout.session.paid -> 200",
            "1 USDC paid in, balance 1 USDC",
            "3  The container is made",
            "container runs and answers",
            "/health -> 200",
            "4  The product meters its calls",
            "charged once",
            "5  Credit runs low",
            "mail        to mia@example.com: demo: your credit is running low",
            "6  Calls go on",
            "402 insufficient_credit",
            "needed",
            "available",
            "to top up",
            "balance depleted",
            "container sleeps",
            "/health -> 503",
            "your credit is used up",
            "8  A top-up wakes it",
            "signed webhook checkout.session.paid -> 200",
            "container runs and answers",
            "/health -> 200",
            "your service runs again",
            "9  The audit",
            "Nothing wrong was found.",
            "In short",
            "drip up",
        ],
    );
    assert!(!told.out.contains('\x1b'), "a pipe gets no colours\n{}", told.out);
    assert_eq!(told.err, "");
}

#[tokio::test]
async fn two_at_once_do_not_disturb_each_other_and_their_numbers_add_up() {
    let (one, other) = tokio::join!(demo(&["--json"]), demo(&["--json"]));
    let (one, other) = (one.json_lines(), other.json_lines());
    for lines in [&one, &other] {
        let (checked, summary) = (only(lines, "checked"), only(lines, "summary"));
        assert_eq!(checked["result"], "nothing_wrong");
        let charged =
            lines.iter().filter(|line| ["calls", "retried"].contains(&line["line"].as_str().unwrap()));
        let charged: i64 = charged.map(|line| credits(&line["amount"])).sum();
        assert_eq!(charged, credits(&summary["spent"]));
        assert_eq!(charged, credits(&checked["spent"]));
        let problem = &only(lines, "declined")["problem"];
        let missing = credits(&problem["needed"]) - credits(&problem["available"]);
        assert_eq!(missing, credits(&problem["shortfall"]));
        let mails: Vec<_> = lines.iter().filter(|line| line["line"] == "mail").collect();
        assert_eq!((mails.len(), &summary["effects"]["mail_sent"]), (3, &Value::from(3)));
        let folder = only(lines, "begun")["data_dir"].as_str().unwrap();
        assert!(!std::path::Path::new(folder).exists(), "{folder} was left behind");
    }
    assert_ne!(only(&one, "begun")["data_dir"], only(&other, "begun")["data_dir"]);
}

#[track_caller]
fn only<'a>(lines: &'a [Value], name: &str) -> &'a Value {
    let mut found = lines.iter().filter(|line| line["line"] == name);
    let one = found.next().unwrap_or_else(|| panic!("no line {name}"));
    assert!(found.next().is_none(), "more than one line {name}");
    one
}

#[tokio::test]
async fn what_is_kept_can_be_audited_later_and_is_not_told_over() {
    let parent = tempfile::tempdir().expect("a folder for the test");
    let dir = parent.path().join("kept");
    let dir = dir.to_str().expect("a plain name");
    demo(&["--data-dir", dir, "--scale", "100"]).await;
    let mut verify = program();
    verify.args(["verify", "--data-dir", dir]);
    let verified = said(verify).await.expect(0);
    assert!(verified.out.contains("Nothing wrong was found."), "{}", verified.out);
    let mut again = program();
    again.args(["demo", "--data-dir", dir]);
    let again = said(again).await.expect(2);
    assert!(again.err.contains("there is something in"), "{}", again.err);
}

#[tokio::test]
async fn an_interrupt_ends_it_and_leaves_nothing_behind() {
    let parent = tempfile::tempdir().expect("a folder for the test");
    let mut command = tokio::process::Command::from(program());
    command.arg("demo").env("TMPDIR", parent.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.kill_on_drop(true).spawn().expect("the program can be started");
    let id = child.id().expect("it runs").to_string();
    crate::stack::until(crate::stack::BOUND, "it has begun", async || {
        std::fs::read_dir(parent.path()).ok()?.flatten().find(|entry| entry.path().join("views.db").exists())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let sent = std::process::Command::new("kill").args(["-INT", &id]).status();
    assert!(sent.expect("kill runs").success());
    let ended = tokio::time::timeout(A_MINUTE, child.wait_with_output()).await.expect("it ends");
    let ended = ended.expect("it can be waited for");
    assert_eq!(ended.status.code(), Some(8), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(std::fs::read_dir(parent.path()).expect("it is there").count(), 0);
}
