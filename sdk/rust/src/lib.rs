//! The Rust client of Drip: HTTP, with keys and deadlines.
