//! The whole ledger on one thread, one seed and one clock, over a log that lies.
