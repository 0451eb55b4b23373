//! What `drip bench` runs.
