//! Exact numbers: amounts of money, and the quantities and prices they are made of. No float anywhere.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const CREDITS_PER_USDC: i64 = 1_000_000;

/// An amount of USDC, exact to a credit (10^-6 USDC). Read and shown as a plain decimal, "0.007".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(i64);

impl Amount {
    /// So many credits (10^-6 USDC).
    pub const fn from_credits(credits: i64) -> Self {
        Self(credits)
    }

    /// The number of credits (10^-6 USDC).
    pub const fn credits(self) -> i64 {
        self.0
    }

    /// The sum; `None` when it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl FromStr for Amount {
    type Err = InvalidDecimal;
    fn from_str(text: &str) -> Result<Self, InvalidDecimal> {
        let (negative, whole, fraction) = split(text)?;
        if fraction.len() > 6 {
            return Err(InvalidDecimal::TooPrecise);
        }
        let digits = format!("{whole}{fraction:0<6}");
        let credits = digits.parse::<i64>().map_err(|_| InvalidDecimal::TooLarge)?;
        Ok(Self(if negative { -credits } else { credits }))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = CREDITS_PER_USDC.unsigned_abs();
        let (whole, fraction) = (self.0.unsigned_abs() / scale, self.0.unsigned_abs() % scale);
        let sign = if self.0 < 0 { "-" } else { "" };
        if fraction == 0 {
            return f.pad(&format!("{sign}{whole}"));
        }
        f.pad(format!("{sign}{whole}.{fraction:06}").trim_end_matches('0'))
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Amount {
    type Error = InvalidDecimal;
    fn try_from(text: String) -> Result<Self, InvalidDecimal> {
        text.parse()
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> String {
        amount.to_string()
    }
}

/// A plain decimal number as it was written: a quantity or a price. How many decimals it may have, the ledger says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal(String);

impl Decimal {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Decimal {
    type Err = InvalidDecimal;
    fn from_str(text: &str) -> Result<Self, InvalidDecimal> {
        split(text).map(|_| Self(text.to_owned()))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for Decimal {
    type Error = InvalidDecimal;
    fn try_from(text: String) -> Result<Self, InvalidDecimal> {
        split(&text)?;
        Ok(Self(text))
    }
}

impl From<Decimal> for String {
    fn from(decimal: Decimal) -> String {
        decimal.0
    }
}

/// Why a text is not a number of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDecimal {
    /// Not digits with an optional fraction.
    #[error("must be a plain decimal number such as \"0.007\": digits, without exponent, '+' or separators")]
    Malformed,
    /// More than six decimals.
    #[error("has more than 6 decimals")]
    TooPrecise,
    /// Does not fit.
    #[error("is too large")]
    TooLarge,
}

/// The sign, the digits before the point and those after it. The grammar is JSON's number without an exponent.
fn split(text: &str) -> Result<(bool, &str, &str), InvalidDecimal> {
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
    Ok((negative, whole, fraction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_and_print_exactly() {
        for (text, credits, shown) in [
            ("0", 0, "0"),
            ("0.007", 7_000, "0.007"),
            ("50.000", 50_000_000, "50"),
            ("-1.5", -1_500_000, "-1.5"),
            ("100", 100_000_000, "100"),
            ("0.000001", 1, "0.000001"),
            ("9223372036854.775807", i64::MAX, "9223372036854.775807"),
        ] {
            let amount: Amount = text.parse().unwrap();
            assert_eq!((amount.credits(), amount.to_string().as_str()), (credits, shown), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused_with_its_reason() {
        use InvalidDecimal::{Malformed, TooLarge, TooPrecise};
        let malformed = ["", "-", ".5", "5.", "+1", " 1", "1e3", "NaN", "1,000", "007", "--1", "1.-2", "٣"];
        for text in malformed {
            assert_eq!(text.parse::<Amount>(), Err(Malformed), "{text}");
            assert_eq!(text.parse::<Decimal>(), Err(Malformed), "{text}");
        }
        assert_eq!("0.0000001".parse::<Amount>(), Err(TooPrecise));
        assert_eq!("9223372036854.775808".parse::<Amount>(), Err(TooLarge));
        assert_eq!("0.0000025".parse::<Decimal>().unwrap().as_str(), "0.0000025");
    }
}
