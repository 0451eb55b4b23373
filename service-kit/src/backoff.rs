//! Delays between retries.

use std::time::Duration;

/// How long to wait before each retry: a step that grows by a factor up to a cap. Plain data: it neither sleeps nor
/// throws dice, so the caller hands in a random number for each delay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    factor: u32,
    cap: Duration,
    step: Duration,
}

impl Backoff {
    /// The first step, what each next one is multiplied by, and the longest step.
    #[must_use]
    pub const fn new(first: Duration, factor: u32, cap: Duration) -> Self {
        Self { first, factor, cap, step: first }
    }

    /// As it stands after so many delays, for whoever keeps their number and not the value.
    #[must_use]
    pub const fn after(mut self, delays: u32) -> Self {
        self.step = self.first.saturating_mul(self.factor.saturating_pow(delays));
        self
    }

    /// The next delay: between half of the step and the whole, as the random number says, so that clients which failed
    /// together do not come back together. `random` is any number, each equally likely; the same one in a test gives
    /// the same delays.
    pub fn next_delay(&mut self, random: u64) -> Duration {
        let step = self.step.min(self.cap);
        self.step = step.saturating_mul(self.factor);
        let half = step / 2;
        let span = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX - 1);
        step - Duration::from_nanos(random % (span + 1))
    }

    /// Starts over with the first step: to be called after a success.
    pub const fn reset(&mut self) {
        self.step = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn delays(backoff: &mut Backoff, random: u64) -> Vec<Duration> {
        (0..5).map(|_| backoff.next_delay(random)).collect()
    }

    #[test]
    fn steps_grow_by_the_factor_up_to_the_cap() {
        let mut backoff = Backoff::new(MS(50), 3, MS(1000));
        assert_eq!(delays(&mut backoff, 0), [MS(50), MS(150), MS(450), MS(1000), MS(1000)]);
        backoff.reset();
        assert_eq!(backoff.next_delay(0), MS(50));
    }

    #[test]
    fn it_goes_on_after_any_number_of_delays() {
        for delays in 0..8 {
            let mut walked = Backoff::new(MS(50), 3, MS(1000));
            for _ in 0..delays {
                walked.next_delay(0);
            }
            let mut told = Backoff::new(MS(50), 3, MS(1000)).after(delays);
            assert_eq!(told.next_delay(0), walked.next_delay(0), "after {delays}");
        }
        assert_eq!(Backoff::new(MS(50), 2, MS(1000)).after(u32::MAX).next_delay(0), MS(1000));
    }

    #[test]
    fn a_delay_is_between_half_of_its_step_and_the_whole() {
        for random in [0, 1, 7, 24_999_999, 25_000_000, 25_000_001, u64::MAX - 1, u64::MAX] {
            let delay = Backoff::new(MS(50), 2, MS(50)).next_delay(random);
            assert!((MS(25)..=MS(50)).contains(&delay), "{random} gave {delay:?}");
        }
        let half = u64::try_from(MS(25).as_nanos()).unwrap();
        assert_eq!(Backoff::new(MS(50), 2, MS(50)).next_delay(half), MS(25));
    }

    #[test]
    fn extreme_steps_neither_overflow_nor_divide_by_zero() {
        let mut longest = Backoff::new(Duration::MAX, u32::MAX, Duration::MAX);
        assert_eq!(delays(&mut longest, 0), [Duration::MAX; 5]);
        let mut none = Backoff::new(Duration::ZERO, 2, MS(10));
        assert_eq!(delays(&mut none, u64::MAX), [Duration::ZERO; 5]);
        assert_eq!(Backoff::new(MS(50), 2, MS(10)).next_delay(0), MS(10));
    }
}
