//! Money: whole credits, exact decimals, and nothing that rounds in silence.
//!
//! The integer is reachable only here, so that the range of [`Usdc`] can be seen to hold by reading one page.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::short_text::ShortText;
use crate::text_form::text_form;

/// How many credits make 1 USDC.
pub const CREDITS_PER_USDC: i64 = 1_000_000;

/// The largest amount one command may move: 10^9 USDC.
pub const AMOUNT_MAX: Usdc = Usdc(1_000_000_000 * CREDITS_PER_USDC);

/// The largest balance an account may hold: 10^12 USDC. Far above what exists, far below where sums overflow.
pub const BALANCE_MAX: Usdc = Usdc(1_000_000_000_000 * CREDITS_PER_USDC);

/// Money in credits: 1 credit is 1 micro-USDC, 10^-6 USDC. Shown and read as a decimal string of USDC, "0.007".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Usdc(i64);

impl Usdc {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many credits.
    pub const fn from_credits(credits: i64) -> Self {
        Self(credits)
    }

    /// The number of credits.
    pub const fn credits(self) -> i64 {
        self.0
    }

    /// Reads "0.007": digits, at most six decimals, an optional minus, and nothing else.
    pub fn parse(text: &str) -> Result<Self, InvalidDecimal> {
        let (negative, credits) = parse_decimal(text, 6, i64::MAX.unsigned_abs())?;
        let credits = i64::try_from(credits).expect("parse_decimal keeps to the limit it is given");
        Ok(Self(if negative { -credits } else { credits }))
    }

    /// As it is shown: "0.007".
    pub fn text(self) -> ShortText {
        let mut text = ShortText::empty();
        text.decimal(self.0.unsigned_abs(), 6);
        if self.0 < 0 {
            text.sign(b'-');
        }
        text
    }

    /// The sum; `None` when it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference; `None` when it does not fit.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The negative amount.
    #[must_use]
    pub fn negated(self) -> Self {
        Self(self.0.checked_neg().expect("amounts stay far inside the range of i64"))
    }

    /// Above zero.
    pub fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Exactly zero.
    pub fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

/// Sums and differences of amounts that the limits above keep in range; an overflow is our own bug.
impl std::ops::Add for Usdc {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.checked_add(other).expect("BALANCE_MAX keeps sums far inside the range of i64")
    }
}

impl std::ops::Sub for Usdc {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.checked_sub(other).expect("BALANCE_MAX keeps differences far inside the range of i64")
    }
}

impl std::ops::AddAssign for Usdc {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::ops::SubAssign for Usdc {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl std::iter::Sum for Usdc {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, |sum, amount| sum + amount)
    }
}

text_form!(Usdc, InvalidDecimal, Usdc::parse, text);

impl fmt::Display for Usdc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text())
    }
}

impl fmt::Debug for Usdc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a decimal number of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDecimal {
    /// Not digits with an optional fraction.
    #[error(
        "must be a plain decimal number such as \"0.007\": digits, without exponent, sign '+' or separators"
    )]
    Malformed,
    /// More decimals than the unit has.
    #[error("has more than {0} decimals")]
    TooPrecise(u32),
    /// Does not fit.
    #[error("is too large")]
    TooLarge,
}

/// Reads a plain decimal number into its sign, true when it is negative, and units of 10^-`decimals`. `limit` is the most
/// units there may be.
///
/// The grammar is JSON's number without an exponent, so that a string and a number read the same.
pub(crate) fn parse_decimal(text: &str, decimals: u32, limit: u64) -> Result<(bool, u64), InvalidDecimal> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return Err(InvalidDecimal::Malformed),
        Some(parts) => parts,
        None => (digits, ""),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if whole.is_empty() || leading_zero || !all_digits(whole) || !all_digits(fraction) {
        return Err(InvalidDecimal::Malformed);
    }
    let missing =
        (decimals as usize).checked_sub(fraction.len()).ok_or(InvalidDecimal::TooPrecise(decimals))?;
    let zeros = std::iter::repeat_n(b'0', missing);
    let units = whole.bytes().chain(fraction.bytes()).chain(zeros).try_fold(0_u64, |units, digit| {
        units.checked_mul(10)?.checked_add((digit - b'0').into()).filter(|units| *units <= limit)
    });
    units.map(|units| (negative, units)).ok_or(InvalidDecimal::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_read_as_written() {
        for (text, credits) in [
            ("0", 0),
            ("-0", 0),
            ("0.007", 7_000),
            ("1", 1_000_000),
            ("-1.5", -1_500_000),
            ("0.000001", 1),
            ("1000000000", 1_000_000_000_000_000),
            ("9223372036854.775807", i64::MAX),
        ] {
            assert_eq!(Usdc::parse(text), Ok(Usdc(credits)), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_amount_is_refused_with_its_reason() {
        use InvalidDecimal::{Malformed, TooLarge, TooPrecise};
        for text in [
            "", "-", ".", ".5", "5.", "+1", " 1", "1 ", "1,000", "1_000", "1e3", "1E-3", "NaN", "inf", "0x1",
            "٣", "--1", "1.2.3", "007", "1.-2",
        ] {
            assert_eq!(Usdc::parse(text), Err(Malformed), "{text}");
        }
        for text in ["0.0000001", "0.0000000", "0.30000000000000004"] {
            assert_eq!(Usdc::parse(text), Err(TooPrecise(6)), "{text}");
        }
        for text in ["9223372036854.775808", "99999999999999999999999999999999999999999999999999"] {
            assert_eq!(Usdc::parse(text), Err(TooLarge), "{text}");
        }
    }

    #[test]
    fn every_amount_is_written_as_the_shortest_decimal() {
        for (credits, text) in [
            (0, "0"),
            (1, "0.000001"),
            (-7_000, "-0.007"),
            (1_000_000, "1"),
            (-1_050_000, "-1.05"),
            (i64::MAX, "9223372036854.775807"),
            (i64::MIN, "-9223372036854.775808"),
        ] {
            assert_eq!(Usdc(credits).to_string(), text);
            assert_eq!(serde_json::to_value(Usdc(credits)).unwrap(), text);
        }
        assert_eq!(format!("{:>7}|{:<7}|", Usdc(-7_000), Usdc(1_000_000)), " -0.007|1      |");
    }

    proptest! {
        #[test]
        fn printing_and_reading_an_amount_gives_the_same(credits in -i64::MAX..=i64::MAX) {
            let text = Usdc(credits).to_string();
            prop_assert_eq!(Usdc::parse(&text), Ok(Usdc(credits)));
            prop_assert!(!text.contains('.') || !text.ends_with('0'));
        }
    }
}
