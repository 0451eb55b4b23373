//! The digest of the views: what tells at a glance whether two of them hold the same rows, whatever they are kept in.
//! docs/auditing.md shows how to make it without Drip.

use futures::StreamExt as _;
use projector::FrozenViews;
use projector::tables::{CHAIN_POSITIONS, TABLES, Table};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// A table that was read to its end.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TableDigest {
    /// Its name.
    pub(crate) table: &'static str,
    /// How many rows it has.
    pub(crate) rows: u64,
    /// The SHA-256 of its lines, each with a line feed behind it.
    pub(crate) sha256: String,
}

/// The digest of a table in the making.
#[derive(Default)]
pub(crate) struct Digesting {
    sha256: Sha256,
    rows: u64,
}

impl Digesting {
    /// The next row.
    pub(crate) fn line(&mut self, line: &str) {
        self.sha256.update(line);
        self.sha256.update("\n");
        self.rows += 1;
    }

    /// The table has no more.
    pub(crate) fn finish(self, table: &'static Table) -> TableDigest {
        TableDigest { table: table.name, rows: self.rows, sha256: hex::encode(self.sha256.finalize()) }
    }
}

/// The digest over all tables: of one line a table, in the order of their names, `NAME ROWS SHA256`.
pub(crate) fn digest_of_all(tables: &[TableDigest]) -> String {
    let mut tables: Vec<_> = tables.iter().collect();
    tables.sort_by_key(|table| table.table);
    let line = |table: &&TableDigest| format!("{} {} {}\n", table.table, table.rows, table.sha256);
    hex::encode(Sha256::digest(tables.iter().map(line).collect::<String>()))
}

/// Views that were read to their end.
pub(crate) struct Digests {
    /// In the order of their names.
    pub(crate) tables: Vec<TableDigest>,
    /// How far they are folded: `P-N`, the last message of each partition.
    pub(crate) at: Vec<String>,
}

/// The digests of all tables. Error: they can not be read.
pub(crate) async fn digest(mut frozen: FrozenViews) -> Result<Digests, projector::Error> {
    let (mut tables, mut at) = (Vec::new(), Vec::new());
    for table in &TABLES {
        let mut digesting = Digesting::default();
        let mut lines = frozen.lines(table);
        while let Some(line) = lines.next().await {
            let line = line?;
            digesting.line(&line);
            if table == &CHAIN_POSITIONS {
                at.extend(chain_position(&line).map(|(_, partition, read)| format!("{partition}-{read}")));
            }
        }
        tables.push(digesting.finish(table));
    }
    frozen.close().await;
    Ok(Digests { tables, at })
}

/// The log, the partition, and how far it is read, of a row of the chain positions.
pub(crate) fn chain_position(line: &str) -> Option<(String, u16, u64)> {
    let row: Vec<serde_json::Value> = serde_json::from_str(line).ok()?;
    Some((row[0].as_str()?.to_owned(), row[1].as_u64()?.try_into().ok()?, row[2].as_u64()?))
}
