//! Wall time. Services read it here and nowhere else; the ledger is handed it.

use std::time::{SystemTime, UNIX_EPOCH};

#[cfg(feature = "sim")]
use crate::sim;

/// Microseconds since 1970-01-01 00:00 UTC by the system's clock, which may jump in either direction.
///
/// # Panics
///
/// If the clock is some 292,000 years off.
#[must_use]
pub fn now() -> i64 {
    #[cfg(feature = "sim")]
    if let Some(now) = sim::now() {
        return now;
    }
    micros(SystemTime::now())
}

fn micros(time: SystemTime) -> i64 {
    let (sign, distance) = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (1, after),
        Err(before) => (-1, before.duration()),
    };
    sign * i64::try_from(distance.as_micros()).expect("the clock is within 292,000 years of 1970")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn time_is_counted_in_microseconds_from_1970() {
        assert_eq!(micros(UNIX_EPOCH + Duration::from_millis(1_500)), 1_500_000);
        assert_eq!(micros(UNIX_EPOCH - Duration::from_micros(7)), -7);
        let year_2025 = 1_735_689_600_000_000;
        assert!(now() > year_2025);
    }
}
