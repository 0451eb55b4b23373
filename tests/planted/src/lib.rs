//! Bugs on purpose, so that every check is seen catching what it is there for.
//!
//! The crates of the ledger ask [`on`] where a bug could be. Without the feature `bugs`, which nothing that is shipped
//! is built with, the answer is a constant no, and the compiler leaves the bug out. With it each is still off until it is
//! asked for: by [`plant`] in this thread, or by the variable `DRIP_PLANTED_BUG` in a whole process. Crate `caught` holds
//! every one of them to being found.

#[cfg(feature = "bugs")]
mod switch;

#[cfg(feature = "bugs")]
pub use switch::{Planted, on, plant};

/// The variable that turns one on in a whole process, by its name.
pub const VARIABLE: &str = "DRIP_PLANTED_BUG";

macro_rules! bugs {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal,)*) => {
        /// A bug that somebody could have written.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Bug { $($(#[doc = $doc])* $name,)* }

        impl Bug {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name on a command line.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

bugs! {
    /// The writer answers when a commit is sent, not when it is stored.
    AnswerBeforeAck = "answer-before-ack",
    /// A conflict is told to callers as "nothing was done", without a look at what stands there.
    ConflictIsNotStored = "conflict-is-not-stored",
    /// What stands in the place of our commit is taken for ours, whoever wrote it.
    StaleOwnerKeepsAnswering = "stale-owner-keeps-answering",
    /// Commits are appended without naming the sequence that must come before.
    SkipExpectedSequence = "skip-expected-sequence",
    /// A replay does not take a debit's outcome from the event, but works it out again at another price.
    RedecideOnReplay = "redecide-on-replay",
    /// The moment by which a caller wanted a decision is not looked at.
    DeadlineIgnored = "deadline-ignored",
    /// A snapshot is given out when its commit is sent, not when it is stored.
    SnapshotBeforeDurable = "snapshot-before-durable",
    /// A start forgets which keys were used.
    KeysForgotten = "keys-forgotten",
    /// A foreign message makes the writer seal its commit anew without moving what it already told of positions.
    NotRenumbered = "not-renumbered",
    /// That the log is shorter than it was is not believed.
    ShorterLogBelieved = "shorter-log-believed",
    /// The projector moves its position first, and writes the rows in a transaction of their own.
    PositionApart = "position-apart",
    /// The projector takes no heed that somebody else has moved the views.
    ElsewhereIsHere = "elsewhere-is-here",
    /// The projector takes a transaction of which nobody knows for applied, and goes on with what it has folded ahead.
    LostAnswerIsHere = "lost-answer-is-here",
    /// Requests are answered to whatever subject they name.
    AnyReplySubject = "any-reply-subject",
    /// A worker already does what it claims while its claim is under way.
    ActBeforeClaim = "act-before-claim",
    /// A worker makes what it needs without a look whether it is there.
    CreateBlindly = "create-blindly",
    /// A mail of which nobody knows whether it was sent is sent again without a look.
    MailBlindly = "mail-blindly",
    /// A worker does once more what it reads in the log that it did.
    ActOnReplay = "act-on-replay",
    /// A webhook is believed what it says was paid.
    CreditFromBody = "credit-from-body",
    /// SQLite's log is not synced before an append is answered.
    LaxSqlite = "lax-sqlite",
}

impl Bug {
    /// The bug of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|bug| bug.name() == name)
    }
}

/// This bug is on: never, for none is built in.
#[cfg(not(feature = "bugs"))]
#[inline(always)]
#[must_use]
pub const fn on(_bug: Bug) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_of_its_own() {
        assert!(Bug::ALL.iter().all(|bug| Bug::named(bug.name()) == Some(*bug)));
    }
}
