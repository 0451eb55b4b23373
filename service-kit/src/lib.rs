//! What every service needs and no domain knows: supervised tasks with an orderly stop, logs, retry delays, the clock.
//!
//! What it deliberately does not do: it knows nothing of ledgers, logs of events, HTTP or databases, reads no
//! configuration but the log filter, and starts no process of its own accord.
//!
//! In reading order: [`Supervisor`] runs the tasks of a process, [`StopReason`] says why it ended, [`telemetry`] writes
//! the logs, [`Backoff`] spaces retries, [`clock`] reads the time, [`chance`] draws.

mod backoff;
pub mod chance;
pub mod clock;
#[cfg(feature = "sim")]
pub mod sim;
mod stop_reason;
mod supervisor;
pub mod telemetry;

pub use backoff::Backoff;
pub use stop_reason::StopReason;
pub use supervisor::Supervisor;
