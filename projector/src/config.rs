//! How a projector works.

use std::time::Duration;

/// How a projector works. The default is for production.
#[derive(Debug, Clone)]
pub struct Config {
    /// The most entries of the log in one transaction.
    pub batch_entries: usize,
    /// No more entries once the commits in a transaction have so many bytes.
    pub batch_bytes: usize,
    /// For how long the log must look other than the views remember it before that is believed: a replicated log
    /// can answer from the past for a moment.
    pub patience: Duration,
    /// How long to stand by after somebody else has moved the views.
    pub standby: Duration,
    /// The longest pause between two tries while the store or the log is out of reach.
    pub longest_pause: Duration,
    /// How often what is folded is kept as an anchor, and the log is compared with all anchors.
    pub look_every: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            batch_entries: 16 * 1024,
            batch_bytes: 4 * 1024 * 1024,
            patience: Duration::from_secs(30),
            standby: Duration::from_millis(250),
            longest_pause: Duration::from_secs(2),
            look_every: Duration::from_secs(10),
        }
    }
}
