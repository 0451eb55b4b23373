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
    /// The file ends with a usable line that has no line end: which one. It was taken, or held back.
    pub(super) unended: Option<u64>,
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

/// What becomes of a usable last line without a line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LastLine {
    /// It is complete: charge for it.
    Take,
    /// It may still be under way: leave it for the next run.
    Hold,
}

/// The batches of a file, in order. Reads ahead by one row.
pub(super) struct Batches<R> {
    sheet: Sheet<R>,
    layout: Layout,
    rows_max: u64,
    last_line: LastLine,
    ahead: Option<Looked>,
    to: u64,
    /// Why no more can be read, until it is told.
    broken: Option<csv::Error>,
    ended: bool,
}

impl<R: Read> Batches<R> {
    /// With at most so many rows each.
    pub(super) fn new(sheet: Sheet<R>, layout: Layout, rows_max: u64, last_line: LastLine) -> Self {
        Self { sheet, layout, rows_max, last_line, ahead: None, to: 0, broken: None, ended: false }
    }

    /// The next one; there is always a last one, be it empty. A file that can not be read on ends with an error,
    /// behind a batch of the rows before it.
    pub(super) fn read(&mut self) -> Result<Option<Batch>, csv::Error> {
        if let Some(error) = self.broken.take() {
            self.ended = true;
            return Err(error);
        }
        if self.ended {
            return Ok(None);
        }
        let mut batch = Batch { from: self.to, to: self.to, ..Batch::default() };
        let held = self.fill(&mut batch);
        self.to = batch.to;
        self.ended = self.ahead.is_none() && self.broken.is_none();
        // What was held back may be known already: then this is no end that the ledger should compare with its own.
        batch.last = self.ended && !held;
        batch.position = self.sheet.position();
        Ok(Some(batch))
    }

    /// Whether the last line was held back.
    fn fill(&mut self, batch: &mut Batch) -> bool {
        while let Some((record, row)) = self.take() {
            if self.last_line == LastLine::Hold && !record.ended && record.open_quote.is_none() {
                batch.unended = Some(record.line);
                return true;
            }
            if batch.is_full(&record, &row, self.rows_max) {
                self.ahead = Some((record, row));
                return false;
            }
            batch.add(&record, row);
        }
        false
    }

    fn take(&mut self) -> Option<Looked> {
        if let Some(ahead) = self.ahead.take() {
            return Some(ahead);
        }
        match self.sheet.read() {
            Ok(record) => record.map(|record| self.look(record)),
            Err(error) => {
                self.broken = Some(error);
                None
            }
        }
    }

    fn look(&self, record: Record) -> Looked {
        let row = match record.open_quote {
            Some(line) => Err(format!("a quote opens on line {line} and is not closed")),
            None => self.layout.row(&record),
        };
        (record, row)
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
                self.unended = (!record.ended).then_some(record.line);
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

    fn batches(text: &str, rows_max: u64, last_line: LastLine) -> Batches<&[u8]> {
        let sheet = Sheet::open(text.as_bytes(), b',').unwrap();
        let columns = Columns {
            prices: vec![Price { column: "n".into(), unit_price: UnitPrice::parse("1").unwrap() }],
            payer: Payer::Spread { users: 2, prefix: "u".into() },
            time: None,
            scope: None,
            meter: Meter::new("m").unwrap(),
        };
        let layout = Layout::new(columns, sheet.header()).unwrap();
        Batches::new(sheet, layout, rows_max, last_line)
    }

    fn shape(batch: &Batch) -> Shape {
        let numbers = batch.debits.iter().map(|debit| debit.number).collect();
        let lines = batch.bad.iter().map(|bad| bad.line).collect();
        (batch.from, batch.to, batch.last, numbers, lines)
    }

    fn shapes(text: &str, rows_max: u64) -> Vec<Shape> {
        let mut batches = batches(text, rows_max, LastLine::Take);
        std::iter::from_fn(|| batches.read().unwrap().as_ref().map(shape)).collect()
    }

    #[test]
    fn a_usable_last_line_without_an_end_is_taken_or_held_back() {
        for (text, last_line, wanted, unended) in [
            ("n\n1\n2", LastLine::Take, (0, 2, true, vec![1, 2], vec![]), Some(3)),
            ("n\n1\n2", LastLine::Hold, (0, 1, false, vec![1], vec![]), Some(3)),
            ("n\n1\nx", LastLine::Hold, (0, 1, false, vec![1], vec![]), Some(3)),
            ("n\n1\n2\n", LastLine::Hold, (0, 2, true, vec![1, 2], vec![]), None),
        ] {
            let mut batches = batches(text, 2, last_line);
            let batch = batches.read().unwrap().unwrap();
            assert_eq!((shape(&batch), batch.unended), (wanted, unended), "{text:?}");
            assert_eq!(batches.read().unwrap(), None);
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_is_not_done_with() {
        for last_line in [LastLine::Take, LastLine::Hold] {
            let mut batches = batches("n\n1\n\"2\n3\n", 5, last_line);
            let batch = batches.read().unwrap().unwrap();
            assert_eq!((shape(&batch), batch.cut), ((0, 1, true, vec![1], vec![3]), true));
        }
    }

    #[test]
    fn what_stands_before_a_row_that_is_too_long_is_sent() {
        let text = format!("n\n1\n2\n3\n\"4\n{}", "5\n".repeat(2000));
        let mut batches = batches(&text, 2, LastLine::Take);
        assert_eq!(shape(&batches.read().unwrap().unwrap()), (0, 2, false, vec![1, 2], vec![]));
        assert_eq!(shape(&batches.read().unwrap().unwrap()), (2, 3, false, vec![3], vec![]));
        assert!(batches.read().is_err());
        assert_eq!(batches.read().unwrap(), None);
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
