//! Views folded from the log: Postgres and SQLite.
