//! How long a call may take. Plain data.

use std::time::Duration;

use uuid::Uuid;

/// The times of a client's calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// For a connection to stand: 5 seconds.
    pub connect: Duration,
    /// For one attempt of an ordinary call, from its start to the last byte of the answer: 30 seconds.
    pub call: Duration,
    /// The same for what is known to be slow, creating at BuildWithLocus and wrapped calls: 60 seconds.
    pub slow_call: Duration,
    /// For a call with all its attempts, the pauses between them, and a token when one is needed: 90 seconds.
    pub total: Duration,
    /// The pauses before the second attempt, the third and so on; after the last there is no further attempt. A pause
    /// is really between half of this and the whole, and a service's `Retry-After` takes its place.
    pub pauses: Vec<Duration>,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            call: Duration::from_secs(30),
            slow_call: Duration::from_secs(60),
            total: Duration::from_secs(90),
            pauses: [200, 1_000, 4_000].map(Duration::from_millis).to_vec(),
        }
    }
}

/// Between half of the pause and the whole, so that clients which failed together do not come back together.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let (random, _) = Uuid::new_v4().as_u64_pair();
    let half = pause / 2;
    let span = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_nanos(random % span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_between_half_and_the_whole() {
        for millis in [0, 1, 7, 4_000] {
            let pause = Duration::from_millis(millis);
            let jittered = jittered(pause);
            assert!(pause / 2 <= jittered && jittered <= pause.max(Duration::from_nanos(1)), "{jittered:?}");
        }
    }
}
