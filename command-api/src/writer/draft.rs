//! A commit on its way: drafted, then in flight.

use ledger_core::commit::{COMMIT_BYTES_MAX, CommitBuilder, EncodedCommit, Head};
use ledger_core::event::Event;
use ledger_core::time::{MINUTE, SECOND};
use ledger_core::{Chain, LogId, Position, Snapshot, TermNonce, Timestamp};

use super::Ticket;
use crate::ask::{Answer, Receipt};

/// Most events a commit holds: answers of a commit come together, so it should not take long.
const EVENTS_MAX: u32 = 8_192;

/// For so many events a draft has room at first, at most: what was once busy and is idle now holds no memory for it.
const ROOM_MAX: usize = 1_024;

/// For how long a draft takes more, in microseconds: all of a commit happens at its one moment, and while the log is
/// away that moment must not fall behind the callers' clocks.
const AGE_MAX: i64 = MINUTE;

/// What is decided but not sent.
#[derive(Debug, Default)]
pub(super) struct Draft {
    builder: CommitBuilder,
    /// Set by the first event.
    time: Timestamp,
    /// Set for the commit that opens a term; else it belongs to the open one.
    opens: Option<(LogId, TermNonce)>,
    events: Vec<Event>,
    held: Vec<(Ticket, Held)>,
}

/// What a call is answered when the commit is durable.
#[derive(Debug)]
pub(super) enum Held {
    /// This.
    Answer(Answer),
    /// With the event of this commit that stands here, decided for this call: it is handed over then, not copied now.
    Event(Position),
}

/// After so many microseconds without an outcome the log is said to be away.
const OVERDUE: i64 = 2 * SECOND;

/// What is sent and not known to be durable.
#[derive(Debug)]
pub(super) struct Flight {
    draft: Draft,
    head: Head,
    commit: EncodedCommit,
    waiting: Waiting,
    /// How often the same bytes were sent again.
    pub(super) attempts: u32,
    /// When it was sent first.
    since: Timestamp,
    /// The state once it is durable, when a snapshot was due.
    snapshot: Option<Box<Snapshot>>,
}

/// What the flight waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// The outcome of the append.
    Outcome,
    /// What stands in its place.
    ReadBack,
    /// The moment to send the same bytes again.
    Resend(Timestamp),
    /// The moment to read its place again.
    Reread(Timestamp),
}

impl Draft {
    /// The first commit of a term.
    pub(super) fn opening(log: LogId, term: TermNonce) -> Self {
        Self { opens: Some((log, term)), ..Self::default() }
    }

    /// An empty one with room for about as much: commits that follow each other are alike.
    pub(super) fn with_its_room(&self) -> Self {
        let (events, held) = (self.events.len().min(ROOM_MAX), self.held.len().min(ROOM_MAX));
        Self { events: Vec::with_capacity(events), held: Vec::with_capacity(held), ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.builder.is_empty()
    }

    /// There is room, and its time is recent enough to judge the time of keys by.
    pub(super) fn takes_more(&self, now: Timestamp) -> bool {
        let room = self.builder.size() < COMMIT_BYTES_MAX && self.builder.count() < EVENTS_MAX;
        room && (self.is_empty() || now.since(self.time) <= AGE_MAX)
    }

    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    /// The index of the next event.
    pub(super) fn next_index(&self) -> u32 {
        self.builder.count()
    }

    pub(super) fn push(&mut self, time: Timestamp, event: Event) {
        if self.builder.is_empty() {
            self.time = time;
        }
        self.builder.push(&event);
        self.events.push(event);
    }

    pub(super) fn hold(&mut self, ticket: Ticket, answer: Answer) {
        self.held.push((ticket, Held::Answer(answer)));
    }

    /// The call is answered with the event at this position, which was pushed after those of all calls before.
    pub(super) fn hold_event(&mut self, ticket: Ticket, position: Position) {
        self.held.push((ticket, Held::Event(position)));
    }

    pub(super) fn held_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        self.held.iter_mut().map(|(_, held)| held)
    }

    /// The calls that wait for it.
    pub(super) fn tickets(&self) -> impl Iterator<Item = Ticket> {
        self.held.iter().map(|(ticket, _)| *ticket)
    }

