//! The pure core by itself: no log, no wire, one thread. Also makes logs for what reads logs.

use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use ledger_core::command::{Debit, Open};
use ledger_core::commit::{Commit, CommitBuilder, EncodedCommit, Head};
use ledger_core::digest::KeyFingerprint;
use ledger_core::event::{Event, PolicySet, TermOpened, Usage};
use ledger_core::{
    AppId, Chain, Charge, Command, Key, Label, Ledger, LogId, Meter, PartitionId, Policy, Position,
    TermNonce, Timestamp, Usdc, decide,
};
use rand::RngExt as _;
use serde::Serialize;

use crate::drive::per_second;
use crate::engines::APP;
use crate::load::{CHARGE, account_id};
use crate::ratio::Ratio;

/// How a log is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// How many accounts are opened.
    pub accounts: u32,
    /// How many debits of them follow.
    pub debits: u32,
    /// How many events a commit holds.
    pub a_commit: u32,
}

/// Makes a log the way a writer does, without one.
#[derive(Debug)]
pub struct Script {
    /// The state after what was made so far.
    pub ledger: Ledger,
    chain: Chain,
    log: LogId,
    app: AppId,
    meter: Meter,
    actor: Label,
    builder: CommitBuilder,
    time: Timestamp,
}

impl Script {
    /// Begins a log of one partition: its first two commits.
    pub fn begin(now: Timestamp) -> (Self, Vec<EncodedCommit>) {
        let (log, partition) = (LogId(uuid::Uuid::new_v4().into_bytes()), PartitionId(0));
        let mut script = Self {
            ledger: Ledger::new(partition),
            chain: Chain::start(partition),
            log,
            app: AppId::new(APP).expect("a short fixed name"),
            meter: Meter::new("usage").expect("a short fixed text"),
            actor: Label::new("bench").expect("a short fixed text"),
            builder: CommitBuilder::default(),
            time: now,
        };
        let genesis = command_api::init::genesis_commit(log, partition, 1, 1, now);
        script.take_in(&genesis);
        let opening = script.opening();
        (script, vec![genesis, opening])
    }

    /// Opens accounts, from the first on.
    pub fn open(&mut self, accounts: std::ops::Range<u32>, balance: Usdc) -> EncodedCommit {
        for account in accounts {
            let (account, actor) = (account_id(&self.app, account), self.actor.clone());
            let open = Open { account, key: None, initial_balance: balance, actor, profile: None };
            self.decide(&Command::Open(open));
        }
        self.seal()
    }

    /// A debit as it is asked for.
    pub fn debit(&self, account: u32) -> Command {
        let usage = Usage {
            account: account_id(&self.app, account),
            key: Some(Key::of_uuid(uuid::Uuid::now_v7().into_bytes())),
            item: None,
            charge: Charge::Amount(CHARGE),
            meter: self.meter.clone(),
            scope: None,
            occurred_at: None,
            metadata: None,
        };
        Command::Debit(Debit { usage, dry_run: false })
    }

    /// Decides commands into one commit.
    pub fn commit(&mut self, commands: &[Command]) -> EncodedCommit {
        commands.iter().for_each(|command| self.decide(command));
        self.seal()
    }

    /// From here on it is so much later, in microseconds.
    pub fn pass(&mut self, micros: i64) {
        self.time = self.time.plus(micros);
    }

    fn decide(&mut self, command: &Command) {
        let decided = decide(&self.ledger, command);
        assert!(decided.outcome.is_ok(), "the script asks only what is accepted: {:?}", decided.outcome);
        decided.events.iter().for_each(|event| self.push(event, decided.fingerprint));
    }

    fn push(&mut self, event: &Event, fingerprint: Option<KeyFingerprint>) {
        if self.builder.is_empty() {
            self.ledger.begin(self.time);
        }
        let (partition, sequence) = (self.chain.partition, self.chain.read + 1);
        let position = Position { partition, sequence, index: self.builder.count() };
        self.ledger.evolve_decided(position, event, fingerprint).expect("what was decided can happen");
        self.builder.push(event);
    }

    fn seal(&mut self) -> EncodedCommit {
        let commit = std::mem::take(&mut self.builder).seal(&self.head());
        self.follow(&commit);
        commit
    }

    fn head(&self) -> Head {
        Head {
            log: self.log,
            partition: self.chain.partition,
            sequence: self.chain.read + 1,
            previous: self.chain.sequence,
            previous_hash: self.chain.hash,
            term: self.chain.term,
            time: self.ledger.time(),
        }
    }

    fn follow(&mut self, commit: &EncodedCommit) {
        self.chain.read = commit.prefix.sequence;
        self.chain.sequence = commit.prefix.sequence;
        self.chain.hash = commit.hash;
        self.chain.log = Some(self.log);
    }

    fn take_in(&mut self, commit: &EncodedCommit) {
        let decoded = Commit::decode(&commit.bytes).expect("it was just encoded");
        self.ledger.apply(&decoded).expect("a log begins so");
        self.follow(commit);
    }

