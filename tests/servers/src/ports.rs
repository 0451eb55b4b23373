//! Free loopback ports.

use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;

/// Below the range from which the system takes the ports of outgoing connections. A client that tries again and again
/// to reach a stopped server could otherwise be given the server's own port, connect to itself, and keep the server
/// from coming back.
const FIRST: u64 = 12_000;
const COUNT: u64 = 20_000;

/// A port nobody listens on right now. Somebody may take it before the server does: callers try again with another.
///
/// # Panics
///
/// If hardly any port is free.
#[must_use]
pub fn free_port() -> u16 {
    (0..1000)
        .filter_map(|attempt: u32| u16::try_from(FIRST + RandomState::new().hash_one(attempt) % COUNT).ok())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("one of a thousand random ports is free")
}
