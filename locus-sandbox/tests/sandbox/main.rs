//! The sandbox over real HTTP: what each endpoint answers, what it does, and what it does not.

#![expect(clippy::unwrap_used, reason = "a test that can not go on says so by panicking")]

mod build;
mod checkout;
mod control;
mod faults;
mod mail;
mod scaling;
mod state_file;
mod support;
mod wallet;
mod webhooks;
