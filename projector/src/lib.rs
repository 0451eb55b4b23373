//! Views folded from the log: balances, lots, the journal, usage by the hour, in Postgres or SQLite.
//!
//! A pure fold turns commits into a delta; a store applies it, rows and position in one transaction that is guarded
//! by the position it expects. So a crash, a retry or a second projector neither loses nor doubles anything. What
//! this crate deliberately does not do: it decides nothing, has no side effects, and never writes to the log.
//!
//! In reading order: [`rows`] and [`delta`] (what the views hold, and what changes them), [`fold`] (commits in, a
//! delta out), [`store`] (the port to the views), `columns`, `writes`, `journal` and `words` (a delta as rows), [`postgres`] (with
//! `copy`: the journal as Postgres takes it fastest) and [`sqlite`] (the two stores, each with its `schema`), `check` (is this the log the views were folded from?), `anchors`
//! (and does it stay so?), [`machine`] (what a projector does when, without IO; `outage` is what it lacks for a while),
//! [`projector`] (the tasks that carry it out, as a [`Config`] says), [`query`] and `record` (reading the views), [`frozen`]
//! (all of them at one moment), [`rebuild`] (all of them anew, beside the live ones).

mod anchors;
mod check;
mod columns;
mod config;
mod copy;
pub mod delta;
mod error;
pub mod fold;
pub mod frozen;
mod journal;
pub mod machine;
mod outage;
#[cfg(test)]
mod plans;
pub mod positions;
pub mod postgres;
pub mod projector;
pub mod query;
pub mod rebuild;
mod record;
pub mod rows;
mod schema;
pub mod sqlite;
pub mod store;
pub mod tables;
pub mod upkeep;
mod words;
mod writes;

pub use check::check;
pub use config::Config;
pub use delta::Delta;
pub use error::{Error, ProjectorError};
pub use fold::Fold;
pub use frozen::FrozenViews;
pub use machine::Machine;
pub use positions::Positions;
pub use postgres::PostgresViews;
pub use projector::run;
pub use query::{JournalFilter, Lagging, Order, Views};
pub use rebuild::{Changed, Folded, Goal, HeldViews, Rebuild, fold_to};
pub use rows::{
    AccountRow, ChainPosition, JournalKind, JournalRow, LotRow, SourceReport, SourceRow, UsageRow,
};
pub use sqlite::SqliteViews;
pub use store::{Applied, Record, Select, Value, ViewStore};
