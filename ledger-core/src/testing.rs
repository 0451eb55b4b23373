//! What the tests share: short ways to say things, a world that takes one step after the other, and events told as
//! one line each.

pub(crate) mod upkeep;

use crate::charge::{Charge, Item, Quantity, UnitPrice};
use crate::command::{AddMoney, Close, Command, Debit, Open};
use crate::decide::{Decided, Outcome, decide};
use crate::digest::KeyFingerprint;
use crate::event::{Debited, Event, MoneyIn, PolicySet, Usage};
use crate::ids::{AccountId, AppId, Key, Label, Meter, PartitionId, Position, UserId};
use crate::ledger::Ledger;
use crate::level::Level;
use crate::money::Usdc;
use crate::policy::Policy;
use crate::posting::postings;
use crate::rejection::{Details, Rejection};
use crate::time::{MINUTE, Timestamp};

/// When the tests' worlds begin: a full hour.
pub(crate) const START: Timestamp = Timestamp(1_699_999_200_000_000);

pub(crate) fn usdc(text: &str) -> Usdc {
    Usdc::parse(text).unwrap()
}

pub(crate) fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

pub(crate) fn app() -> AppId {
    AppId::new("demo").unwrap()
}

pub(crate) fn user(name: &str) -> AccountId {
    AccountId { app: app(), user: UserId::new(name).unwrap() }
}