    /// Makes the bytes, to follow what is known to be durable.
    pub(super) fn seal(self, now: Timestamp, chain: &Chain) -> Flight {
        let serving = || (chain.log.expect("a term is opened in a log that has its genesis"), chain.term);
        let (log, term) = self.opens.unwrap_or_else(serving);
        let head = Head {
            log,
            partition: chain.partition,
            sequence: chain.read + 1,
            previous: chain.sequence,
            previous_hash: chain.hash,
            term,
            time: self.time,
        };
        let commit = self.builder.seal(&head);
        Flight {
            draft: self,
            head,
            commit,
            waiting: Waiting::Outcome,
            attempts: 0,
            since: now,
            snapshot: None,
        }
    }
}

/// Events are wanted in the order in which they stand, none twice.
fn answers(
    held: Vec<(Ticket, Held)>,
    events: impl Iterator<Item = Event>,
) -> impl Iterator<Item = (Ticket, Answer)> {
    let mut events = (0..).zip(events);
    held.into_iter().map(move |(ticket, held)| match held {
        Held::Answer(answer) => (ticket, answer),
        Held::Event(position) => {
            let mine = events.find(|(index, _)| *index == position.index);
            let (_, event) = mine.expect("a call holds an event that was pushed for it");
            (ticket, Answer::Done(Box::new(Receipt { event, position, duplicate: false })))
        }
    })
}

impl Flight {
    pub(super) fn commit(&self) -> &EncodedCommit {
        &self.commit
    }

    pub(super) fn draft(&self) -> &Draft {
        &self.draft
    }

    pub(super) fn held_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        self.draft.held_mut()
    }

    pub(super) fn hold(&mut self, ticket: Ticket, answer: Answer) {
        self.draft.hold(ticket, answer);
    }

    /// The answers that wait for it, now that it is durable.
    pub(super) fn into_answers(mut self) -> impl Iterator<Item = (Ticket, Answer)> {
        let (held, events) = (std::mem::take(&mut self.draft.held), std::mem::take(&mut self.draft.events));
        answers(held, events.into_iter())
    }

    /// The same before it is: only a bug that is planted wants them.
    pub(super) fn take_answers(&mut self) -> impl Iterator<Item = (Ticket, Answer)> {
        answers(std::mem::take(&mut self.draft.held), self.draft.events.iter().cloned())
    }

    /// The log takes longer than it should: callers had better ask elsewhere or later.
    pub(super) fn is_overdue(&self, now: Timestamp) -> bool {
        now.since(self.since) > OVERDUE
    }

    pub(super) fn carry(&mut self, snapshot: Snapshot) {
        self.snapshot = Some(Box::new(snapshot));
    }

    pub(super) fn take_snapshot(&mut self) -> Option<Box<Snapshot>> {
        self.snapshot.take()
    }

    pub(super) fn waiting(&self) -> Waiting {
        self.waiting
    }

    pub(super) fn wait(&mut self, waiting: Waiting) {
        self.waiting = waiting;
    }

    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        match self.waiting {
            Waiting::Resend(at) | Waiting::Reread(at) => Some(at),
            Waiting::Outcome | Waiting::ReadBack => None,
        }
    }

    /// The event at this position, if it is one of this commit's.
    pub(super) fn event_at(&self, position: Position) -> Option<&Event> {
        let mine = position.sequence == self.head.sequence;
        mine.then(|| self.draft.events.get(position.index as usize)).flatten()
    }

    /// A foreign message took the place: the same events for the next one. The old bytes can no longer land, and what
    /// snapshot it carried is of a place that it will not have.
    pub(super) fn reseal(&mut self) {
        self.snapshot = None;
        self.head.sequence += 1;
        self.commit = self.draft.builder.seal(&self.head);
        self.waiting = Waiting::Outcome;
    }

    /// What the chain is once this is durable.
    pub(super) fn chain_after(&self) -> Chain {
        Chain {
            log: Some(self.head.log),
            partition: self.head.partition,
            read: self.head.sequence,
            sequence: self.head.sequence,
            hash: self.commit.hash,
            time: self.head.time,
            term: self.head.term,
        }
    }
}