    fn opening(&mut self) -> EncodedCommit {
        self.chain.term = TermNonce(uuid::Uuid::new_v4().into_bytes());
        let (nonce, head) = (self.chain.term, self.chain.sequence);
        self.push(&Event::TermOpened(TermOpened { nonce, head, program: self.actor.clone() }), None);
        let policy = PolicySet { app: self.app.clone(), number: 1, policy: Policy::default() };
        self.push(&Event::PolicySet(policy), None);
        self.seal()
    }
}

/// What the core does in a second, on one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CoreSpeed {
    /// Debits decided, taken in and encoded: a writer's work without its surroundings.
    pub decided: u64,
    /// Events decoded and hashed.
    pub decoded: u64,
    /// Events of decoded commits taken in: evolve.
    pub evolved: u64,
    /// Events decoded, their chain checked, and taken in: a replay.
    pub replayed: u64,
    /// Events read and folded by the judge, each commit's hash and predecessor checked: an audit without its IO.
    pub judged: u64,
    /// Bytes of a commit a debit.
    pub bytes_a_debit: Option<Ratio>,
}

/// Makes the commits of a log: those that open accounts, then those that debit; and how long the debits took.
pub fn commits(size: Size, now: Timestamp) -> (Vec<Bytes>, Vec<Bytes>, Duration) {
    let (script, begun) = Script::begin(now);
    let (mut script, mut before) = (script, begun.into_iter().map(|commit| commit.bytes).collect::<Vec<_>>());
    for first in (0..size.accounts).step_by(size.a_commit as usize) {
        let accounts = first..(first + size.a_commit).min(size.accounts);
        before.push(script.open(accounts, Usdc::from_credits(1_000_000_000)).bytes);
    }
    let (mut debits, mut took, mut random) = (Vec::new(), Duration::ZERO, rand::rng());
    let mut left = size.debits;
    while left > 0 {
        let count = left.min(size.a_commit);
        let asked: Vec<_> = (0..count).map(|_| script.debit(random.random_range(0..size.accounts))).collect();
        let begin = Instant::now();
        let commit = script.commit(&asked);
        took += begin.elapsed();
        debits.push(commit.bytes);
        left -= count;
    }
    (before, debits, took)
}

/// Measures. Error: what was made can not be read.
pub fn measure(size: Size, now: Timestamp) -> Result<CoreSpeed> {
    let (before, debits, deciding) = commits(size, now);
    let count = u64::from(size.debits);
    let bytes: u64 = debits.iter().map(|bytes| bytes.len() as u64).sum();
    let begin = Instant::now();
    let decoded = debits.iter().map(|bytes| Commit::decode(bytes)).collect::<Result<Vec<_>, _>>()?;
    let decoding = begin.elapsed();
    let (mut ledger, _) = replay(&before)?;
    let begin = Instant::now();
    decoded.iter().try_for_each(|commit| ledger.apply(commit))?;
    let evolving = begin.elapsed();
    drop((decoded, ledger));
    let (mut ledger, mut chain) = replay(&before)?;
    let begin = Instant::now();
    debits.iter().try_for_each(|bytes| take(&mut ledger, &mut chain, bytes))?;
    let replaying = begin.elapsed();
    drop((ledger, chain));
    let judging = judge(&before, &debits)?;
    Ok(CoreSpeed {
        decided: per_second(count, deciding),
        decoded: per_second(count, decoding),
        evolved: per_second(count, evolving),
        replayed: per_second(count, replaying),
        judged: per_second(count, judging),
        bytes_a_debit: Ratio::of(bytes, count),
    })
}

/// How long the judge takes for the debits.
fn judge(before: &[Bytes], debits: &[Bytes]) -> Result<Duration> {
    let (mut fold, mut sequences) = (judge::Fold::new(0), 1..);
    let mut take = |bytes: &Bytes| fold.commit(sequences.next().expect("endless"), bytes);
    before.iter().try_for_each(&mut take)?;
    let begin = Instant::now();
    debits.iter().try_for_each(&mut take)?;
    fold.check_sums()?;
    Ok(begin.elapsed())
}

fn replay(commits: &[Bytes]) -> Result<(Ledger, Chain)> {
    let (mut ledger, mut chain) = (Ledger::new(PartitionId(0)), Chain::start(PartitionId(0)));
    commits.iter().try_for_each(|bytes| take(&mut ledger, &mut chain, bytes))?;
    Ok((ledger, chain))
}

fn take(ledger: &mut Ledger, chain: &mut Chain, bytes: &Bytes) -> Result<()> {
    let commit = Commit::decode(bytes)?;
    chain.accept(&commit)?;
    Ok(ledger.apply(&commit)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_a_log_that_can_be_replayed() {
        let size = Size { accounts: 25, debits: 40, a_commit: 10 };
        let (before, debits, _) = commits(size, Timestamp(service_kit::clock::now()));
        assert_eq!((before.len(), debits.len()), (2 + 3, 4));
        let all = [before, debits].concat();
        let (ledger, chain) = replay(&all).unwrap();
        assert_eq!((ledger.account_count(), chain.sequence), (25, 9));
        let held: i64 = ledger.accounts().map(|(_, account)| account.balance().credits()).sum();
        assert_eq!(held, 25 * 1_000_000_000 - 40 * CHARGE.credits());
    }
}
