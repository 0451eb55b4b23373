//! Memory of a writer's state, as the kernel counts the process: so it must be measured in a process that has done
//! nothing else.

use std::time::Duration;

use ledger_core::time::HOUR;
use ledger_core::{Timestamp, Usdc};
use serde::Serialize;

use crate::core::Script;
use crate::load::user;
use crate::machine;
use crate::ratio::Ratio;

/// How many accounts and keys at least: what fewer take is lost in the pages that the process has anyway.
pub const COUNT_LEAST: u32 = 100_000;

/// How many events a commit holds while the state is filled.
const A_COMMIT: u32 = 1_000;

/// How often it is looked whether the allocator has given something back, and how long between.
const LOOKS: u32 = 40;
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// What the state takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// How many accounts, and as many keys.
    pub count: u32,
    /// Bytes an account beside its id's text: one lot, no container.
    pub account: Option<Ratio>,
    /// Bytes a remembered key, in the newest generation.
    pub key: Option<Ratio>,
    /// Bytes a remembered key when its generation is closed, all others' included.
    pub closed_key: Option<Ratio>,
}

/// Fills a state with so many accounts, then with as many keys, then lets their hour pass.
pub fn measure(count: u32, now: Timestamp) -> Memory {
    let (mut script, _) = Script::begin(now);
    let empty = resident();
    for first in (0..count).step_by(A_COMMIT as usize) {
        drop(script.open(first..(first + A_COMMIT).min(count), Usdc::from_credits(1_000_000_000)));
    }
    let with_accounts = resident();
    debit_each(&mut script, count);
    let with_keys = resident();
    script.pass(2 * HOUR);
    let one = [script.debit(0)];
    drop(script.commit(&one));
    let closed = resident();
    let ids = u64::from(count) * user(0).len() as u64;
    let a = |bytes: u64| Ratio::of(bytes, count.into());
    let memory = Memory {
        count,
        account: a((with_accounts - empty).saturating_sub(ids)),
        key: a(with_keys.saturating_sub(with_accounts)),
        closed_key: a(closed.saturating_sub(with_accounts)),
    };
    // The state must live until here.
    drop(script);
    memory
}

/// The memory of this process once the allocator has given back what it keeps for a while, such as a table that was
/// too small.
fn resident() -> u64 {
    let look = |_| {
        drop(std::hint::black_box(vec![7_u8; 8 << 20]));
        std::thread::park_timeout(LOOK_EVERY);
        machine::resident()
    };
    (0..LOOKS).map(look).min().unwrap_or(0)
}

fn debit_each(script: &mut Script, count: u32) {
    for first in (0..count).step_by(A_COMMIT as usize) {
        let last = (first + A_COMMIT).min(count);
        let debits: Vec<_> = (first..last).map(|account| script.debit(account)).collect();
        drop(script.commit(&debits));
    }
}
