//! Random commands against a naive model: the same answers, the same events, the same state; and what was written
//! as commits gives that state again.

mod model;
mod upkeep;

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::Chain;
use crate::charge::{Charge, Item, Quantity, UnitPrice};
use crate::command::{AddMoney, Close, Command, Debit, Open};
use crate::commit::{Commit, CommitBuilder, Head};
use crate::decide::decide;
use crate::event::{Event, Genesis, PolicySet, TermOpened};
use crate::ids::{AccountId, LogId, PartitionId, TermNonce};
use crate::ledger::Ledger;
use crate::money::Usdc;
use crate::policy::{OnDecline, Policy};
use crate::slots::SlotMap;
use crate::snapshot::Snapshot;
use crate::testing::{START, World, app, key, label, minutes, tell, usage, user, uuid7};

use model::{Model, Rules};

/// What is asked in one step, before it is known what it means in figures.
#[derive(Debug, Clone)]
enum Ask {
    Open {
        who: usize,
        amount: Much,
        key: Option<Name>,
    },
    Money {
        who: usize,
        paid: bool,
        key: Name,
        amount: Much,
    },
    Debit {
        who: usize,
        key: Option<Name>,
        pay: Pay,
        dry: bool,
    },
    Close {
        who: usize,
        key: Option<Name>,
    },
    Rules(Rules),
    /// So many microseconds pass, and a new commit begins.
    Wait(i64),
}

#[derive(Debug, Clone, Copy)]
enum Much {
    Credits(i64),
    /// The balance, and so much more.
    Balance(i64),
}

#[derive(Debug, Clone)]
enum Pay {
    Amount(Much),
    /// Quantities and prices in their smallest units.
    Items(Vec<(u64, u64)>),
}

#[derive(Debug, Clone, Copy)]
enum Name {
    Word(u8),
    /// A UUIDv7 whose own time is so far from now.
    Fresh(i64),
    /// One that was drawn before.
    Again(usize),
}

fn much() -> impl Strategy<Value = Much> {
    let limit = crate::money::AMOUNT_MAX.credits();
    let edges = vec![-1, 0, 1, 7_000, 7_001, 1_000_000, limit, limit + 1, i64::MAX];
    prop_oneof![
        3 => prop::sample::select(edges).prop_map(Much::Credits),
        3 => (1..20_000_i64).prop_map(Much::Credits),
        2 => (-1..=1_i64).prop_map(Much::Balance),
    ]
}

fn pay() -> impl Strategy<Value = Pay> {
    let quantity = prop::sample::select(vec![0, 1, 1_000_000, 999_999_000_000, Quantity::UNITS_MAX]);
    let price = prop::sample::select(vec![0, 1, 2_500_000, 1_000_000_000, UnitPrice::UNITS_MAX]);
    let line = prop_oneof![(quantity, price), (0..100_000_000_u64, 0..5_000_000_u64)];
    prop_oneof![
        3 => much().prop_map(Pay::Amount),
        2 => prop::collection::vec(line.clone(), 0..4).prop_map(Pay::Items),
        1 => prop::collection::vec(line, 15..18).prop_map(Pay::Items),
    ]
}

fn name() -> impl Strategy<Value = Name> {
    let around_the_edges =
        (prop::sample::select(vec![-1_500, -1_440, -65, -60, 0, 5, 6]), -1_000..=1_000_i64);
    prop_oneof![
        2 => (0..6_u8).prop_map(Name::Word),
        2 => around_the_edges.prop_map(|(minute, rest)| Name::Fresh(minutes(minute) + rest * 1_000)),
        3 => any::<usize>().prop_map(Name::Again),
    ]
}

fn rules() -> impl Strategy<Value = Rules> {
    let fee = prop::sample::select(vec![0, 1, 500, 3_333, 10_000]);
    let low = prop::sample::select(vec![0, 20, 50, 99]);
    let budget = prop::sample::select(vec![16, 17, 40, 1_000_000]);
    (fee, low, 0..3_u8, prop::sample::select(vec![1, 24, 168]), budget).prop_map(
        |(fee_bps, low_percent, on_decline, hours, budget)| Rules {
            fee_bps,
            low_percent,
            on_decline,
            hours,
            budget,
        },
    )
}

