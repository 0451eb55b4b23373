//! Follows the bytes of a CSV file as the reader will, only to know how long the record under way is and whether a
//! quote is open in it: a quote too many makes one record of all that follows, which nobody could hold or would mean.

/// The most bytes of a record.
const BYTES_MAX: u64 = 1 << 20;
/// The most lines of a record.
const LINES_MAX: u64 = 1000;

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Where the last byte left the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before a record: empty lines are none.
    Record,
    /// Before a field: only here does a quote open.
    Field,
    Plain,
    Quoted,
    /// Behind a quote inside of quotes: it closes them, or the next one doubles it.
    Closing,
}

/// What is known of the record under way.
#[derive(Debug)]
pub(super) struct Outline {
    delimiter: u8,
    place: Place,
    /// Bytes of the whole file.
    offset: u64,
    /// The line under way, from 1.
    line: u64,
    /// The first line of the record.
    begins: u64,
    /// Bytes of the record.
    bytes: u64,
    /// Where the last quote opened.
    quote: u64,
}

impl Outline {
    pub(super) fn new(delimiter: u8) -> Self {
        Self { delimiter, place: Place::Record, offset: 0, line: 1, begins: 1, bytes: 0, quote: 1 }
    }

    /// Goes on by one byte.
    pub(super) fn step(&mut self, byte: u8) {
        let mark = usize::try_from(self.offset).ok().and_then(|at| BYTE_ORDER_MARK.get(at));
        self.offset += 1;
        if mark == Some(&byte) {
            return;
        }
        if self.place == Place::Record {
            (self.begins, self.bytes) = (self.line, 0);
        }
        self.bytes += 1;
        self.place = self.next(byte);
        self.line += u64::from(byte == b'\n');
    }

    fn next(&mut self, byte: u8) -> Place {
        match (self.place, byte) {
            (Place::Quoted, b'"') => Place::Closing,
            (Place::Quoted, _) | (Place::Closing, b'"') => Place::Quoted,
            (_, b'\n') => Place::Record,
            (_, byte) if byte == self.delimiter => Place::Field,
            (Place::Record | Place::Field, b'"') => {
                self.quote = self.line;
                Place::Quoted
            }
            _ => Place::Plain,
        }
    }

    /// The line on which a quote opens that is not closed so far.
    pub(super) fn open_quote(&self) -> Option<u64> {
        (self.place == Place::Quoted).then_some(self.quote)
    }

    /// Why the record under way can not be read on.
    pub(super) fn too_long(&self) -> Option<String> {
        let length = match (self.bytes > BYTES_MAX, self.line - self.begins >= LINES_MAX) {
            _ if self.place == Place::Record => return None,
            (true, _) => "1 MiB".to_owned(),
            (false, true) => format!("{LINES_MAX} lines"),
            (false, false) => return None,
        };
        let quote = self
            .open_quote()
            .map_or_else(String::new, |line| format!(": a quote opens on line {line} and is not closed"));
        Some(format!("the row that begins on line {} is longer than {length}{quote}", self.begins))
    }
}
