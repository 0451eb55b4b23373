//! The second opinion on a log: a fold of the wire format that shares no code with the ledger.

pub mod fold;
pub mod history;
mod journal;
mod line;
mod position;
pub mod views;
mod violation;
pub mod wire;

pub use fold::{Fold, Totals};
pub use line::decimal;
pub use position::{InvalidPosition, Position};
pub use views::Views;
pub use violation::{Rule, Violation};

#[cfg(test)]
mod testing;
