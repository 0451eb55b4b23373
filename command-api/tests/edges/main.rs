//! The edges over real writers, a real log and real views: everything a caller can see, over HTTP and NATS.

#![expect(clippy::unwrap_used, reason = "a test that can not go on says so by panicking")]

mod agent_log;
mod checkouts;
mod containers;
mod http;
mod metrics;
mod msgpack;
mod nats;
mod page;
mod refusals;
mod serving;
mod sources;
mod straight;
mod stuck;
mod tokens;
mod webhooks;
mod world;
