//! Real processes, killed on purpose, and then judged.
