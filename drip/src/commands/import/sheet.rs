//! Reads a CSV file record by record, in constant memory, and knows for each where it stands.

use std::io::{Error, ErrorKind, Read};

use csv::{ByteRecord, ReaderBuilder, Terminator};

use super::outline::Outline;

/// A CSV file with a header.
pub(super) struct Sheet<R> {
    reader: csv::Reader<Tail<R>>,
    header: Vec<String>,
    number: u64,
}

/// One data row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Counted from 1 over all data rows, also those that can not be used.
    pub(super) number: u64,
    /// The line of the file it begins on, from 1.
    pub(super) line: u64,
    /// It ends with a line break. One that does not may have been cut off.
    pub(super) ended: bool,
    /// The file ends inside of quotes: the line where they open.
    pub(super) open_quote: Option<u64>,
    fields: ByteRecord,
}

impl<R: Read> Sheet<R> {
    /// Reads the header.
    pub(super) fn open(input: R, delimiter: u8) -> Result<Self, csv::Error> {
        let reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            // With its default of "\r\n, \r or \n" the reader counts the lines of a file from Windows wrongly.
            .terminator(Terminator::Any(b'\n'))
            .from_reader(Tail::new(input, delimiter));
        let mut sheet = Self { reader, header: vec![], number: 0 };
        if let Some(header) = sheet.read()? {
            sheet.header = (0..header.len()).map(|at| header.lossy(at).trim().to_owned()).collect();
        }
        sheet.number = 0;
        Ok(sheet)
    }

    /// The names of the columns.
    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// How many bytes of the file are done with.
    pub(super) fn position(&self) -> u64 {
        self.reader.position().byte()
    }

    /// The next data row; empty lines are none.
    pub(super) fn read(&mut self) -> Result<Option<Record>, csv::Error> {
        let mut fields = ByteRecord::new();
        loop {
            if !self.reader.read_byte_record(&mut fields)? {
                return Ok(None);
            }
            if fields.len() != 1 || fields.get(0) != Some(b"\r") {
                break;
            }
        }
        self.number += 1;
        let tail = self.reader.get_ref();
        let at_end = self.reader.position().byte() == tail.total;
        let open_quote = tail.outline.open_quote().filter(|_| at_end);
        let ended = !at_end || (tail.last == b'\n' && open_quote.is_none());
        // The reader knows where it is now: behind the record, and behind empty lines before it.
        let breaks = fields.as_slice().split(|byte| *byte == b'\n').count() as u64 - 1 + u64::from(ended);
        let line = self.reader.position().line() - breaks;
        Ok(Some(Record { number: self.number, line, ended, open_quote, fields }))
    }
}

impl Record {
    /// How many fields it has.
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// A field; `None` when there is none.
    pub(super) fn bytes(&self, at: usize) -> Option<&[u8]> {
        let bytes = self.fields.get(at)?;
        let last = at + 1 == self.fields.len();
        Some(if last { bytes.strip_suffix(b"\r").unwrap_or(bytes) } else { bytes })
    }

    /// A field as text; `None` when there is none or it is no UTF-8.
    pub(super) fn text(&self, at: usize) -> Option<&str> {
        std::str::from_utf8(self.bytes(at)?).ok()
    }

    fn lossy(&self, at: usize) -> String {
        String::from_utf8_lossy(self.bytes(at).unwrap_or_default()).into_owned()
    }
}

/// Knows how much was read, what the last byte was, and stops in the middle of a record that is too long.
struct Tail<R> {
    input: R,
    total: u64,
    last: u8,
    outline: Outline,
    too_long: Option<String>,
}

impl<R> Tail<R> {
    fn new(input: R, delimiter: u8) -> Self {
        Self { input, total: 0, last: b'\n', outline: Outline::new(delimiter), too_long: None }
    }

    /// How many of these bytes can be given on: all, or those up to where a record becomes too long.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        for (index, byte) in bytes.iter().enumerate() {
            self.outline.step(*byte);
            self.too_long = self.outline.too_long();
            if self.too_long.is_some() {
                return index;
            }
        }
        bytes.len()
    }
}

