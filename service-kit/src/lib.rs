//! What every service needs and no domain knows: supervised tasks with an orderly stop, logs, retry delays, what is to
//! be done next, the clock.
//!
//! What it deliberately does not do: it knows nothing of ledgers, logs of events, HTTP or databases, reads no
//! configuration but the log filter, and starts no process of its own accord.
//!
//! In reading order: [`Supervisor`] runs the tasks of a process, [`StopReason`] says why it ended, [`telemetry`] writes
//! the logs, [`Backoff`] spaces retries, [`Queue`] says what a worker looks at next, [`outcome`] is what came of a task,
//! [`clock`] reads the time, [`chance`] draws.

mod backoff;
pub mod chance;
pub mod clock;
mod outcome;
mod queue;
#[cfg(feature = "sim")]
pub mod sim;
mod stop_reason;
mod supervisor;
pub mod telemetry;

pub use backoff::Backoff;
pub use outcome::outcome;
pub use queue::Queue;
pub use stop_reason::StopReason;
pub use supervisor::Supervisor;
