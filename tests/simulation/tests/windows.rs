//! Honest writers whose logs the judge must find right.

use command_api::ask::{Answer, Ask, Call};
use command_api::init::genesis_commit;
use command_api::writer::{Input, Output, Writer, WriterConfig};
use event_log::{AppendOutcome, StoredCommit};
use judge::Fold;
use ledger_core::charge::Charge;
use ledger_core::command::{Debit, Open};
use ledger_core::commit::EncodedCommit;
use ledger_core::event::Usage;
use ledger_core::time::{HOUR, MINUTE, SECOND};
use ledger_core::{
    AccountId, AppId, Command, Key, Label, LogId, Meter, PartitionId, Policy, TermNonce, Timestamp, Usdc,
    UserId,
};

const LOG: LogId = LogId([7; 16]);
const START: Timestamp = Timestamp(1_800_000_000 * SECOND);

struct Bench {
    writer: Writer,
    now: Timestamp,
    log: Vec<EncodedCommit>,
    next: u64,
}

impl Bench {
    fn new() -> Self {
        let genesis = genesis_commit(LOG, PartitionId(0), 1, 1, START);
        Self { writer: Writer::new(PartitionId(0), config(vec![])), now: START, log: vec![genesis], next: 0 }
    }

    fn restart(&mut self, policies: Vec<(AppId, Policy)>) {
        self.writer = Writer::new(PartitionId(0), config(policies));
        for commit in &self.log {
            let stored = StoredCommit {
                prefix: commit.prefix,
                hash: commit.hash,
                bytes: commit.bytes.clone(),
                stored_at: None,
            };
            self.writer.replay(&stored).expect("it is good");
        }
        self.next += 1;
        let mut out = vec![];
        self.writer
            .open(self.now, TermNonce([u8::try_from(self.next).expect("it is good"); 16]), &mut out)
            .expect("it is good");
        self.store(out);
    }

    fn store(&mut self, mut out: Vec<Output>) -> Vec<Answer> {
        let mut answers = vec![];
        while let Some(output) = (!out.is_empty()).then(|| out.remove(0)) {
            match output {
                Output::Append(commit) => {
                    self.log.push(commit);
                    self.writer.step(self.now, Input::Appended(AppendOutcome::Stored), &mut out);
                }
                Output::Answer(_, answer) => answers.push(answer),
                _ => {}
            }
        }
        answers
    }

    fn ask(&mut self, command: Command) -> Answer {
        self.next += 1;
        let mut out = vec![];
        let call = Call { ask: Ask::Command(command), deadline: self.now.plus(SECOND) };
        self.writer.step(self.now, Input::Call(self.next, call), &mut out);
        self.writer.flush(self.now, &mut out);
        self.store(out).pop().expect("it is good")
    }

    fn judged(&self) -> Result<(), String> {
        let mut fold = Fold::new(0);
        for commit in &self.log {
            fold.commit(commit.prefix.sequence, &commit.bytes).map_err(|wrong| wrong.to_string())?;
        }
        fold.check_sums().map_err(|wrong| wrong.to_string())
    }
}

fn config(policies: Vec<(AppId, Policy)>) -> WriterConfig {
    WriterConfig { program: Label::new("t").expect("it is good"), policies, queue_max: 10 }
}

fn app() -> AppId {
    AppId::new("demo").expect("it is good")
}

fn account() -> AccountId {
    AccountId { app: app(), user: UserId::new("anna").expect("it is good") }
}

fn open() -> Command {
    let initial_balance = Usdc::parse("5").expect("it is good");
    Command::Open(Open {
        account: account(),
        key: None,
        initial_balance,
        actor: Label::new("t").expect("it is good"),
        profile: None,
    })
}

fn debit(key: &str) -> Command {
    let usage = Usage {
        account: account(),
        key: Some(Key::new(key).expect("it is good")),
        item: None,
        charge: Charge::Amount(Usdc::parse("0.01").expect("it is good")),
        meter: Meter::new("search").expect("it is good"),
        scope: None,
        occurred_at: None,
        metadata: None,
    };
    Command::Debit(Debit { usage, dry_run: false })
}

fn uuid7(time: Timestamp) -> String {
    let digits = format!("{:012x}", time.0 / 1_000);
    format!("{}-{}-7000-8000-000000000000", &digits[..8], &digits[8..])
}

#[test]
fn a_window_that_grew_is_no_wrong_log() {
    let window = |key_window_hours| vec![(app(), Policy { key_window_hours, ..Policy::default() })];
    let mut bench = Bench::new();
    bench.restart(window(1));
    bench.ask(open());
    // Started again with a longer window, 5 seconds into a minute.
    bench.now = START.plus(3 * HOUR + MINUTE + 5 * SECOND);
    bench.restart(window(24));
    // A retry, an hour and 3 seconds old.
    bench.now = bench.now.plus(SECOND);
    let made = START.plus(2 * HOUR + MINUTE + 2 * SECOND);
    let answer = bench.ask(debit(&uuid7(made)));
    assert!(matches!(answer, Answer::Done(_)), "{answer:?}");
    bench.judged().expect("it is good");
}
