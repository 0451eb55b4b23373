//! The command line: data on stdout, talk on stderr, exit codes that scripts can rely on.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::ask::said;
use crate::audit::{audit, events};
use crate::stack::{BOUND, Drip, program};

#[tokio::test]
async fn commands_do_what_they_say_in_json_and_for_people() {
    let mut drip = Drip::embedded().await;
    let opened = drip
        .cli(&["account", "open", "anna", "--initial-balance", "1", "--email", "a@b.example", "--json"])
        .await;
    assert_eq!((&opened.json()["created"], &opened.json()["balance"]), (&true.into(), &"1".into()));
    drip.cli(&["account", "deposit", "anna", "2.5", "--key", "pay-1", "--json"]).await.expect(0);
    let again = drip.cli(&["account", "deposit", "anna", "2.5", "--key", "pay-1", "--json"]).await.expect(0);
    assert_eq!(again.json()["duplicate"], true);
    drip.cli(&["account", "grant", "anna", "0.5", "--json"]).await.expect(0);
    let debit = drip.cli(&["debit", "anna", "0.007", "--meter", "search", "--json"]).await.expect(0).json();
    assert_eq!(
        (&debit["amount"], &debit["balance"], &debit["meter"]),
        (&"0.007".into(), &"3.993".into(), &"search".into())
    );
    let items = ["debit", "anna", "--item", "tokens=1500@0.00001", "--item", "calls=1@0.001", "--json"];
    assert_eq!(drip.cli(&items).await.expect(0).json()["amount"], "0.016");
    let shown = drip.cli(&["account", "show", "anna"]).await.expect(0);
    assert!(shown.out.contains("3.977") && shown.err.is_empty(), "{shown:?}");
    let last = drip.account("anna").await.text("position").to_owned();
    let journal = drip.cli(&["journal", "anna", "--json", "--wait-for", &last]).await.expect(0).json_lines();
    let amounts: Vec<Value> = journal.iter().map(|row| row["amount"].clone()).collect();
    assert_eq!(amounts, ["-0.016", "-0.007", "0.5", "2.5", "1"]);
    let people = drip.cli(&["journal", "anna"]).await.expect(0);
    assert!(people.out.contains("search") && people.out.lines().count() == 6, "{}", people.out);
    audit(&drip).await;
    drip.stop().await;
}

#[tokio::test]
async fn exit_codes_tell_what_went_wrong() {
    let mut drip = Drip::embedded().await;
    drip.open("anna", "0.5").await;
    let file = crate::usage_files::write(&drip, "bad.csv", "calls\n1\nx\n").display().to_string();
    // What can never succeed is not to be run again.
    for amount in ["0", "-1"] {
        let refused = drip.cli(&["debit", "anna", amount]).await.expect(3);
        assert!(refused.err.contains("amount must be more than zero"), "{}", refused.err);
        assert!(!refused.err.contains("--key"), "{}", refused.err);
    }
    for (arguments, code, words) in [
        (vec!["account", "show", "anna"], 0, "anna"),
        (vec!["debit", "anna", "a lot"], 2, "a lot"),
        (vec!["debit", "anna"], 2, "AMOUNT"),
        (vec!["fly"], 2, "fly"),
        (vec!["account", "show", "anna", "--app", "other"], 2, "other"),
        (vec!["account", "show", "nobody"], 3, "account_unknown"),
        (vec!["debit", "anna", "0.6"], 3, "insufficient_credit"),
        (vec!["account", "show", "anna", "--api-key", "drip_demo_wrong"], 3, "unauthorized"),
        (vec!["account", "show", "anna", "--url", "http://127.0.0.1:1"], 4, "127.0.0.1:1"),
        (
            vec!["import-usage", &file, "--spread-users", "1", "--price", "calls=0.1", "--grant", "1"],
            6,
            "bad.csv:3: calls",
        ),
        (
            vec!["import-usage", "/nowhere.csv", "--spread-users", "1", "--price", "calls=0.1"],
            1,
            "/nowhere.csv",
        ),
    ] {
        let said = drip.cli(&arguments).await.expect(code);
        assert!(
            said.err.contains(words) || (code == 0 && said.out.contains(words)),
            "{arguments:?}: {said:?}"
        );
        assert!(!said.err.contains("panicked") && !said.err.contains("backtrace"), "{arguments:?}: {said:?}");
        assert!([0, 6].contains(&code) || said.out.is_empty(), "what went wrong is no data: {said:?}");
    }
    drip.stop().await;
}

#[tokio::test]
async fn what_a_measurement_would_fail_at_in_the_end_is_told_before_it() {
    for (arguments, words) in [
        (vec!["ledger", "--rate", "9", "--svg", "/nowhere/x.svg"], "can not write /nowhere/x.svg"),
        (vec!["all", "--report", "/nowhere/x.md"], "can not write /nowhere/x.md"),
        (vec!["memory", "--count", "99999"], "99999"),
    ] {
        let mut bench = program();
        bench.arg("bench").args(arguments);
        let refused = said(bench).await.expect(2);
        assert!(refused.err.contains(words), "{}", refused.err);
    }
}

