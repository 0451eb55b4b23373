//! The second opinion on a log: a fold of the wire format that shares no code with the ledger.

pub mod history;
mod position;

pub use position::{InvalidPosition, Position};
