//! What is seen while it runs: a bar on a terminal, on stderr.

use indicatif::{ProgressBar, ProgressStyle};

use super::feed::{Part, Start};

pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar over the messages of the log; off a terminal there is none.
    pub(super) fn new(starts: &[Start]) -> Self {
        let parts = starts.iter().flat_map(|start| [start.viewed_part(), start.later_part()]);
        let messages = parts.map(|Part { count, .. }| count).sum();
        let style = ProgressStyle::with_template("{wide_bar} {percent}% {msg} {eta} left")
            .expect("the template is written by its rules");
        Self(ProgressBar::new(messages).with_style(style))
    }

    /// One message further, with so many events in all.
    pub(super) fn advance(&self, events: u64) {
        self.0.inc(1);
        let micros = self.0.elapsed().as_micros().max(1);
        let rate = u128::from(events) * 1_000_000 / micros;
        self.0.set_message(format!("{events} events, {rate}/s"));
    }

    pub(super) fn say(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
