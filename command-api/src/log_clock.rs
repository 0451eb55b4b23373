//! Whether this machine and the log's server agree on the time: asked before anything is written, for what stands in
//! the log can not be taken back.

use event_log::{EventLog, ReadError};
use ledger_core::Timestamp;
use ledger_core::time::SECOND;

use crate::writer::CLOCK_SKEW_MAX;

/// Why nothing may be written.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// The server could not be asked.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The clocks differ.
    #[error("the clock of this machine is {seconds} s ahead of the log's server: set them right first")]
    Apart {
        /// How much; negative when it is behind.
        seconds: i64,
    },
}

/// Compares the clocks. A log without a clock of its own agrees.
pub(crate) async fn check(log: &dyn EventLog) -> Result<(), ClockError> {
    let before = Timestamp(service_kit::clock::now());
    let server = log.time().await?;
    let after = Timestamp(service_kit::clock::now());
    let apart = server.map_or(0, |server| apart(before, server, after));
    if apart.abs() > CLOCK_SKEW_MAX {
        return Err(ClockError::Apart { seconds: apart / SECOND });
    }
    Ok(())
}

/// By how much this machine is ahead of the server at least: the server's time was read at some moment in between.
fn apart(before: Timestamp, server: Timestamp, after: Timestamp) -> i64 {
    if server < before {
        before.since(server)
    } else if server > after {
        -server.since(after)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_not_a_wrong_clock() {
        let at = |seconds: i64| Timestamp(seconds * SECOND);
        for (server, seconds) in [(100, 0), (104, 0), (110, 0), (90, 10), (130, -20)] {
            assert_eq!(apart(at(100), at(server), at(110)) / SECOND, seconds, "{server}");
        }
    }
}
