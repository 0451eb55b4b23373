//! The whole ledger on one thread, one seed and one clock, over a log that lies.
//!
//! [`run`] plays one seed: owners (the real writers, carried by a small shell that crashes and is paused), clients that
//! try again, and [`event_log::sim::SimLog`]. At the end the faults stop, a last deposit must get through, and the judge
//! holds the log and what clients were told against each other. In reading order: `outcome` (the bugs on purpose, and
//! what was seen), `faults` (what a seed lets go wrong), `world` (the agenda), `owners`, `lives` and `owner`, `clients` and
//! `client`, `feeder` (a source), `script` (named schedules), `verdict`; then `views`, where the projectors of that seed fold
//! the log, as it came to be, into a database that fails; and `workers`, where the real workers of that seed live and die over a
//! ledger of their own. `many` and `report` are about many seeds.

mod client;
mod clients;
mod faults;
mod feeder;
mod lives;
mod many;
mod outcome;
mod owner;
mod owners;
mod report;
mod script;
mod verdict;
pub mod views;
pub mod workers;
mod world;

pub use many::run_many;
pub use outcome::{Bug, Outcome, names};
pub use report::page;
pub use script::run_named;
pub use world::run;
