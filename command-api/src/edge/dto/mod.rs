//! What is asked and answered, as JSON. The same over HTTP and NATS.

pub mod answers;
pub mod convert;
pub mod parse;
mod render;
pub mod requests;

#[cfg(test)]
mod convert_tests;
