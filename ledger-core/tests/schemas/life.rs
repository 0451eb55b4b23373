//! A short life of a ledger, one commit for each kind of event: where the golden samples came from.

#[path = "upkeep.rs"]
mod upkeep;

use ledger_core::charge::{Charge, Item, Quantity, UnitPrice};
use ledger_core::command::{AddMoney, Close, Command, Debit, Open};
use ledger_core::commit::{CommitBuilder, EncodedCommit, Hash, Head};
use ledger_core::event::{
    Event, Genesis, HorizonRaised, PolicySet, SourceItem, SourceMarked, TermOpened, Usage,
};
use ledger_core::policy::{OnDecline, Policy};
use ledger_core::sealed::Sealed;
use ledger_core::slots::SlotMap;
use ledger_core::{
    AccountId, AppId, Key, Label, Ledger, LogId, Meter, PartitionId, Position, Scope, SourceName, TermNonce,
    Timestamp, Usdc, UserId, decide,
};

const LOG: LogId = LogId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
const TERM: TermNonce = TermNonce([0xa0; 16]);
const START: i64 = 1_700_000_000_000_000;
/// Its time is that of the start.
const UUID: &str = "018bcfe5-6800-7000-8000-0000000000";

struct Life {
    ledger: Ledger,
    builder: CommitBuilder,
    last: Hash,
    commits: Vec<(&'static str, EncodedCommit)>,
}

impl Life {
    fn sequence(&self) -> u64 {
        self.commits.len() as u64 + 1
    }

    fn time(&self) -> Timestamp {
        Timestamp(START).plus(1_000_000 * i64::try_from(self.sequence()).unwrap())
    }

    fn happens(&mut self, event: &Event) {
        let (partition, sequence, index) = (PartitionId(0), self.sequence(), self.builder.count());
        self.ledger.begin(self.time());
        self.ledger.evolve(Position { partition, sequence, index }, event).unwrap();
        self.builder.push(event);
    }

    fn asks(&mut self, command: &Command) {
        self.ledger.begin(self.time());
        let mut decided = decide(&self.ledger, command);
        assert!(!decided.events.is_empty(), "{command:?}: {:?}", decided.outcome);
        if let Some(Event::Granted(event)) = decided.events.first_mut() {
            // These samples are older than the field.
            event.wakes = false;
        }
        decided.events.iter().for_each(|event| self.happens(event));
    }

