//! Baseline, levels, epochs, crossings, and what a decline does to them.

use super::{Done, Refused, Rules, Step, check};
use crate::command::Command;
use crate::policy::{OnDecline, Policy};
use crate::testing::{World, anna, close, debit, deposit, dry, grant, items, open, tell, usdc};

#[test]
fn a_deposit_sets_the_baseline_to_the_balance_after_it() {
    check(
        &[Done(open("10")), Done(debit("7"))],
        &deposit("d", "1"),
        &["applied", "deposited 1 as lot 2: 4 of 4, healthy"],
    );
}

#[test]
fn a_small_promo_does_not_become_the_new_100_percent() {
    check(
        &[Done(open("10")), Done(debit("9"))],
        &grant("g", "0.10"),
        &["applied", "granted 0.1 as lot 2: 1.1 of 10, low"],
    );
}

#[test]
fn a_grant_above_the_baseline_lifts_it() {
    check(
        &[Done(open("10")), Done(debit("1"))],
        &grant("g", "5"),
        &["applied", "granted 5 as lot 2: 14 of 14, healthy"],
    );
}

#[test]
fn a_balance_at_the_line_is_low_and_one_credit_above_it_is_not() {
    check(
        &[Done(open("1"))],
        &debit("0.799999"),
        &["applied", "debited 0.799999 [0.799999 of lot 1] fee 0.039999: 0.200001, healthy"],
    );
    check(
        &[Done(open("1"))],
        &debit("0.8"),
        &[
            "applied",
            "debited 0.8 [0.8 of lot 1] fee 0.04: 0.2, low",
            "crossed low at 0.2 of 1 in epoch 1 by debit",
        ],
    );
}

#[test]
fn a_fall_from_healthy_to_exhausted_passes_both_lines() {
    check(
        &[Done(open("1"))],
        &debit("1"),
        &[
            "applied",
            "debited 1 [1 of lot 1] fee 0.05: 0, exhausted",
            "crossed low at 0 of 1 in epoch 1 by debit",
            "crossed exhausted at 0 of 1 in epoch 1 by debit",
        ],
    );
}

#[test]
fn a_line_is_passed_once_in_an_epoch() {
    check(
        &[Done(open("1")), Done(debit("0.8"))],
        &debit("0.1"),
        &["applied", "debited 0.1 [0.1 of lot 1] fee 0.005: 0.1, low"],
    );
}

#[test]
fn after_a_top_up_the_lines_are_passed_again_in_a_new_epoch() {
    let low = || vec![Done(open("1")), Done(debit("0.8"))];
    let topped = "deposited 1 as lot 2: 1.2 of 1.2, healthy, epoch 2 begins";
    check(&low(), &deposit("d", "1"), &["applied", topped]);
    let mut given = low();
    given.push(Done(deposit("d", "1")));
    check(
        &given,
        &debit("1"),
        &[
            "applied",
            "debited 1 [0.2 of lot 1, 0.8 of lot 2] fee 0.05: 0.2, low",
            "crossed low at 0.2 of 1.2 in epoch 2 by debit",
        ],
    );
}

#[test]
fn money_that_does_not_lift_the_level_begins_no_epoch() {
    check(&[Done(open("1"))], &deposit("d", "1"), &["applied", "deposited 1 as lot 2: 2 of 2, healthy"]);
}

#[test]
fn a_grant_may_lift_an_exhausted_account_only_to_low() {
    let given = || vec![Done(open("10")), Done(debit("10")), Done(grant("g", "1"))];
    check(&given()[..2], &grant("g", "1"), &["applied", "granted 1 as lot 2: 1 of 10, low, epoch 2 begins"]);
    check(
        &given(),
        &debit("1"),
        &[
            "applied",
            "debited 1 [1 of lot 2] fee 0.05: 0, exhausted",
            "crossed exhausted at 0 of 10 in epoch 2 by debit",
        ],
    );
}

#[test]
fn an_account_that_opens_at_zero_is_exhausted_without_a_crossing() {
    check(&[], &open("0"), &["applied", "anna opened with 0: exhausted"]);
    check(&[Done(open("0"))], &debit("0.1"), &["refused: insufficient_credit, 0.1 of 0"]);
}

