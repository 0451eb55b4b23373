//! The hash map of hot state: fast, and the same on every run. Its order is never shown to anybody.

/// A map with a fixed hasher. Keys that a caller chooses are checked names or hashes already.
pub type Map<K, V> = hashbrown::HashMap<K, V, foldhash::fast::FixedState>;
