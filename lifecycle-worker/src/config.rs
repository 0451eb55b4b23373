//! How the worker works.

use std::time::Duration;

use ledger_core::upkeep::Strategy;
use ledger_core::{Label, Usdc};

/// How the worker works.
#[derive(Debug, Clone)]
pub struct Config {
    /// How the ledger names this process: another one for each.
    pub worker: Label,
    /// How often all accounts are looked at, so that nothing a signal missed stays as it is.
    pub sweep: Duration,
    /// How long a claim lasts. A worker that died is replaced after it, so it is longer than one call to the provider.
    pub hold: Duration,
    /// How many accounts are worked on beside each other. Most of the time they wait for a container to start or to stop.
    pub accounts: usize,
    /// How many of them are at the provider at once.
    pub at_once: usize,
    /// Delays.
    pub timing: Timing,
    /// How containers are put to sleep, in the order in which it is tried.
    pub strategies: Vec<Strategy>,
    /// CPU units of a container: 1024 are one processor.
    pub cpu: u32,
    /// Its memory, in MiB.
    pub memory: u32,
    /// Every how many sweeps solvency is looked at.
    pub solvency_every: u32,
    /// Below this the wallet is critical, whatever users hold.
    pub floor: Usdc,
}

/// Delays.
#[derive(Debug, Clone)]
pub struct Timing {
    /// Between two looks whether a container runs.
    pub starting: Duration,
    /// Between two looks whether it sleeps: the provider answers from a cache of 30 seconds.
    pub stopping: Duration,
    /// How long one way of putting it to sleep is waited for, before the next one is tried.
    pub patience: Duration,
    /// Before the first retry.
    pub retry_first: Duration,
    /// The longest time before a retry.
    pub retry_cap: Duration,
    /// After so long people should look. It is tried on.
    pub deadline: Duration,
}

impl Config {
    /// The usual one.
    pub fn new(worker: Label) -> Self {
        Self {
            worker,
            sweep: Duration::from_secs(60),
            hold: Duration::from_secs(150),
            accounts: 1_024,
            at_once: 256,
            timing: Timing::default(),
            strategies: Strategy::ALL.to_vec(),
            cpu: 256,
            memory: 512,
            solvency_every: 10,
            floor: Usdc::from_credits(1_000_000),
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            starting: Duration::from_secs(5),
            stopping: Duration::from_secs(35),
            patience: Duration::from_secs(3 * 60),
            retry_first: Duration::from_secs(5),
            retry_cap: Duration::from_secs(5 * 60),
            deadline: Duration::from_secs(15 * 60),
        }
    }
}