#[tokio::test]
async fn the_key_of_the_data_folder_is_found_without_being_named() {
    let mut drip = Drip::embedded().await;
    drip.open("anna", "1").await;
    let mut command = program();
    command
        .args(["account", "show", "anna", "--json", "--url", &drip.url(), "--data-dir"])
        .arg(drip.data_dir());
    assert_eq!(said(command).await.expect(0).json()["balance"], "1");
    drip.stop().await;
}

#[tokio::test]
async fn long_lists_come_whole_and_events_are_filtered() {
    let mut drip = Drip::embedded().await;
    for number in 0..120 {
        drip.open(&format!("user-{number:03}"), "1").await;
    }
    for (user, meter) in [("user-000", "search"), ("user-000", "chat"), ("user-001", "search")] {
        drip.debit(user, &json!({ "amount": "0.1", "meter": meter })).await.expect(200);
    }
    let ledger = audit(&drip).await;
    let listed = drip.cli(&["account", "list", "--all", "--json"]).await.expect(0).json_lines();
    let users: Vec<&str> = listed.iter().filter_map(|row| row["user_id"].as_str()).collect();
    assert_eq!(users, ledger.balances.keys().collect::<Vec<_>>());
    let some = drip.cli(&["account", "list", "--limit", "7", "--json"]).await.expect(0);
    assert_eq!((some.json_lines().len(), some.err.contains("--all")), (7, true), "{}", some.err);

    let all = events(&drip, &[]).await;
    let place = |event: &Value| event["position"].as_str().expect("every event has one").to_owned();
    assert_eq!(events(&drip, &["--user", "user-000"]).await.len(), 3);
    assert_eq!(events(&drip, &["--meter", "search"]).await.len(), 2);
    assert_eq!(events(&drip, &["--user", "user-000", "--meter", "search"]).await.len(), 1);
    assert_eq!(events(&drip, &["--app", "other"]).await.len(), 0);
    let middle = place(&all[all.len() / 2]);
    assert_eq!(events(&drip, &["--after", &middle]).await, all[all.len() / 2 + 1..]);
    // A commit's place alone: behind all of it.
    let (place, _) = middle.rsplit_once('-').expect("P-N-I");
    let behind = all.iter().filter(|event| sequence(event) > sequence(&all[all.len() / 2])).count();
    assert_eq!(events(&drip, &["--after", place]).await, all[all.len() - behind..]);
    let moment = all[all.len() / 2]["time"].as_str().expect("every event has one");
    let (before, since) =
        (events(&drip, &["--until", moment]).await, events(&drip, &["--since", moment]).await);
    assert!(!before.is_empty() && !since.is_empty());
    assert_eq!([before, since].concat(), all);
    drip.stop().await;
    // The log can be read while no Drip runs.
    assert_eq!(events(&drip, &[]).await, all);
}

/// The commit of an event, in its partition.
fn sequence(event: &Value) -> u64 {
    let place = event["position"].as_str().expect("every event has one");
    place.split('-').nth(1).expect("P-N-I").parse().expect("a number")
}

#[tokio::test]
async fn a_reader_that_went_away_is_no_failure() {
    let mut drip = Drip::embedded().await;
    for number in 0..50 {
        drip.open(&format!("user-{number}"), "1").await;
    }
    let flags = drip.log_flags().join(" ");
    let binary = program().get_program().to_string_lossy().into_owned();
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", &format!("set -o pipefail; {binary} events {flags} | head -n 1")]);
    let said = said(shell).await.expect(0);
    assert_eq!((said.json_lines().len(), said.err.as_str()), (1, ""));
    drip.stop().await;
}

#[tokio::test]
async fn events_follow_prints_what_comes() {
    let mut drip = Drip::embedded().await;
    drip.open("anna", "1").await;
    let mut follow = program();
    follow
        .args(["events", "--follow", "--user", "anna"])
        .args(drip.log_flags())
        .stdout(Stdio::piped())
        .stdin(Stdio::null());
    let mut follow =
        tokio::process::Command::from(follow).kill_on_drop(true).spawn().expect("the program is there");
    let mut lines = BufReader::new(follow.stdout.take().expect("it is piped")).lines();
    let mut next = async || {
        let line = tokio::time::timeout(BOUND, lines.next_line()).await.expect("an event is printed in time");
        let line = line.expect("it can be read").expect("it goes on");
        serde_json::from_str::<Value>(&line).expect("it is JSON")
    };
    assert_eq!(next().await["event"], "account_opened");
    for (number, amount) in ["0.1", "0.2"].into_iter().enumerate() {
        drip.open(&format!("other-{number}"), "1").await;
        drip.debit("anna", &json!({ "amount": amount })).await.expect(200);
        assert_eq!(next().await["charged"], amount);
    }
    drip.stop().await;
}
