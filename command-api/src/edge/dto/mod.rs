//! What is asked and answered, as JSON. The same over HTTP and NATS.

pub mod answers;
pub mod parse;
pub mod requests;

#[cfg(test)]
mod requests_tests;
