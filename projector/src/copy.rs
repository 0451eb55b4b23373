//! Rows in the binary form of Postgres' COPY: the cheapest way in for many rows, because nothing is made of them twice.

use ledger_core::Timestamp;

use crate::journal::{self, Cells};
use crate::rows::JournalRow;

/// Its first bytes: a signature, no flags, no more of a header.
const BEGIN: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// In place of a number of columns: no more rows.
const END: i16 = -1;
/// In place of a length: no value.
const NULL: i32 = -1;
/// Postgres counts from the beginning of 2000, in microseconds.
const YEAR_2000: i64 = 946_684_800_000_000;

/// Rows in the making. What is there can be sent, and cleared, at any time.
pub(crate) struct Copy {
    pub(crate) bytes: Vec<u8>,
    json: String,
}

impl Copy {
    /// The statement that takes it.
    pub(crate) fn into_journal() -> String {
        format!("COPY journal ({}) FROM STDIN (FORMAT binary)", journal::COLUMNS.join(", "))
    }

    pub(crate) fn begin() -> Self {
        Self { bytes: BEGIN.to_vec(), json: String::new() }
    }

    pub(crate) fn row(&mut self, row: &JournalRow) {
        let columns = i16::try_from(journal::COLUMNS.len()).expect("a table has few columns");
        self.bytes.extend(columns.to_be_bytes());
        journal::write(row, &mut self.json, &mut Sink(&mut self.bytes));
    }

    pub(crate) fn end(&mut self) {
        self.bytes.extend(END.to_be_bytes());
    }
}

struct Sink<'a>(&'a mut Vec<u8>);

impl Sink<'_> {
    fn cell(&mut self, bytes: Option<&[u8]>) {
        let length = bytes.map_or(NULL, |bytes| {
            i32::try_from(bytes.len()).expect("what is in a row fitted into a message of the log")
        });
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes.unwrap_or_default());
    }
}

impl Cells for Sink<'_> {
    fn text(&mut self, text: Option<&str>) {
        self.cell(text.map(str::as_bytes));
    }

    fn int(&mut self, number: Option<i64>) {
        self.cell(number.map(i64::to_be_bytes).as_ref().map(|bytes| &bytes[..]));
    }

    fn time(&mut self, time: Option<Timestamp>) {
        self.int(time.map(|time| time.0 - YEAR_2000));
    }
}