    fn commits(&mut self, name: &'static str) {
        let sealed = std::mem::take(&mut self.builder).seal(&Head {
            log: LOG,
            partition: PartitionId(0),
            sequence: self.sequence(),
            previous: self.sequence() - 1,
            previous_hash: self.last,
            term: TERM,
            time: self.time(),
        });
        self.last = sealed.hash;
        self.commits.push((name, sealed));
    }
}

fn app() -> AppId {
    AppId::new("demo").unwrap()
}

fn user(name: &str) -> AccountId {
    AccountId { app: app(), user: UserId::new(name).unwrap() }
}

fn usdc(text: &str) -> Usdc {
    Usdc::parse(text).unwrap()
}

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn uuid(end: &str) -> Key {
    key(&format!("{UUID}{end}"))
}

fn source(number: u64) -> Option<SourceItem> {
    Some(SourceItem { source: SourceName::new("usage.csv").unwrap(), number })
}

fn open(name: &str, key: Option<Key>, initial_balance: &str, profile: Option<Sealed>) -> Command {
    let (account, initial_balance, actor) = (user(name), usdc(initial_balance), label("ops"));
    Command::Open(Open { account, key, initial_balance, actor, profile })
}

fn money(name: &str, key: Key, amount: &str, metadata: Option<Sealed>) -> AddMoney {
    AddMoney { account: user(name), key, amount: usdc(amount), actor: label("stripe"), metadata }
}

fn debit(name: &str, charge: Charge, change: impl FnOnce(&mut Usage)) -> Command {
    let (account, meter) = (user(name), Meter::new("search").unwrap());
    let mut usage = Usage {
        account,
        key: None,
        item: None,
        charge,
        meter,
        scope: None,
        occurred_at: None,
        metadata: None,
    };
    change(&mut usage);
    Command::Debit(Debit { usage, dry_run: false })
}

fn amount(text: &str) -> Charge {
    Charge::Amount(usdc(text))
}

fn items(lines: &[(&str, &str, &str)]) -> Charge {
    let item = |(name, quantity, unit_price): &(&str, &str, &str)| Item {
        name: label(name),
        quantity: Quantity::parse(quantity).unwrap(),
        unit_price: UnitPrice::parse(unit_price).unwrap(),
    };
    Charge::Items(lines.iter().map(item).collect())
}

fn policy(app_name: &str, number: u32, policy: Policy) -> Event {
    Event::PolicySet(PolicySet { app: AppId::new(app_name).unwrap(), number, policy })
}

fn sealed() -> Option<Sealed> {
    Some(Sealed { key_id: 7, bytes: vec![0xde, 0xad, 0xbe, 0xef].into() })
}

fn plain(json: &'static str) -> Option<Sealed> {
    Some(Sealed::plain(json))
}

/// The commits, each named after the kind of event it is the sample of.
pub(crate) fn commits() -> Vec<(&'static str, EncodedCommit)> {
    let (ledger, builder) = (Ledger::new(PartitionId(0)), CommitBuilder::default());
    let mut life = Life { ledger, builder, last: Hash::ZERO, commits: vec![] };
    begin(&mut life);
    money_in(&mut life);
    usage(&mut life);
    end(&mut life);
    upkeep::upkeep(&mut life);
    life.commits
}

fn begin(life: &mut Life) {
    life.happens(&Event::Genesis(Genesis { log: LOG, format: 1, partitions: 4, slots: SlotMap::even(4) }));
    life.commits("genesis");
    life.happens(&Event::TermOpened(TermOpened { nonce: TERM, head: 1, program: label("drip 0.1.0") }));
    life.commits("term_opened");
    let none = Policy {
        fee_bps: 0,
        low_percent: 0,
        on_decline: OnDecline::Ignore,
        key_window_hours: 168,
        ..Policy::default()
    };
    life.happens(&policy("demo", 1, Policy::default()));
    life.happens(&policy("strict", 1, Policy { on_decline: OnDecline::Exhaust, ..Policy::default() }));
    life.happens(&policy("free", 1, none));
    life.commits("policy_set");
}

fn money_in(life: &mut Life) {
    life.asks(&open("anna", Some(uuid("01")), "10", plain(r#"{"email":"anna@example.org"}"#)));
    life.asks(&open("{acme}🦀", None, "0", None));
    life.asks(&open("bob", Some(key("open bob")), "0.705", sealed()));
    life.commits("account_opened");
    life.asks(&Command::Grant(money("anna", key("welcome"), "0.1", plain(r#"{"campaign":"spring"}"#))));
    life.asks(&Command::Grant(money("{acme}🦀", uuid("02"), "1", None)));
    life.commits("granted");
    life.asks(&Command::Deposit(money("anna", key("pi_3Q"), "20", sealed())));
    life.asks(&Command::Deposit(money("{acme}🦀", uuid("03"), "0.5", None)));
    life.commits("deposited");
}

fn usage(life: &mut Life) {
    life.asks(&debit("anna", amount("0.007"), |usage| usage.key = Some(uuid("04"))));
    life.asks(&debit("anna", amount("0.007"), |_| ()));
    life.asks(&debit("anna", amount("11"), |usage| usage.key = Some(key("order 7"))));
    let tokens = [("ContextTokens", "1000", "0.0000025"), ("GeneratedTokens", "3", "0.00001")];
    life.asks(&debit("anna", items(&tokens), |usage| {
        usage.item = source(1);
        usage.scope = Some(Scope::new("agent:planner/run:42").unwrap());
        usage.occurred_at = Some(Timestamp(START - 1));
        usage.metadata = sealed();
    }));
    life.asks(&debit("anna", items(&[("ContextTokens", "0.1", "0.0000025")]), |usage| {
        usage.item = source(2)
    }));
    for _ in 0..2 {
        life.asks(&debit("bob", amount("0.007"), |_| ()));
    }
    life.commits("debited");
    life.asks(&debit("bob", amount("0.686"), |_| ()));
    life.commits("crossed");
    life.asks(&debit("bob", amount("0.007"), |usage| usage.key = Some(uuid("05"))));
    life.asks(&debit("nobody", items(&tokens), |usage| {
        usage.key = Some(key("line 3"));
        usage.item = source(3);
        usage.scope = Some(Scope::new("agent:planner/run:42").unwrap());
        usage.occurred_at = Some(Timestamp(START));
        usage.metadata = plain("{}");
    }));
    life.asks(&debit("anna", amount("-0.5"), |usage| usage.item = source(4)));
    life.commits("declined");
}

fn end(life: &mut Life) {
    let (source, digest) = (SourceName::new("usage.csv").unwrap(), Hash([0x5d; 32]));
    life.happens(&Event::SourceMarked(SourceMarked { app: app(), source, to: 4, digest }));
    life.commits("source_marked");
    life.asks(&Command::Grant(money("bob", key("sorry"), "0.1", None)));
    life.happens(&policy("demo", 2, Policy { low_percent: 0, ..Policy::default() }));
    life.asks(&debit("bob", amount("0.001"), |_| ()));
    let left = life.ledger.account(&user("anna")).unwrap().balance();
    life.asks(&debit("anna", Charge::Amount(left), |_| ()));
    for (name, key) in [("anna", Some(uuid("06"))), ("bob", None)] {
        life.asks(&Command::Close(Close { account: user(name), key, actor: label("ops") }));
    }
    life.commits("account_closed");
    life.happens(&policy("free", 2, Policy { key_budget: 16, ..Policy::default() }));
    let (app, horizon) = (AppId::new("free").unwrap(), Timestamp(START));
    life.happens(&Event::HorizonRaised(HorizonRaised { app, horizon }));
    life.commits("horizon_raised");
}
