//! The shell of one writer, as thin as the real one: carries out what it wants, and crashes in between.

use std::collections::BTreeMap;

use command_api::writer::{Input, OpenError, Output, Ticket, Writer, WriterConfig};
use event_log::Entry;
use ledger_core::{AppId, Chain, Label, Ledger, PartitionId, Policy, Snapshot, Timestamp};

/// The fewest bytes of commits between two snapshots: some commits.
const SNAPSHOT_AFTER: u64 = 2_000;

/// The state that a snapshot holds, by its bytes.
pub(crate) fn restore(snapshot: &Snapshot) -> Result<(Chain, Ledger), String> {
    let files: BTreeMap<_, _> =
        snapshot.generations().map(|(hash, generation)| (hash.0, generation.to_bytes())).collect();
    let restored = Snapshot::restore(&snapshot.to_bytes(), |hash| files.get(&hash.0).cloned());
    restored.map_err(|error| format!("a snapshot that was written can not be read: {error}"))
}

/// A snapshot that was kept.
pub(crate) struct Kept {
    pub(crate) snapshot: Snapshot,
    /// Of an owner that stopped in order: up to when it had looked at its clock.
    pub(crate) looked: Option<Timestamp>,
}

impl Kept {
    /// I11: it is what a replay up to its commit knows, to the last byte. One that stopped may have looked at its clock
    /// since, which moves horizons even when the clock had jumped back.
    pub(crate) fn is_what_is_known(&self, replayed: &Writer) -> Result<bool, String> {
        let known = Snapshot::take(replayed.chain(), replayed.ledger());
        let Some(looked) = self.looked.filter(|_| known != self.snapshot) else {
            return Ok(known == self.snapshot);
        };
        let (chain, mut ledger) = restore(&known)?;
        ledger.begin(looked);
        Ok(Snapshot::take(&chain, &ledger) == self.snapshot)
    }
}

/// Who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// A client, by its number.
    Client(usize),
    /// The source.
    Feeder,
    /// Somebody who only wanted to know what would happen.
    DryRun,
}

/// One owner: a writer and the calls that it has not answered.
pub(crate) struct Owner {
    pub(crate) writer: Writer,
    /// Who asked, and by which operation.
    pub(crate) calls: BTreeMap<Ticket, (Asker, u64)>,
    /// The first commit of its term.
    pub(crate) term_began: u64,
    /// By how much its clock is wrong, in microseconds.
    pub(crate) clock: i64,
    /// By how much of this it has become wrong since its start.
    pub(crate) jumped: i64,
    /// The latest that its clock has shown.
    pub(crate) latest: Timestamp,
    /// Asleep with all its memory until then.
    pub(crate) paused_until: Timestamp,
    /// What came while it was asleep.
    pub(crate) asleep: Vec<Input>,
}

impl Owner {
    /// A writer with nothing in memory.
    pub(crate) fn new(policy: Policy) -> Self {
        Self::with(Writer::new(PartitionId(0), Self::config(policy)))
    }

    /// A writer that goes on from a snapshot.
    pub(crate) fn restored(policy: Policy, state: (Chain, Ledger), size: usize) -> Self {
        Self::with(Writer::restored(PartitionId(0), Self::config(policy), state, size))
    }

    fn with(writer: Writer) -> Self {
        let writer = writer.with_snapshots_after(SNAPSHOT_AFTER);
        Self {
            writer,
            calls: BTreeMap::new(),
            term_began: 0,
            clock: 0,
            jumped: 0,
            latest: Timestamp(0),
            paused_until: Timestamp(0),
            asleep: vec![],
        }
    }

    fn config(policy: Policy) -> WriterConfig {
        let app = |name, policy| (AppId::new(name).expect("a good name"), policy);
        let other = Policy { key_budget: 10_000, ..Policy::default() };
        WriterConfig {
            program: Label::new("drip simulation").expect("a good label"),
            policies: vec![app("demo", policy), app("other", other)],
            queue_max: 50,
        }
    }

    /// Replays up to this sequence.
    ///
    /// Errors: it can not go on, with the invariant that the log breaks.
    pub(crate) fn replay(&mut self, entries: &[Entry]) -> Result<(), String> {
        for entry in entries {
            if entry.sequence() <= self.writer.chain().read {
                continue;
            }
            match entry {
                Entry::Commit(stored) => self.writer.replay(stored).map_err(|error| named(&error))?,
                Entry::Foreign { sequence, .. } => {
                    self.writer.replay_foreign(*sequence).map_err(|error| named(&error))?;
                }
            }
        }
        Ok(())
    }
}

/// With the invariant that was broken when this could not be replayed.
fn named(error: &OpenError) -> String {
    let invariant = match error {
        OpenError::Illegal(_) => "I9",
        OpenError::Decode { .. } | OpenError::Broken(_) => "I7",
        OpenError::NoGenesis | OpenError::ClockBehind { .. } => "I13",
    };
    format!("{invariant}: {error}")
}

/// An output in a few words, for the trace.
pub(crate) fn name(output: &Output) -> String {
    match output {
        Output::Append(commit) => format!("appends {} ({})", commit.prefix.sequence, commit.hash),
        Output::ReadBack(sequence) => format!("reads back {sequence}"),
        Output::Answer(ticket, answer) => format!("answers {ticket}: {answer:?}").chars().take(160).collect(),
        Output::Stop(stop) => format!("stops: {stop}"),
        Output::Fetch(ticket, position) => format!("fetches {position:?} for {ticket}"),
        Output::Snapshot(_) => "gives out a snapshot".to_owned(),
        Output::Opened => "has opened its term".to_owned(),
        Output::Overtaken => "was overtaken".to_owned(),
    }
}
