//! Money as the services write it: from its digits, never through a float.

use ledger_core::Usdc;
use ledger_core::money::InvalidDecimal;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// How many decimals an amount of USDC has.
const DECIMALS: usize = 6;
/// No exponent beyond this is an amount of money; it keeps a hostile one from filling the memory with zeros.
const EXPONENT_MAX: u32 = 30;

/// Reads a decimal string as a service writes it, "5.00": exact, so more than six decimals must be zeros.
pub(crate) fn exact(text: &str) -> Result<Usdc, InvalidDecimal> {
    if text.contains(['e', 'E']) {
        return Err(InvalidDecimal::Malformed);
    }
    let (usdc, rest) = split(text)?;
    rest.bytes().all(|digit| digit == b'0').then_some(usdc).ok_or(InvalidDecimal::TooPrecise(6))
}

/// Reads a JSON number's digits. To the nearest credit: at the service it was a double, so 0.7000000000000001 means 0.7.
pub(crate) fn nearest(text: &str) -> Result<Usdc, InvalidDecimal> {
    let (usdc, rest) = split(text)?;
    let credit = match rest.as_bytes().first() {
        Some(b'5'..) if text.starts_with('-') => -1,
        Some(b'5'..) => 1,
        _ => 0,
    };
    usdc.checked_add(Usdc::from_credits(credit)).ok_or(InvalidDecimal::TooLarge)
}

/// For a field: a decimal string or a JSON number. Anything else, or nothing, is unknown.
pub(crate) fn option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Usdc>, D::Error> {
    let raw = Option::<Box<RawValue>>::deserialize(deserializer)?;
    Ok(raw.and_then(|raw| literal(raw.get())))
}

/// An amount from the text of a JSON value.
pub(crate) fn literal(json: &str) -> Option<Usdc> {
    match json.starts_with('"') {
        true => exact(&serde_json::from_str::<String>(json).ok()?).ok(),
        false => nearest(json).ok(),
    }
}

/// The amount cut to six decimals, and the digits after them.
fn split(text: &str) -> Result<(Usdc, String), InvalidDecimal> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = shifted(digits)?;
    let (fraction, rest) = fraction.split_at(fraction.len().min(DECIMALS));
    Ok((Usdc::parse(&format!("{sign}{whole}.{fraction:0<DECIMALS$}"))?, rest.to_owned()))
}

/// The digits before and after the point, with the exponent worked in.
fn shifted(text: &str) -> Result<(String, String), InvalidDecimal> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse().map_err(|_| InvalidDecimal::Malformed)?),
        None => (text, 0_i32),
    };
    let (whole, fraction) = plain(mantissa)?;
    if exponent.unsigned_abs() > EXPONENT_MAX {
        return Err(InvalidDecimal::TooLarge);
    }
    let zeros = "0".repeat(EXPONENT_MAX as usize);
    let digits = format!("{zeros}{whole}{fraction}{zeros}");
    let point = zeros.len() + whole.len();
    let far = exponent.unsigned_abs() as usize;
    let (whole, fraction) = digits.split_at(if exponent < 0 { point - far } else { point + far });
    let whole = whole.trim_start_matches('0');
    Ok((if whole.is_empty() { "0" } else { whole }.to_owned(), fraction.trim_end_matches('0').to_owned()))
}

/// The digits before and after the point of a plain decimal number: JSON's grammar without sign and exponent.
fn plain(text: &str) -> Result<(&str, &str), InvalidDecimal> {
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return Err(InvalidDecimal::Malformed),
        Some(parts) => parts,
        None => (text, ""),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    let good = !whole.is_empty() && !leading_zero && all_digits(whole) && all_digits(fraction);
    good.then_some((whole, fraction)).ok_or(InvalidDecimal::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_however_it_is_written() {
        for (json, shown) in [
            (r#""5.00""#, "5"),
            (r#""5""#, "5"),
            (r#""0.0""#, "0"),
            (r#""0.50000000""#, "0.5"),
            (r#""-0.000001""#, "-0.000001"),
            ("5", "5"),
            ("0.25", "0.25"),
            ("0.7000000000000001", "0.7"),
            ("0.7499999999999999", "0.75"),
            ("-0.7499999999999999", "-0.75"),
            ("1e-6", "0.000001"),
            ("1.5E+3", "1500"),
            ("4e-7", "0"),
            ("123456789.123456", "123456789.123456"),
        ] {
            assert_eq!(literal(json).map(|usdc| usdc.to_string()).as_deref(), Some(shown), "{json}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_the_ledger_reads_is_read_the_same(credits in -i64::MAX..=i64::MAX) {
            let text = Usdc::from_credits(credits).to_string();
            let wanted = Ok(Usdc::from_credits(credits));
            proptest::prop_assert_eq!(exact(&text), wanted);
            proptest::prop_assert_eq!(nearest(&text), wanted);
        }

        #[test]
        fn foreign_text_is_an_amount_or_unknown(text in r#""?-?[0-9]{0,20}\.?[0-9eE+-]{0,20}"?|.*"#) {
            literal(&text);
        }
    }

    #[test]
    fn what_is_no_amount_is_unknown() {
        for json in [
            r#""""#,
            r#""abc""#,
            r#""1e3""#,
            r#"" 5""#,
            r#""5,00""#,
            r#""0.0000001""#,
            r#""007""#,
            r#""+5""#,
            "null",
            "true",
            "{}",
            "[]",
            "1e999",
            "1e30",
            "99999999999999999999",
            r#""99999999999999999999""#,
            "-",
            "",
        ] {
            assert_eq!(literal(json), None, "{json}");
        }
    }
}
