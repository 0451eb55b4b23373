//! The ledger of a house, always right and at once durable: that is played elsewhere. Here workers and people ask it.

use std::sync::Arc;

use event_log::{Entry, StoredCommit};
use ledger_core::commit::{Commit, CommitBuilder, EncodedCommit, Hash, Head};
use ledger_core::event::{Event, Genesis, PolicySet, TermOpened};
use ledger_core::slots::SlotMap;
use ledger_core::{
    AccountId, Command, Decided, Ledger, PartitionId, Policy, Position, Rejection, Sequence, TermNonce,
    Timestamp, decide,
};
use tokio::sync::Notify;

use super::LOG;

const HERE: PartitionId = PartitionId(0);

pub(super) struct House {
    ledger: Ledger,
    entries: Vec<Entry>,
    commits: Vec<Commit>,
    previous: (Sequence, Hash),
    /// Wakes those who follow the log.
    pub(super) grown: Arc<Notify>,
}

impl House {
    /// A log with its beginning, and the app of its users.
    pub(super) fn new(now: Timestamp) -> Self {
        let mut house = Self {
            ledger: Ledger::new(HERE),
            entries: Vec::new(),
            commits: Vec::new(),
            previous: (0, Hash::ZERO),
            grown: Arc::default(),
        };
        let slots = SlotMap::even(1);
        house.commit(&[Event::Genesis(Genesis { log: LOG, format: 1, partitions: 1, slots })], now);
        let program = super::label("simulation");
        let term = Event::TermOpened(TermOpened { nonce: TermNonce([1; 16]), head: 1, program });
        let (app, policy) = (super::app(), Policy::default());
        house.commit(&[term, Event::PolicySet(PolicySet { app, number: 1, policy })], now);
        house
    }

    /// Decides, and writes down what was decided.
    ///
    /// Errors: the business "no".
    pub(super) fn ask(&mut self, now: Timestamp, command: &Command) -> Result<(), Rejection> {
        self.ledger.begin(now);
        let Decided { outcome, events, .. } = decide(&self.ledger, command);
        if !events.is_empty() {
            self.commit(&events, now);
        }
        outcome.map(|_| ())
    }

    fn commit(&mut self, events: &[Event], now: Timestamp) {
        let mut builder = CommitBuilder::default();
        events.iter().for_each(|event| builder.push(event));
        let (sequence, (previous, previous_hash)) = (self.head() + 1, self.previous);
        let term = if sequence == 1 { TermNonce([0; 16]) } else { TermNonce([1; 16]) };
        let time = now.max(self.ledger.time());
        let encoded =
            builder.seal(&Head { log: LOG, partition: HERE, sequence, previous, previous_hash, term, time });
        let commit = Commit::decode(&encoded.bytes).expect("what was just written can be read");
        self.ledger.apply(&commit).expect("it was decided by the rules");
        self.previous = (sequence, encoded.hash);
        self.commits.push(commit);
        self.entries.push(entry(encoded));
        self.grown.notify_waiters();
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn commits(&self) -> &[Commit] {
        &self.commits
    }

    pub(super) fn head(&self) -> Sequence {
        self.entries.len() as Sequence
    }

    /// An event, and when it was written.
    pub(super) fn event(&self, at: Position) -> (&Event, Timestamp) {
        let commit = &self.commits[usize::try_from(at.sequence).expect("small") - 1];
        let mut events = commit.events.iter();
        let event = events.nth(usize::try_from(at.index).expect("small"));
        (event.expect("the ledger names what it wrote"), commit.time)
    }

    /// Accounts, in their order.
    pub(super) fn accounts(&self) -> Vec<AccountId> {
        let mut all: Vec<AccountId> = self.ledger.accounts().map(|(id, _)| id).collect();
        all.sort();
        all
    }
}

fn entry(commit: EncodedCommit) -> Entry {
    let EncodedCommit { prefix, hash, bytes, .. } = commit;
    Entry::Commit(StoredCommit { prefix, hash, bytes, stored_at: None })
}
