//! Evolve trusts the outcome of an event, and refuses one that can not have happened in the state before it.

use crate::command::Command;
use crate::event::{
    AccountClosed, Crossed, Debited, Declined, Event, MoneyIn, PolicySet, Slice, Slices, SourceMarked,
};
use crate::ids::{PartitionId, Position, SourceName};
use crate::level::Level;
use crate::money::{BALANCE_MAX, Usdc};
use crate::policy::Policy;
use crate::testing::upkeep::{claim, set};
use crate::testing::{START, World, anna, app, close, debit, deposit, grant, keyed, open, usdc, user};
use crate::time::Timestamp;
use crate::upkeep::Phase;

/// The world after these commands, and the event that the last one would make next.
fn about_to(given: &[Command], last: &Command) -> (World, Event) {
    let mut world = World::new();
    for command in given {
        assert!(world.ask(command).outcome.is_ok());
    }
    world.begin();
    let event = crate::decide(&world.ledger, last).events.remove(0);
    (world, event)
}

/// What is wrong with the event; `None` when it is taken.
fn wrong((mut world, event): (World, Event)) -> Option<&'static str> {
    let position = Position { partition: PartitionId(0), sequence: world.sequence, index: 0 };
    world.ledger.evolve(position, &event).err().map(|illegal| illegal.reason)
}

fn paid(change: impl FnOnce(&mut Debited)) -> Option<&'static str> {
    let (world, mut event) = about_to(&[open("1"), deposit("d", "1")], &debit("1.5"));
    let Event::Debited(debited) = &mut event else { panic!("{event:?}") };
    change(debited);
    wrong((world, event))
}

fn added(change: impl FnOnce(&mut MoneyIn)) -> Option<&'static str> {
    let (world, mut event) = about_to(&[open("1"), debit("0.9")], &deposit("d", "1"));
    let Event::Deposited(money) = &mut event else { panic!("{event:?}") };
    change(money);
    wrong((world, event))
}

#[test]
fn a_debit_that_can_not_have_happened_is_refused() {
    let taken = |lot, amount| Slice { lot, amount };
    let split = "what is charged is the charge and the carry";
    let sum = "the lots pay what is charged";
    assert_eq!(paid(|_| ()), None);
    assert_eq!(paid(|event| event.usage.account = user("bob")), Some("the account was opened before"));
    assert_eq!(paid(|event| event.charged = usdc("1.4")), Some(split));
    assert_eq!(paid(|event| event.fee = usdc("0.1")), Some("the fee follows the policy in force"));
    assert_eq!(paid(|event| event.usage.charge = crate::Charge::Amount(usdc("1.4"))), Some(split));
    assert_eq!(
        paid(|event| event.usage.charge = crate::Charge::Items(vec![])),
        Some("a charge is more than nothing")
    );
    assert_eq!(
        paid(|event| event.usage.charge = crate::Charge::Amount(usdc("2000000000"))),
        Some("a charge keeps to its limit")
    );
    assert_eq!(
        paid(|event| event.balance = usdc("0.4")),
        Some("the balance after a debit is the difference")
    );
    assert_eq!(paid(|event| event.slices = Slices::new()), Some(sum));
    assert_eq!(paid(|event| event.slices = Slices::from_elem(taken(1, usdc("1")), 1)), Some(sum));
    assert_eq!(paid(|event| event.slices = Slices::from_elem(taken(1, BALANCE_MAX), 20)), Some(sum));
    for slices in [
        vec![taken(1, usdc("1.5"))],
        vec![taken(1, usdc("1")), taken(3, usdc("0.5"))],
        vec![taken(1, usdc("1")), taken(1, usdc("0.5"))],
        vec![taken(1, usdc("1")), taken(2, usdc("0.5")), taken(2, Usdc::ZERO)],
        vec![taken(1, usdc("1")), taken(2, usdc("0.6")), taken(2, usdc("-0.1"))],
    ] {
        assert_eq!(
            paid(|event| event.slices = slices.clone().into()),
            Some("a lot pays what it has"),
            "{slices:?}"
        );
    }
    assert_eq!(paid(|event| event.epoch_started = Some(2)), Some("an epoch starts when the level rises"));
}

#[test]
fn money_in_that_can_not_have_happened_is_refused() {
    assert_eq!(added(|_| ()), None);
    assert_eq!(added(|event| event.account = user("bob")), Some("the account was opened before"));
    assert_eq!(added(|event| event.amount = Usdc::ZERO), Some("money in is more than nothing"));
    assert_eq!(added(|event| event.amount = usdc("1.1")), Some("the balance after money in is the sum"));
    assert_eq!(
        added(|event| event.amount = Usdc::from_credits(i64::MAX)),
        Some("the balance after money in is the sum")
    );
    assert_eq!(added(|event| event.lot = 3), Some("lots are counted without a gap"));
    assert_eq!(added(|event| event.epoch_started = None), Some("an epoch starts when the level rises"));
    assert_eq!(added(|event| event.epoch_started = Some(3)), Some("epochs are counted without a gap"));
}

