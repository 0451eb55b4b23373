//! The second opinion on a log: reads its bytes, folds them and asks every rule, sharing no code with the ledger.
//!
//! It was written from `schemas/wire.md` and the rules of the design, not from the ledger's own code, and is as plain as
//! it can be: a map of accounts, sums in `i128`, one rule a statement. It deliberately does not read files, streams or
//! databases (bytes are handed in), does not decide anything, and does not mend anything: it names the first thing that
//! is wrong.
//!
//! In reading order: [`violation`](Rule) (the rules, a sentence each), [`wire`] (the bytes of a commit), [`fold`] (one
//! partition: in it `chain`, then `events`, `money` and `upkeep`, where the rules are asked, then `account`, `keys` and
//! `slots`, which they stand on). That is the judge of a log. Then [`views`] with `journal`, `agent_log` and `line` (the rows that the
//! views must hold), [`history`] with `operations`, `effects` and `check` (what clients were told, held against the log), and
//! [`outside`] (what providers really did, held against the log).

mod agent_log;
pub mod fold;
pub mod history;
mod journal;
mod line;
pub mod outside;
mod position;
pub mod views;
mod violation;
pub mod wire;

pub use fold::{Fold, Totals};
pub use line::decimal;
pub use position::{InvalidPosition, Position};
pub use views::{Beside, Views};
pub use violation::{Rule, Violation};

#[cfg(test)]
mod testing;
