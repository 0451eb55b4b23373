use std::fmt::Write as _;

use super::*;
use crate::testing::{Value, cases};

/// A log and a record, one commit and one effect a line, with these changes; and how they are held against each other.
struct Case {
    log: String,
    record: String,
    at_rest: bool,
    late: i64,
}

impl Case {
    fn new(changes: &[&str]) -> Self {
        let (log, record) = (include_str!("log.jsonl").to_owned(), include_str!("record.jsonl").to_owned());
        let mut case = Self { log, record, at_rest: true, late: 5 };
        changes.iter().for_each(|change| case.change(change));
        case
    }

    fn change(&mut self, change: &str) {
        if change == "at work" {
            self.at_rest = false;
        } else if let Some(late) = change.strip_prefix("late ") {
            self.late = late.parse().unwrap();
        } else if let Some(added) = change.strip_prefix("+ ") {
            let of_record = added.contains("\"effect\"");
            writeln!(if of_record { &mut self.record } else { &mut self.log }, "{added}").unwrap();
        } else if let Some(gone) = change.strip_prefix("- ") {
            let lines = |text: &str| text.lines().map(|line| format!("{line}\n")).collect::<Vec<_>>();
            self.both(gone, |text| lines(text).into_iter().filter(|line| !line.contains(gone)).collect());
        } else {
            let (from, to) = change.split_once(" =>").expect("a change");
            self.both(from, |text| text.replace(from, to.trim_start()));
        }
    }

    /// Changes what must stand in one of the two.
    fn both(&mut self, stands: &str, change: impl Fn(&str) -> String) {
        assert!(self.log.contains(stands) || self.record.contains(stands), "{stands}");
        (self.log, self.record) = (change(&self.log), change(&self.record));
    }

    fn told(&self) -> Told {
        let mut told = Told::default();
        for (sequence, line) in (1..).zip(in_order(&self.log, "t")) {
            told.take(&commit(sequence, &line)).unwrap();
        }
        told
    }

    fn deeds(&self) -> Vec<Deed> {
        in_order(&self.record, "n").iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn complaints(&self) -> String {
        let said = check(&self.told(), &self.deeds(), self.at_rest, self.late);
        let said: Vec<_> = said.iter().map(ToString::to_string).collect();
        if said.is_empty() { "none".to_owned() } else { said.join(" | ") }
    }
}

/// The lines by the number in this field.
fn in_order(text: &str, field: &str) -> Vec<String> {
    let number =
        |line: &&str| serde_json::from_str::<serde_json::Value>(line).unwrap()[field].as_f64().unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_by(|a, b| number(a).total_cmp(&number(b)));
    lines.into_iter().map(str::to_owned).collect()
}

/// The bytes of a commit of which only time and events are given.
fn commit(sequence: u64, line: &str) -> Vec<u8> {
    let mut body = Value::json(
        r#"{"r":3,"q":0,"h":"hex:0000000000000000000000000000000000000000000000000000000000000000",
            "n":"hex:a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0","s":["demo","somebody"],"u":[[0,"anna"],[0,"bert"]]}"#,
    );
    let mut given = Value::json(line);
    for field in ["t", "e"] {
        *body.at(field) = given.at(field).clone();
    }
    let log = hex::decode("000102030405060708090a0b0c0d0e0f").unwrap();
    let prefix = [&b"DRIP"[..], &log, &[0, 0], &sequence.to_be_bytes(), &[0, 1]];
    [prefix.concat(), rmp_serde::to_vec(&body).unwrap()].concat()
}

#[test]
fn every_difference_is_seen() {
    let cases = cases(include_str!("complaints.txt"));
    let said = cases.iter().map(|(changes, expected)| (changes, expected, Case::new(changes).complaints()));
    let wrong = said.filter(|(_, expected, said)| said != *expected);
    let wrong: Vec<String> =
        wrong.map(|(changes, _, said)| format!("{}\n= {said}\n", changes.join("\n"))).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The record of a sandbox has more, and may have been written by one that did not look at the clock.
#[test]
fn lines_of_a_record_are_read() {
    let read = |text: &str| serde_json::from_str::<Deed>(text).map_err(|error| error.to_string());
    let scaled = r#"{"n":8,"at":"2026-05-01T10:30:00.000Z","effect":{"kind":"scaled","service":"s","min":0,"max":3,"desired":2}}"#;
    let effect = Effect::Scaled { service: "s".into(), desired: 2 };
    assert_eq!(read(scaled), Ok(Deed { at: None, effect }));
    let other = r#"{"wall":7,"effect":{"kind":"webhook_delivered","session":"s","attempt":1,"status":null}}"#;
    assert_eq!(read(other), Ok(Deed { at: Some(7), effect: Effect::Other }));
    let paid = |amount: &str| {
        read(&format!(r#"{{"effect":{{"kind":"session_paid","session":"s","amount":"{amount}"}}}}"#))
    };
    for (text, credits) in [("0.007", 7_000), ("12", 12_000_000), ("1.999999", 1_999_999), ("-0.5", -500_000)]
    {
        let effect = Effect::SessionPaid { session: "s".into(), amount: credits };
        assert_eq!(paid(text), Ok(Deed { at: None, effect }), "{text}");
    }
    for text in ["", ".5", "1.-5", "0.0000001", "one"] {
        assert!(paid(text).is_err(), "{text}");
    }
}
