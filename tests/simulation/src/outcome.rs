//! What a seed is told to do wrong, and what it has seen.

use event_log::sim::Counts;

use crate::views::Seen;
use crate::workers;

/// A bug on purpose, to see that the judge catches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// No answer of the log is taken for "stored".
    AnswerBeforeAck,
    /// What stands in our place is taken for ours: a stale owner goes on.
    StaleOwnerKeepsAnswering,
    /// A conflict is answered as "nothing was done".
    ConflictIsNotStored,
    /// The log stores without a look at the expected sequence.
    SkipExpectedSequence,
    /// A start takes the state of an older snapshot for that of the newest.
    StateOfAnotherMoment,
    /// A start does not ask whether the log holds what was known of it.
    AnchorsNotAsked,
    /// A start does not replay what stands behind its snapshot.
    TailNotReplayed,
    /// What is resent carries other bytes.
    ResendIsAnother,
}

impl Bug {
    /// All of them, each with the invariants of which one must catch it.
    pub const ALL: &[(Self, &[&str])] = &[
        (Self::AnswerBeforeAck, &["I1"]),
        (Self::StaleOwnerKeepsAnswering, &["I1", "I7", "I8", "I14"]),
        (Self::ConflictIsNotStored, &["I2", "I3", "I4"]),
        (Self::SkipExpectedSequence, &["I7", "I14"]),
        (Self::StateOfAnotherMoment, &["I7", "I9", "I11"]),
        (Self::AnchorsNotAsked, &["I15"]),
        (Self::TailNotReplayed, &["I2", "I7", "I11", "I13"]),
        (Self::ResendIsAnother, &["I1", "I2", "I7", "I14"]),
    ];
}

/// What a seed that went well has seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome {
    /// How long it took by its own clock, in seconds.
    pub seconds: u64,
    /// Attempts of clients.
    pub attempts: u64,
    /// Answers that were not known.
    pub unknown: u64,
    /// Crashes of owners, between any two of their steps.
    pub crashes: u64,
    /// Pauses of owners.
    pub pauses: u64,
    /// Owners that were fenced.
    pub fenced: u64,
    /// Owners that did not start because their clock was behind the log's.
    pub clock_behind: u64,
    /// Owners that started with a wrong clock.
    pub clock_wrong: u64,
    /// Clocks that jumped under a running owner by as much as it can not notice.
    pub clock_jumps: u64,
    /// As before: by more, so that it ended.
    pub clock_jumps_noticed: u64,
    /// Owners that stopped in order.
    pub stops: u64,
    /// Those that left a snapshot.
    pub last_snapshots: u64,
    /// Answers without their event.
    pub brief: u64,
    /// Keys that were refused because they may have been forgotten.
    pub keys_expired: u64,
    /// Times the log says that keys were forgotten before their time.
    pub horizons_raised: u64,
    /// Policies that were set, the first ones included.
    pub policies_set: u64,
    /// Times all owners were put to sleep one by one, to wake up in another order.
    pub swizzles: u64,
    /// Owners that stopped, or did not start, because the log had lost what was known of it.
    pub alarms: u64,
    /// Answers out of a term that had not decided them: a key repeated across a change of terms.
    pub across_terms: u64,
    /// Conflicts behind which our own commit stood.
    pub ours: u64,
    /// Commits that hold a crossing and money paid in.
    pub crossed_and_paid: u64,
    /// Batches of a source that were done with, and items of theirs.
    pub batches: u64,
    /// As before: items.
    pub items: u64,
    /// Batches that were sent again, whole or in part.
    pub batches_again: u64,
    /// Answers to debits that were only tried.
    pub dry_runs: u64,
    /// Unknown outcomes that stood in the log when the same call was asked again.
    pub unknown_stored: u64,
    /// As before: they did not.
    pub unknown_not_stored: u64,
    /// Commits at the end, and events in them.
    pub commits: u64,
    /// As before: events.
    pub events: u64,
    /// Snapshots that were kept.
    pub snapshots: u64,
    /// Starts that went on from the newest snapshot, and from an older one.
    pub restored: u64,
    /// As before: from an older one.
    pub restored_old: u64,
    /// What the log did.
    pub log: Counts,
    /// What the projectors have seen.
    pub views: Seen,
    /// What the workers have seen.
    pub workers: workers::Seen,
}

/// What went wrong in a run is said to be this invariant, "I1" and not "I11".
pub fn names(wrong: &str, invariant: &str) -> bool {
    // The last lines say what is wrong; those before are what happened.
    let last = wrong.lines().rev().take(3);
    let mut words = last.flat_map(|line| line.split(|letter: char| !letter.is_ascii_alphanumeric()));
    words.any(|word| word == invariant)
}
