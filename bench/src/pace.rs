//! The open loop's clock: request n is due at the start plus n/rate, whether or not those before are answered.
//!
//! A caller takes the next due request as soon as it is free, and its latency is counted from the moment the request
//! was due. So a server that stalls shows with every request that should have been sent meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// How often due requests are let go: the error of a latency.
const TICK: Duration = Duration::from_micros(200);

/// Lets requests go when they are due.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    rate: u64,
    total: u64,
    due: Semaphore,
    next: AtomicU64,
}

impl Pace {
    /// `rate` requests a second from `start` on, for so long.
    pub(crate) fn new(start: Instant, rate: u64, time: Duration) -> Self {
        let total = u64::try_from(time.as_micros() * u128::from(rate) / 1_000_000).unwrap_or(u64::MAX);
        Self { start, rate, total, due: Semaphore::new(0), next: AtomicU64::new(0) }
    }

    /// Waits for the next due request: the moment it was meant for, or nothing when all are taken.
    pub(crate) async fn take(&self) -> Option<Instant> {
        self.due.acquire().await.expect("it is never closed").forget();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.total).then(|| self.start + self.offset(number))
    }

    /// Lets all requests go, each in time; then lets `callers` find that there are no more. Blocks its thread: the
    /// timers of the runtime know milliseconds only.
    pub(crate) fn run(&self, callers: usize) {
        let mut released = 0;
        while released < self.total {
            let due = self.due_at(Instant::now());
            self.release(due - released);
            released = due;
            std::thread::park_timeout(TICK);
        }
        self.due.add_permits(callers);
    }

    fn release(&self, count: u64) {
        self.due
            .add_permits(usize::try_from(count).expect("a run has fewer requests than there are numbers"));
    }

    /// How many requests are due by then.
    fn due_at(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.start).as_nanos();
        let due = elapsed * u128::from(self.rate) / 1_000_000_000;
        u64::try_from(due).unwrap_or(u64::MAX).saturating_add(u64::from(now >= self.start)).min(self.total)
    }

    fn offset(&self, number: u64) -> Duration {
        let nanos = u128::from(number) * 1_000_000_000 / u128::from(self.rate.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_due_exactly_when_it_was_meant_for() {
        let start = Instant::now() + Duration::from_secs(3600);
        let pace = Pace::new(start, 3, Duration::from_secs(10));
        assert_eq!(pace.total, 30);
        assert_eq!(pace.due_at(start - Duration::from_nanos(1)), 0);
        for number in 0..30 {
            // Thirds of a second are no whole nanoseconds: a nanosecond before it is not due, one after it is.
            let due = start + pace.offset(number);
            assert_eq!(pace.due_at(due + Duration::from_nanos(1)), number + 1);
            assert!(number == 0 || pace.due_at(due - Duration::from_nanos(1)) == number);
        }
        assert_eq!(pace.due_at(start + Duration::from_secs(60)), 30);
    }
}