fn ask() -> impl Strategy<Value = Ask> {
    let who = || 0..5_usize;
    let waits =
        prop::sample::select(vec![1, minutes(1), minutes(59), minutes(65), minutes(1_440), minutes(1_505)]);
    prop_oneof![
        3 => (who(), much(), prop::option::of(name()))
            .prop_map(|(who, amount, key)| Ask::Open { who, amount, key }),
        6 => (who(), any::<bool>(), name(), much())
            .prop_map(|(who, paid, key, amount)| Ask::Money { who, paid, key, amount }),
        16 => (who(), prop::option::of(name()), pay(), prop::bool::weighted(0.1))
            .prop_map(|(who, key, pay, dry)| Ask::Debit { who, key, pay, dry }),
        1 => (who(), prop::option::of(name())).prop_map(|(who, key)| Ask::Close { who, key }),
        1 => rules().prop_map(Ask::Rules),
        4 => waits.prop_map(Ask::Wait),
    ]
}

/// The ledger, its model, its log, and the reader of that log.
struct Run {
    world: World,
    model: Model,
    users: usize,
    names: Vec<String>,
    asked: Vec<Command>,
    builder: CommitBuilder,
    chain: Chain,
    replica: Ledger,
    crossed: BTreeSet<(AccountId, crate::level::Line, u32)>,
}

const LOG: LogId = LogId([1; 16]);
const TERM: TermNonce = TermNonce([2; 16]);

impl Run {
    fn new(users: usize) -> Self {
        let partition = PartitionId(0);
        let mut run = Self {
            world: World::empty(),
            model: Model::new(START.0),
            users,
            names: vec!["first".to_owned()],
            asked: vec![],
            builder: CommitBuilder::default(),
            chain: Chain::start(partition),
            replica: Ledger::new(partition),
            crossed: BTreeSet::new(),
        };
        run.begin();
        run.keep(&[Event::Genesis(Genesis { log: LOG, format: 1, partitions: 1, slots: SlotMap::even(1) })]);
        run.end();
        run.begin();
        run.keep(&[Event::TermOpened(TermOpened { nonce: TERM, head: 1, program: label("test") })]);
        run.set(Rules { fee_bps: 500, low_percent: 20, on_decline: 0, hours: 24, budget: 20 });
        run
    }

    fn begin(&mut self) {
        self.world.begin();
        self.model.begin(self.world.now.0);
    }

    fn keep(&mut self, events: &[Event]) {
        self.world.take(self.builder.count(), events);
        for event in events {
            self.builder.push(event);
            if let Event::Crossed(event) = event {
                let new = self.crossed.insert((event.account.clone(), event.line, event.epoch));
                assert!(new, "a line is passed once in an epoch: {event:?}");
            }
        }
    }

    /// Seals the commit, unless nothing happened, and reads it back.
    fn end(&mut self) {
        if self.builder.is_empty() {
            self.world.sequence -= 1;
            return;
        }
        let builder = std::mem::take(&mut self.builder);
        let head = Head {
            log: LOG,
            partition: PartitionId(0),
            sequence: self.world.sequence,
            previous: self.chain.sequence,
            previous_hash: self.chain.hash,
            term: TERM,
            time: self.world.now,
        };
        let sealed = builder.seal(&head);
        assert!(sealed.bytes.len() <= builder.size());
        let commit = Commit::decode(&sealed.bytes).unwrap();
        self.chain.accept(&commit).unwrap();
        self.replica.apply(&commit).unwrap();
        assert_eq!(self.replica.account_count(), self.world.ledger.account_count());
        self.live_on_by_snapshot();
    }

    /// The replayed state is the living one to the last byte, and goes on from its snapshot.
    fn live_on_by_snapshot(&mut self) {
        let snapshot = Snapshot::take(&self.chain, &self.replica);
        assert_eq!(snapshot, Snapshot::take(&self.chain, &self.world.ledger), "the same after replay");
        let find =
            |hash| snapshot.generations().find(|(its, _)| *its == hash).map(|(_, keys)| keys.to_bytes());
        let (chain, replica) = Snapshot::restore(&snapshot.to_bytes(), find).unwrap();
        assert_eq!(Snapshot::take(&chain, &replica), snapshot, "the same after a snapshot");
        (self.chain, self.replica) = (chain, replica);
    }

