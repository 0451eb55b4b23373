//! The hot paths, each over the same plain debits, made without chance so that every run counts the same.

use std::hint::black_box;
use std::time::{Duration, Instant};

use ledger_core::command::{Debit, Open};
use ledger_core::commit::{Commit, CommitBuilder, EncodedCommit, Hash, Head};
use ledger_core::digest::KeyFingerprint;
use ledger_core::event::{Event, Genesis, PolicySet, Usage};
use ledger_core::slots::{SlotMap, slot};
use ledger_core::{
    AccountId, AppId, Charge, Command, Key, Label, Ledger, LogId, Meter, PartitionId, Policy, Position,
    TermNonce, Timestamp, Usdc, UserId, decide,
};

const START: Timestamp = Timestamp(1_800_000_000_000_000);
const ACCOUNTS: u32 = 500;
const A_COMMIT: u32 = 100;

/// Does so many debits' work, and tells how long it took.
type Work = fn(u32) -> Duration;

/// What is measured, by the name it has in the bounds.
pub(crate) const PATHS: [(&str, Work); 5] = [
    ("decide-and-encode", decide_and_encode),
    ("decode", decode),
    ("evolve", evolve),
    ("replay", replay),
    ("route", route),
];

/// A state, and what was decided in it.
struct World {
    ledger: Ledger,
    builder: CommitBuilder,
    sequence: u64,
}

impl World {
    /// Accounts with money, at the state after two commits.
    fn begin() -> Self {
        let mut world =
            Self { ledger: Ledger::new(PartitionId(0)), builder: CommitBuilder::default(), sequence: 1 };
        world.ledger.begin(START);
        let genesis = Genesis { log: LogId([1; 16]), format: 1, partitions: 1, slots: SlotMap::even(1) };
        world.take(&Event::Genesis(genesis));
        world.take(&Event::PolicySet(PolicySet { app: app(), number: 1, policy: Policy::default() }));
        let balance = Usdc::from_credits(1_000_000_000);
        for number in 0..ACCOUNTS {
            let (account, actor) = (account(number), Label::new("count").expect("a short fixed text"));
            world.ask(&Command::Open(Open {
                account,
                key: None,
                initial_balance: balance,
                actor,
                profile: None,
            }));
        }
        world.seal();
        world
    }

    fn take(&mut self, event: &Event) {
        self.take_decided(event, None);
    }

    fn take_decided(&mut self, event: &Event, fingerprint: Option<KeyFingerprint>) {
        let (partition, sequence, index) = (PartitionId(0), self.sequence, self.builder.count());
        let position = Position { partition, sequence, index };
        self.ledger.evolve_decided(position, event, fingerprint).expect("what was decided can happen");
        self.builder.push(event);
    }

    fn ask(&mut self, command: &Command) {
        let decided = decide(&self.ledger, command);
        assert!(decided.outcome.is_ok(), "only what is accepted is asked: {:?}", decided.outcome);
        decided.events.iter().for_each(|event| self.take_decided(event, decided.fingerprint));
    }

    fn seal(&mut self) -> EncodedCommit {
        let head = Head {
            log: LogId([1; 16]),
            partition: PartitionId(0),
            sequence: self.sequence,
            previous: self.sequence - 1,
            previous_hash: Hash::ZERO,
            term: TermNonce([2; 16]),
            time: START,
        };
        self.sequence += 1;
        std::mem::take(&mut self.builder).seal(&head)
    }

    fn debits(&mut self, commands: &[Command]) -> Vec<EncodedCommit> {
        let commit = |commands: &[Command]| {
            commands.iter().for_each(|command| self.ask(command));
            self.seal()
        };
        commands.chunks(A_COMMIT as usize).map(commit).collect()
    }
}

fn app() -> AppId {
    AppId::new("demo").expect("a short fixed name")
}

fn account(number: u32) -> AccountId {
    let user = UserId::new(&format!("user-{number:07}")).expect("a short plain name");
    AccountId { app: app(), user }
}

/// Plain debits with UUIDv7 keys, spread over the accounts.
fn commands(count: u32) -> Vec<Command> {
    let meter = Meter::new("usage").expect("a short fixed text");
    let debit = |number: u32| {
        let millis = u64::try_from(START.0).expect("after 1970") / 1_000;
        let random = std::array::from_fn(|byte| number.to_le_bytes()[byte % 4]);
        let key = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        let usage = Usage {
            account: account(number.wrapping_mul(2_654_435_761) % ACCOUNTS),
            key: Some(Key::of_uuid(key.into_bytes())),
            item: None,
            charge: Charge::Amount(Usdc::from_credits(7_000)),
            meter: meter.clone(),
            scope: None,
            occurred_at: None,
            metadata: None,
        };
        Command::Debit(Debit { usage, dry_run: false })
    };
    (0..count).map(debit).collect()
}

/// The work between `measured` and its end is what callgrind collects: it knows this function by its name.
#[inline(never)]
fn measured<T>(work: impl FnOnce() -> T) -> Duration {
    let begin = Instant::now();
    black_box(work());
    begin.elapsed()
}

fn commits(count: u32) -> Vec<EncodedCommit> {
    World::begin().debits(&commands(count))
}

fn decide_and_encode(count: u32) -> Duration {
    let (mut world, commands) = (World::begin(), commands(count));
    measured(|| world.debits(&commands))
}

fn decode(count: u32) -> Duration {
    let commits = commits(count);
    measured(|| commits.iter().for_each(|commit| drop(black_box(read(commit)))))
}

fn evolve(count: u32) -> Duration {
    let (commits, mut world) = (commits(count).iter().map(read).collect::<Vec<_>>(), World::begin());
    measured(|| commits.iter().for_each(|commit| world.ledger.apply(commit).expect("it happened before")))
}

fn replay(count: u32) -> Duration {
    let (commits, mut world) = (commits(count), World::begin());
    measured(|| {
        commits.iter().for_each(|commit| world.ledger.apply(&read(commit)).expect("it happened before"))
    })
}

fn route(count: u32) -> Duration {
    let accounts: Vec<_> = (0..count).map(account).collect();
    measured(|| {
        accounts.iter().for_each(|account| {
            black_box(slot(account));
        })
    })
}

fn read(commit: &EncodedCommit) -> Commit {
    Commit::decode(&commit.bytes).expect("it was just encoded")
}