pub(crate) fn anna() -> AccountId {
    user("anna")
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

/// A UUIDv7 whose own time is so many microseconds after the start.
pub(crate) fn uuid7(after_start: i64) -> String {
    let millis = START.plus(after_start).0 / 1_000;
    let digits = format!("{millis:012x}");
    format!("{}-{}-7000-8000-000000000000", &digits[..8], &digits[8..])
}

pub(crate) fn open(initial_balance: &str) -> Command {
    open_for("anna", initial_balance)
}

pub(crate) fn open_for(name: &str, initial_balance: &str) -> Command {
    let initial_balance = usdc(initial_balance);
    Command::Open(Open {
        account: user(name),
        key: None,
        initial_balance,
        actor: label("test"),
        profile: None,
    })
}

fn money(key_text: &str, amount: &str) -> AddMoney {
    let (actor, amount) = (label("test"), usdc(amount));
    AddMoney { account: anna(), key: key(key_text), amount, actor, metadata: None }
}

pub(crate) fn deposit(key_text: &str, amount: &str) -> Command {
    Command::Deposit(money(key_text, amount))
}

pub(crate) fn grant(key_text: &str, amount: &str) -> Command {
    Command::Grant(money(key_text, amount))
}

pub(crate) fn usage(account: AccountId, charge: Charge) -> Usage {
    let meter = Meter::new("search").unwrap();
    Usage { account, key: None, item: None, charge, meter, scope: None, occurred_at: None, metadata: None }
}

pub(crate) fn charge_for(charge: Charge) -> Command {
    Command::Debit(Debit { usage: usage(anna(), charge), dry_run: false })
}

pub(crate) fn debit(amount: &str) -> Command {
    charge_for(Charge::Amount(usdc(amount)))
}

/// A debit of lines of quantity and price.
pub(crate) fn items(lines: &[(&str, &str)]) -> Command {
    let item = |(quantity, unit_price): &(&str, &str)| Item {
        name: label("tokens"),
        quantity: Quantity::parse(quantity).unwrap(),
        unit_price: UnitPrice::parse(unit_price).unwrap(),
    };
    charge_for(Charge::Items(lines.iter().map(item).collect()))
}

pub(crate) fn close() -> Command {
    Command::Close(Close { account: anna(), key: None, actor: label("test") })
}

/// The same command with this key.
pub(crate) fn keyed(key_text: &str, mut command: Command) -> Command {
    match &mut command {
        Command::Open(command) => command.key = Some(key(key_text)),
        Command::Grant(command) | Command::Deposit(command) => command.key = key(key_text),
        Command::Debit(command) => command.usage.key = Some(key(key_text)),
        Command::Close(command) => command.key = Some(key(key_text)),
        Command::SetContainer(command) => command.key = Some(key(key_text)),
        Command::Hibernate(command) => command.key = Some(key(key_text)),
        Command::Restore(command) => command.key = Some(key(key_text)),
        Command::OpenCheckout(command) => command.key = Some(key(key_text)),
        other => panic!("{other:?} takes no key"),
    }
    command
}

/// The same debit as a question.
pub(crate) fn dry(mut command: Command) -> Command {
    if let Command::Debit(debit) = &mut command {
        debit.dry_run = true;
    }
    command
}

/// A ledger in which one step follows the other: each is one commit, the first of which sets the policy.
pub(crate) struct World {
    pub(crate) ledger: Ledger,
    pub(crate) now: Timestamp,
    pub(crate) sequence: u64,
}

impl World {
    /// Before the first policy: no app is known.
    pub(crate) fn empty() -> Self {
        Self { ledger: Ledger::new(PartitionId(0)), now: START, sequence: 0 }
    }

    pub(crate) fn new() -> Self {
        let mut world = Self::empty();
        world.set(Policy::default());
        world
    }

    pub(crate) fn begin(&mut self) {
        self.sequence += 1;
        self.ledger.begin(self.now);
    }

    pub(crate) fn set(&mut self, policy: Policy) {
        self.begin();
        let number = self.ledger.policy(&app()).map_or(0, |(number, _)| number) + 1;
        self.take(0, &[Event::PolicySet(PolicySet { app: app(), number, policy })]);
    }

    pub(crate) fn ask(&mut self, command: &Command) -> Decided {
        self.begin();
        let decided = decide(&self.ledger, command);
        self.take_with(0, &decided.events, decided.fingerprint);
        decided
    }

    /// Evolves by events that begin at this index of the commit, and checks what must always hold.
    pub(crate) fn take(&mut self, first: u32, events: &[Event]) {
        self.take_with(first, events, None);
    }

    fn take_with(&mut self, first: u32, events: &[Event], fingerprint: Option<KeyFingerprint>) {
        for (index, event) in (first..).zip(events) {
            let position = Position { partition: PartitionId(0), sequence: self.sequence, index };
            self.ledger.evolve_decided(position, event, fingerprint).unwrap();
            assert_eq!(postings(event).iter().map(|posting| posting.amount).sum::<Usdc>(), Usdc::ZERO);
        }
        self.check();
    }

    fn check(&self) {
        for (id, account) in self.ledger.accounts() {
            let left = account.lots().iter().map(|lot| lot.left).sum::<Usdc>();
            assert_eq!(left, account.balance(), "the lots of {id} hold its balance");
            assert!(account.lots().iter().all(|lot| lot.left.is_positive()), "{id} keeps no empty lot");
            assert!(account.balance() >= Usdc::ZERO, "{id} was overspent");
        }
    }
}

/// The outcome and the events, a line each.
pub(crate) fn tell(decided: &Decided) -> Vec<String> {
    let outcome = match &decided.outcome {
        Ok(Outcome::Applied) => "applied".to_owned(),
        Ok(Outcome::Duplicate(position)) => format!("duplicate of {position}"),
        Ok(Outcome::Unchanged) => "unchanged".to_owned(),
        Ok(Outcome::WouldCharge { charged, balance, .. }) => {
            format!("would charge {charged}, leaving {balance}")
        }
        Err(rejection) => tell_rejection(rejection),
    };
    std::iter::once(outcome).chain(decided.events.iter().map(tell_event)).collect()
}

pub(crate) fn tell_rejection(rejection: &Rejection) -> String {
    let code = rejection.code;
    match &rejection.details {
        Details::None => format!("refused: {code}"),
        Details::Credit { needed, available } => format!("refused: {code}, {needed} of {available}"),
        Details::Mark { to } => format!("refused: {code}, mark {to}"),
        Details::Owner { partition } => format!("refused: {code}, partition {partition}"),
    }
}

/// One event as a line.
pub(crate) fn tell_event(event: &Event) -> String {
    match event {
        Event::AccountOpened(event) => {
            format!(
                "{} opened with {}: {}",
                event.account.user,
                event.initial_balance,
                tell_level(event.level)
            )
        }
        Event::Granted(event) => format!("granted {}", tell_money(event)),
        Event::Deposited(event) => format!("deposited {}", tell_money(event)),
        Event::Debited(event) => tell_debit(event),
        Event::Declined(event) => {
            let dusted = if event.dusted { ", dusted" } else { "" };
            let number =
                event.usage.item.as_ref().map_or(String::new(), |item| format!(" item {}", item.number));
            format!("declined{number}: {}{dusted}, balance {}", event.code, event.balance)
        }
        Event::Crossed(event) => format!(
            "crossed {:?} at {} of {} in epoch {} by {:?}",
            event.line, event.balance, event.baseline, event.epoch, event.reason
        )
        .to_lowercase(),
        Event::AccountClosed(event) => format!("closed with {}", event.balance),
        Event::SourceMarked(event) => format!("marked {} to {}", event.source, event.to),
        Event::HorizonRaised(event) => format!("horizon of {} raised to {}", event.app, event.horizon.0),
        Event::ContainerSet(event) => format!("container of {}", event.settings.image),
        Event::Paused(event) => format!("paused with {}", event.balance),
        Event::Resumed(event) => {
            format!("resumed with {}{}", event.balance, if event.forced { ", forced" } else { "" })
        }
        Event::LifecycleStepped(event) => {
            format!("step {} {}: {:?}", event.number, upkeep::tell_step(&event.step), event.phase)
                .to_lowercase()
        }
        Event::NoticeStepped(event) => format!(
            "mail {:?} of epoch {} step {}: {}",
            event.kind,
            event.epoch,
            event.number,
            upkeep::tell_mail(&event.step)
        )
        .to_lowercase(),
        Event::CheckoutStepped(event) => {
            format!("session {} {}", event.session, upkeep::tell_session(&event.step)).to_lowercase()
        }
        Event::Genesis(_) | Event::TermOpened(_) | Event::PolicySet(_) | Event::SolvencyChecked(_) => {
            format!("{event:?}")
        }
    }
}

fn tell_money(event: &MoneyIn) -> String {
    let MoneyIn { amount, lot, balance, baseline, .. } = event;
    let level = tell_rise(event.level, event.epoch_started);
    format!("{amount} as lot {lot}: {balance} of {baseline}, {level}")
}

fn tell_debit(event: &Debited) -> String {
    let number = event.usage.item.as_ref().map_or(String::new(), |item| format!(" item {}", item.number));
    let slices: Vec<_> =
        event.slices.iter().map(|slice| format!("{} of lot {}", slice.amount, slice.lot)).collect();
    let level = tell_rise(event.level, event.epoch_started);
    let (charged, fee, balance) = (event.charged, event.fee, event.balance);
    format!("debited{number} {charged} [{}] fee {fee}: {balance}, {level}", slices.join(", "))
}

fn tell_rise(level: Level, epoch_started: Option<u32>) -> String {
    let epoch = epoch_started.map_or(String::new(), |epoch| format!(", epoch {epoch} begins"));
    format!("{}{epoch}", tell_level(level))
}

fn tell_level(level: Level) -> String {
    format!("{level:?}").to_lowercase()
}

/// So many minutes.
pub(crate) fn minutes(count: i64) -> i64 {
    count * MINUTE
}
