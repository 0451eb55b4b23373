//! Lines of a file that can not be used are named with their reason, and the rest is charged.

use serde_json::json;

use crate::ask::{Said, credits, said};
use crate::audit::{audit, events};
use crate::stack::Drip;
use crate::usage_files::write;

/// Line, what it holds, and words of the complaint; none for a line that is charged.
const LINES: &[(&str, Option<&str>)] = &[
    ("anna,2,2026-11-23T10:00:00Z", None),
    ("anna,,2026-11-23T10:00:00Z", Some("calls")),
    ("anna,many,2026-11-23T10:00:00Z", Some("calls")),
    ("anna,-3,2026-11-23T10:00:00Z", Some("calls")),
    ("anna,0.0000001,2026-11-23T10:00:00Z", Some("calls")),
    ("anna,1e3,2026-11-23T10:00:00Z", Some("calls")),
    ("anna,NaN,2026-11-23T10:00:00Z", Some("calls")),
    ("anna,2", Some("2 fields")),
    ("anna,2,2026-11-23T10:00:00Z,more", Some("4 fields")),
    ("anna,2,yesterday", Some("at")),
    (",2,2026-11-23T10:00:00Z", Some("user")),
    ("$fee,2,2026-11-23T10:00:00Z", Some("user")),
    ("\"Smith, Anna\", 4 ,2026-11-23 10:00:00.1234567", None),
    ("", None),
    ("anna,0.5,1700158623", None),
];

#[tokio::test]
async fn bad_lines_are_named_and_the_rest_is_charged() {
    let mut drip = Drip::embedded().await;
    for (name, mark, end) in [("unix.csv", "", "\n"), ("windows.csv", "\u{feff}", "\r\n")] {
        let lines: Vec<&str> = LINES.iter().map(|(line, _)| *line).collect();
        let text = format!("{mark}user,calls,at{end}{}{end}", lines.join(end));
        write(&drip, name, &text);
        let import = run(&drip, name, &[]).await.expect(6);
        assert_complaints(&import);
        assert_eq!(import.json()["charged"], 3, "{}", import.out);
        // Once more: nothing new, the same complaints.
        let again = run(&drip, name, &[]).await.expect(6);
        assert_complaints(&again);
        assert_eq!(again.json()["charged"], 0, "{}", again.out);
    }
    let ledger = audit(&drip).await;
    // Twice 2.5 calls and twice 4, at 0.2 each.
    assert_eq!([ledger.spent["anna"], ledger.spent["Smith, Anna"]], [1_000_000, 1_600_000]);
    let times = events(&drip, &["--user", "Smith, Anna", "--meter", "unix"]).await;
    assert_eq!(times[0]["occurred_at"], "2026-11-23T10:00:00.123456Z", "{times:?}");
    drip.stop().await;
}

/// Each bad line is named with its number and its reason, no other is.
fn assert_complaints(import: &Said) {
    for (index, (line, complaint)) in LINES.iter().enumerate() {
        let number = index + 2;
        let said = import.err.lines().find(|said| said.contains(&format!(".csv:{number}: ")));
        match (complaint, said) {
            (Some(words), Some(said)) => assert!(said.contains(words), "{line:?}: {said}"),
            (None, None) => {}
            _ => panic!("line {number} {line:?}: {said:?} in\n{}", import.err),
        }
    }
}

#[tokio::test]
async fn a_cut_last_line_is_charged_when_it_is_complete() {
    let mut drip = Drip::embedded().await;
    write(&drip, "log.csv", "user,calls,at\nanna,1,1700158623\nanna,2");
    let import = run(&drip, "log.csv", &[]).await.expect(6);
    assert_eq!((&import.json()["charged"], &import.json()["bad"]), (&1.into(), &1.into()), "{}", import.out);
    write(&drip, "log.csv", "user,calls,at\nanna,1,1700158623\nanna,2,1700158624\n");
    let import = run(&drip, "log.csv", &[]).await.expect(0);
    assert_eq!(
        (&import.json()["charged"], &import.json()["skipped"]),
        (&1.into(), &1.into()),
        "{}",
        import.out
    );
    assert_eq!(audit(&drip).await.spent["anna"], 600_000);
    drip.stop().await;
}

#[tokio::test]
async fn a_column_that_is_not_there_is_told_before_anything_is_charged() {
    let mut drip = Drip::embedded().await;
    write(&drip, "calls.csv", "who,calls,at\nanna,1,1700158623\n");
    let refused = run(&drip, "calls.csv", &[]).await;
    assert!(refused.code == 1 || refused.code == 2, "{refused:?}");
    assert!(["user", "who", "calls", "at"].iter().all(|name| refused.err.contains(name)), "{}", refused.err);
    drip.get("/v1/sources/calls.csv").await.expect(404);
    drip.stop().await;
}

#[tokio::test]
async fn rows_that_cost_nothing_and_rows_nobody_can_pay_are_told_apart() {
    let mut drip = Drip::embedded().await;
    drip.open("anna", "1").await;
    write(&drip, "calls.csv", "user,calls,at\nanna,0,1\nanna,4,2\nanna,4,3\nbert,1,4\nanna,0.5,5\n");
    let list = drip.folder().join("no.csv").display().to_string();
    let import = run(&drip, "calls.csv", &["--declined", &list]).await.expect(0);
    let summary = import.json();
    let counts = ["charged", "free", "bad", "opened"].map(|name| summary[name].clone());
    assert_eq!(counts, [json!(3), json!(1), json!(0), json!(1)], "{summary}");
    assert_eq!(credits(&summary["amount"]), 1_100_000, "{summary}");
    let declined = std::fs::read_to_string(&list).expect("the list was written");
    assert!(declined.contains("insufficient_credit") && declined.contains("anna,4,3"), "{declined}");
    audit(&drip).await;
    drip.stop().await;
}

#[tokio::test]
async fn a_list_that_can_not_be_written_is_told_before_anything_is_charged() {
    let mut drip = Drip::embedded().await;
    write(&drip, "calls.csv", "user,calls,at\nanna,1,1700158623\n");
    let (folder, nowhere) = (drip.folder().display().to_string(), drip.folder().join("no/x.csv"));
    for place in [folder, nowhere.display().to_string()] {
        let refused = run(&drip, "calls.csv", &["--declined", &place]).await.expect(1);
        assert!(refused.err.contains(&format!("can not write {place}")), "{}", refused.err);
        assert!(refused.err.contains("Nothing was sent"), "{}", refused.err);
        drip.get("/v1/sources/calls.csv").await.expect(404);
    }
    drip.stop().await;
}

async fn run(drip: &Drip, name: &str, more: &[&str]) -> Said {
    let file = drip.folder().join(name).display().to_string();
    let mut command = drip.command(&["import-usage", &file, "--user-column", "user", "--price", "calls=0.2"]);
    command.args(["--time-column", "at", "--grant", "10", "--json"]).args(more);
    said(command).await
}
