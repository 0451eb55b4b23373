//! What is asked and answered, as JSON or MessagePack. The same over HTTP and NATS.

pub mod answers;
pub mod brief;
pub mod checkouts;
pub mod convert;
pub mod format;
pub mod parse;
pub mod plain;
mod render;
pub mod requests;
pub mod shapes;
pub mod upkeep;
mod variables;

#[cfg(test)]
mod convert_tests;
