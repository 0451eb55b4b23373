//! The commands that ask a running Drip, one file each. `connect` finds it, `parse` reads flags.

pub(crate) mod account;
pub(crate) mod checkout;
mod connect;
pub(crate) mod container;
pub(crate) mod debit;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod journal;
pub(crate) mod log;
pub(crate) mod notices;
pub(crate) mod parse;
pub(crate) mod wallet;
