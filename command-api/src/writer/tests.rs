//! The writer against a scripted log: what it sends, when it answers, and what it never does.

mod answers;
mod brief;
mod doubt;
mod outcomes;
mod ownership;
mod snapshots;

use bytes::Bytes;
use event_log::{AppendOutcome, Entry, ReadError, Refusal, StoredCommit};
use ledger_core::charge::Charge;
use ledger_core::command::{AddMoney, Debit, Open};
use ledger_core::commit::{Class, Commit, EncodedCommit, Prefix};
use ledger_core::event::Usage;
use ledger_core::time::{MINUTE, SECOND};
use ledger_core::{
    AccountId, AppId, Code, Command, Key, Label, LogId, Meter, PartitionId, Policy, TermNonce, Timestamp,
    Usdc, UserId,
};

use super::{Input, OpenError, Output, Stop, Ticket, Writer, WriterConfig};
use crate::ask::{Answer, Ask, Call, Failure};
use crate::init::genesis_commit;

const LOG: LogId = LogId([7; 16]);
const PARTITION: PartitionId = PartitionId(0);
const START: Timestamp = Timestamp(1_800_000_000 * SECOND);

/// A writer, its clock, and what it wanted done last.
struct Bench {
    writer: Writer,
    now: Timestamp,
    next: Ticket,
    stored: Vec<EncodedCommit>,
}

fn app() -> AppId {
    AppId::new("demo").unwrap()
}

fn account(user: &str) -> AccountId {
    AccountId { app: app(), user: UserId::new(user).unwrap() }
}

fn config() -> WriterConfig {
    WriterConfig {
        program: Label::new("drip test").unwrap(),
        policies: vec![(app(), Policy::default())],
        queue_max: 100,
    }
}

fn open(user: &str, balance: &str) -> Command {
    let initial_balance = Usdc::parse(balance).unwrap();
    Command::Open(Open {
        account: account(user),
        key: None,
        initial_balance,
        actor: Label::new("test").unwrap(),
        profile: None,
    })
}

fn debit(user: &str, amount: &str, key: &str) -> Command {
    Command::Debit(Debit { usage: usage(user, amount, key), dry_run: false })
}

fn usage(user: &str, amount: &str, key: &str) -> Usage {
    Usage {
        account: account(user),
        key: Some(Key::new(key).unwrap()),
        item: None,
        charge: Charge::Amount(Usdc::parse(amount).unwrap()),
        meter: Meter::new("search").unwrap(),
        scope: None,
        occurred_at: None,
        metadata: None,
    }
}

fn deposit(user: &str, amount: &str, key: &str) -> Command {
    Command::Deposit(AddMoney {
        account: account(user),
        key: Key::new(key).unwrap(),
        amount: Usdc::parse(amount).unwrap(),
        actor: Label::new("test").unwrap(),
        metadata: None,
    })
}

fn stored(commit: &EncodedCommit) -> StoredCommit {
    StoredCommit { prefix: commit.prefix, hash: commit.hash, bytes: commit.bytes.clone(), stored_at: None }
}

fn appended(outputs: &[Output]) -> EncodedCommit {
    let appends = outputs.iter().filter_map(|output| match output {
        Output::Append(commit) => Some(commit.clone()),
        _ => None,
    });
    match appends.collect::<Vec<_>>().as_slice() {
        [one] => one.clone(),
        other => panic!("one append was expected, there are {}", other.len()),
    }
}

fn answers(outputs: Vec<Output>) -> Vec<(Ticket, Answer)> {
    let answers = outputs.into_iter().filter_map(|output| match output {
        Output::Answer(ticket, answer) => Some((ticket, answer)),
        _ => None,
    });
    answers.collect()
}

fn balance(answer: &Answer) -> String {
    match answer {
        Answer::Done(receipt) => receipt.balance().to_string(),
        Answer::Brief(receipt) => receipt.balance.to_string(),
        Answer::Account(answer) => answer.account.balance.to_string(),
        other => panic!("{other:?} has no balance"),
    }
}

impl Bench {
    /// Replayed the genesis; nothing opened.
    fn replayed() -> Self {
        let mut bench =
            Self { writer: Writer::new(PARTITION, config()), now: START, next: 0, stored: vec![] };
        let genesis = genesis_commit(LOG, PARTITION, 1, 1, START);
        bench.writer.replay(&stored(&genesis)).unwrap();
        bench.stored.push(genesis);
        bench
    }

    /// The term is open.
    fn serving() -> Self {
        let mut bench = Self::replayed();
        let outputs = bench.open_term(1);
        let term = appended(&outputs);
        assert!(bench.store(&term).contains(&Output::Opened));
        bench
    }

    fn open_term(&mut self, nonce: u8) -> Vec<Output> {
        let mut out = vec![];
        self.writer.open(self.now, TermNonce([nonce; 16]), &mut out).unwrap();
        out
    }

    fn input(&mut self, input: Input) -> Vec<Output> {
        let mut out = vec![];
        self.writer.step(self.now, input, &mut out);
        self.writer.flush(self.now, &mut out);
        out
    }

    fn ask(&mut self, command: Command) -> Vec<Output> {
        let deadline = self.now.plus(10 * SECOND);
        self.call(Call { ask: Ask::Command(command), deadline })
    }

    fn call(&mut self, call: Call) -> Vec<Output> {
        self.next += 1;
        self.input(Input::Call(self.next, call))
    }

    fn outcome(&mut self, outcome: AppendOutcome) -> Vec<Output> {
        self.input(Input::Appended(outcome))
    }

    /// The log has stored this commit.
    fn store(&mut self, commit: &EncodedCommit) -> Vec<Output> {
        self.stored.push(commit.clone());
        self.outcome(AppendOutcome::Stored)
    }

    /// Asks, and lets the log store it at once.
    fn done(&mut self, command: Command) -> Answer {
        let commit = appended(&self.ask(command));
        let (_, answer) = answers(self.store(&commit)).pop().expect("a stored command is answered");
        answer
    }

    fn pass(&mut self, micros: i64) -> Vec<Output> {
        self.now = self.now.plus(micros);
        self.input(Input::Tick)
    }

    fn read_back(&mut self, found: Option<Entry>) -> Vec<Output> {
        self.input(Input::ReadBack(Ok(found)))
    }

    fn stop(&self) -> String {
        self.writer.health(self.now).unwrap_err()
    }
}
