//! Rows of the views against the rows that the log tells, both as lines in the same order.

use std::cmp::Ordering;

use projector::tables::Table;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc::Receiver;

use crate::server::digest::{Digesting, TableDigest};

/// The rows of the views, table after table.
pub(super) struct Rows {
    from: Receiver<(&'static Table, Vec<String>)>,
    table: Option<&'static Table>,
    batch: std::vec::IntoIter<String>,
    digest: Digesting,
}

/// A row that is not as the log tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    /// Its table.
    pub(super) table: &'static str,
    /// Whose it is: `app/user`, when the row tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) account: Option<String>,
    /// The event it comes from, when the row tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) position: Option<String>,
    /// Its key: column and value.
    pub(super) key: Vec<(&'static str, Value)>,
    /// The column; none when a whole row is missing, or is there without reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) column: Option<&'static str>,
    /// What the log tells.
    pub(super) expected: Value,
    /// What the views hold.
    pub(super) found: Value,
}

impl Rows {
    pub(super) fn new(from: Receiver<(&'static Table, Vec<String>)>) -> Self {
        Self { from, table: None, batch: Vec::new().into_iter(), digest: Digesting::default() }
    }

    /// The next row of a table. None: it has no more.
    pub(super) fn next(&mut self, table: &'static Table) -> Option<String> {
        loop {
            if self.table.is_some_and(|at| at != table) {
                return None;
            }
            if let Some(line) = self.batch.next() {
                self.digest.line(&line);
                return Some(line);
            }
            let (table, batch) = self.from.blocking_recv()?;
            (self.table, self.batch) = (Some(table), batch.into_iter());
        }
    }

    /// No more rows are wanted.
    pub(super) fn end(&mut self) {
        self.from.close();
    }

    /// Ends a table, whose rows must all have been read.
    pub(super) fn finish(&mut self, table: &'static Table) -> TableDigest {
        if self.table == Some(table) {
            self.table = None;
        }
        std::mem::take(&mut self.digest).finish(table)
    }

    /// Compares the next row with this one; `None` stands for the end of the table.
    pub(super) fn expect(
        &mut self,
        table: &'static Table,
        expected: Option<&str>,
    ) -> Result<(), Box<Difference>> {
        let found = self.next(table);
        Self::same(table, expected, found.as_deref())
    }

    /// Compares two rows of a table.
    pub(super) fn same(
        table: &'static Table,
        expected: Option<&str>,
        found: Option<&str>,
    ) -> Result<(), Box<Difference>> {
        if expected == found { Ok(()) } else { Err(Box::new(difference(table, expected, found))) }
    }
}

/// How two rows differ, of which the first is the one that should stand there.
fn difference(table: &'static Table, expected: Option<&str>, found: Option<&str>) -> Difference {
    let (expected, found) = (expected.map(cells), found.map(cells));
    let order = match (&expected, &found) {
        (Some(expected), Some(found)) => order(&expected[..table.key], &found[..table.key]),
        (Some(_), None) => Ordering::Less,
        _ => Ordering::Greater,
    };
    match (order, expected, found) {
        (Ordering::Less, Some(expected), _) => {
            let found = Value::from("no such row");
            of(table, &expected, None, Value::from("a row"), found)
        }
        (Ordering::Equal, Some(expected), Some(found)) => {
            let column = expected.iter().zip(&found).position(|(expected, found)| expected != found);
            let column = column.expect("lines that differ differ in a cell");
            of(table, &expected, Some(column), expected[column].clone(), found[column].clone())
        }
        (_, _, found) => {
            of(table, &found.unwrap_or_default(), None, Value::from("no such row"), Value::from("a row"))
        }
    }
}

fn of(
    table: &'static Table,
    row: &[Value],
    column: Option<usize>,
    expected: Value,
    found: Value,
) -> Difference {
    let names = || table.columns.iter().map(|(name, _)| *name);
    let cell = |wanted: &str| names().position(|name| name == wanted).and_then(|at| row.get(at));
    // The last event of an account; of other rows the one that began them, or what is in force.
    let places = [
        ["partition", "sequence", "idx"],
        ["last_partition", "last_sequence", "last_idx"],
        ["set_partition", "set_sequence", "set_idx"],
        ["due_partition", "due_sequence", "due_idx"],
        ["opened_partition", "opened_sequence", "opened_idx"],
    ];
    let position = places.iter().find_map(|place| {
        let [partition, sequence, index] = place.map(cell);
        (table.name != "chain_positions").then_some(())?;
        Some(format!("{}-{}-{}", partition?, sequence?, index?))
    });
    let account = cell("app").and_then(Value::as_str).zip(cell("user_id").and_then(Value::as_str));
    let account = account.map(|(app, user)| format!("{app}/{user}"));
    let key = names().zip(row).take(table.key).map(|(name, value)| (name, value.clone())).collect();
    Difference {
        table: table.name,
        account,
        position,
        key,
        column: column.map(|at| table.columns[at].0),
        expected,
        found,
    }
}

fn cells(line: &str) -> Vec<Value> {
    serde_json::from_str(line).expect("a line is a JSON array")
}

/// As the stores order keys: numbers by size, texts by bytes.
fn order(a: &[Value], b: &[Value]) -> Ordering {
    let pair = |(a, b): (&Value, &Value)| match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_i64().cmp(&b.as_i64()),
        (a, b) => a.as_str().cmp(&b.as_str()),
    };
    a.iter().zip(b).map(pair).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key =
            self.key.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ");
        write!(f, "the row {key} of {}", self.table)?;
        match (&self.account, &self.position) {
            (Some(account), Some(position)) => write!(f, " ({account}, event {position})")?,
            (Some(account), None) => write!(f, " ({account})")?,
            (None, Some(position)) => write!(f, " (event {position})")?,
            (None, None) => {}
        }
        let Self { expected, found, .. } = self;
        match self.column {
            Some(column) => write!(f, ": {column} is {expected} by the log, and {found} in the views"),
            None => write!(f, ": expected {}, found {}", plain(expected), plain(found)),
        }
    }
}

fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use projector::tables::{ACCOUNTS, AGENT_LOG, CHECKOUTS, CONTAINERS, JOURNAL, NOTICES, SOURCES};

    use super::*;
    use crate::server::digest::digest_of_all;

    fn rows(table: &'static Table, lines: &[&str]) -> Rows {
        let (to, from) = tokio::sync::mpsc::channel(1);
        to.try_send((table, lines.iter().map(|line| (*line).to_owned()).collect())).expect("there is room");
        Rows::new(from)
    }

    #[test]
    fn what_differs_is_named() {
        let cases: &[(&'static Table, Option<&str>, &[&str], &str)] = &[
            (&SOURCES, Some(r#"["demo","a",0,5]"#), &[r#"["demo","a",0,5]"#], "none"),
            (&SOURCES, None, &[], "none"),
            (
                &SOURCES,
                Some(r#"["demo","a",0,5]"#),
                &[r#"["demo","a",0,6]"#],
                r#"the row app "demo", source "a", partition 0 of sources: upto is 5 by the log, and 6 in the views"#,
            ),
            (
                &SOURCES,
                Some(r#"["demo","a",9,5]"#),
                &[r#"["demo","a",10,5]"#],
                r#"the row app "demo", source "a", partition 9 of sources: expected a row, found no such row"#,
            ),
            (
                &SOURCES,
                Some(r#"["demo","b",0,5]"#),
                &[r#"["demo","a",10,5]"#],
                r#"the row app "demo", source "a", partition 10 of sources: expected no such row, found a row"#,
            ),
            (
                &JOURNAL,
                Some(r#"[0,4,1,"demo","anna"]"#),
                &[],
                "the row partition 0, sequence 4, idx 1 of journal (demo/anna, event 0-4-1): expected a row, found no such row",
            ),
            (
                &ACCOUNTS,
                None,
                &[r#"["demo","eve",7]"#],
                r#"the row app "demo", user_id "eve" of accounts (demo/eve): expected no such row, found a row"#,
            ),
            (
                &CONTAINERS,
                Some(r#"["demo","anna","image:2","/health",0,4,1]"#),
                &[r#"["demo","anna","image:1","/health",0,4,1]"#],
                r#"the row app "demo", user_id "anna" of containers (demo/anna, event 0-4-1): image is "image:2" by the log, and "image:1" in the views"#,
            ),
            (
                &NOTICES,
                Some(r#"["demo","anna","paused",2,"sent",2,1,null,null,"m",null,5,0,7,3]"#),
                &[r#"["demo","anna","paused",2,"due",2,1,null,null,"m",null,5,0,7,3]"#],
                r#"the row app "demo", user_id "anna", kind "paused", epoch 2 of notices (demo/anna, event 0-7-3): state is "sent" by the log, and "due" in the views"#,
            ),
            (
                &CHECKOUTS,
                None,
                &[r#"["demo","anna","s-1",5]"#],
                r#"the row app "demo", user_id "anna", session "s-1" of checkouts (demo/anna): expected no such row, found a row"#,
            ),
            (
                &AGENT_LOG,
                Some(r#"[0,4,1,5,null,null,"solvency"]"#),
                &[r#"[0,4,1,6,null,null,"solvency"]"#],
                "the row partition 0, sequence 4, idx 1 of agent_log (event 0-4-1): recorded_at is 5 by the log, and 6 in the views",
            ),
        ];
        for (table, expected, found, said) in cases {
            let compared = rows(table, found).expect(table, *expected);
            assert_eq!(compared.err().map_or("none".to_owned(), |difference| difference.to_string()), *said);
        }
    }

    /// The example of docs/auditing.md, which sha256sum must agree with.
    #[test]
    fn a_digest_is_that_of_the_lines() {
        let mut rows = rows(&SOURCES, &["[1]", "[2]"]);
        while rows.next(&SOURCES).is_some() {}
        let digest = rows.finish(&SOURCES);
        assert_eq!((digest.rows, digest.sha256.as_str()), (2, LINES));
        assert_eq!(digest_of_all(&[digest]), ALL);
    }

    /// `printf '[1]\n[2]\n' | sha256sum`
    const LINES: &str = "9ff48386e6df4dfc7811742bf541771e8cc403cddee6df2c0fc170db98b793da";
    /// `printf 'sources 2 LINES\n' | sha256sum`
    const ALL: &str = "0f30cca8baf1ea269c0d3271dde843b6bb77d3411d58d5b4732f341eeb34f26e";
}
