//! When a difference is believed. Pure: time is handed in.

use std::time::Duration;

use ledger_core::Timestamp;
use planted::Bug;

use super::Difference;

/// Hears what a log answers, and believes a difference only when the answers have agreed on it for a while: a leader
/// that was away for a moment answers from the past.
#[derive(Debug, Clone)]
pub struct Doubt {
    /// In microseconds.
    patience: i64,
    found: Option<Difference>,
    /// Since when all answers were the same; `None` after a question without an answer.
    since: Option<Timestamp>,
}

/// What to make of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The log is what it was.
    Agrees,
    /// It says otherwise, perhaps for a moment: append nothing, ask again.
    InDoubt,
    /// It has said the same for long enough.
    Believed,
}

impl Doubt {
    /// None yet. With no patience the first answer is believed.
    pub fn new(patience: Duration) -> Self {
        let patience = i64::try_from(patience.as_micros()).unwrap_or(i64::MAX);
        Self { patience, found: None, since: None }
    }

    /// Takes an answer. Another one than the last begins the wait anew: a log that is catching up says something else
    /// each time.
    pub fn hear(&mut self, now: Timestamp, found: Option<Difference>) -> Verdict {
        let found = found.filter(|_| !planted::on(Bug::ShorterLogBelieved));
        if found != self.found {
            self.since = None;
        }
        self.found = found;
        if found.is_none() {
            return Verdict::Agrees;
        }
        let since = *self.since.get_or_insert(now);
        if now.since(since) >= self.patience { Verdict::Believed } else { Verdict::InDoubt }
    }

    /// There was no answer. What was in doubt stays in doubt, and the wait begins anew.
    pub fn unanswered(&mut self) {
        self.since = None;
    }

    /// How the log differs, as far as was heard.
    pub fn found(&self) -> Option<Difference> {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use ledger_core::time::SECOND;

    use super::*;

    const SHORT: Option<Difference> = Some(Difference::EndsAt(200));
    const LONGER: Option<Difference> = Some(Difference::EndsAt(201));

    /// What is heard at which second (`Err`: no answer), and the verdict.
    type Heard = (i64, Result<Option<Difference>, ()>, Option<Verdict>);

    fn hear(patience: u64, heard: &[Heard]) {
        let mut doubt = Doubt::new(Duration::from_secs(patience));
        for (second, answer, expected) in heard {
            let verdict = match answer {
                Ok(found) => Some(doubt.hear(Timestamp(second * SECOND), *found)),
                Err(()) => {
                    doubt.unanswered();
                    None
                }
            };
            assert_eq!(verdict, *expected, "at {second} s of {heard:?}");
        }
    }

    #[test]
    fn a_difference_is_believed_when_the_answers_agree_for_the_whole_patience() {
        use Verdict::{Agrees, Believed, InDoubt};
        hear(30, &[(0, Ok(None), Some(Agrees)), (99, Ok(None), Some(Agrees))]);
        hear(
            30,
            &[(5, Ok(SHORT), Some(InDoubt)), (34, Ok(SHORT), Some(InDoubt)), (35, Ok(SHORT), Some(Believed))],
        );
        hear(0, &[(5, Ok(SHORT), Some(Believed))]);
    }

    #[test]
    fn an_answer_that_changes_back_ends_the_doubt() {
        use Verdict::{Agrees, Believed, InDoubt};
        hear(
            30,
            &[
                (0, Ok(SHORT), Some(InDoubt)),
                (29, Ok(None), Some(Agrees)),
                (31, Ok(SHORT), Some(InDoubt)),
                (60, Ok(SHORT), Some(InDoubt)),
                (61, Ok(SHORT), Some(Believed)),
            ],
        );
    }

    #[test]
    fn answers_that_do_not_agree_are_not_believed() {
        use Verdict::{Believed, InDoubt};
        hear(
            30,
            &[
                (0, Ok(SHORT), Some(InDoubt)),
                (29, Ok(LONGER), Some(InDoubt)),
                (31, Ok(LONGER), Some(InDoubt)),
                (58, Ok(SHORT), Some(InDoubt)),
                (88, Ok(SHORT), Some(Believed)),
            ],
        );
    }

    #[test]
    fn a_question_without_an_answer_agrees_with_nothing_and_leaves_the_doubt() {
        use Verdict::{Believed, InDoubt};
        hear(
            30,
            &[
                (0, Ok(SHORT), Some(InDoubt)),
                (20, Err(()), None),
                (31, Ok(SHORT), Some(InDoubt)),
                (61, Ok(SHORT), Some(Believed)),
            ],
        );
        let mut doubt = Doubt::new(Duration::from_secs(30));
        doubt.hear(Timestamp(0), SHORT);
        doubt.unanswered();
        assert_eq!(doubt.found(), SHORT);
    }
}
