//! The chain: each commit names the sequence and the hash of the last valid one, and the term it belongs to.

use crate::commit::{Commit, Hash};
use crate::event::Event;
use crate::ids::{LogId, PartitionId, Sequence, TermNonce};
use crate::time::Timestamp;

/// How far a reader of one partition has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// The log; `None` before the genesis.
    pub log: Option<LogId>,
    /// The partition.
    pub partition: PartitionId,
    /// The last sequence that was read, a foreign message's too.
    pub read: Sequence,
    /// The sequence of the last valid commit; 0: none.
    pub sequence: Sequence,
    /// And its hash.
    pub hash: Hash,
    /// And its time.
    pub time: Timestamp,
    /// And its term.
    pub term: TermNonce,
}

/// A log that can not be what its writers wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("partition {partition}, commit {sequence}: {reason}")]
pub struct Broken {
    /// The partition.
    pub partition: PartitionId,
    /// The sequence at which it shows.
    pub sequence: Sequence,
    /// What is wrong.
    pub reason: String,
}

impl Chain {
    /// Before the first commit.
    pub fn start(partition: PartitionId) -> Self {
        let (hash, time, term) = (Hash::ZERO, Timestamp(0), TermNonce([0; 16]));
        Self { log: None, partition, read: 0, sequence: 0, hash, time, term }
    }

    /// Takes the next commit. Error: it does not continue what was read.
    pub fn accept(&mut self, commit: &Commit) -> Result<(), Broken> {
        self.check(commit).map_err(|reason| self.broken(commit.prefix.sequence, reason))?;
        self.log = Some(commit.prefix.log);
        self.read = commit.prefix.sequence;
        self.sequence = commit.prefix.sequence;
        self.hash = commit.hash;
        self.time = commit.time;
        self.term = commit.term;
        Ok(())
    }

    /// Steps over a foreign message. Error: there is a gap before it.
    pub fn step_over(&mut self, sequence: Sequence) -> Result<(), Broken> {
        if sequence != self.read + 1 {
            return Err(self.broken(sequence, self.gap(sequence)));
        }
        self.read = sequence;
        Ok(())
    }

    fn check(&self, commit: &Commit) -> Result<(), String> {
        let prefix = &commit.prefix;
        if prefix.sequence != self.read + 1 {
            return Err(self.gap(prefix.sequence));
        }
        if prefix.partition != self.partition || self.log.is_some_and(|log| log != prefix.log) {
            return Err("it belongs to another log or partition".to_owned());
        }
        if (commit.previous, commit.previous_hash) != (self.sequence, self.hash) {
            return Err(format!(
                "it names {} {} as its predecessor, which is {} {}",
                commit.previous, commit.previous_hash, self.sequence, self.hash
            ));
        }
        if commit.time < self.time {
            return Err("its time is before its predecessor's".to_owned());
        }
        self.check_term(commit)
    }

    /// The first commit is the genesis; after that a new term begins with its opening, so that terms never mix.
    fn check_term(&self, commit: &Commit) -> Result<(), String> {
        match commit.events.first() {
            Some(Event::Genesis(genesis)) if self.log.is_none() && genesis.log == commit.prefix.log => Ok(()),
            _ if self.log.is_none() => Err("a log begins with its genesis".to_owned()),
            Some(Event::TermOpened(opened)) => {
                let own = opened.nonce == commit.term && opened.head == self.sequence;
                if own {
                    Ok(())
                } else {
                    Err("it opens a term that is not its own, or not from here".to_owned())
                }
            }
            _ if commit.term == self.term => Ok(()),
            _ => Err("it belongs to a term that is not the open one".to_owned()),
        }
    }

    fn gap(&self, sequence: Sequence) -> String {
        format!("{sequence} follows {} with a gap", self.read)
    }

    fn broken(&self, sequence: Sequence, reason: String) -> Broken {
        Broken { partition: self.partition, sequence, reason }
    }
}
