//! Writers, and asking them over HTTP and NATS.

pub mod ask;
pub mod desk;
pub mod edge;
pub mod init;
mod partition;
pub mod writer;
pub mod writers;

pub use partition::{Health, PartitionError};
