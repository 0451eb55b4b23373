//! For simulations: this thread's wall time follows tokio's clock, which can be stopped and moved, and its chance is
//! whatever it is handed. Nothing that is shipped is built with it.

use std::cell::RefCell;

use tokio::time::Instant;

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

struct Here {
    begun: Instant,
    /// Wall time then.
    at: i64,
    draw: Box<dyn FnMut() -> u64>,
}

/// As long as it lives, this thread has a time and a chance of its own.
#[derive(Debug)]
#[must_use = "time and chance are the world's again when this is dropped"]
pub struct Simulated(());

/// From now on it is `at` microseconds after 1970-01-01 00:00 UTC, and tokio's clock moves on from there; chance is what
/// `draw` gives. To be called in its runtime.
pub fn simulate(at: i64, draw: impl FnMut() -> u64 + 'static) -> Simulated {
    HERE.set(Some(Here { begun: Instant::now(), at, draw: Box::new(draw) }));
    Simulated(())
}

impl Drop for Simulated {
    fn drop(&mut self) {
        HERE.set(None);
    }
}

pub(crate) fn now() -> Option<i64> {
    HERE.with_borrow(|here| {
        let Here { begun, at, .. } = here.as_ref()?;
        let passed =
            i64::try_from(begun.elapsed().as_micros()).expect("a simulation ends within 292,000 years");
        Some(at + passed)
    })
}

pub(crate) fn random() -> Option<u64> {
    HERE.with_borrow_mut(|here| here.as_mut().map(|here| (here.draw)()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{chance, clock};

    fn counting() -> impl FnMut() -> u64 {
        let mut numbers = 7..;
        move || numbers.next().expect("there are many")
    }

    #[tokio::test(start_paused = true)]
    async fn a_simulated_thread_has_its_own_time_and_draws_the_same_again() {
        let draws = || [chance::random(), chance::random()];
        let simulated = simulate(1_000, counting());
        tokio::time::advance(Duration::from_millis(5)).await;
        assert_eq!(clock::now(), 6_000);
        let drawn = draws();
        assert_ne!(drawn[0], drawn[1]);
        drop(simulated);
        assert!(clock::now() > 1_700_000_000_000_000);
        let _simulated = simulate(0, counting());
        assert_eq!(draws(), drawn);
    }
}