/// 0.005 is left of 0.705 after a hundred debits of 0.007.
fn dust() -> Vec<Step> {
    let mut given = vec![Done(open("0.705"))];
    given.extend((0..100).map(|_| Done(debit("0.007"))));
    given
}

const DUSTED: [&str; 3] = [
    "refused: insufficient_credit, 0.007 of 0.005",
    "declined: insufficient_credit, dusted, balance 0.005",
    "crossed exhausted at 0.005 of 0.705 in epoch 1 by decline",
];

#[test]
fn a_decline_with_less_left_than_the_smallest_charge_exhausts_the_account() {
    check(&dust(), &debit("0.007"), &DUSTED);
}

#[test]
fn a_decline_with_more_left_than_the_smallest_charge_changes_nothing() {
    let given = [Done(open("1")), Done(debit("0.007"))];
    check(&given, &debit("1"), &["refused: insufficient_credit, 1 of 0.993"]);
    let exactly = [Done(open("1")), Done(debit("0.5"))];
    check(&exactly, &debit("0.6"), &["refused: insufficient_credit, 0.6 of 0.5"]);
}

#[test]
fn an_account_that_never_paid_is_not_dusted() {
    check(&[Done(open("0.005"))], &debit("0.007"), &["refused: insufficient_credit, 0.007 of 0.005"]);
}

#[test]
fn a_charge_of_no_whole_credit_is_not_the_smallest_charge() {
    let given = [Done(open("0.01")), Done(debit("0.007")), Done(items(&[("1", "0.0000001")]))];
    check(
        &given,
        &debit("0.007"),
        &[
            "refused: insufficient_credit, 0.007 of 0.003",
            "declined: insufficient_credit, dusted, balance 0.003",
            "crossed low at 0.003 of 0.01 in epoch 1 by decline",
            "crossed exhausted at 0.003 of 0.01 in epoch 1 by decline",
        ],
    );
}

#[test]
fn in_an_epoch_without_a_charge_the_last_one_with_a_charge_counts() {
    let mut given = vec![Done(open("1")), Done(debit("0.5")), Done(debit("0.5"))];
    given.extend([Done(grant("g1", "0.1")), Refused(debit("0.5"))]);
    given.push(Done(grant("g2", "0.1")));
    let crossed = "crossed exhausted at 0.2 of 1 in epoch 3 by decline";
    let declined = "declined: insufficient_credit, dusted, balance 0.2";
    check(&given, &debit("0.5"), &["refused: insufficient_credit, 0.5 of 0.2", declined, crossed]);
}

#[test]
fn in_an_epoch_with_a_charge_only_its_own_smallest_counts() {
    let given = [
        Done(open("1")),
        Done(debit("0.5")),
        Done(debit("0.5")),
        Done(grant("g", "0.2")),
        Done(debit("0.01")),
    ];
    check(&given, &debit("0.5"), &["refused: insufficient_credit, 0.5 of 0.19"]);
}

#[test]
fn a_dusted_account_is_not_dusted_again() {
    let mut given = dust();
    given.push(Refused(debit("0.007")));
    check(&given, &debit("0.007"), &[DUSTED[0]]);
}

#[test]
fn a_dusted_account_still_pays_what_it_can_and_stays_exhausted() {
    let mut given = dust();
    given.push(Refused(debit("0.007")));
    let debited = "debited 0.004 [0.004 of lot 1] fee 0.0002: 0.001, exhausted";
    check(&given, &debit("0.004"), &["applied", debited]);
}

#[test]
fn any_money_in_ends_dust() {
    for (money, told) in [
        (deposit("d", "0.001"), "deposited 0.001 as lot 2: 0.006 of 0.006, healthy, epoch 2 begins"),
        (grant("g", "0.001"), "granted 0.001 as lot 2: 0.006 of 0.705, low, epoch 2 begins"),
    ] {
        let mut given = dust();
        given.push(Refused(debit("0.007")));
        check(&given, &money, &["applied", told]);
    }
}

#[test]
fn a_dry_run_never_dusts() {
    check(&dust(), &dry(debit("0.007")), &[DUSTED[0]]);
    let mut given = dust();
    given.push(Refused(dry(debit("0.007"))));
    check(&given, &debit("0.007"), &DUSTED);
}

