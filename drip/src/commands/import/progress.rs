//! What is seen while it runs: a bar on a terminal, bad lines, waiting. All on stderr.

use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::batches::BadLine;

const SHOWN_MAX: u64 = 20;

pub(super) struct Progress {
    bar: ProgressBar,
    file: String,
    shown_max: u64,
    bad: u64,
}

impl Progress {
    /// A bar over the bytes of the file; off a terminal there is none.
    pub(super) fn new(file: &Path, verbose: bool) -> Self {
        let bytes = std::fs::metadata(file).map(|metadata| metadata.len()).unwrap_or_default();
        let style = ProgressStyle::with_template("{wide_bar} {percent}% {msg} {elapsed}")
            .expect("the template is written by its rules");
        let bar = ProgressBar::new(bytes).with_style(style);
        let shown_max = if verbose { u64::MAX } else { SHOWN_MAX };
        Self { bar, file: file.display().to_string(), shown_max, bad: 0 }
    }

    pub(super) fn advance(&self, position: u64, rows: u64) {
        self.bar.set_position(position);
        self.bar.set_message(format!("{rows} rows, {}/s", rate(rows, self.bar.elapsed())));
    }

    pub(super) fn say(&self, sentence: &str) {
        self.bar.suspend(|| anstream::eprintln!("{sentence}"));
    }

    pub(super) fn bad_lines(&mut self, lines: &[BadLine]) {
        for BadLine { line, reason } in lines {
            self.bad += 1;
            if self.bad <= self.shown_max {
                self.say(&format!("{}:{line}: {reason}", self.file));
            }
        }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
        if let Some(hidden) = self.bad.checked_sub(self.shown_max).filter(|hidden| *hidden > 0) {
            self.say(&format!("{hidden} more bad lines; --verbose shows them all"));
        }
    }
}

/// Rows a second.
pub(super) fn rate(rows: u64, time: Duration) -> u64 {
    let micros = time.as_micros().max(1);
    u64::try_from(u128::from(rows) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_rows_a_second() {
        assert_eq!(rate(8819, Duration::from_millis(500)), 17_638);
        assert_eq!((rate(0, Duration::ZERO), rate(1, Duration::from_secs(2))), (0, 0));
    }
}
