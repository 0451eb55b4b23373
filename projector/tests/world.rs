//! A log full of everything that can happen, made by the real rules from a seed.

// Others take this file by its path, and its module with it.
#[path = "world/care.rs"]
mod care;

use std::collections::BTreeSet;

use event_log::{Entry, StoredCommit};
use ledger_core::charge::{Item, Quantity, UnitPrice};
use ledger_core::command::{AddMoney, Close, Debit, Open};
use ledger_core::commit::{Commit, CommitBuilder, EncodedCommit, Hash, Head};
use ledger_core::event::{Event, Genesis, PolicySet, SourceItem, TermOpened, Usage};
use ledger_core::sealed::Sealed;
use ledger_core::slots::SlotMap;
use ledger_core::{
    AccountId, BatchHead, BatchItem, Charge, Command, Key, Ledger, LogId, PartitionId, Policy, Position,
    Sequence, SessionId, SourceBatch, TermNonce, Timestamp, Usdc, decide,
};

pub(crate) const LOG: LogId = LogId([7; 16]);

/// A text as any kind of name.
pub(crate) fn name<T: std::str::FromStr>(text: &str) -> T {
    text.parse().ok().expect("the tests choose names that are allowed")
}

pub(crate) fn user(partition: u16, number: u64) -> AccountId {
    AccountId { app: name("demo"), user: name(&format!("user {partition}-{number} 🦀")) }
}

/// Numbers without rhyme, the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 0 to `sides` - 1.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    fn credits(&mut self, most: u64) -> Usdc {
        Usdc::from_credits(i64::try_from(1 + self.roll(most)).expect("small"))
    }
}

/// One partition of a log in the making.
pub(crate) struct World {
    pub(crate) ledger: Ledger,
    pub(crate) entries: Vec<Entry>,
    pub(crate) commits: Vec<EncodedCommit>,
    pub(crate) users: BTreeSet<AccountId>,
    /// Every session that was ever opened.
    sessions: Vec<(AccountId, SessionId)>,
    partition: PartitionId,
    dice: Dice,
    builder: CommitBuilder,
    previous: (Sequence, Hash),
    time: Timestamp,
    keys: u64,
    digest: Hash,
    to: u64,
}

impl World {
    /// A partition with its genesis, a term and a policy.
    pub(crate) fn new(partition: u16, seed: u64) -> Self {
        let mut world = Self {
            ledger: Ledger::new(PartitionId(partition)),
            entries: Vec::new(),
            commits: Vec::new(),
            users: BTreeSet::new(),
            sessions: Vec::new(),
            partition: PartitionId(partition),
            dice: Dice::new(seed),
            builder: CommitBuilder::default(),
            previous: (0, Hash::ZERO),
            time: Timestamp(1_767_225_600_000_000),
            keys: 0,
            digest: Hash::ZERO,
            to: 0,
        };
        world.begin();
        world
    }

    /// A partition with so many commits.
    pub(crate) fn of(partition: u16, seed: u64, commits: usize) -> Self {
        let mut world = Self::new(partition, seed);
        world.grow(commits);
        world
    }

    fn begin(&mut self) {
        let slots = SlotMap::even(1);
        self.push(&Event::Genesis(Genesis { log: LOG, format: 1, partitions: 1, slots }));
        self.seal();
        let nonce = TermNonce([1; 16]);
        self.push(&Event::TermOpened(TermOpened { nonce, head: 1, program: name("test") }));
        let policy = Policy::default();
        self.push(&Event::PolicySet(PolicySet { app: name("demo"), number: 1, policy }));
        self.seal();
    }

    /// So many more commits of whatever may happen.
    pub(crate) fn grow(&mut self, commits: usize) {
        for _ in 0..commits {
            let events = 1 + self.dice.roll(12);
            for _ in 0..events {
                self.act();
            }
            if self.dice.one_in(4) {
                self.batch();
            }
            self.seal();
        }
    }

    /// Somebody else's message.
    pub(crate) fn foreign(&mut self) {
        let sequence = self.next();
        self.entries.push(Entry::Foreign { sequence, reason: "a test put it there".to_owned() });
    }

    /// Adds an event to the commit that is being made.
    pub(crate) fn push(&mut self, event: &Event) {
        let (partition, sequence, index) = (self.partition, self.next(), self.builder.count());
        self.ledger.evolve(Position { partition, sequence, index }, event).expect("decided by the rules");
        self.builder.push(event);
        self.users.extend(event.account().cloned());
    }

    /// Ends the commit that is being made.
    pub(crate) fn seal(&mut self) {
        let (previous, previous_hash) = self.previous;
        let (partition, sequence) = (self.partition, self.next());
        let term = if sequence == 1 { TermNonce([0; 16]) } else { TermNonce([1; 16]) };
        let head = Head { log: LOG, partition, sequence, previous, previous_hash, term, time: self.time };
        let commit = std::mem::take(&mut self.builder).seal(&head);
        self.previous = (sequence, commit.hash);
        self.entries.push(entry(&commit));
        self.commits.push(commit);
        let later = i64::try_from(self.dice.roll(40 * 60 * 1_000_000)).expect("minutes");
        self.time = self.time.plus(later);
        self.ledger.begin(self.time);
    }

    fn next(&self) -> Sequence {
        self.entries.len() as Sequence + 1
    }

