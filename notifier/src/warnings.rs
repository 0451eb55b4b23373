//! What people must hear of, said once a minute and not once a mail.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(60);

/// What was said of one thing, and how often it happened since.
struct Said {
    at: Instant,
    silent: u64,
}

/// Says each thing once a minute.
#[derive(Default)]
pub(crate) struct Warnings(Mutex<HashMap<&'static str, Said>>);

impl Warnings {
    /// How often it happened without a word, when it is time for one again.
    fn due(&self, what: &'static str, now: Instant) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(what) {
            Some(said) if now < said.at + EVERY => {
                said.silent += 1;
                None
            }
            known => {
                let silent = known.map_or(0, |said| said.silent);
                all.insert(what, Said { at: now, silent: 0 });
                Some(silent)
            }
        }
    }

    /// `what` is a sentence, `reason` holds nothing personal.
    pub(crate) fn say(&self, what: &'static str, reason: &str) {
        if let Some(more) = self.due(what, Instant::now()) {
            tracing::warn!(reason, more, "{what}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_said_once_a_minute_with_how_often_it_was_not() {
        let (warnings, start) = (Warnings::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(warnings.due("a", at(0)), Some(0));
        assert_eq!(warnings.due("a", at(1)), None);
        assert_eq!(warnings.due("b", at(1)), Some(0));
        assert_eq!(warnings.due("a", at(59)), None);
        assert_eq!(warnings.due("a", at(60)), Some(2));
        assert_eq!(warnings.due("a", at(120)), Some(0));
    }
}
