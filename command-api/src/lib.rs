//! Writers, and asking them over HTTP and NATS.
//!
//! A writer decides for one partition: it alone appends to that part of the log. What this crate deliberately does
//! not do: it keeps no state but a cache of the log, never writes to the views, and answers nothing that is not
//! durable.
//!
//! In reading order: [`ask`] (questions and answers), [`writer`] (the state machine that decides, without IO),
//! `partition` (its shell, with `letters`, `steady_clock`, `log_clock`, `anchor_keeper` and
//! `snapshots`), [`desk`] (where questions are handed in), [`writers`]
//! (all partitions of a log), [`vault`] (what must not be read in the log), [`checkouts`] (money in), [`init`] (the beginning of a log), [`edge`] (HTTP and NATS).

mod anchor_keeper;
pub mod ask;
pub mod checkouts;
pub mod desk;
pub mod edge;
pub mod init;
pub mod letters;
mod log_clock;
mod partition;
mod snapshots;
mod steady_clock;
pub mod vault;
pub mod writer;
pub mod writers;

pub use log_clock::ClockError;
pub use partition::{Health, PartitionError};
pub use snapshots::SnapshotConfig;
