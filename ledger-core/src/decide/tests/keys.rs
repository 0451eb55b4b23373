//! Keys: the same act has one outcome, another act needs another key, an old key never looks new.

use super::{Done, Refused, Rules, Step, Wait, check};
use crate::command::Command;
use crate::event::Usage;
use crate::ids::{Meter, Scope};
use crate::policy::Policy;
use crate::sealed::Sealed;
use crate::testing::{
    START, World, close, debit, deposit, dry, grant, items, keyed, minutes, open, tell, uuid7,
};

const DAY: i64 = 24 * 60;

fn paid(key: &str) -> Command {
    keyed(key, debit("0.1"))
}

const DEBITED: [&str; 2] = ["applied", "debited 0.1 [0.1 of lot 1] fee 0.005: 0.9, healthy"];

#[test]
fn the_same_act_with_the_same_key_has_its_first_outcome() {
    check(&[Done(open("1")), Done(paid("k"))], &paid("k"), &["duplicate of 0-3-0"]);
    let money = [Done(open("1")), Done(deposit("d", "1")), Done(grant("g", "1"))];
    check(&money, &deposit("d", "1"), &["duplicate of 0-3-0"]);
    check(&money, &grant("g", "1"), &["duplicate of 0-4-0"]);
    let closed = [Done(open("1")), Done(keyed("c", close()))];
    check(&closed, &keyed("c", close()), &["duplicate of 0-3-0"]);
}

#[test]
fn the_first_outcome_is_told_again_even_when_it_would_be_refused_now() {
    let closed = [Done(open("1")), Done(paid("k")), Done(grant("g", "1")), Done(close())];
    check(&closed, &paid("k"), &["duplicate of 0-3-0"]);
    check(&closed, &grant("g", "1"), &["duplicate of 0-4-0"]);
    let empty = [Done(open("0.1")), Done(paid("k"))];
    check(&empty, &paid("k"), &["duplicate of 0-3-0"]);
}

#[test]
fn a_key_used_for_another_content_is_refused() {
    let given = || [Done(open("1")), Done(paid("k")), Done(deposit("d", "1"))];
    check(&given(), &keyed("k", debit("0.2")), &["refused: key_reused"]);
    check(&given(), &keyed("k", items(&[("1", "0.1")])), &["refused: key_reused"]);
    check(&given(), &deposit("d", "2"), &["refused: key_reused"]);
}

#[test]
fn every_part_of_an_item_belongs_to_the_content() {
    let given = || [Done(open("1")), Done(keyed("k", items(&[("2", "0.1")])))];
    check(&given(), &keyed("k", items(&[("2", "0.1")])), &["duplicate of 0-3-0"]);
    let others: [&[(&str, &str)]; 4] =
        [&[("2", "0.2")], &[("1", "0.1")], &[("1", "0.2")], &[("2", "0.1"), ("2", "0.1")]];
    for other in others {
        check(&given(), &keyed("k", items(other)), &["refused: key_reused"]);
    }
}

fn changed(change: impl FnOnce(&mut Usage)) -> Command {
    let Command::Debit(mut debit) = paid("k") else { panic!("a debit") };
    change(&mut debit.usage);
    Command::Debit(debit)
}

#[test]
fn whatever_stands_in_the_event_belongs_to_the_content() {
    for other in [
        changed(|usage| usage.meter = Meter::new("chat").unwrap()),
        changed(|usage| usage.scope = Some(Scope::new("agent").unwrap())),
        changed(|usage| usage.occurred_at = Some(START)),
        changed(|usage| usage.metadata = Some(Sealed::plain("{}"))),
    ] {
        check(&[Done(open("1")), Done(paid("k"))], &other, &["refused: key_reused"]);
    }
}

#[test]
fn the_scope_of_a_key_is_the_account_over_all_verbs() {
    let given = || [Done(keyed("o", open("1"))), Done(paid("k")), Done(deposit("d", "1"))];
    for other in [
        deposit("k", "0.1"),
        grant("k", "0.1"),
        keyed("k", close()),
        keyed("d", debit("1")),
        grant("d", "1"),
        keyed("d", close()),
        deposit("o", "1"),
        keyed("o", debit("1")),
    ] {
        check(&given(), &other, &["refused: key_reused"]);
    }
    let closed = [Done(open("1")), Done(keyed("c", close()))];
    check(&closed, &deposit("c", "1"), &["refused: key_reused"]);
}

#[test]
fn two_accounts_may_use_the_same_key() {
    let mut world = World::given(&[Done(open("1")), Done(paid("k"))]);
    world.ask(&crate::testing::open_for("bob", "1"));
    let Command::Debit(mut debit) = paid("k") else { panic!("a debit") };
    debit.usage.account = crate::testing::user("bob");
    assert_eq!(tell(&world.ask(&Command::Debit(debit))), DEBITED);
}

#[test]
fn a_debit_without_a_key_is_a_new_one_each_time() {
    check(
        &[Done(open("1.1")), Done(debit("0.1"))],
        &debit("0.1"),
        &["applied", "debited 0.1 [0.1 of lot 1] fee 0.005: 0.9, healthy"],
    );
}