#[test]
fn only_a_want_of_credit_dusts() {
    check(&dust(), &debit("0"), &["refused: amount_not_positive"]);
    check(&dust(), &debit("2000000000"), &["refused: amount_too_large"]);
    let mut closed = dust();
    closed.push(Done(close()));
    check(&closed, &debit("0.007"), &["refused: account_closed"]);
}

fn on_decline(on_decline: OnDecline) -> Step {
    Rules(Policy { on_decline, ..Policy::default() })
}

#[test]
fn the_policy_ignore_never_exhausts_by_a_decline() {
    let mut given = dust();
    given.push(on_decline(OnDecline::Ignore));
    check(&given, &debit("0.007"), &[DUSTED[0]]);
}

#[test]
fn the_policy_exhaust_exhausts_by_every_decline() {
    check(
        &[on_decline(OnDecline::Exhaust), Done(open("1"))],
        &debit("2"),
        &[
            "refused: insufficient_credit, 2 of 1",
            "declined: insufficient_credit, dusted, balance 1",
            "crossed low at 1 of 1 in epoch 1 by decline",
            "crossed exhausted at 1 of 1 in epoch 1 by decline",
        ],
    );
    let empty = [on_decline(OnDecline::Exhaust), Done(open("0"))];
    check(&empty, &debit("2"), &["refused: insufficient_credit, 2 of 0"]);
}

fn low_at(low_percent: u8) -> Step {
    Rules(Policy { low_percent, ..Policy::default() })
}

fn half_spent(then: Step) -> Vec<Step> {
    vec![Done(open("1")), Done(debit("0.5")), then]
}

#[test]
fn a_changed_policy_moves_no_level_by_itself() {
    let world = World::given(&half_spent(low_at(90)));
    let account = world.ledger.account(&anna()).unwrap();
    assert_eq!((format!("{:?}", account.level()), account.balance()), ("Healthy".to_owned(), usdc("0.5")));
}

#[test]
fn a_changed_policy_applies_at_the_next_event() {
    let next: [(Command, &[&str]); 3] = [
        (
            debit("0.1"),
            &[
                "applied",
                "debited 0.1 [0.1 of lot 1] fee 0.005: 0.4, low",
                "crossed low at 0.4 of 1 in epoch 1 by debit",
            ],
        ),
        (
            grant("g", "0.1"),
            &[
                "applied",
                "granted 0.1 as lot 2: 0.6 of 1, low",
                "crossed low at 0.6 of 1 in epoch 1 by policy",
            ],
        ),
        (deposit("d", "0.1"), &["applied", "deposited 0.1 as lot 2: 0.6 of 0.6, healthy"]),
    ];
    for (command, told) in next {
        check(&half_spent(low_at(90)), &command, told);
    }
}

#[test]
fn a_debit_may_lift_the_level_when_the_policy_did_and_the_charge_counts_in_the_new_epoch() {
    let given = || vec![Done(open("1")), Done(debit("0.8")), low_at(5)];
    let lifted = "debited 0.1 [0.1 of lot 1] fee 0.005: 0.1, healthy, epoch 2 begins";
    check(&given(), &debit("0.1"), &["applied", lifted]);
    let mut world = World::given(&given());
    world.ask(&debit("0.11"));
    assert_eq!(
        tell(&world.ask(&debit("0.5")))[1..],
        [
            "declined: insufficient_credit, dusted, balance 0.09",
            "crossed low at 0.09 of 1 in epoch 2 by decline",
            "crossed exhausted at 0.09 of 1 in epoch 2 by decline"
        ]
    );
}

#[test]
fn at_zero_percent_both_lines_are_passed_with_the_last_credit() {
    let given = [low_at(0), Done(open("1")), Done(debit("0.999999"))];
    check(
        &given,
        &debit("0.000001"),
        &[
            "applied",
            "debited 0.000001 [0.000001 of lot 1] fee 0.000001: 0, exhausted",
            "crossed low at 0 of 1 in epoch 1 by debit",
            "crossed exhausted at 0 of 1 in epoch 1 by debit",
        ],
    );
}
