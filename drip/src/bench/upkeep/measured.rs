//! What was seen of many accounts, as rows of a report.

use std::collections::HashMap;
use std::time::Duration;

use bench::report::Row;
use chrono::{DateTime, Utc};
use drip_client::LogLine;

use super::{SCALE, UpkeepArgs};

/// What was seen.
pub(super) struct Measured {
    /// From the debit that crosses to the call that tells the container to sleep.
    pub(super) asleep: Times,
    /// From the money to the deployment that wakes it.
    pub(super) deployed: Times,
    /// From the money to the container that answers.
    pub(super) active: Times,
    /// How long the sweep took, if there was one.
    pub(super) swept: Option<Duration>,
}

/// What the slowest but one of a hundred may take.
const SOON: Duration = Duration::from_millis(100);
/// What a sweep may take.
const SWEPT: Duration = Duration::from_secs(5);

impl Measured {
    pub(super) fn json(&self) -> serde_json::Value {
        let [sleep, wake, run] = [&self.asleep, &self.deployed, &self.active].map(Times::json);
        let swept = self.swept.map(|swept| swept.as_secs_f64());
        serde_json::json!({ "asleep": sleep, "deployed": wake, "active": run, "sweep_seconds": swept })
    }

    pub(super) fn rows(&self, asked: &UpkeepArgs) -> Vec<Row> {
        let UpkeepArgs { rate, load, swept, needy, .. } = asked;
        let row = |work: &str, goal: &str, figure: String, reached, note: &str| {
            let (work, goal, note) = (work.to_owned(), goal.to_owned(), note.to_owned());
            Row { work, goal, figure, ratio: None, reached, note }
        };
        let soon = |times: &Times| Some(times.at(99) < SOON);
        let beside = format!("{rate} a second beside {load} debits a second; the sandbox answers at once");
        let mut rows = vec![
            row(
                "from the debit that takes the last credit to the provider's accepted call",
                "p99 < 100 ms",
                self.asleep.to_string(),
                soon(&self.asleep),
                &beside,
            ),
            row(
                "from the money of one who sleeps to the accepted deployment",
                "p99 < 100 ms",
                self.deployed.to_string(),
                soon(&self.deployed),
                &beside,
            ),
            row(
                "from the money to the running container",
                "–",
                self.active.to_string(),
                None,
                &format!(
                    "the provider's own time and one look's interval included, both {SCALE} times as fast as usual"
                ),
            ),
        ];
        rows.extend(self.swept.map(|took| {
            let work = format!(
                "a sweep over {swept} accounts of which {needy} need work, until the last is deployed"
            );
            row(&work, "< 5 s", format!("{:.2} s", took.as_secs_f64()), Some(took < SWEPT), "")
        }));
        rows
    }
}

/// Times of many accounts.
pub(super) struct Times(Vec<Duration>);

impl Times {
    /// From the last line of one kind to the first of another behind it.
    pub(super) fn between(lines: &[LogLine], from: &str, to: &str) -> Self {
        let mut begun: HashMap<&str, DateTime<Utc>> = HashMap::new();
        let mut times = Vec::new();
        for line in lines {
            let Some(user) = line.user_id.as_deref() else { continue };
            if line.message.contains(from) {
                begun.insert(user, line.at);
            } else if line.message.contains(to)
                && let Some(at) = begun.remove(user)
            {
                times.push((line.at - at).to_std().unwrap_or_default());
            }
        }
        times.sort_unstable();
        Self(times)
    }

    fn at(&self, percent: usize) -> Duration {
        self.0
            .get((self.0.len() * percent / 100).min(self.0.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }

    fn json(&self) -> serde_json::Value {
        let micros = |percent| u64::try_from(self.at(percent).as_micros()).unwrap_or(u64::MAX);
        serde_json::json!({ "count": self.0.len(), "p50_us": micros(50), "p99_us": micros(99) })
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (half, most) = (self.at(50), self.at(99));
        write!(f, "p50 {half:.1?}, p99 {most:.1?}, of {}", self.0.len())
    }
}
