//! Reads the moments a usage file may hold. What stands behind the microsecond is cut off.

use chrono::{DateTime, Datelike, NaiveDateTime, Utc};

/// What can be read, for the sentence about what can not.
pub(super) const RULE: &str =
    "must be RFC 3339, YYYY-MM-DD HH:MM:SS[.fraction] in UTC, or whole seconds since 1970";

/// Reads a moment; `None` when it is none.
pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let at = seconds(text).or_else(|| plain(text)).or_else(|| rfc3339(text))?;
    let micros = DateTime::from_timestamp_micros(at.timestamp_micros())?;
    (0..=9999).contains(&micros.year()).then_some(micros)
}

fn rfc3339(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc())
}

fn seconds(text: &str) -> Option<DateTime<Utc>> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| DateTime::from_timestamp(text.parse().ok()?, 0)).flatten()
}

/// A date and a time without an offset: UTC.
fn plain(text: &str) -> Option<DateTime<Utc>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let like = |(byte, shape): (u8, &u8)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == *shape };
    let shape = b"0000-00-00 00:00:00";
    let shaped = whole.len() == shape.len() && whole.bytes().zip(shape).all(like);
    let fractional = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !shaped || !fractional {
        return None;
    }
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok().map(|at| at.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_and_cut_at_the_microsecond() {
        for (text, wanted) in [
            ("2023-11-16 18:17:03.9799600", "2023-11-16T18:17:03.979960Z"),
            ("2023-11-16 18:17:03.999999999", "2023-11-16T18:17:03.999999Z"),
            ("2023-11-16 18:17:03", "2023-11-16T18:17:03Z"),
            ("2023-11-16T18:17:03+02:00", "2023-11-16T16:17:03Z"),
            ("2023-11-16T18:17:03.0000019Z", "2023-11-16T18:17:03.000001Z"),
            ("1700158623", "2023-11-16T18:17:03Z"),
            ("-1", "1969-12-31T23:59:59Z"),
            ("1969-12-31 23:59:59.9999999", "1969-12-31T23:59:59.999999Z"),
        ] {
            let wanted: DateTime<Utc> = wanted.parse().unwrap();
            assert_eq!(parse(text), Some(wanted), "{text}");
        }
        for text in [
            "",
            "-",
            "now",
            "2023-11-16",
            "2023-11-16T18:17:03",
            "16.11.2023 18:17:03",
            "2023-13-01 00:00:00",
            "2023-11-16 18:17:03.",
            "2023-11-16 18:17:03.1234567890",
            "1700158623.5",
            "1700158623000000",
            "+1",
            " 1700158623",
            "2023-11-16 18:17:0x",
            "99999999999999999999",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
