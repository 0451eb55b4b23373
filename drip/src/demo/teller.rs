//! Prints lines: for people as text, for programs as JSON.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::line::Line;
use super::text;
use crate::failure::Failure;
use crate::output::Output;

/// Who tells, and since when.
pub(super) struct Teller {
    output: Output,
    begin: Instant,
    /// Before each step.
    pub(super) pause: Duration,
}

/// A line with its time.
#[derive(Serialize)]
struct Timed<'a> {
    /// Since the start.
    seconds: String,
    #[serde(flatten)]
    line: &'a Line,
}

impl Teller {
    pub(super) fn new(output: Output, pause: Duration) -> Self {
        Self { output, begin: Instant::now(), pause }
    }

    pub(super) fn tell(&mut self, line: &Line) -> Result<(), Failure> {
        let millis = self.begin.elapsed().as_millis();
        let seconds = format!("{}.{:03}", millis / 1_000, millis % 1_000);
        if self.output.json {
            return self.output.lines(&[Timed { seconds, line }]);
        }
        let time = format!("{}.{} s", millis / 1_000, millis % 1_000 / 100);
        self.output.line(&text::told(&time, line))
    }
}
