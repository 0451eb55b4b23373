//! Many seeds on all processors.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::outcome::Outcome;
use crate::world::run;

/// Plays seeds from `first` on for as long as `more`, asked before each with how many were begun, says so. What those saw
/// that went well, and what went wrong with the others, each with its last steps.
pub fn run_many(first: u64, more: impl Fn(u64) -> bool + Sync) -> (Vec<Outcome>, Vec<String>) {
    let next = AtomicU64::new(0);
    let (good, bad) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let count = next.fetch_add(1, Ordering::Relaxed);
            if !more(count) {
                return;
            }
            match run(first + count, None) {
                Ok(seen) => good.lock().unwrap_or_else(PoisonError::into_inner).push(seen),
                Err(wrong) => bad.lock().unwrap_or_else(PoisonError::into_inner).push(wrong),
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    (all(good), all(bad))
}

fn all<T>(of: Mutex<Vec<T>>) -> Vec<T> {
    of.into_inner().unwrap_or_else(PoisonError::into_inner)
}
