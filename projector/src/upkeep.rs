//! The views of the upkeep of accounts: what workers do for them, and what people can see of it.

pub mod changes;
mod fold;
mod log;
pub(crate) mod query;
pub mod rows;
pub(crate) mod words;
pub(crate) mod writes;

pub use changes::UpkeepChanges;
pub use query::LogAfter;
pub use rows::{CheckoutRow, CheckoutState, ContainerRow, LogKind, LogRow, NoticeRow, SolvencyRow};
