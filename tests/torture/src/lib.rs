//! The torture: real nats-servers, a real Postgres and Drip's real processes under load, killed, stopped, paused, cut
//! off, unplugged and damaged on purpose; then everything is healed, and a judge that shares no code with the ledger
//! holds the log against what every client was told.
//!
//! What it deliberately does not do: it decides nothing about money itself (that is crate `judge`), it ends no process
//! that it did not start, and it leaves loopback and its own temporary folder alone but for the loop devices of its
//! power cuts.
//!
//! In reading order: `plan` is what was asked for, `world` the processes and the wires between them, `load` the clients
//! and their `history`, `nemesis` the faults by a seeded schedule, `campaign` puts them together; `verdict` reads log,
//! history and views and lets the judge speak, `outside` does so for what workers did, `report` shows it. Beside them stand `power`, which pulls the plug of a
//! disk, and `damage`, which flips bits in the files of a log.

pub mod campaign;
pub mod damage;

mod history;
mod load;
pub mod nemesis;
pub mod outside;
pub mod plan;
pub mod power;

pub mod report;
mod verdict;
mod world;
