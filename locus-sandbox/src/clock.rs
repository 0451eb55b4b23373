//! The sandbox's own time: it can run faster than the world's, and it can be pushed forward.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tokio::time::Instant;

/// A moment of the sandbox's time, in milliseconds, as the services write it: "2026-05-01T10:30:00.000Z".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(i64);

impl Time {
    /// So many milliseconds after 1970-01-01 00:00 UTC.
    #[must_use]
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds after 1970-01-01 00:00 UTC.
    #[must_use]
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds after 1970-01-01 00:00 UTC.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Later by so much of the sandbox's time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// How long after `earlier` this is; zero when it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// As RFC 3339 with milliseconds.
    #[must_use]
    pub fn text(self) -> String {
        self.date().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    pub(crate) fn date(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let date = DateTime::parse_from_rfc3339(&text).map_err(de::Error::custom)?;
        Ok(Self(date.timestamp_millis()))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Time that passes `scale` times as fast as the world's.
#[derive(Debug)]
pub(crate) struct Clock {
    base: Time,
    started: Instant,
    scale: u32,
    pushed: AtomicI64,
}

impl Clock {
    pub(crate) fn new(base: Time, scale: u32) -> Self {
        Self { base, started: Instant::now(), scale: scale.max(1), pushed: AtomicI64::new(0) }
    }

    pub(crate) fn now(&self) -> Time {
        let passed = self.started.elapsed().saturating_mul(self.scale);
        let pushed = self.pushed.load(Ordering::Relaxed);
        Time(self.base.plus(passed).0.saturating_add(pushed))
    }

    /// Pushes time forward at once.
    pub(crate) fn advance(&self, by: Duration) {
        self.pushed.fetch_add(millis(by), Ordering::Relaxed);
    }

    /// How long the world waits until the sandbox's `moment`, never nothing: whoever waits for it should find it come.
    pub(crate) fn until(&self, moment: Time) -> Duration {
        moment.since(self.now()) / self.scale + Duration::from_millis(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_minute_passes_in_a_second_and_time_can_be_pushed() {
        let clock = Clock::new(Time(1_000), 60);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(clock.now(), Time(61_000));
        assert_eq!(clock.until(Time(121_000)), Duration::from_millis(1_001));
        clock.advance(Duration::from_secs(3_600));
        assert_eq!(clock.now(), Time(3_661_000));
    }

    #[test]
    fn moments_are_written_as_the_services_write_them() {
        let time = Time(1_777_631_400_000);
        assert_eq!(serde_json::to_value(time).unwrap(), "2026-05-01T10:30:00.000Z");
        assert_eq!(serde_json::from_value::<Time>("2026-05-01T10:30:00.000Z".into()).unwrap(), time);
    }
}