    fn act(&mut self) {
        let account = user(self.partition.0, self.dice.roll(8));
        self.care(&account);
        let command = match self.dice.roll(20) {
            0 | 1 => Command::Open(self.open(account)),
            2 | 3 => Command::Grant(self.money(account)),
            4 | 5 => Command::Deposit(self.money(account)),
            6 if self.dice.one_in(20) => {
                let key = Some(self.key());
                Command::Close(Close { account, key, actor: name("an operator") })
            }
            _ => Command::Debit(Debit { usage: self.usage(account), dry_run: false }),
        };
        self.ask(&command);
    }

    /// Asks the rules, and adds what comes of it. Whether it was accepted.
    fn ask(&mut self, command: &Command) -> bool {
        let decided = decide(&self.ledger, command);
        decided.events.iter().for_each(|event| self.push(event));
        decided.outcome.is_ok()
    }

    fn open(&mut self, account: AccountId) -> Open {
        let profile = r#"{"email":"a@example.com","metadata":{"plan":"pro","big":123456789012345678901}}"#;
        let profile = self.dice.one_in(2).then(|| Sealed::plain(profile.as_bytes()));
        let grant = if self.dice.one_in(3) { Usdc::ZERO } else { self.dice.credits(50_000) };
        Open { account, key: None, initial_balance: grant, actor: name("dev key 1"), profile }
    }

    fn money(&mut self, account: AccountId) -> AddMoney {
        let metadata = self.dice.one_in(3).then(|| Sealed::plain(r#"{"invoice": 7}"#.as_bytes()));
        let (key, amount) = (self.key(), self.dice.credits(60_000));
        AddMoney { account, key, amount, actor: name("stripe"), metadata }
    }

    fn key(&mut self) -> Key {
        self.keys += 1;
        name(&format!("key-{}", self.keys))
    }

    fn usage(&mut self, account: AccountId) -> Usage {
        let key = Some(self.key()).filter(|_| !self.dice.one_in(5));
        let scope = self.dice.one_in(3).then(|| name("agent:planner/run:42"));
        let back = i64::try_from(self.dice.roll(7_200_000_000)).expect("hours");
        let occurred_at = self.dice.one_in(3).then(|| self.time.plus(-back));
        let metadata = self.dice.one_in(4).then(|| Sealed::plain(r#"{"a":[1,"ü"]}"#.as_bytes()));
        let meter = if self.dice.one_in(2) { name("search") } else { name("tokens") };
        let charge = self.charge();
        Usage { account, key, item: None, charge, meter, scope, occurred_at, metadata }
    }

    fn charge(&mut self) -> Charge {
        if self.dice.one_in(2) {
            return Charge::Amount(self.dice.credits(20_000));
        }
        let mut item = |text| Item {
            name: name(text),
            quantity: Quantity::from_units(self.dice.roll(900_000_000)).expect("small"),
            unit_price: UnitPrice::from_units(self.dice.roll(9_000_000)).expect("small"),
        };
        Charge::Items(vec![item("context"), item("generated")])
    }

    /// A batch of a source, with some numbers that have no item.
    fn batch(&mut self) {
        let (from, to) = (self.to, self.to + 1 + self.dice.roll(6));
        let source: ledger_core::SourceName = name("calls.csv");
        let numbers: Vec<u64> = (from + 1..=to).filter(|_| !self.dice.one_in(4)).collect();
        let items = numbers.into_iter().map(|number| {
            let account = user(self.partition.0, 4 + self.dice.roll(8));
            let item = Some(SourceItem { source: source.clone(), number });
            let usage = Usage { key: None, item, ..self.usage(account) };
            BatchItem { number, partition: self.partition, usage }
        });
        let items = items.collect();
        let grant_missing = self.dice.one_in(2).then(|| self.dice.credits(5_000));
        let (app, actor, digest_from) = (name("demo"), name("import"), self.digest);
        let head = BatchHead { app, source, from, to, digest_from, last: false, grant_missing, actor };
        self.apply(&SourceBatch::new(head, items).expect("numbered in order"));
    }

    fn apply(&mut self, batch: &SourceBatch) {
        batch.check(&self.ledger).expect("it goes on where the mark is");
        for item in batch.items() {
            let opened = batch.decide_opening(&self.ledger, item);
            opened.into_iter().for_each(|event| self.push(&event));
            self.item(batch, item);
        }
        batch.mark_at(&self.ledger, batch.to()).into_iter().for_each(|event| self.push(&event));
        (self.to, self.digest) = (batch.to(), batch.digest());
    }

    /// An item's decline is recorded, also when it dusts nothing.
    fn item(&mut self, batch: &SourceBatch, item: &BatchItem) {
        let decided = batch.decide_item(&self.ledger, item);
        decided.events.into_iter().for_each(|event| self.push(&event));
    }
}

/// A commit as a log gives it back.
pub(crate) fn entry(commit: &EncodedCommit) -> Entry {
    let (prefix, hash, bytes) = (commit.prefix, commit.hash, commit.bytes.clone());
    Entry::Commit(StoredCommit { prefix, hash, bytes, stored_at: None })
}

/// What a log gave back, decoded.
pub(crate) fn decode(entry: &Entry) -> Option<Commit> {
    match entry {
        Entry::Commit(stored) => Some(Commit::decode(&stored.bytes).expect("made by the tests")),
        Entry::Foreign { .. } => None,
    }
}
