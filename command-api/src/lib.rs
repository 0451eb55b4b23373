//! Writers, and asking them over HTTP and NATS.
