//! Who used the processors: processor time of processes, as the kernel counts it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde::Serialize;

use crate::ratio::Ratio;

/// What the kernel counts in, on every Linux: hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// Processes to be watched, by name. Postgres' are the postmaster and those it has started.
#[derive(Debug, Clone, Default)]
pub struct Watched(Vec<(&'static str, u32)>);

/// Whose children work for it. The client's are what it measures.
const PARENT: &str = "postgres";

/// What each of them used for one debit. Unlike a rate it hardly depends on what else the machine has to do.
pub type Used = BTreeMap<&'static str, Micros>;

/// Processor time, in hundredths of a microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Micros(pub u64);

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02} µs", self.0 / 100, self.0 % 100)
    }
}

impl Watched {
    /// Watches this process: the one that asks.
    pub fn client() -> Self {
        Self(vec![("client", std::process::id())])
    }

    /// Watches one more, if it runs.
    #[must_use]
    pub fn and(mut self, name: &'static str, pid: Option<u32>) -> Self {
        self.0.extend(pid.map(|pid| (name, pid)));
        self
    }

    /// Begins to count.
    pub fn begin(&self) -> Count {
        Count(self.used())
    }

    /// What was used since, for each of so many debits.
    pub fn end(&self, count: &Count, debits: u64) -> Used {
        let each = |(name, now): (&'static str, Duration)| {
            let before = count.0.get(name).copied().unwrap_or_default();
            let used = u64::try_from(now.saturating_sub(before).as_micros()).unwrap_or(u64::MAX);
            Ratio::of(used, debits).map(|Ratio(hundredths)| (name, Micros(hundredths)))
        };
        self.used().into_iter().filter_map(each).collect()
    }

    fn used(&self) -> BTreeMap<&'static str, Duration> {
        let all = processes();
        let own = |name: &str, pid: u32| {
            let children = name == PARENT;
            let used = move |process: &Process| match (process.pid == pid, children && process.parent == pid)
            {
                (true, _) if children => process.used + process.gone,
                (true, _) | (_, true) => process.used,
                _ => Duration::ZERO,
            };
            all.iter().map(used).sum()
        };
        self.0.iter().map(|(name, pid)| (*name, own(name, *pid))).collect()
    }
}

/// The beginning of a count.
#[derive(Debug)]
pub struct Count(BTreeMap<&'static str, Duration>);

struct Process {
    pid: u32,
    parent: u32,
    used: Duration,
    /// By children that have ended.
    gone: Duration,
}

fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter_map(|stat| parse(&stat)).collect()
}

/// `pid (name) state parent …`, where the name may hold anything; user and system time are the 14th and 15th field, those
/// of ended children the next two.
fn parse(stat: &str) -> Option<Process> {
    let (before, after) = (stat.split_once(' ')?.0, stat.rsplit_once(") ")?.1);
    let fields: Vec<&str> = after.split(' ').collect();
    let time = |field: usize| Some(TICK * fields.get(field)?.parse::<u32>().ok()?);
    let (used, gone) = (time(11)? + time(12)?, time(13)? + time(14)?);
    Some(Process { pid: before.parse().ok()?, parent: fields.get(1)?.parse().ok()?, used, gone })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_read_whatever_the_process_is_called() {
        let stat = "42 (a (b) c) S 7 42 42 0 -1 4194560 1 2 3 4 250 50 7 1 20 0 1 0 99 1 1 1 1";
        let process = parse(stat).unwrap();
        assert_eq!((process.pid, process.parent), (42, 7));
        assert_eq!((process.used, process.gone), (Duration::from_secs(3), Duration::from_millis(80)));
        assert!(processes().iter().any(|process| process.pid == std::process::id()));
    }

    #[test]
    fn work_shows_as_processor_time() {
        let watched = Watched::client();
        let (count, begin, mut sum) = (watched.begin(), std::time::Instant::now(), 0_u64);
        // Until the kernel has counted something, however little it lets us work.
        while watched.end(&count, 1)["client"].0 == 0 && begin.elapsed() < Duration::from_secs(20) {
            (0..1_000_000).for_each(|_| sum = std::hint::black_box(sum.wrapping_add(1)));
        }
        assert!(watched.end(&count, 1)["client"].0 > 0);
        assert_eq!(watched.end(&count, 0), Used::new());
        assert_eq!(Micros(1234).to_string(), "12.34 µs");
    }
}
