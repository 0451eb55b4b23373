//! The canonical form of a row: a JSON array of its columns, in the order of the table, in one line.

use std::fmt::{Display, Write as _};

use crate::position::Position;

/// A row in the making.
#[derive(Debug, Default)]
pub(crate) struct Line(String);

impl Line {
    /// A number, in its decimal digits.
    pub(crate) fn number(mut self, number: impl Display) -> Self {
        self.comma();
        write!(self.0, "{number}").expect("a String takes everything");
        self
    }

    /// A number that may be absent.
    pub(crate) fn opt_number(self, number: Option<impl Display>) -> Self {
        match number {
            Some(number) => self.number(number),
            None => self.number("null"),
        }
    }

    /// A truth.
    pub(crate) fn flag(self, flag: bool) -> Self {
        self.number(flag)
    }

    /// A moment, in microseconds since 1970; the nearest in the years 1 to 9999, which every database can hold.
    pub(crate) fn time(self, micros: i64) -> Self {
        self.number(storable(micros))
    }

    /// A moment that may be absent.
    pub(crate) fn opt_time(self, micros: Option<i64>) -> Self {
        self.opt_number(micros.map(storable))
    }

    /// Where an event stands: partition, sequence and index.
    pub(crate) fn place(self, position: Position) -> Self {
        self.number(position.partition).number(position.sequence).number(position.index)
    }

    /// The same, where it may be absent.
    pub(crate) fn opt_place(self, position: Option<Position>) -> Self {
        match position {
            Some(position) => self.place(position),
            None => self.number("null").number("null").number("null"),
        }
    }

    /// A text.
    pub(crate) fn text(mut self, text: &str) -> Self {
        self.comma();
        self.0.push_str(&serde_json::to_string(text).expect("a text is always JSON"));
        self
    }

    /// A text that may be absent.
    pub(crate) fn opt_text(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(text),
            None => self.number("null"),
        }
    }

    /// A total as the views can hold it: beyond their range it stays at the end.
    pub(crate) fn total(self, total: i128) -> Self {
        self.number(total.min(i64::MAX.into()))
    }

    /// The line, without its end.
    pub(crate) fn done(mut self) -> String {
        self.0.push(']');
        self.0
    }

    fn comma(&mut self) {
        self.0.push(if self.0.is_empty() { '[' } else { ',' });
    }
}

pub(crate) fn storable(micros: i64) -> i64 {
    micros.clamp(-62_135_596_800_000_000, 253_402_300_799_999_999)
}

/// A number in units of its last decimal, as a plain decimal without needless zeros.
pub fn decimal(units: i128, decimals: u32) -> String {
    let scale = 10_i128.pow(decimals);
    let (sign, units) = (if units < 0 { "-" } else { "" }, units.abs());
    let fraction = format!("{:0width$}", units % scale, width = decimals as usize);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", units / scale)
}