impl<R: Read> Read for Tail<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.too_long.is_none() {
            let read = self.input.read(buffer)?;
            let count = self.pass(&buffer[..read]);
            if let Some(last) = buffer[..count].last() {
                self.last = *last;
                self.total += count as u64;
            }
            if count > 0 || read == 0 {
                return Ok(count);
            }
        }
        Err(Error::new(ErrorKind::InvalidData, self.too_long.clone().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many rows can be read before this text is refused, and why it is.
    fn refused(text: &str) -> (u64, String) {
        let mut sheet = Sheet::open(text.as_bytes(), b',').unwrap();
        loop {
            match sheet.read() {
                Ok(record) => assert!(record.is_some(), "it was not refused"),
                Err(error) => return (sheet.number, error.to_string()),
            }
        }
    }

    #[test]
    fn a_stray_quote_does_not_swallow_the_file() {
        let rows = "1,2\n".repeat(2000);
        for (text, count, line) in [
            (format!("a,b\n1,2\n1,\"2\n{rows}"), 1, 3),
            (format!("a,b\n\n\n{rows}\"1,2\n{rows}"), 2000, 2004),
            (format!("\u{feff}a,b\n1,\"x\ny\"\n1,\"2\"\"\n{rows}"), 1, 4),
            (format!("a,b\n1,\"x\n\",\"2\n{rows}"), 0, 3),
            (format!("a,b\n1,2\n1,\"{}", "x".repeat(1 << 20)), 1, 3),
        ] {
            let (read, reason) = refused(&text);
            assert_eq!(read, count, "{reason}");
            assert!(reason.ends_with(&format!("a quote opens on line {line} and is not closed")), "{reason}");
        }
        let (read, reason) = refused(&format!("a,b\n1,2\n{}", "x".repeat((1 << 20) + 1)));
        assert_eq!((read, reason.as_str()), (1, "the row that begins on line 3 is longer than 1 MiB"));
    }

    #[test]
    fn records_of_the_greatest_length_are_read() {
        let long = format!("\"{}\"", "x\n".repeat(999));
        let heavy = "x".repeat((1 << 20) - 3);
        let text = format!("a,b\n{}1,{long}\n1,{heavy}\n1,2\n", "\n".repeat(1 << 21));
        assert_eq!(rows(&text).len(), 3);
    }

    #[test]
    fn a_quote_that_is_open_at_the_end_of_the_file_is_told() {
        for text in ["a,b\n1,2\n1,\"2\n3,4\n", "a,b\n1,2\n1,\"2\n3,4"] {
            let mut sheet = Sheet::open(text.as_bytes(), b',').unwrap();
            let first = sheet.read().unwrap().unwrap();
            assert_eq!((first.ended, first.open_quote), (true, None));
            let last = sheet.read().unwrap().unwrap();
            assert_eq!((last.line, last.ended, last.open_quote), (3, false, Some(3)));
            assert_eq!(sheet.read().unwrap(), None);
        }
    }

    /// Number, line, whether ended, first field.
    fn rows(text: &str) -> Vec<(u64, u64, bool, String)> {
        let mut sheet = Sheet::open(text.as_bytes(), b',').unwrap();
        let mut rows = Vec::new();
        while let Some(record) = sheet.read().unwrap() {
            rows.push((record.number, record.line, record.ended, record.lossy(record.len() - 1)));
        }
        assert_eq!(sheet.position(), text.len() as u64);
        rows
    }

    #[test]
    fn every_row_knows_its_number_its_line_and_whether_it_is_whole() {
        let whole = vec![(1, 2, true, "2".to_owned()), (2, 3, true, "4".to_owned())];
        assert_eq!(rows("a,b\n1,2\n3,4\n"), whole);
        assert_eq!(rows("a,b\r\n1,2\r\n3,4\r\n"), whole);
        assert_eq!(rows("\u{feff}a,b\n1,2\n3,4\n"), whole);
        let cut = vec![(1, 2, true, "2".to_owned()), (2, 3, false, "4".to_owned())];
        assert_eq!(rows("a,b\r\n1,2\r\n3,4"), cut);
        assert_eq!(rows("\u{feff}a,b\n1,2\n3,4"), cut);
        let spaced = vec![(1, 4, true, "2".to_owned()), (2, 7, true, "4".to_owned())];
        assert_eq!(rows("a,b\n\n\n1,2\n\n\n3,4\n\n"), spaced);
        assert_eq!(rows("a,b\r\n\r\n\r\n1,2\r\n\r\n\r\n3,4\r\n\r\n"), spaced);
        let quoted = vec![(1, 2, true, "x\ny".to_owned()), (2, 4, true, "4\"".to_owned())];
        assert_eq!(rows("a,b\n1,\"x\ny\"\n3,\"4\"\"\"\n"), quoted);
        assert_eq!(rows("a,b"), []);
        assert_eq!(rows(""), []);
    }

    #[test]
    fn the_header_is_read_without_its_byte_order_mark_and_spaces() {
        let sheet = Sheet::open("\u{feff}when ;\"how much\"\r\n".as_bytes(), b';').unwrap();
        assert_eq!(sheet.header(), ["when", "how much"]);
    }
}
