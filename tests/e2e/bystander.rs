//! A client that does its work while others misbehave, and must not notice; and what the others may cost Drip.

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::stack::{Drip, tick};

/// How long an answer may take meanwhile, on a machine that runs other tests too: half of a call's usual deadline.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many answers are waited for at least.
const ANSWERS: u32 = 10;
/// By how much Drip's memory may grow, in bytes: ten requests of the largest size, and what an allocator keeps.
const GROWTH: u64 = 64 << 20;

/// Runs what misbehaves, beside a client that debits one time after the other. Each of its answers must come in time, and
/// Drip must not have grown by more than the bound.
pub(crate) async fn unharmed<T>(drip: &Drip, misbehaving: impl Future<Output = T>) -> T {
    drip.open("bystander", "1000").await;
    let before = drip.memory();
    let done = Cell::new(false);
    let misbehaving = async {
        let result = misbehaving.await;
        done.set(true);
        result
    };
    let (result, ()) = tokio::join!(misbehaving, work(drip, &done, before));
    result
}

async fn work(drip: &Drip, done: &Cell<bool>, before: u64) {
    let mut answers = 0;
    while !done.get() || answers < ANSWERS {
        let begin = Instant::now();
        drip.debit("bystander", &json!({ "amount": "0.0001" })).await.expect(200);
        assert!(begin.elapsed() < PATIENCE, "an answer took {:?}", begin.elapsed());
        answers += 1;
        let grown = drip.memory().saturating_sub(before);
        assert!(grown < GROWTH, "Drip's memory grew by {} MiB", grown >> 20);
        tick().await;
    }
}
