//! What a simulated log does wrong, and how often it did.

/// How often it misbehaves, in cases of a thousand. All 0: it is slow at times, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// An append is lost on its way.
    pub lost: u64,
    /// The answer to an append is lost.
    pub ack_lost: u64,
    /// An append waits in the client and arrives seconds later, when its sender has long given up.
    pub late: u64,
    /// A replication takes longer than its sender waits: a resend finds it under way.
    pub slow: u64,
    /// The leader steps down in the middle of an append: it is stored, or not, and nobody serves for a while.
    pub stepdown: u64,
    /// An append finds the store full.
    pub full: u64,
    /// Somebody else's message is stored before an append.
    pub foreign: u64,
    /// A read or a head is from the past.
    pub stale: u64,
    /// A read fails.
    pub unreadable: u64,
}

/// How often what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Stored commits.
    pub stored: u64,
    /// Appends lost on their way.
    pub lost: u64,
    /// Answers to appends that were lost.
    pub acks_lost: u64,
    /// Appends that arrived late.
    pub late: u64,
    /// Late appends that met another commit in their place.
    pub late_rejected: u64,
    /// Replications that took longer than their sender waited.
    pub slow: u64,
    /// Conflicts that were answered.
    pub conflicts: u64,
    /// Resends answered as duplicates.
    pub duplicates: u64,
    /// Resends while the first try was being replicated.
    pub in_process: u64,
    /// Leaders that stepped down, and whether they took the append in their hands along.
    pub stepdown_stored: u64,
    /// As before: they did not.
    pub stepdown_dropped: u64,
    /// Appends that were being replicated, and were lost with their leader.
    pub lost_with_leader: u64,
    /// Requests that nobody answered because there was no leader.
    pub no_responders: u64,
    /// Appends refused for want of space.
    pub full: u64,
    /// Foreign messages.
    pub foreign: u64,
    /// Answers from the past.
    pub stale: u64,
    /// Tails that were lost.
    pub cuts: u64,
    /// Bits that turned.
    pub flips: u64,
}
