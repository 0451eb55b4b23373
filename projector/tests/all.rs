//! The projector against both stores, with a log in memory, the SQLite log, and a Postgres that is killed.

mod anchors;
mod edges;
mod fake_log;
mod faults;
mod folding;
mod frozen;
mod naive;
mod opening;
mod queries;
mod running;
mod stores;
mod upkeep;
mod world;
