//! Cuts a file into batches of a source: data row i, from 0, is number i + 1, and a row that can not be used is a
//! number without an item.

use std::io::Read;

use drip_client::SourceDebit;

use super::layout::{Layout, Row};
use super::sheet::{Record, Sheet};

/// The server takes bodies of 2 MiB.
const WEIGHT_MAX: usize = 1 << 20;

/// The rows (from, to] of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) from: u64,
    pub(super) to: u64,
    /// The file ends here.
    pub(super) last: bool,
    pub(super) debits: Vec<SourceDebit>,
    /// How many of them cost nothing.
    pub(super) free: u64,
    pub(super) bad: Vec<BadLine>,
    /// The file ends with a bad line that may have been cut off. It stands in `bad`, and is not done with.
    pub(super) cut: bool,
    /// How many bytes of the file are done with after it.
    pub(super) position: u64,
    weight: usize,
}

/// A line that can not be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadLine {
    pub(super) line: u64,
    pub(super) reason: String,
}

/// A record, and what it asks for or why it can not be used.
type Looked = (Record, Result<Row, String>);

/// The batches of a file, in order. Reads ahead by one row.
pub(super) struct Batches<R> {
    sheet: Sheet<R>,
    layout: Layout,
    rows_max: u64,
    ahead: Option<Looked>,
    to: u64,
    ended: bool,
}

impl<R: Read> Batches<R> {
    /// With at most so many rows each.
    pub(super) fn new(sheet: Sheet<R>, layout: Layout, rows_max: u64) -> Self {
        Self { sheet, layout, rows_max, ahead: None, to: 0, ended: false }
    }

    /// The next one; there is always a last one, be it empty.
    pub(super) fn read(&mut self) -> Result<Option<Batch>, csv::Error> {
        if self.ended {
            return Ok(None);
        }
        let mut batch = Batch { from: self.to, to: self.to, ..Batch::default() };
        while let Some((record, row)) = self.take()? {
            if batch.is_full(&record, &row, self.rows_max) {
                self.ahead = Some((record, row));
                break;
            }
            batch.add(&record, row);
        }
        self.to = batch.to;
        self.ended = self.ahead.is_none();
        batch.last = self.ended;
        batch.position = self.sheet.position();
        Ok(Some(batch))
    }

    fn take(&mut self) -> Result<Option<Looked>, csv::Error> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let Some(record) = self.sheet.read()? else { return Ok(None) };
        let row = self.layout.row(&record);
        Ok(Some((record, row)))
    }
}

impl Batch {
    /// Whether this row must go into the next one. A row that was cut off takes no place.
    fn is_full(&self, record: &Record, row: &Result<Row, String>, rows_max: u64) -> bool {
        match row {
            Err(_) if !record.ended => false,
            Err(_) => self.to - self.from >= rows_max,
            Ok(row) => {
                let heavy = !self.debits.is_empty() && self.weight + row.weight > WEIGHT_MAX;
                heavy || self.to - self.from >= rows_max
            }
        }
    }

    fn add(&mut self, record: &Record, row: Result<Row, String>) {
        match row {
            Ok(row) => {
                self.weight += row.weight;
                self.free += u64::from(row.free);
                self.debits.push(row.debit);
            }
            Err(reason) if record.ended => self.bad.push(BadLine { line: record.line, reason }),
            Err(reason) => {
                self.cut = true;
                let reason = format!("{reason} (the line has no end: it may have been cut off)");
                self.bad.push(BadLine { line: record.line, reason });
                return;
            }
        }
        self.to = record.number;
    }
}

#[cfg(test)]
mod tests {
    use ledger_core::Meter;
    use ledger_core::charge::UnitPrice;

    use super::*;
    use crate::commands::import::layout::{Columns, Payer, Price};

    /// From, to, last, the numbers of its items, the lines that are bad.
    type Shape = (u64, u64, bool, Vec<u64>, Vec<u64>);

    fn shapes(text: &str, rows_max: u64) -> Vec<Shape> {
        let sheet = Sheet::open(text.as_bytes(), b',').unwrap();
        let columns = Columns {
            prices: vec![Price { column: "n".into(), unit_price: UnitPrice::parse("1").unwrap() }],
            payer: Payer::Spread { users: 2, prefix: "u".into() },
            time: None,
            scope: None,
            meter: Meter::new("m").unwrap(),
        };
        let layout = Layout::new(columns, sheet.header()).unwrap();
        let mut batches = Batches::new(sheet, layout, rows_max);
        let mut shapes = Vec::new();
        while let Some(batch) = batches.read().unwrap() {
            let numbers = batch.debits.iter().map(|debit| debit.number).collect();
            let lines = batch.bad.iter().map(|bad| bad.line).collect();
            shapes.push((batch.from, batch.to, batch.last, numbers, lines));
        }
        shapes
    }

    #[test]
    fn batches_follow_each_other_and_the_last_one_says_so() {
        assert_eq!(
            shapes("n\n1\n2\n3\n", 2),
            [(0, 2, false, vec![1, 2], vec![]), (2, 3, true, vec![3], vec![])]
        );
        assert_eq!(shapes("n\n1\n2\n", 2), [(0, 2, true, vec![1, 2], vec![])]);
        assert_eq!(shapes("n\n", 2), [(0, 0, true, vec![], vec![])]);
    }

    #[test]
    fn bad_rows_are_numbers_without_an_item() {
        assert_eq!(
            shapes("n\nx\n2\ny\nz\n5\n", 2),
            [
                (0, 2, false, vec![2], vec![2]),
                (2, 4, false, vec![], vec![4, 5]),
                (4, 5, true, vec![5], vec![])
            ]
        );
    }

    #[test]
    fn a_bad_last_line_without_an_end_stays_open() {
        assert_eq!(shapes("n\n1\n2\nx", 2), [(0, 2, true, vec![1, 2], vec![4])]);
        assert_eq!(shapes("n\n1\nx", 2), [(0, 1, true, vec![1], vec![3])]);
        assert_eq!(shapes("n\n1\nx\n", 2), [(0, 2, true, vec![1], vec![3])]);
        assert_eq!(shapes("n\n1\n2", 2), [(0, 2, true, vec![1, 2], vec![])]);
        assert_eq!(shapes("n\nx", 2), [(0, 0, true, vec![], vec![2])]);
    }

    #[test]
    fn heavy_rows_make_short_batches() {
        let text = format!("n\n{}", "1\n".repeat(5000));
        let lengths: Vec<_> = shapes(&text, 5000).iter().map(|shape| shape.3.len()).collect();
        assert!(lengths.len() > 1 && lengths.iter().sum::<usize>() == 5000, "{lengths:?}");
    }
}
