//! The rows of the upkeep, line by line, of some courses of the golden log: what each column holds stands in
//! docs/auditing.md.

use super::*;
use crate::testing::{changed, golden};

/// Folds a log of one partition, and hands out what is read beside it.
fn views(log: &[Vec<u8>]) -> (Views, Vec<(Beside, String)>) {
    let mut views = Views::new(Fold::new(0).anywhere());
    let mut beside = Vec::new();
    for (sequence, bytes) in (1..).zip(log) {
        views.commit_beside(sequence, bytes, |table, _, line| beside.push((table, line))).unwrap();
    }
    (views, beside)
}

/// A course: its changes, and behind each `TABLE` line the rows that it must have.
fn course(text: &'static str) -> (Vec<&'static str>, Vec<(&'static str, Vec<&'static str>)>) {
    let (mut changes, mut tables) = (Vec::new(), Vec::<(&str, Vec<&str>)>::new());
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match (line.strip_prefix("TABLE "), tables.last_mut()) {
            (Some(table), _) => tables.push((table, Vec::new())),
            (None, None) => changes.push(line),
            (None, Some((_, rows))) => rows.push(line),
        }
    }
    (changes, tables)
}

#[test]
fn the_rows_of_a_course_are_these() {
    let mut wrong = String::new();
    for text in include_str!("rows.txt").split("COURSE\n") {
        let (changes, tables) = course(text);
        let (folded, beside) = views(&changed(&changes));
        let folded = [folded];
        for (table, expected) in tables {
            let found: Vec<String> = match table {
                "accounts" => accounts(&folded).collect(),
                "containers" => containers(&folded).collect(),
                "notices" => notices(&folded).collect(),
                "checkouts" => checkouts(&folded).collect(),
                "solvency" => solvency(&folded).collect(),
                _agent_log => {
                    let of_it = beside.iter().filter(|(table, _)| *table == Beside::AgentLog);
                    of_it.map(|(_, line)| line.clone()).collect()
                }
            };
            if found != expected {
                wrong += &format!("{}\nTABLE {table}\n{}\n", changes.join("\n"), found.join("\n"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_journal_is_handed_out_as_before() {
    let log = golden();
    let (_, beside) = views(&log);
    let of_journal = beside.into_iter().filter(|(table, _)| *table == Beside::Journal);
    let expected: Vec<String> = of_journal.map(|(_, line)| line).collect();
    let (mut views, mut found) = (Views::new(Fold::new(0).anywhere()), Vec::new());
    for (sequence, bytes) in (1..).zip(&log) {
        views.commit(sequence, bytes, |_, line| found.push(line)).unwrap();
    }
    assert_eq!(found, expected);
    assert!(found.iter().all(|line| !line.contains("container_set") && !line.contains("solvency")));
}
