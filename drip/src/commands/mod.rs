//! The commands that ask a running Drip, one file each. `connect` finds it, `parse` reads flags.

pub(crate) mod account;
mod connect;
pub(crate) mod debit;
pub(crate) mod import;
pub(crate) mod journal;
pub(crate) mod parse;
