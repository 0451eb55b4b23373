//! Real nats-server (alone or as a cluster) and Postgres for tests: started on free loopback ports, stopped, paused,
//! killed, started again. And a chromedriver, for tests that look at a page as people do.
//!
//! Each server lives in a folder of its own and dies with the test process, however that ends: a small watcher
//! notices the end, stops the server and removes its folder. So a killed test run leaves nothing behind.
//!
//! What it deliberately does not do: it speaks none of their protocols (tests bring their own clients), it knows
//! nothing of Drip, and it never fetches anything: `./test` brings the programs where the machine has none.
//!
//! A server that can not be started is a broken test machine, so everything here panics with a sentence and the end of
//! the server's log.
//!
//! In reading order: [`NatsServer`], [`Postgres`], [`ChromeDriver`], [`Process`], which starts and watches any server,
//! [`free_port`], and [`cut_stream`] with its like, which damage what a stopped server has stored; then the private
//! parts: `programs` finds the binaries, `cluster` keeps the ready-made data folder.

mod browser;
mod cluster;
mod damage;
mod nats;
mod ports;
mod postgres;
mod process;
mod programs;
#[cfg(test)]
mod tests;

pub use browser::ChromeDriver;
pub use damage::{cut_stream, flip_bit_in_stream, replace_stream};
pub use nats::{NatsBuilder, NatsServer};
pub use ports::free_port;
pub use postgres::Postgres;
pub use process::{End, Process};
pub use programs::{missing, versions};
