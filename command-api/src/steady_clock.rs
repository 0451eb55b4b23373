//! The wall clock of a writer.

use std::cell::Cell;
use std::time::Instant;

use ledger_core::Timestamp;

use crate::writer::CLOCK_SKEW_MAX;

/// The wall clock has moved against the monotonic one, by so many microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Jumped(pub(crate) i64);

/// Wall time that is checked against the monotonic clock: a ledger's time must not jump.
pub(crate) struct SteadyClock {
    wall: Timestamp,
    monotonic: Instant,
    last: Cell<Timestamp>,
}

impl SteadyClock {
    pub(crate) fn start() -> Self {
        let wall = Timestamp(service_kit::clock::now());
        Self { wall, monotonic: Instant::now(), last: Cell::new(wall) }
    }

    pub(crate) fn now(&self) -> Result<Timestamp, Jumped> {
        let now = Timestamp(service_kit::clock::now());
        let elapsed = i64::try_from(self.monotonic.elapsed().as_micros()).unwrap_or(i64::MAX);
        let jump = now.since(self.wall.plus(elapsed));
        if jump.abs() > CLOCK_SKEW_MAX {
            return Err(Jumped(jump));
        }
        self.last.set(now);
        Ok(now)
    }

    pub(crate) fn last(&self) -> Timestamp {
        Timestamp(service_kit::clock::now()).max(self.last.get())
    }
}
