//! Random courses of everything that people and workers may ask: whatever was decided can have happened, replay and
//! snapshots give the same state, and what must hold of claims, mails and sessions holds of the events alone.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::Run;
use crate::command::{CheckoutOutcome, Command};
use crate::decide::{Outcome, decide};
use crate::event::{CheckoutStepped, Event, LifecycleStepped, NoticeStepped};
use crate::ids::{AccountId, Key, Label, SessionId};
use crate::rejection::Code;
use crate::testing::upkeep::{
    all_steps, claim_for, credited, force, hibernate, mail, paid, restore, sends, sent, session, set,
    settles, tells, text,
};
use crate::testing::{close, debit, deposit, grant, keyed, minutes, open, tell_event, user};
use crate::time::Timestamp;
use crate::upkeep::{CheckoutStep, NoticeKind, NoticeStep, ParkReason, Step};

/// What is asked in one step, by numbers that mean something once it is known how things stand.
#[derive(Debug, Clone)]
enum Wish {
    Money(u8),
    Person(u8),
    Claim {
        worker: u8,
        minutes: i64,
    },
    /// Most of the time one that can follow.
    Step {
        worker: u8,
        which: usize,
        lag: u32,
    },
    Mail {
        worker: u8,
        which: usize,
        step: u8,
        lag: u32,
    },
    Open(u8),
    Settle {
        session: u8,
        outcome: u8,
    },
    Wait(i64),
}

fn wish() -> impl Strategy<Value = (u8, Wish)> {
    let lag = || prop_oneof![9 => Just(0), 1 => Just(1_u32)];
    let worker = || 0..3_u8;
    let what = prop_oneof![
        6 => (0..8_u8).prop_map(Wish::Money),
        4 => (0..12_u8).prop_map(Wish::Person),
        4 => (worker(), -1..15_i64).prop_map(|(worker, minutes)| Wish::Claim { worker, minutes }),
        12 => (worker(), 0..64_usize, lag())
            .prop_map(|(worker, which, lag)| Wish::Step { worker, which, lag }),
        8 => (worker(), 0..8_usize, 0..8_u8, lag())
            .prop_map(|(worker, which, step, lag)| Wish::Mail { worker, which, step, lag }),
        2 => (0..6_u8).prop_map(Wish::Open),
        5 => (0..6_u8, 0..10_u8).prop_map(|(session, outcome)| Wish::Settle { session, outcome }),
        4 => (0..12_i64).prop_map(Wish::Wait),
    ];
    (0..2_u8, what)
}

/// The same command for another account.
fn of(account: AccountId, mut command: Command) -> Command {
    let place = match &mut command {
        Command::Open(command) => &mut command.account,
        Command::Grant(command) | Command::Deposit(command) => &mut command.account,
        Command::Debit(command) => &mut command.usage.account,
        Command::Close(command) => &mut command.account,
        Command::SetContainer(command) => &mut command.account,
        Command::Hibernate(command) => &mut command.account,
        Command::Restore(command) => &mut command.account,
        Command::ClaimLifecycle(command) => &mut command.account,
        Command::RecordStep(command) => &mut command.account,
        Command::RecordNotice(command) => &mut command.account,
        Command::OpenCheckout(command) => &mut command.account,
        Command::SettleCheckout(command) => &mut command.account,
    };
    *place = account;
    command
}

fn worker(number: u8) -> String {
    format!("w{number}")
}

/// A course, and what its events say by themselves.
struct Course {
    run: Run,
    /// Who is at a container, and until when.
    held: BTreeMap<AccountId, (Label, Timestamp)>,
    sent: BTreeSet<(AccountId, NoticeKind, u32)>,
    opened: BTreeSet<(AccountId, SessionId)>,
    paid: BTreeSet<(AccountId, SessionId)>,
    /// What happened, without its figures.
    told: BTreeSet<String>,
}

impl Course {
    fn new() -> Self {
        let (held, told) = (BTreeMap::new(), BTreeSet::new());
        let (sent, opened, paid) = Default::default();
        let mut course = Self { run: Run::new(2), held, sent, opened, paid, told };
        for who in 0..2 {
            course.ask(of(account(who), open("5")));
        }
        // The other one gets a container when a person asks for one.
        course.ask(of(account(0), set("image:0")));
        course
    }

    fn step(&mut self, (who, wish): &(u8, Wish)) {
        if let Wish::Wait(minutes_later) = wish {
            self.run.end();
            self.run.world.now = self.run.world.now.plus(minutes(*minutes_later));
            return self.run.begin();
        }
        let command = self.command(*who, wish);
        self.ask(of(account(*who), command));
    }

