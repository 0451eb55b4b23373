//! Opening a term: replay, then a commit that names what was replayed.

use event_log::StoredCommit;
use ledger_core::chain::Broken;
use ledger_core::commit::{Commit, DecodeError};
use ledger_core::event::{Event, PolicySet, TermOpened};
use ledger_core::ledger::Illegal;
use ledger_core::time::SECOND;
use ledger_core::{Sequence, TermNonce, Timestamp};

use super::draft::Draft;
use super::{Output, Phase, Writer};

/// How far the log's time may lie ahead of this machine's clock, in microseconds.
pub const CLOCK_SKEW_MAX: i64 = 5 * SECOND;

/// Why a term can not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A commit that this program can not read.
    #[error("commit {sequence} of partition {partition} {source}", partition = prefix.partition, sequence = prefix.sequence)]
    Decode {
        /// The commit.
        prefix: ledger_core::commit::Prefix,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The chain is broken.
    #[error("the log is damaged: {0}")]
    Broken(#[from] Broken),
    /// An event that can not have happened.
    #[error("the log is damaged: {0}")]
    Illegal(#[from] Illegal),
    /// The partition has no first commit.
    #[error("the log has no beginning yet: run `drip init` first")]
    NoGenesis,
    /// This machine's clock is behind.
    #[error("the clock of this machine is {seconds} s behind the log's last commit: set it right first")]
    ClockBehind {
        /// How much.
        seconds: i64,
    },
}

impl Writer {
    /// Takes in one commit of the log.
    pub fn replay(&mut self, stored: &StoredCommit) -> Result<(), OpenError> {
        debug_assert_eq!(self.phase, Phase::Replaying, "commits are replayed before the term is opened");
        let prefix = stored.prefix;
        let commit = Commit::decode(&stored.bytes).map_err(|source| OpenError::Decode { prefix, source })?;
        self.chain.accept(&commit)?;
        self.ledger.apply(&super::bugs::replayed(commit))?;
        self.rhythm.count(stored.bytes.len());
        Ok(())
    }

    /// Steps over a foreign message.
    pub fn replay_foreign(&mut self, sequence: Sequence) -> Result<(), OpenError> {
        Ok(self.chain.step_over(sequence)?)
    }

    /// Everything that stands was replayed: asks for the term.
    pub fn open(&mut self, now: Timestamp, term: TermNonce, out: &mut Vec<Output>) -> Result<(), OpenError> {
        let log = self.chain.log.ok_or(OpenError::NoGenesis)?;
        let ahead = self.chain.time.since(now);
        if ahead > CLOCK_SKEW_MAX {
            return Err(OpenError::ClockBehind { seconds: ahead / SECOND });
        }
        let mut draft = Draft::opening(log, term);
        let time = self.chain.time.max(now);
        for event in self.opening_events(term) {
            draft.push(time, event);
        }
        let flight = draft.seal(now, &self.chain);
        out.push(Output::Append(flight.commit().clone()));
        self.flight = Some(flight);
        self.phase = Phase::Opening;
        Ok(())
    }

    /// The term, and the policies that this partition lacks.
    fn opening_events(&self, nonce: TermNonce) -> Vec<Event> {
        let program = self.config.program.clone();
        let opened = Event::TermOpened(TermOpened { nonce, head: self.chain.sequence, program });
        let lacking = self.config.policies.iter().filter_map(|(app, policy)| {
            let known = self.ledger.policy(app);
            let number = known.map_or(0, |(number, _)| number) + 1;
            let same = known.is_some_and(|(_, known)| known == policy);
            (!same).then(|| Event::PolicySet(PolicySet { app: app.clone(), number, policy: *policy }))
        });
        std::iter::once(opened).chain(lacking).collect()
    }
}
