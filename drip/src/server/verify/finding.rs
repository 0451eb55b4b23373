//! The first thing that is wrong, as a sentence and as JSON.

use event_log::anchors::Difference as LogDifference;
use event_log::{Alarm, Anchor, ReadError};
use judge::Violation;
use projector::tables::CHAIN_POSITIONS;
use serde_json::json;

use super::compare::Difference;
use super::noted::Noted;
use crate::failure::{Exit, Failure};

/// The first thing that is wrong, or why no more can be said.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) exit: Exit,
    pub(super) sentence: String,
    pub(super) way_out: &'static str,
    pub(super) details: serde_json::Value,
}

const LOG_IS_WRONG: &str = "Do not write to this log any more, keep it as it is, and compare it with a backup. \
                            `drip events` prints what stands before the place.";
const LOG_IS_ANOTHER: &str = "This log was cut or replaced, or the note is of another one. Do not write to it any more, \
                              and look for the log that holds what was noted.";
const VIEWS_ARE_WRONG: &str = "The log was found right to its end, and it is the truth; rows behind this one were not \
                               compared. Note the row, then fold the views again: `drip replay`.";
const ONE_OF_BOTH: &str = "One of the two was changed, and nothing here tells which. Compare the log with a backup, or \
                           with what was noted, before anything is written: the views may be the last to know. If the \
                           log is right, drop the views and run `drip init` (docs/replay.md).";
const WORKERS_ARE_WRONG: &str = "The log is right in itself. Look at the provider for what was done twice, without a claim or \
                                 not at all; docs/auditing.md says what each complaint means.";
const UNDECIDED: &str = "The log could not be read to its end, so it is not known whether it or the views are wrong: \
                         check again before anything is changed.";

impl Finding {
    pub(super) fn violation(violation: &Violation) -> Self {
        let Violation { position, rule, whose, expected, found } = violation;
        let details = json!({
            "kind": "violation", "position": position, "rule": rule.name(), "of": whose, "expected": expected,
            "found": found,
        });
        let sentence = format!("the log is wrong: {violation}");
        Self { exit: Exit::FoundWrong, sentence, way_out: LOG_IS_WRONG, details }
    }

    pub(super) fn too_new(violation: &Violation) -> Self {
        let details =
            json!({ "kind": "not_checked", "position": violation.position, "reason": violation.found });
        let sentence =
            format!("the log can not be checked from {} on: {}", violation.position, violation.found);
        Self { exit: Exit::Failed, sentence, way_out: "Nothing was found wrong before it.", details }
    }

    pub(super) fn unreadable(error: &ReadError) -> Self {
        let ReadError::Damaged { partition, sequence, reason } = error else {
            let details = json!({ "kind": "not_checked", "reason": error.to_string() });
            let way_out = "Nothing was found wrong before it.";
            return Self { exit: Exit::Unreachable, sentence: error.to_string(), way_out, details };
        };
        let details = json!({
            "kind": "damage", "position": format!("{partition}-{sequence}-0"), "reason": reason,
        });
        let sentence =
            format!("the log is wrong: partition {partition}, commit {sequence} is damaged: {reason}");
        Self { exit: Exit::FoundWrong, sentence, way_out: LOG_IS_WRONG, details }
    }

    pub(super) fn shrunk(partition: u16, viewed: u64, head: u64) -> Self {
        let details = json!({ "kind": "shrunk", "partition": partition, "views": viewed, "log": head });
        let sentence = format!(
            "the log is wrong: the views have read partition {partition} up to message {viewed}, and it ends at {head}"
        );
        Self { exit: Exit::FoundWrong, sentence, way_out: LOG_IS_WRONG, details }
    }

    pub(super) fn differs(alarm: &Alarm) -> Self {
        let Anchor { partition, sequence, hash, kept_by, .. } = alarm.anchor;
        let sentence = format!(
            "the log is wrong: {} since {} that commit {sequence} of partition {partition} has the hash \
             {hash}, but {}",
            kept_by.knows(),
            alarm.anchor.kept_at_text(),
            alarm.found
        );
        Self { exit: Exit::FoundWrong, sentence, way_out: LOG_IS_WRONG, details: of_anchor(alarm) }
    }

