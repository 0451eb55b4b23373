use super::*;
use crate::testing::{cases, changed};

fn line(what: What) -> Line {
    Line { client: 3, op: 17, at: 5, what }
}

#[test]
fn a_history_is_read_as_it_was_written_but_for_a_line_that_was_cut() {
    let request = Request {
        verb: Verb::Debit,
        app: "demo".into(),
        user: "anna".into(),
        key: Some("k".into()),
        amount: None,
        items: vec![Item { name: "tokens".into(), quantity: 812_000_000, unit_price: 2_500_000 }],
        deadline: Some(9),
    };
    let position = Some(Position { partition: 0, sequence: 12, index: 3 });
    let lines = [
        line(What::Invoke(request)),
        line(What::Ok(Answer { position, balance: Some(7), charged: Some(1), duplicate: true })),
        line(What::Refused(Refusal {
            code: "insufficient_credit".into(),
            needed: Some(2),
            available: Some(1),
        })),
        line(What::Unknown { reason: "no answer in time".into() }),
    ];
    let mut file = Vec::new();
    let mut writer = Writer::new(&mut file);
    lines.iter().for_each(|line| writer.write(line).unwrap());
    assert_eq!(read(&file[..]).unwrap(), lines);
    assert_eq!(read(&file[..file.len() - 1]).unwrap(), lines[..3]);
    let error = read(&b"{\"client\":1}\n"[..]).unwrap_err().to_string();
    assert!(error.starts_with("line 1 of the history is not one"), "{error}");
}

#[test]
fn the_lines_of_the_documentation_are_lines() {
    let text = include_str!("mod.rs");
    let lines: String = text
        .lines()
        .filter_map(|line| line.strip_prefix("//! {"))
        .map(|line| format!("{{{line}\n"))
        .collect();
    assert_eq!(read(lines.as_bytes()).unwrap().len(), 6);
}

/// The golden log with keys for bob's debits.
fn log() -> Effects {
    let keys = [
        r#"7 set e/5/D/k "b1""#,
        r#"7 set e/6/D/k "b2""#,
        r#"8 set e/0/D/k "b3""#,
        r#"11 set e/2/D/k "b4""#,
        "11 set e/2/D/i [[2,1000000,1000000000]]",
    ];
    let mut effects = Effects::default();
    changed(&keys).iter().for_each(|bytes| effects.take(bytes).unwrap());
    effects
}

/// The clean history with these changes.
fn history(changes: &[&str]) -> Vec<Line> {
    let mut text = include_str!("clean.jsonl").to_owned();
    for change in changes {
        if let Some(added) = change.strip_prefix("+ ") {
            text = format!("{text}{added}\n");
        } else if let Some(gone) = change.strip_prefix("- ") {
            text = text.lines().filter(|line| !line.contains(gone)).map(|line| format!("{line}\n")).collect();
        } else {
            let (from, to) = change.split_once(" => ").expect("a change");
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
    }
    read(text.as_bytes()).unwrap()
}

fn complaints(lines: &[Line], log: &Effects, one_owner: bool) -> String {
    let said: Vec<_> = check(lines, log, one_owner).iter().map(ToString::to_string).collect();
    if said.is_empty() { "none".to_owned() } else { said.join(" | ") }
}

#[test]
fn every_promise_is_missed_when_it_is_broken() {
    let log = log();
    let cases = cases(include_str!("complaints.txt"));
    let said = cases
        .iter()
        .map(|(changes, expected)| (changes, expected, complaints(&history(changes), &log, true)));
    let wrong = said.filter(|(_, expected, said)| said != *expected);
    let wrong: Vec<String> =
        wrong.map(|(changes, _, said)| format!("{}\n= {said}\n", changes.join("\n"))).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A new term begins with the eighth commit, and an owner of the old one still shows what it knows.
#[test]
fn an_owner_whose_term_is_over_may_not_know_what_a_newer_one_did() {
    let term = |commit: u64| format!(r#"{commit} set n "hex:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb""#);
    let mut changes: Vec<String> = (8..12).map(term).collect();
    changes.push(
        r#"8 insert e/0 {"T":{"n":"hex:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","h":7,"g":"drip"}}"#.to_owned(),
    );
    let mut log = Effects::default();
    let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
    changed(&changes).iter().for_each(|bytes| log.take(bytes).unwrap());
    let history = |saw: &str| {
        let line = |op, at, what: &str| format!("{{\"client\":1,\"op\":{op},\"at\":{at},{what}}}\n");
        let ask = |verb| {
            format!(r#""invoke":{{"verb":"{verb}","app":"demo","user":"bob","key":"sorry","amount":100000}}"#)
        };
        let said = |position: &str| format!(r#""ok":{{"position":"{position}"}}"#);
        let text = [
            line(1, 1, &ask("grant")),
            line(1, 2, &said("0-11-0")),
            line(2, 3, &ask("read")),
            line(2, 4, &said(saw)),
        ];
        read(text.concat().as_bytes()).unwrap()
    };
    let old = "I8, order: client 1, operation 2 (Read of demo/bob, key \"sorry\") saw 0-7-6, and 0-11-0 was answered \
               before it was sent";
    assert_eq!(complaints(&history("0-7-6"), &log, true), old);
    assert_eq!(complaints(&history("0-7-6"), &log, false), "none");
    assert_eq!(complaints(&history("0-7-5"), &log, false), old.replace("0-7-6", "0-7-5"));
}
