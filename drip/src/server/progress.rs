//! What is seen while it runs: a bar on a terminal, on stderr.

use indicatif::{ProgressBar, ProgressStyle};

pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar over so many messages of the log; off a terminal there is none.
    pub(crate) fn new(messages: u64) -> Self {
        let style = ProgressStyle::with_template("{wide_bar} {percent}% {msg} {eta} left")
            .expect("the template is written by its rules");
        Self(ProgressBar::new(messages).with_style(style))
    }

    /// So many messages further, with so many events in all.
    pub(crate) fn advance(&self, messages: u64, events: u64) {
        self.0.inc(messages);
        let micros = self.0.elapsed().as_micros().max(1);
        let rate = u128::from(events) * 1_000_000 / micros;
        self.0.set_message(format!("{events} events, {rate}/s"));
    }

    pub(crate) fn say(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