    /// The views say of themselves that they were folded from another commit than stands there.
    pub(super) fn differs_from_views(alarm: &Alarm) -> Self {
        let Anchor { partition, sequence, hash, .. } = alarm.anchor;
        let sentence = format!(
            "the log and the views differ: the views were folded from a commit {sequence} of partition {partition} with \
             the hash {hash}, but {}",
            alarm.found
        );
        Self { exit: Exit::FoundWrong, sentence, way_out: ONE_OF_BOTH, details: of_anchor(alarm) }
    }

    /// The same, of a log that could not be read to its end.
    pub(super) fn undecided(self, unread: &Self) -> Self {
        let sentence = format!("{}; and behind it {}", self.sentence, unread.sentence);
        Self { sentence, way_out: UNDECIDED, ..self }
    }

    pub(super) fn not_as_noted(noted: &Noted, found: LogDifference) -> Self {
        let Noted { partition, commit, sha256 } = noted;
        let details = json!({
            "kind": "noted", "position": format!("{partition}-{commit}-0"), "known": sha256.to_string(),
            "found": found.to_string(),
        });
        let sentence = format!(
            "the log is wrong: commit {commit} of partition {partition} was noted with the SHA-256 {sha256}, but {found}"
        );
        Self { exit: Exit::FoundWrong, sentence, way_out: LOG_IS_ANOTHER, details }
    }

    /// The first complaint, of so many.
    pub(super) fn not_as_recorded(complaint: &str, complaints: usize) -> Self {
        let more = if complaints > 1 { format!(" (and {} more)", complaints - 1) } else { String::new() };
        let sentence = format!("the log and what providers did differ: {complaint}{more}");
        let details = json!({ "kind": "record", "complaint": complaint, "complaints": complaints });
        Self { exit: Exit::FoundWrong, sentence, way_out: WORKERS_ARE_WRONG, details }
    }

    pub(super) fn cut_off(partition: u16) -> Self {
        let sentence = format!("partition {partition} could not be read to its end");
        let details = json!({ "kind": "not_checked", "reason": sentence });
        Self {
            exit: Exit::Failed,
            sentence,
            way_out: "Nothing was found wrong before it. Run it again.",
            details,
        }
    }
}

fn of_anchor(alarm: &Alarm) -> serde_json::Value {
    let Anchor { partition, sequence, hash, kept_by, .. } = alarm.anchor;
    json!({
        "kind": "anchor", "position": format!("{partition}-{sequence}-0"), "known": hash.to_string(),
        "kept_by": kept_by.name(), "found": alarm.found.to_string(),
    })
}

impl Finding {
    /// It speaks of rows of the views.
    pub(super) fn is_of_views(&self) -> bool {
        self.details["kind"] == "difference"
    }

    /// What a command ends with that found it.
    pub(super) fn failure(&self) -> Failure {
        Failure::new(self.exit, self.sentence.clone()).try_this(self.way_out)
    }

    /// It ended the reading; else all of the log was read.
    pub(super) fn ended_it(&self) -> bool {
        !["anchor", "noted", "difference", "record"].iter().any(|kind| self.details["kind"] == *kind)
    }
}

impl From<Box<Difference>> for Finding {
    fn from(difference: Box<Difference>) -> Self {
        let sentence = format!("the views are wrong: {difference}");
        let mut details = json!({ "kind": "difference" });
        if let (Some(details), Ok(serde_json::Value::Object(more))) =
            (details.as_object_mut(), serde_json::to_value(&*difference))
        {
            details.extend(more);
        }
        let positions = difference.table == CHAIN_POSITIONS.name;
        let way_out = if positions { ONE_OF_BOTH } else { VIEWS_ARE_WRONG };
        Self { exit: Exit::FoundWrong, sentence, way_out, details }
    }
}
