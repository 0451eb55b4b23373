//! Short texts of digits, put together in place and from their end: every answer shows some, and none is worth an
//! allocation.

use std::fmt;
use std::ops::Deref;

/// As long as the longest position.
const CAPACITY: usize = 40;

/// A text of digits and the signs between them.
#[derive(Clone, Copy)]
pub struct ShortText {
    bytes: [u8; CAPACITY],
    /// Where the text begins: it ends with the bytes.
    begin: usize,
}

impl ShortText {
    pub(crate) fn empty() -> Self {
        Self { bytes: [0; CAPACITY], begin: CAPACITY }
    }

    /// Puts a sign before what stands there.
    pub(crate) fn sign(&mut self, sign: u8) {
        self.begin -= 1;
        self.bytes[self.begin] = sign;
    }

    /// Puts a whole number before what stands there.
    pub(crate) fn number(&mut self, mut number: u64) {
        loop {
            self.digit(number % 10);
            number /= 10;
            if number == 0 {
                return;
            }
        }
    }

    /// Puts units of 10^-`decimals` before what stands there, as the shortest decimal that says the same.
    pub(crate) fn decimal(&mut self, mut units: u64, decimals: u32) {
        let end = self.begin;
        for _ in 0..decimals {
            // Zeros at the end say nothing.
            if !units.is_multiple_of(10) || self.begin != end {
                self.digit(units % 10);
            }
            units /= 10;
        }
        if self.begin != end {
            self.sign(b'.');
        }
        self.number(units);
    }

    fn digit(&mut self, digit: u64) {
        self.sign(b'0' + digit.to_le_bytes()[0]);
    }
}

impl Deref for ShortText {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.bytes[self.begin..]).expect("digits and signs")
    }
}

impl fmt::Debug for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}
