//! What `drip bench` runs: load on Drip over NATS, HTTP or in process, and the same load on the obvious alternative.
//!
//! What it deliberately does not do: it tunes nothing for the figure, and it believes no answer. Each answer is checked
//! as it comes, and in the end what was charged is compared with what stands in the log, so a fast wrong run is a failed
//! run.
//!
//! In reading order: [`load`] (what is asked), [`target`] (who is asked, one file each), [`drive`] (closed and open
//! loop) with `pace` and [`latency`], [`check`] (every answer) and [`audit`] (the log); [`engines`] starts what is asked,
//! [`ledger`] puts a run together, [`ratio`] compares; [`core`], [`memory`], [`opening`], [`projection`] and [`import`] are the rows
//! of the report that are no load, [`all`] makes them all; [`report`], [`machine`], [`cpu`] and [`svg`] say what was seen.

pub mod all;
pub mod audit;
pub mod check;
pub mod core;
pub mod cpu;
pub mod drive;
pub mod engines;
pub mod import;
pub mod latency;
pub mod ledger;
pub mod load;
pub mod machine;
pub mod memory;
pub mod opening;
mod pace;
pub mod projection;
pub mod ratio;
pub mod report;
pub mod svg;
pub mod target;
pub mod verifying;