#[test]
fn the_key_of_a_declined_debit_is_decided_afresh() {
    let given = [Done(open("0.05")), Refused(paid("k")), Done(deposit("d", "1"))];
    let debited = "debited 0.1 [0.05 of lot 1, 0.05 of lot 2] fee 0.005: 0.95, healthy";
    check(&given, &paid("k"), &["applied", debited]);
}

#[test]
fn the_key_of_a_debit_that_dusted_is_decided_afresh() {
    let given = [Done(open("0.15")), Done(debit("0.1")), Refused(paid("k")), Done(deposit("d", "1"))];
    let debited = "debited 0.1 [0.05 of lot 1, 0.05 of lot 2] fee 0.005: 0.95, healthy";
    check(&given, &paid("k"), &["applied", debited]);
}

#[test]
fn a_dry_run_uses_no_key_and_knows_used_ones() {
    check(&[Done(open("1")), Done(dry(paid("k")))], &paid("k"), &DEBITED);
    check(&[Done(open("1")), Done(paid("k"))], &dry(paid("k")), &["duplicate of 0-3-0"]);
    check(&[Done(open("1")), Done(paid("k"))], &dry(keyed("k", debit("1"))), &["refused: key_reused"]);
}

fn after(wait: i64, given: [Step; 2]) -> Vec<Step> {
    given.into_iter().chain([Wait(wait)]).collect()
}

#[test]
fn the_key_of_money_in_is_remembered_for_ever() {
    let given = after(minutes(1_000 * DAY), [Done(open("1")), Done(deposit("d", "1"))]);
    check(&given, &deposit("d", "1"), &["duplicate of 0-3-0"]);
    check(&given, &deposit("d", "2"), &["refused: key_reused"]);
    check(&given, &keyed("d", debit("1")), &["refused: key_reused"]);
}

#[test]
fn a_key_of_usage_is_remembered_for_the_whole_window() {
    let given = after(minutes(DAY), [Done(open("1")), Done(paid("k"))]);
    check(&given, &paid("k"), &["duplicate of 0-3-0"]);
}

#[test]
fn a_plain_key_of_usage_is_forgotten_after_the_window() {
    let given = after(minutes(DAY + 66), [Done(open("1.1")), Done(paid("k"))]);
    check(&given, &paid("k"), &DEBITED);
}

#[test]
fn a_uuid_key_is_a_duplicate_as_long_as_it_is_known_and_expired_after_that() {
    let key = uuid7(0);
    for (wait, told) in [
        (0, "duplicate of 0-3-0"),
        (DAY, "duplicate of 0-3-0"),
        (DAY + 64, "duplicate of 0-3-0"),
        (DAY + 65, "refused: key_expired"),
        (1_000 * DAY, "refused: key_expired"),
    ] {
        check(&after(minutes(wait), [Done(open("1")), Done(paid(&key))]), &paid(&key), &[told]);
    }
}

#[test]
fn a_new_uuid_key_must_be_inside_the_window() {
    let day = minutes(DAY);
    for (own_time, told) in [
        (-day, DEBITED.as_slice()),
        (-day - 1_000, &["refused: key_expired"]),
        (minutes(5), &DEBITED),
        (minutes(5) + 1_000, &["refused: key_ahead"]),
    ] {
        check(&[Done(open("1"))], &paid(&uuid7(own_time)), told);
    }
}

#[test]
fn the_own_time_of_a_key_of_money_in_does_not_matter() {
    for own_time in [-minutes(DAY) * 100, minutes(DAY)] {
        let told = ["applied", "deposited 1 as lot 2: 2 of 2, healthy"];
        check(&[Done(open("1"))], &deposit(&uuid7(own_time), "1"), &told);
    }
}

#[test]
fn a_longer_window_does_not_make_an_expired_key_look_new() {
    let hours = |key_window_hours| Rules(Policy { key_window_hours, ..Policy::default() });
    let key = uuid7(0);
    let given =
        [hours(1), Done(open("1")), Done(paid(&key)), Wait(minutes(300)), Done(debit("0.1")), hours(168)];
    check(&given, &paid(&key), &["refused: key_expired"]);
    check(&given, &paid(&uuid7(minutes(239))), &["refused: key_expired"]);
}

#[test]
fn a_shorter_window_refuses_from_its_first_moment() {
    let hours = |key_window_hours| Rules(Policy { key_window_hours, ..Policy::default() });
    let given = [Done(open("1")), Wait(minutes(300)), hours(1)];
    check(&given, &paid(&uuid7(minutes(239))), &["refused: key_expired"]);
    check(&given, &paid(&uuid7(minutes(240))), &DEBITED);
}

#[test]
fn a_key_sent_ahead_of_its_time_can_not_be_charged_again_when_it_is_late() {
    let key = uuid7(minutes(5));
    for wait in (0..3 * DAY).step_by(7) {
        let mut world = World::given(&after(minutes(wait), [Done(open("1")), Done(paid(&key))]));
        let told = tell(&world.ask(&paid(&key)));
        assert!(told == ["duplicate of 0-3-0"] || told == ["refused: key_expired"], "{wait}: {told:?}");
    }
}
