//! The whole ledger on one thread, one seed and one clock, over a log that lies.
//!
//! [`run`] plays one seed: owners (the real writers, carried by a small shell that crashes and is paused), clients that
//! try again, and [`event_log::sim::SimLog`]. At the end the faults stop, a last deposit must get through, and the judge
//! holds the log and what clients were told against each other. [`views::play`] does the same with projectors, over any
//! log and a database that fails. In reading order: `world` (the agenda), `owner`, `client`, `verdict`, [`views`].

mod client;
mod owner;
mod verdict;
pub mod views;
mod world;

pub use world::{Bug, Outcome, run};
