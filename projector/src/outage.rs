//! Trying again for as long as it takes, and saying so once.

use std::time::Duration;

use service_kit::{Backoff, clock};

use crate::error::ProjectorError;

/// Something the projector needs and sometimes lacks.
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

    /// Waits before the next try. Error: it can not work again by itself.
    pub(crate) async fn wait(&mut self, error: ProjectorError) -> Result<(), ProjectorError> {
        if !error.is_transient() {
            return Err(error);
        }
        if !self.is_down {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "{} fails; trying again until it works", self.doing);
        }
        self.is_down = true;
        tokio::time::sleep(self.backoff.next_delay(clock::now().unsigned_abs())).await;
        Ok(())
    }

    /// It worked.
    pub(crate) fn over(&mut self) {
        if self.is_down {
            tracing::info!("{} works again", self.doing);
        }
        self.is_down = false;
        self.backoff.reset();
    }

    /// Tries until it works.
    pub(crate) async fn outlast<T, E, F>(&mut self, attempt: impl Fn() -> F) -> Result<T, ProjectorError>
    where
        E: Into<ProjectorError>,
        F: Future<Output = Result<T, E>>,
    {
        loop {
            match attempt().await {
                Ok(done) => {
                    self.over();
                    return Ok(done);
                }
                Err(error) => self.wait(error.into()).await?,
            }
        }
    }
}
