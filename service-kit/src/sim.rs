//! For simulations: this thread's wall time follows tokio's clock, which can be stopped and moved, and its chance is
//! drawn from a seed. Nothing that is shipped is built with it.

use std::cell::Cell;

use tokio::time::Instant;

thread_local! {
    static HERE: Cell<Option<Here>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Here {
    begun: Instant,
    /// Wall time then.
    at: i64,
    drawn: u64,
}

/// As long as it lives, this thread has a time and a chance of its own.
#[derive(Debug)]
#[must_use = "time and chance are the world's again when this is dropped"]
pub struct Simulated(());

/// From now on it is `at` microseconds after 1970-01-01 00:00 UTC, and tokio's clock moves on from there. To be called in
/// its runtime.
pub fn simulate(at: i64, seed: u64) -> Simulated {
    HERE.set(Some(Here { begun: Instant::now(), at, drawn: seed }));
    Simulated(())
}

impl Drop for Simulated {
    fn drop(&mut self) {
        HERE.set(None);
    }
}

pub(crate) fn now() -> Option<i64> {
    let here = HERE.get()?;
    let passed =
        i64::try_from(here.begun.elapsed().as_micros()).expect("a simulation ends within 292,000 years");
    Some(here.at + passed)
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) fn random() -> Option<u64> {
    let mut here = HERE.get()?;
    here.drawn = here.drawn.wrapping_add(0x9e37_79b9_7f4a_7c15);
    HERE.set(Some(here));
    let mut mixed = here.drawn;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Some(mixed ^ (mixed >> 31))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{chance, clock};

    #[tokio::test(start_paused = true)]
    async fn a_simulated_thread_has_its_own_time_and_draws_the_same_again() {
        let draws = || [chance::random(), chance::random()];
        let simulated = simulate(1_000, 7);
        tokio::time::advance(Duration::from_millis(5)).await;
        assert_eq!(clock::now(), 6_000);
        let drawn = draws();
        assert_ne!(drawn[0], drawn[1]);
        drop(simulated);
        assert!(clock::now() > 1_700_000_000_000_000);
        let _simulated = simulate(0, 7);
        assert_eq!(draws(), drawn);
    }
}
