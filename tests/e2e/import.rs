//! The main job: a file of real usage is metered, every row once, and each user pays the exact sum rounded down once.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::ask::{credits, encode, said, usdc};
use crate::audit::audit;
use crate::stack::{Drip, Engines, Stack, on_both_engines};
use crate::usage_files::{Sums, excerpt, imported, rows_of, spent, sums, trace, write};

on_both_engines!(
    each_user_pays_the_exact_sum_of_a_real_trace,
    declined_rows_are_those_a_replay_in_python_declines
);

#[tokio::test]
async fn the_curl_line_of_the_greeting_opens_an_account() {
    let mut drip = Drip::embedded().await;
    let greeting = crate::stack::until(crate::stack::BOUND, "the greeting", async || {
        let output = drip.output();
        output.lines().find(|line| line.trim_start().starts_with("curl ")).map(str::to_owned)
    });
    let line = greeting.await;
    for created in [true, false] {
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]);
        let account = said(shell).await.expect(0).json();
        assert_eq!((&account["user_id"], &account["balance"]), (&"anna".into(), &"1".into()));
        assert_eq!(account["created"], created);
    }
    drip.stop().await;
}

async fn each_user_pays_the_exact_sum_of_a_real_trace(engines: Engines) {
    let Stack { mut drip, nats: _nats, .. } = Stack::start(engines).await;
    let text = fs::read_to_string(trace()).expect("the trace can be read");
    let rows = rows_of(&trace());
    let file = write(&drip, "calls.csv", text.trim_end());
    let expected = sums(&file, "50").await;
    assert_eq!(expected.paid, expected.exact, "50 USDC are enough for everybody");

    let summary = imported(&drip, &file, "50", &[]).await.expect(0).json();
    assert_eq!((number(&summary, "charged"), number(&summary, "opened")), (rows, expected.paid.len()));
    assert_eq!(credits(&summary["amount"]), expected.paid.values().sum::<i64>());
    assert_paid(&drip, &expected).await;

    again_charges_nothing(&drip, &file, &expected).await;
    other_files_under_the_same_name_are_refused(&drip, &file, &text).await;
    assert_paid(&drip, &expected).await;
    a_grown_file_charges_only_what_is_new(&drip, &file, &text).await;
    drip.stop().await;
}

/// Owners, lists, journals and the command line agree with Python.
async fn assert_paid(drip: &Drip, expected: &Sums) {
    expected.assert_is(&audit(drip).await, "calls.csv");
    assert_eq!(spent(&drip.pages("/v1/users?limit=100").await, "50"), expected.paid);
    let listed = drip.cli(&["account", "list", "--all", "--json"]).await.expect(0).json_lines();
    assert_eq!(spent(&listed, "50"), expected.paid);
    let mut journals = BTreeMap::new();
    for user in expected.paid.keys() {
        let rows = drip.pages(&format!("/v1/users/{}/journal?kind=debited&limit=500", encode(user))).await;
        journals.insert(user.clone(), -rows.iter().map(|row| credits(&row["amount"])).sum::<i64>());
    }
    assert_eq!(journals, expected.paid);
}

async fn again_charges_nothing(drip: &Drip, file: &std::path::Path, expected: &Sums) {
    let rows = rows_of(file);
    let summary = imported(drip, file, "50", &[]).await.expect(0).json();
    assert_eq!(
        ["charged", "declined", "opened", "skipped"].map(|name| number(&summary, name)),
        [0, 0, 0, rows]
    );
    assert_eq!(credits(&summary["amount"]), 0);
    assert_paid(drip, expected).await;
}

/// Another file, and a part of the file.
async fn other_files_under_the_same_name_are_refused(drip: &Drip, file: &std::path::Path, text: &str) {
    let whole = fs::read_to_string(file).expect("it was just written");
    let half = text.lines().count() / 2;
    let shorter = text.lines().take(half).collect::<Vec<_>>().join("\n") + "\n";
    for (other, code) in [(change_one_digit(&whole), "source_differs"), (shorter, "source_shorter")] {
        fs::write(file, other).expect("the folder is ours");
        let refused = imported(drip, file, "50", &[]).await.expect(3);
        assert!(refused.err.contains(code) && refused.err.contains("--source"), "{}", refused.err);
    }
    fs::write(file, whole).expect("the folder is ours");
}

async fn a_grown_file_charges_only_what_is_new(drip: &Drip, file: &std::path::Path, text: &str) {
    let more: Vec<&str> = text.lines().skip(1).take(100).collect();
    fs::write(file, format!("{}\n{}\n", text.trim_end(), more.join("\n"))).expect("the folder is ours");
    let rows = rows_of(file);
    let summary = imported(drip, file, "50", &[]).await.expect(0).json();
    assert_eq!(["charged", "skipped"].map(|name| number(&summary, name)), [100, rows - 100]);
    assert_paid(drip, &sums(file, "50").await).await;
}

async fn declined_rows_are_those_a_replay_in_python_declines(engines: Engines) {
    const GRANT: &str = "0.05";
    let Stack { mut drip, nats: _nats, .. } = Stack::start(engines).await;
    let file = excerpt(&drip, "poor.csv", 6_000);
    let expected = sums(&file, GRANT).await;
    let rows = rows_of(&file);
    assert!(
        expected.declined.len() > 100 && expected.paid != expected.exact,
        "the grant is too large to prove much"
    );
    let list = drip.folder().join("declined.csv");
    let more = ["--declined", &list.display().to_string()];

    let summary = imported(&drip, &file, GRANT, &more).await.expect(0).json();
    let declined = expected.declined.len();
    assert_eq!(["charged", "declined"].map(|name| number(&summary, name)), [rows - declined, declined]);
    expected.assert_is(&audit(&drip).await, "poor.csv");
    assert_eq!(spent(&drip.pages("/v1/users").await, GRANT), expected.paid);
    let first = fs::read_to_string(&list).expect("the list of declined rows was written");
    assert_eq!(declined_numbers(&first), expected.declined);

    // Whatever came in since, the outcome of a row is final.
    drip.post("/v1/users/user-0/deposits", &serde_json::json!({ "amount": usdc(9_000_000), "key": "late" }))
        .await
        .expect(200);
    let summary = imported(&drip, &file, GRANT, &more).await.expect(0).json();
    assert_eq!(["charged", "declined"].map(|name| number(&summary, name)), [0, declined]);
    assert_eq!(fs::read_to_string(&list).expect("it was written again"), first);
    drip.stop().await;
}

/// The first column of a list of declined rows.
fn declined_numbers(text: &str) -> Vec<u64> {
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let number = |row: Result<csv::StringRecord, csv::Error>| row.ok()?.get(0)?.parse().ok();
    rows.records().map(|row| number(row).unwrap_or_else(|| panic!("no number of a row:\n{text}"))).collect()
}

/// The last digit of the last line.
fn change_one_digit(text: &str) -> String {
    let (rest, digit) = text.split_at(text.len() - 1);
    format!("{rest}{}", if digit == "1" { "2" } else { "1" })
}

#[track_caller]
fn number(summary: &Value, field: &str) -> usize {
    let number = summary[field].as_u64().unwrap_or_else(|| panic!("no number {field} in {summary}"));
    usize::try_from(number).expect("a count fits")
}