#[test]
fn a_closed_account_takes_only_deposits() {
    let closed = |event: Event| {
        let mut world = World::new();
        world.ask(&open("1"));
        world.ask(&close());
        wrong((world, event))
    };
    let next = |command: &Command| about_to(&[open("1")], command).1;
    assert_eq!(closed(next(&deposit("d", "1"))), None);
    assert_eq!(closed(next(&grant("g", "1"))), Some("a closed account is given nothing"));
    assert_eq!(closed(next(&debit("1"))), Some("a closed account pays for nothing"));
    assert_eq!(closed(next(&close())), Some("an account is closed once"));
}

#[test]
fn other_events_that_can_not_have_happened_are_refused() {
    let opened = || {
        let mut world = World::new();
        world.ask(&open("1"));
        world
    };
    let next = |command: &Command| about_to(&[], command).1;
    assert_eq!(wrong((opened(), next(&open("1")))), Some("an account is opened once"));
    let Event::Debited(Debited { usage, .. }) = about_to(&[open("1")], &debit("1")).1 else { panic!() };
    let code = crate::Code::InsufficientCredit;
    let declined = Event::Declined(Declined { usage, code, dusted: true, balance: usdc("2") });
    assert_eq!(wrong((opened(), declined)), Some("a decline leaves the balance"));
    let actor = crate::testing::label("test");
    let shut = Event::AccountClosed(AccountClosed { account: anna(), key: None, balance: usdc("2"), actor });
    assert_eq!(wrong((opened(), shut)), Some("closing leaves the balance"));
    let policy = Event::PolicySet(PolicySet { app: app(), number: 3, policy: Policy::default() });
    assert_eq!(wrong((opened(), policy)), Some("policies are counted without a gap"));
}

#[test]
fn a_crossing_follows_the_fall_it_tells_of() {
    let crossed = |epoch, given: &[Command]| {
        let mut world = World::new();
        given.iter().for_each(|command| drop(world.ask(command)));
        let (line, reason) = (crate::level::Line::Low, crate::event::CrossingReason::Debit);
        let (account, balance, baseline) = (anna(), usdc("0.2"), usdc("1"));
        wrong((world, Event::Crossed(Crossed { account, line, balance, baseline, epoch, reason })))
    };
    let low = [open("1"), debit("0.8")];
    assert_eq!(crossed(1, &low), None);
    assert_eq!(crossed(1, &low[..1]), Some("a crossing follows what made the level fall"));
    assert_eq!(crossed(2, &low), Some("a crossing belongs to the epoch it happens in"));
}

#[test]
fn the_mark_of_a_source_only_rises() {
    let mark = |to| {
        let (app, source, digest) = (app(), SourceName::new("s").unwrap(), crate::commit::Hash::ZERO);
        Event::SourceMarked(SourceMarked { app, source, to, digest })
    };
    let mut world = World::new();
    world.begin();
    world.take(0, &[mark(3)]);
    assert_eq!(wrong((world, mark(3))), Some("the mark of a source only rises"));
}

#[test]
fn a_log_begins_once() {
    let genesis = || {
        let (log, slots) = (crate::LogId([1; 16]), crate::slots::SlotMap::even(1));
        Event::Genesis(crate::event::Genesis { log, format: 1, partitions: 1, slots })
    };
    let mut world = World::empty();
    world.begin();
    world.take(0, &[genesis()]);
    assert_eq!(wrong((world, genesis())), Some("a log begins once"));
}

#[test]
fn the_outcome_of_an_event_stands_whatever_the_rules_say_now() {
    assert_eq!(paid(|event| event.level = Level::Exhausted), None);
    assert_eq!(added(|event| event.baseline = usdc("100")), None);
}

#[test]
fn the_end_of_time_does_no_harm() {
    let mut world = World::new();
    world.ask(&open("1"));
    for now in [Timestamp(i64::MAX - 1), Timestamp(i64::MAX), START] {
        world.now = now;
        world.ask(&keyed("k", debit("0.1")));
        world.ask(&debit("0.1"));
    }
    assert_eq!(world.ledger.time(), Timestamp(i64::MAX));
}

/// Their claims left a container as it stood; what they wrote stays readable, and stands as they meant it.
#[test]
fn claims_of_older_programs_move_nothing() {
    let given = [open("5"), set("image:1")];
    let phase_told = |told| {
        let (mut world, mut event) = about_to(&given, &claim("w1"));
        let Event::LifecycleStepped(stepped) = &mut event else { panic!("{event:?}") };
        stepped.phase = told;
        let position = Position { partition: PartitionId(0), sequence: world.sequence, index: 0 };
        world.ledger.evolve(position, &event).map_err(|illegal| illegal.reason)?;
        Ok(world.ledger.account(&anna()).unwrap().container().unwrap().phase)
    };
    assert_eq!(phase_told(Phase::Absent), Ok(Phase::Absent));
    assert_eq!(phase_told(Phase::Creating), Ok(Phase::Creating));
    assert_eq!(phase_told(Phase::Starting), Err("the phase follows from the step"));
}
