//! The pure ledger: the rules of money and state, and the bytes they are kept as.
//!
//! Nothing here reads a clock, draws a random number, waits, or touches the world: time and names are handed in,
//! events and bytes come out. The same input gives the same output, for ever; `clippy.toml` bans the rest.
//!
//! In reading order:
//!
//! - [`ids`], [`time`], [`money`], [`charge`]: names, moments, amounts, what a debit asks for
//! - [`command`] and [`event`]: what may be asked, and what happened
//! - [`rejection`]: the stable codes of every "no"
//! - [`level`], [`policy`], [`account`], [`keys`]: the parts of the state
//! - [`upkeep`]: what workers do for an account
//! - [`ledger`]: the whole state of a partition; [`evolve`](Ledger::evolve) changes it by events
//! - [`decide`](decide()): a command against the state gives events or a rejection
//! - [`commit`], [`chain`]: events as bytes, and the chain that binds them
//! - [`snapshot`]: the state as bytes, so that a start need not replay everything
//! - [`slots`]: which partition decides for an account
//! - [`posting`]: double entry, derived from events

pub mod account;
mod accounts;
pub mod chain;
pub mod charge;
pub mod command;
pub mod commit;
mod decide;
pub mod digest;
pub mod event;
mod evolve;
pub mod ids;
pub mod keys;
pub mod ledger;
pub mod level;
pub mod map;
pub mod money;
pub mod msgpack;
pub mod policy;
pub mod posting;
pub mod rejection;
pub mod sealed;
mod short_text;
pub mod slots;
pub mod snapshot;
mod text_form;
pub mod time;
pub mod upkeep;
mod uuid_text;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod testing;

pub use chain::Chain;
pub use charge::Charge;
pub use command::Command;
pub use decide::{BatchHead, BatchItem, Decided, Outcome, SourceBatch, decide};
pub use event::Event;
pub use ids::{
    AccountId, AppId, Key, Label, LogId, LongText, Meter, PartitionId, Position, Scope, Sequence, SessionId,
    SourceName, TermNonce, UserId,
};
pub use ledger::Ledger;
pub use level::Level;
pub use money::Usdc;
pub use policy::Policy;
pub use rejection::{Code, Rejection};
pub use short_text::ShortText;
pub use snapshot::Snapshot;
pub use time::Timestamp;
