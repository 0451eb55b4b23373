//! The chain: every commit has its own number and names the one before it; terms follow each other.

use std::collections::HashSet;

use crate::violation::{Check, Rule, equal, holds};
use crate::wire::{Commit, Event};

/// How far a partition was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The partition.
    pub partition: u16,
    /// The log's id, once it is known.
    pub log: Option<[u8; 16]>,
    /// The last sequence that was read, a foreign message's too.
    pub read: u64,
    /// The sequence of the last commit; 0: none.
    pub sequence: u64,
    /// And its hash.
    pub hash: [u8; 32],
    /// And its time.
    pub time: i64,
    /// And its term.
    pub term: [u8; 16],
    /// The terms before it: none of them may come back.
    pub past_terms: HashSet<[u8; 16]>,
}

impl Chain {
    /// Before the first commit.
    pub fn start(partition: u16) -> Self {
        Self {
            partition,
            log: None,
            read: 0,
            sequence: 0,
            hash: [0; 32],
            time: 0,
            term: [0; 16],
            past_terms: HashSet::new(),
        }
    }

    /// Behind this commit, which is taken for granted.
    pub fn behind(commit: &Commit<'_>) -> Self {
        Self {
            log: Some(commit.log),
            read: commit.sequence,
            sequence: commit.sequence,
            hash: commit.hash,
            time: commit.body.time,
            term: *commit.body.term.0,
            ..Self::start(commit.partition)
        }
    }

    /// Goes on by one commit, which was read at this sequence.
    pub(super) fn accept(&mut self, sequence: u64, commit: &Commit<'_>) -> Check {
        let body = &commit.body;
        self.next(sequence)?;
        equal(Rule::Chain, "a commit of partition", &self.partition, &commit.partition)?;
        equal(Rule::Chain, "commit number", &sequence, &commit.sequence)?;
        if let Some(log) = self.log {
            equal(Rule::Chain, "a commit of log", &hex::encode(log), &hex::encode(commit.log))?;
        }
        equal(Rule::Chain, "its predecessor to be commit", &self.sequence, &body.previous)?;
        let named = hex::encode(body.previous_hash.0);
        equal(Rule::Chain, "the predecessor's hash to be", &hex::encode(self.hash), &named)?;
        holds(
            Rule::Time,
            self.sequence == 0 || body.time >= self.time,
            "a time not before the last one",
            || format!("{} after {} (µs since 1970)", body.time, self.time),
        )?;
        self.genesis(commit)?;
        self.term(commit)?;
        self.log = Some(commit.log);
        (self.sequence, self.hash, self.time) = (sequence, commit.hash, body.time);
        Ok(())
    }

    /// Goes on by one message that is no commit.
    pub(super) fn step_over(&mut self, sequence: u64) -> Check {
        self.next(sequence)
    }

    fn next(&mut self, sequence: u64) -> Check {
        equal(Rule::Chain, "message number", &(self.read + 1), &sequence)?;
        self.read = sequence;
        Ok(())
    }

    /// The first event of the first commit, and no other, is the genesis.
    fn genesis(&self, commit: &Commit<'_>) -> Check {
        let first = self.sequence == 0;
        for (index, event) in commit.body.events.iter().enumerate() {
            let genesis = matches!(event, Event::Genesis(_));
            holds(
                Rule::Chain,
                genesis == (first && index == 0),
                "one genesis, which is the very first event",
                || format!("{} as event {index}", if genesis { "a genesis" } else { "none" }),
            )?;
            if let Event::Genesis(event) = event {
                equal(
                    Rule::Chain,
                    "the genesis of log",
                    &hex::encode(commit.log),
                    &hex::encode(event.log.0),
                )?;
                equal(Rule::Chain, "format", &1, &event.format)?;
            }
        }
        holds(Rule::Chain, !first || !commit.body.events.is_empty(), "a genesis", || "no event".to_owned())
    }

    /// A new term begins with an event that names it and the commit it had read up to; none comes back.
    fn term(&mut self, commit: &Commit<'_>) -> Check {
        let term = *commit.body.term.0;
        let opened = commit.body.events.first().and_then(|event| match event {
            Event::TermOpened(event) => Some((*event.nonce.0, event.head)),
            _ => None,
        });
        if let Some((nonce, head)) = opened {
            equal(Rule::Terms, "the opening of term", &hex::encode(term), &hex::encode(nonce))?;
            equal(Rule::Terms, "a term that had read up to commit", &commit.body.previous, &head)?;
        }
        let new = self.sequence > 0 && term != self.term;
        holds(Rule::Terms, !self.past_terms.contains(&term), "no commit of a term that is over", || {
            format!("one of term {}", hex::encode(term))
        })?;
        holds(Rule::Terms, !new || opened.is_some(), "a new term to begin with its opening", || {
            format!("term {} without one", hex::encode(term))
        })?;
        let late = commit.body.events.iter().skip(1).any(|event| matches!(event, Event::TermOpened(_)));
        holds(Rule::Terms, !late, "a term to be opened by the first event", || {
            "an opening behind it".to_owned()
        })?;
        if new {
            self.past_terms.insert(self.term);
        }
        self.term = term;
        Ok(())
    }
}