    fn set(&mut self, rules: Rules) {
        let number = self.world.ledger.policy(&app()).map_or(0, |(number, _)| number) + 1;
        let policy = Policy {
            fee_bps: rules.fee_bps,
            low_percent: rules.low_percent,
            on_decline: [OnDecline::Dust, OnDecline::Exhaust, OnDecline::Ignore]
                [usize::from(rules.on_decline)],
            key_window_hours: rules.hours,
            key_budget: rules.budget,
        };
        self.model.rules = rules;
        self.keep(&[Event::PolicySet(PolicySet { app: app(), number, policy })]);
    }

    fn step(&mut self, ask: &Ask) {
        match ask {
            Ask::Wait(micros) => {
                self.end();
                self.world.now = self.world.now.plus(*micros);
                self.begin();
            }
            Ask::Rules(rules) => self.set(*rules),
            _ => {
                let command = self.command(ask);
                self.ask(&command);
                self.asked.push(command);
            }
        }
    }

    fn ask(&mut self, command: &Command) {
        let position = format!("0-{}-{}", self.world.sequence, self.builder.count());
        let decided = decide(&self.world.ledger, command);
        self.keep(&decided.events);
        assert_eq!(tell(&decided), self.model.ask(command, position), "{command:?}");
        for (id, account) in self.world.ledger.accounts() {
            assert_eq!(model::describe(account), self.model.describe(&id), "{id} after {command:?}");
        }
    }

    fn name(&mut self, name: Name) -> String {
        let text = match name {
            Name::Word(number) => format!("word {number}"),
            Name::Fresh(from_now) => {
                let uuid = uuid7(self.world.now.since(START) + from_now);
                format!("{}{:012x}", &uuid[..24], self.names.len())
            }
            Name::Again(number) => self.names[number % self.names.len()].clone(),
        };
        self.names.push(text.clone());
        text
    }

    fn amount(&self, who: &AccountId, much: Much) -> Usdc {
        let balance = || self.world.ledger.account(who).map_or(0, |account| account.balance().credits());
        Usdc::from_credits(match much {
            Much::Credits(credits) => credits,
            Much::Balance(more) => balance() + more,
        })
    }

    fn who(&self, who: usize) -> AccountId {
        user(&format!("user-{}", who % self.users))
    }

    fn command(&mut self, ask: &Ask) -> Command {
        let actor = label("test");
        match ask {
            Ask::Open { who, amount, key: name } => {
                let account = self.who(*who);
                let initial_balance = self.amount(&account, *amount);
                let key = name.map(|name| key(&self.name(name)));
                Command::Open(Open { account, key, initial_balance, actor, profile: None })
            }
            Ask::Money { who, paid, key: name, amount } => {
                let account = self.who(*who);
                let (key, amount) = (key(&self.name(*name)), self.amount(&account, *amount));
                let money = AddMoney { account, key, amount, actor, metadata: None };
                if *paid { Command::Deposit(money) } else { Command::Grant(money) }
            }
            Ask::Debit { who, key: name, pay, dry } => {
                let account = self.who(*who);
                let mut usage = usage(account.clone(), self.charge(&account, pay));
                usage.key = name.map(|name| key(&self.name(name)));
                Command::Debit(Debit { usage, dry_run: *dry })
            }
            Ask::Close { who, key: name } => {
                let key = name.map(|name| key(&self.name(name)));
                Command::Close(Close { account: self.who(*who), key, actor })
            }
            Ask::Rules(_) | Ask::Wait(_) => unreachable!("no commands"),
        }
    }

    fn charge(&self, account: &AccountId, pay: &Pay) -> Charge {
        let item = |(quantity, price): &(u64, u64)| Item {
            name: label("line"),
            quantity: Quantity::from_units(*quantity).unwrap(),
            unit_price: UnitPrice::from_units(*price).unwrap(),
        };
        match pay {
            Pay::Amount(much) => Charge::Amount(self.amount(account, *much)),
            Pay::Items(lines) => Charge::Items(lines.iter().map(item).collect()),
        }
    }

    /// The replayed ledger answers every question as the living one does.
    fn finish(mut self) {
        self.end();
        self.world.begin();
        self.replica.begin(self.world.now);
        for command in &self.asked {
            assert_eq!(decide(&self.replica, command), decide(&self.world.ledger, command), "{command:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_does_what_a_naive_model_does(
        users in 1..=5_usize,
        asks in prop::collection::vec(ask(), 1..=200)
    ) {
        let mut run = Run::new(users);
        asks.iter().for_each(|ask| run.step(ask));
        run.finish();
    }
}
