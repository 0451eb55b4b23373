//! Moments as people write them: RFC 3339.

use chrono::DateTime;
use ledger_core::Timestamp;

/// The moment in UTC, with as many digits of the second as it needs, at most six.
pub(super) fn to_rfc3339(time: Timestamp) -> String {
    // The ends of the range lie outside of what a calendar can say; no clock and no request gives such a moment.
    let moment = DateTime::from_timestamp_micros(time.0).unwrap_or(DateTime::UNIX_EPOCH);
    let text = moment.format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
    format!("{}Z", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Reads a moment with its offset; digits below a microsecond are cut. Error: the end of a sentence.
pub(super) fn from_rfc3339(text: &str) -> Result<Timestamp, &'static str> {
    let moment = DateTime::parse_from_rfc3339(text)
        .map_err(|_| "must be a time with its offset, such as 2026-11-23T10:00:00.5Z")?;
    Ok(Timestamp(moment.timestamp_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_short_as_they_are() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_500_000, "1970-01-01T00:00:01.5Z"),
            (1_763_892_000_123_456, "2025-11-23T10:00:00.123456Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(to_rfc3339(Timestamp(micros)), text);
            assert_eq!(from_rfc3339(text), Ok(Timestamp(micros)));
        }
    }

    #[test]
    fn moments_are_read_in_any_offset_and_only_with_one() {
        assert_eq!(from_rfc3339("1970-01-01T01:00:00.0000019+01:00"), Ok(Timestamp(1)));
        for bad in ["", "now", "2026-11-23", "2026-11-23T10:00:00", "1700000000", "2026-13-01T00:00:00Z"] {
            assert!(from_rfc3339(bad).is_err(), "{bad}");
        }
    }
}
