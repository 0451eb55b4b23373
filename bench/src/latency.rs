//! Latencies: how long answers took, with three digits, up to a minute.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest that is told apart, in microseconds.
const LONGEST: u64 = 60_000_000;
/// So many callers may note at once without waiting for each other.
const SHARDS: usize = 8;

/// Takes down how long each answer took.
#[derive(Debug)]
pub struct Recorder(Vec<Mutex<Histogram<u64>>>);

/// What was taken down, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// How many requests.
    pub count: u64,
    /// Half of them took at most so long.
    pub p50: u64,
    /// 90 % of them.
    pub p90: u64,
    /// 99 % of them.
    pub p99: u64,
    /// 99.9 % of them.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

impl Default for Recorder {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Mutex::new(histogram())).collect())
    }
}

impl Recorder {
    /// Notes one request of a caller.
    pub fn note(&self, caller: usize, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(LONGEST);
        let mut shard = self.0[caller % SHARDS].lock().unwrap_or_else(PoisonError::into_inner);
        shard.saturating_record(micros);
    }

    /// All that was noted.
    pub fn latency(&self) -> Latency {
        let mut all = histogram();
        for shard in &self.0 {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            all.add(&*shard).expect("all histograms have the same range");
        }
        Latency {
            count: all.len(),
            p50: all.value_at_quantile(0.5),
            p90: all.value_at_quantile(0.9),
            p99: all.value_at_quantile(0.99),
            p999: all.value_at_quantile(0.999),
            max: all.max(),
        }
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LONGEST, 3).expect("the range is one a histogram can have")
}
