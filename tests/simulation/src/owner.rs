//! The shell of one writer, as thin as the real one: carries out what it wants, and crashes in between.

use std::collections::BTreeMap;

use command_api::writer::{Input, Output, Ticket, Writer, WriterConfig};
use event_log::Entry;
use ledger_core::{AppId, Label, PartitionId, Policy, Timestamp};

/// One owner: a writer and the calls that it has not answered.
pub(crate) struct Owner {
    pub(crate) writer: Writer,
    /// Who asked: client and operation.
    pub(crate) calls: BTreeMap<Ticket, (usize, u64)>,
    /// Asleep with all its memory until then.
    pub(crate) paused_until: Timestamp,
    /// What came while it was asleep.
    pub(crate) asleep: Vec<Input>,
}

impl Owner {
    /// A writer with nothing in memory.
    pub(crate) fn new(key_budget: u32) -> Self {
        let app = AppId::new("demo").expect("a good name");
        let config = WriterConfig {
            program: Label::new("drip simulation").expect("a good label"),
            policies: vec![(app, Policy { key_budget, ..Policy::default() })],
            queue_max: 50,
        };
        let writer = Writer::new(PartitionId(0), config);
        Self { writer, calls: BTreeMap::new(), paused_until: Timestamp(0), asleep: vec![] }
    }

    /// Replays up to this sequence.
    pub(crate) fn replay(&mut self, entries: &[Entry]) -> Result<(), String> {
        for entry in entries {
            if entry.sequence() <= self.writer.chain().read {
                continue;
            }
            match entry {
                Entry::Commit(stored) => self.writer.replay(stored).map_err(|error| error.to_string())?,
                Entry::Foreign { sequence, .. } => {
                    self.writer.replay_foreign(*sequence).map_err(|error| error.to_string())?;
                }
            }
        }
        Ok(())
    }
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