    fn command(&self, who: u8, wish: &Wish) -> Command {
        match wish {
            Wish::Money(which) => self.money(*which),
            Wish::Person(which) => self.person(*which),
            Wish::Claim { worker: number, minutes: hold } => claim_for(&worker(*number), minutes(*hold)),
            Wish::Step { worker: number, which, lag } => self.tells(who, &worker(*number), *which, *lag),
            Wish::Mail { worker: number, which, step, lag } => {
                self.mail(who, &worker(*number), *which, *step, *lag)
            }
            Wish::Open(number) => session(&format!("s-{number}"), "5"),
            Wish::Settle { session, outcome } => settles(&format!("s-{session}"), settlement(*outcome)),
            Wish::Wait(_) => unreachable!("no command"),
        }
    }

    fn money(&self, which: u8) -> Command {
        let name = format!("m{}", self.run.asked.len());
        match which {
            0 => deposit(&name, "3"),
            1 => grant(&name, "0.5"),
            2 => keyed("again", debit("0.1")),
            3 => debit("100"),
            4 => debit("5"),
            _ => debit("1"),
        }
    }

    fn person(&self, which: u8) -> Command {
        let ask = match which {
            0 => set("image:1"),
            1 | 2 => hibernate(),
            3..=7 => restore(),
            8 | 9 => force(),
            10 if self.run.asked.len() % 61 == 60 => close(),
            10 => keyed("$checkout/s-1", hibernate()),
            _ if self.run.asked.len() % 7 == 6 => set("image:2"),
            _ => restore(),
        };
        if which % 4 == 1 { keyed(&format!("p{which}"), ask) } else { ask }
    }

    fn tells(&self, who: u8, worker: &str, which: usize, lag: u32) -> Command {
        let account = self.run.world.ledger.account(&account(who));
        let container = account.and_then(|account| account.container());
        let retry_at = self.run.world.now.plus(minutes(3));
        // What is taken away must be made from the beginning: that would be most of every course.
        let taken_away = [Step::ServiceDeleted, Step::ProjectDeleted];
        let mut steps = all_steps();
        steps.retain(|step| which % 9 == 1 || !taken_away.contains(step));
        let fails =
            Step::Failed { reason: text("stuck"), attempts: 0, retry_at, gave_up: which.is_multiple_of(2) };
        steps.push(fails);
        if let Some(container) = container.filter(|_| !which.is_multiple_of(8)) {
            steps.retain(|step| container.can(step));
        }
        let step = steps[which % steps.len()].clone();
        tells(worker, container.map_or(0, |container| container.steps).saturating_sub(lag), step)
    }

    fn mail(&self, who: u8, worker: &str, which: usize, step: u8, lag: u32) -> Command {
        let upkeep = self.run.world.ledger.account(&account(who)).and_then(|account| account.upkeep());
        let notices = upkeep.map_or(&[][..], |upkeep| &upkeep.notices[..]);
        let known = notices.get(which % notices.len().max(1));
        let (kind, epoch, after) =
            known.map_or((NoticeKind::Paused, 1, 0), |known| (known.kind, known.epoch, known.steps));
        let step = match step {
            0..=3 => sends(self.run.world.now.since(crate::testing::START) / crate::time::MINUTE + 5),
            4 | 5 => sent(),
            6 => NoticeStep::Failed { reason: text("no answer"), retry_at: self.run.world.now },
            _ if which == 0 => NoticeStep::Abandoned { reason: text("refused") },
            _ => NoticeStep::Superseded,
        };
        mail(worker, kind, epoch, after.saturating_sub(lag), step)
    }

    fn ask(&mut self, command: Command) {
        let decided = decide(&self.run.world.ledger, &command);
        if command.key().is_some_and(Key::is_own) {
            assert_eq!(decided.outcome.as_ref().unwrap_err().code, Code::KeyReserved);
        }
        if decided.outcome == Ok(Outcome::Unchanged) || decided.outcome.is_err() {
            let declined = |event: &Event| matches!(event, Event::Declined(_) | Event::Crossed(_));
            assert!(decided.events.iter().all(declined), "{command:?}");
        }
        self.note(&decided.events);
        self.run.keep(&decided.events);
        self.run.asked.push(command);
    }

