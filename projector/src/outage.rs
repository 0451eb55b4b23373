//! Trying again for as long as it takes, and saying so once.

use std::time::Duration;

use ledger_core::Timestamp;
use service_kit::Backoff;

use crate::error::ProjectorError;

/// Something the projector needs and sometimes lacks.
#[derive(Debug)]
pub(crate) struct Outage {
    doing: &'static str,
    backoff: Backoff,
    is_down: bool,
}

impl Outage {
    /// None yet. `doing` is what fails in it, as a person would say it.
    pub(crate) fn new(doing: &'static str, longest: Duration) -> Self {
        let backoff = Backoff::new(Duration::from_millis(20), 2, longest);
        Self { doing, backoff, is_down: false }
    }

    /// How long to wait before the next try. Error: it can not work again by itself.
    pub(crate) fn pause(
        &mut self,
        now: Timestamp,
        error: ProjectorError,
    ) -> Result<Duration, ProjectorError> {
        if !error.is_transient() {
            return Err(error);
        }
        if !self.is_down {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "{} fails; trying again until it works", self.doing);
        }
        self.is_down = true;
        Ok(self.backoff.next_delay(now.0.unsigned_abs()))
    }

    /// It worked.
    pub(crate) fn over(&mut self) {
        if self.is_down {
            tracing::info!("{} works again", self.doing);
        }
        self.is_down = false;
        self.backoff.reset();
    }
}