    /// What must hold of the events, whatever the state says.
    fn note(&mut self, events: &[Event]) {
        for (place, event) in events.iter().enumerate() {
            self.told.insert(tell_event(event).replace(|c: char| c.is_ascii_digit(), ""));
            match event {
                Event::LifecycleStepped(event) => self.stepped(event),
                Event::NoticeStepped(event) => self.mailed(event),
                Event::CheckoutStepped(event) => self.settled(events.get(place.wrapping_sub(1)), event),
                Event::Debited(event) => {
                    let account = self.run.world.ledger.account(&event.usage.account).unwrap();
                    assert!(!account.is_paused() && !account.is_closed());
                }
                _ => {}
            }
        }
    }

    /// Of two workers one is at it, and while it is the other one says nothing.
    fn stepped(&mut self, event: &LifecycleStepped) {
        let now = self.run.world.now;
        if let Some((holder, until)) = self.held.get(&event.account) {
            assert!(*holder == event.worker || *until <= now, "{event:?} while {holder} is at it");
        }
        match &event.step {
            Step::Claimed { until, .. } => {
                assert!(*until <= now.plus(minutes(10)));
                self.held.insert(event.account.clone(), (event.worker.clone(), *until));
            }
            Step::Failed { .. } | Step::Running | Step::Asleep | Step::ProjectDeleted => {
                self.held.remove(&event.account);
            }
            Step::ServiceDeleted if event.phase == crate::upkeep::Phase::Asleep => {
                self.held.remove(&event.account);
            }
            _ => {}
        }
    }

    /// A mail is sent once.
    fn mailed(&mut self, event: &NoticeStepped) {
        let mail = (event.account.clone(), event.kind, event.epoch);
        assert!(!self.sent.contains(&mail), "{event:?} behind its end");
        if let NoticeStep::Sent { .. } = event.step {
            self.sent.insert(mail);
        }
    }

    /// A session is opened once and pays once, right behind its deposit.
    fn settled(&mut self, before: Option<&Event>, event: &CheckoutStepped) {
        let session = (event.account.clone(), event.session.clone());
        match &event.step {
            CheckoutStep::Opened { .. } => assert!(self.opened.insert(session), "{event:?} once more"),
            CheckoutStep::Paid { .. } => {
                let key = format!("$checkout/{}", event.session);
                let deposited = |event: &Event| match event {
                    Event::Deposited(event) => *event.key.text() == *key,
                    Event::Crossed(_) => true,
                    _ => false,
                };
                assert!(before.is_some_and(deposited), "{event:?} behind {before:?}");
                assert!(self.opened.contains(&session) && self.paid.insert(session), "{event:?} once more");
            }
            CheckoutStep::Parked { .. } | CheckoutStep::Dismissed => {
                assert!(self.opened.contains(&session) && !self.paid.contains(&session), "{event:?}");
            }
        }
    }
}

fn account(who: u8) -> AccountId {
    user(&format!("user-{who}"))
}

fn settlement(outcome: u8) -> CheckoutOutcome {
    match outcome {
        0..=2 => paid("5"),
        3 => paid("4"),
        4 => paid("-1"),
        5 => CheckoutOutcome::Ended(ParkReason::Expired),
        6 => CheckoutOutcome::Ended(ParkReason::Cancelled),
        7 => credited("2"),
        8 => CheckoutOutcome::Paid { amount: None, transaction: None },
        _ => CheckoutOutcome::Dismissed,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_people_and_workers_ask_can_have_happened(
        wishes in prop::collection::vec(wish(), 1..=250)
    ) {
        let mut course = Course::new();
        wishes.iter().for_each(|wish| course.step(wish));
        course.run.finish();
    }
}

/// The courses are worth something: what is rare in them happens in some.
#[test]
fn the_courses_go_far() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut told = BTreeSet::new();
    for _ in 0..20 {
        let wishes = prop::collection::vec(wish(), 500).new_tree(&mut runner).unwrap().current();
        let mut course = Course::new();
        wishes.iter().for_each(|wish| course.step(wish));
        told.append(&mut course.told);
    }
    for line in [
        "step  claimed for provision after  failures: creating",
        "step  claimed for hibernate after  failures: stopping",
        "step  claimed for restore after  failures: starting",
        "step  claimed for deprovision after  failures: asleep",
        "step  running: running",
        "step  asleep: asleep",
        "step  servicedeleted: asleep",
        "step  failed  times: starting",
        "mail lowcredit of epoch  step : sent",
        "mail paused of epoch  step : sent",
        "mail restored of epoch  step : sent",
        "mail restored of epoch  step : superseded",
        "session s- parked: late of ",
        "session s- parked: amountdiffers",
        "session s- paid",
        "resumed with , forced",
    ] {
        assert!(told.contains(line), "{line:?} is not in {told:#?}");
    }
}
