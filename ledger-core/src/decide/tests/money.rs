//! Amounts, lots, items with carry, fee, opening and closing.

use super::{Done, Refused, Rules, check};
use crate::charge::Charge;
use crate::command::{AddMoney, Command, Debit, Open};
use crate::event::{Event, SourceItem};
use crate::ids::{Scope, SourceName};
use crate::policy::Policy;
use crate::sealed::Sealed;
use crate::testing::{
    START, World, anna, close, debit, deposit, dry, grant, items, key, label, open, tell, usage, usdc,
};

#[test]
fn a_debit_may_spend_everything() {
    let last = "debited 0.1 [0.1 of lot 1] fee 0.005: 0, exhausted";
    check(
        &[Done(open("1")), Done(debit("0.9"))],
        &debit("0.1"),
        &["applied", last, "crossed exhausted at 0 of 1 in epoch 1 by debit"],
    );
}

#[test]
fn a_debit_of_one_credit_more_is_refused_and_leaves_no_event() {
    check(&[Done(open("1"))], &debit("1.000001"), &["refused: insufficient_credit, 1.000001 of 1"]);
}

#[test]
fn of_two_debits_that_only_fit_alone_the_second_is_refused() {
    check(
        &[Done(open("1.1")), Done(debit("0.5")), Done(debit("0.3"))],
        &debit("0.5"),
        &["refused: insufficient_credit, 0.5 of 0.3"],
    );
}

#[test]
fn a_hundred_debits_never_take_more_than_there_is() {
    let mut world = World::given(&[Done(open("1"))]);
    let paid = (0..100).filter(|_| world.ask(&debit("0.03")).outcome.is_ok()).count();
    assert_eq!(paid, 33);
    assert_eq!(world.ledger.account(&anna()).unwrap().balance(), usdc("0.01"));
}

#[test]
fn items_are_charged_in_whole_credits() {
    check(
        &[Done(open("1"))],
        &items(&[("1000", "0.0000025"), ("3", "0.00001")]),
        &["applied", "debited 0.00253 [0.00253 of lot 1] fee 0.000126: 0.99747, healthy"],
    );
}

#[test]
fn the_part_below_a_credit_is_carried_to_the_next_items() {
    check(
        &[Done(open("1")), Done(items(&[("1", "0.0000025")]))],
        &items(&[("1", "0.0000025")]),
        &["applied", "debited 0.000003 [0.000003 of lot 1] fee 0: 0.999995, healthy"],
    );
}

#[test]
fn an_amount_does_not_touch_the_carry() {
    check(
        &[Done(open("1")), Done(items(&[("1", "0.0000009")])), Done(debit("0.1"))],
        &items(&[("1", "0.0000001")]),
        &["applied", "debited 0.000001 [0.000001 of lot 1] fee 0: 0.899999, healthy"],
    );
}

#[test]
fn a_decline_leaves_the_carry_as_it_was() {
    let half = || items(&[("1", "0.0000005")]);
    let mut world = World::given(&[Done(open("0.001")), Done(half())]);
    let carry = world.ledger.account(&anna()).unwrap().carry();
    let declined = world.ask(&items(&[("1", "0.0010007")]));
    assert_eq!(tell(&declined), ["refused: insufficient_credit, 0.001001 of 0.001"]);
    assert_eq!(world.ledger.account(&anna()).unwrap().carry(), carry);
    assert_eq!(
        tell(&world.ask(&half())),
        ["applied", "debited 0.000001 [0.000001 of lot 1] fee 0: 0.000999, healthy"]
    );
}

#[test]
fn a_charge_of_no_whole_credit_is_accepted_while_there_is_credit() {
    check(
        &[Done(open("0.000001"))],
        &items(&[("1", "0.000000000001")]),
        &["applied", "debited 0 [] fee 0: 0.000001, healthy"],
    );
}

#[test]
fn a_charge_of_no_whole_credit_needs_credit() {
    check(
        &[Done(open("0"))],
        &items(&[("1", "0.000000000001")]),
        &["refused: insufficient_credit, 0.000001 of 0"],
    );
}

#[test]
fn an_exact_zero_is_refused_in_every_shape() {
    for nothing in [debit("0"), items(&[]), items(&[("0", "1")]), items(&[("1", "0"), ("0", "0")])] {
        check(&[Done(open("1"))], &nothing, &["refused: amount_not_positive"]);
    }
    check(&[Done(open("1"))], &debit("-0.000001"), &["refused: amount_not_positive"]);
}

#[test]
fn one_charge_has_a_largest_amount_and_a_largest_number_of_items() {
    let most = [("1", "0.000001"); 17];
    check(&[Done(open("1"))], &items(&most), &["refused: items_count"]);
    check(&[Done(open("1"))], &debit("1000000000.000001"), &["refused: amount_too_large"]);
    check(&[Done(open("1"))], &debit("9223372036854.775807"), &["refused: amount_too_large"]);
    check(&[Done(open("1"))], &debit("1000000000"), &["refused: insufficient_credit, 1000000000 of 1"]);
    let huge = vec![("1000000000", "1000000"); 200_000];
    check(&[Done(open("1"))], &items(&huge), &["refused: amount_too_large"]);
}

#[test]
fn a_charge_at_the_limit_can_be_paid_with_a_carry_on_top() {
    check(
        &[Done(open("1000000000")), Done(deposit("d", "1")), Done(items(&[("1", "0.000000999999")]))],
        &items(&[("1000000000", "1")]),
        &[
            "applied",
            "debited 1000000000 [1000000000 of lot 1] fee 50000000: 1, low",
            "crossed low at 1 of 1000000001 in epoch 1 by debit",
        ],
    );
}

#[test]
fn promo_lots_burn_before_paid_ones_whatever_came_first() {
    check(
        &[Done(open("0")), Done(deposit("d", "1")), Done(grant("g", "0.5"))],
        &debit("0.5"),
        &["applied", "debited 0.5 [0.5 of lot 2] fee 0.025: 1, healthy"],
    );
}

#[test]
fn a_debit_over_several_lots_names_each_of_them_in_their_order() {
    let lots =
        [Done(open("0.1")), Done(deposit("d1", "1")), Done(grant("g", "0.2")), Done(deposit("d2", "1"))];
    check(
        &lots,
        &debit("1.5"),
        &[
            "applied",
            "debited 1.5 [0.1 of lot 1, 0.2 of lot 3, 1 of lot 2, 0.2 of lot 4] fee 0.075: 0.8, healthy",
        ],
    );
}

#[test]
fn an_empty_lot_is_forgotten_and_its_number_is_not_used_again() {
    check(
        &[Done(open("1")), Done(debit("1"))],
        &deposit("d", "2"),
        &["applied", "deposited 2 as lot 2: 2 of 2, healthy, epoch 2 begins"],
    );
    check(
        &[Done(open("0"))],
        &grant("g", "2"),
        &["applied", "granted 2 as lot 1: 2 of 2, healthy, epoch 2 begins"],
    );
}

#[test]
fn money_in_must_be_positive_and_keep_to_the_limits() {
    for (amount, refusal) in [
        ("0", "refused: amount_not_positive"),
        ("-1", "refused: amount_not_positive"),
        ("1000000000.000001", "refused: amount_too_large"),
    ] {
        check(&[Done(open("1"))], &deposit("d", amount), &[refusal]);
        check(&[Done(open("1"))], &grant("g", amount), &[refusal]);
    }
    check(&[], &open("-0.000001"), &["refused: amount_not_positive"]);
    check(&[], &open("1000000000.000001"), &["refused: amount_too_large"]);
}

#[test]
fn a_balance_has_a_largest_amount() {
    let mut world = World::given(&[Done(open("1000000000"))]);
    for at in 1..1_000 {
        assert!(world.ask(&deposit(&at.to_string(), "1000000000")).outcome.is_ok());
    }
    assert_eq!(world.ledger.account(&anna()).unwrap().balance(), usdc("1000000000000"));
    assert_eq!(tell(&world.ask(&deposit("one more", "0.000001"))), ["refused: balance_too_large"]);
}

#[test]
fn the_fee_of_many_small_debits_is_the_fee_of_their_sum() {
    let third = Policy { fee_bps: 3_333, ..Policy::default() };
    let one = || Done(debit("0.000001"));
    let debited = |fee, left| format!("debited 0.000001 [0.000001 of lot 1] fee {fee}: {left}, healthy");
    let given = [Rules(third), Done(open("1")), one(), one()];
    check(&given, &debit("0.000001"), &["applied", &debited("0", "0.999997")]);
    let given = [Rules(third), Done(open("1")), one(), one(), one()];
    check(&given, &debit("0.000001"), &["applied", &debited("0.000001", "0.999996")]);
}

#[test]
fn a_fee_may_be_everything_or_nothing() {
    for (fee_bps, fee) in [(0, "0"), (10_000, "0.3")] {
        let rules = Policy { fee_bps, ..Policy::default() };
        let debited = format!("debited 0.3 [0.3 of lot 1] fee {fee}: 0.7, healthy");
        check(&[Rules(rules), Done(open("1"))], &debit("0.3"), &["applied", &debited]);
    }
}

#[test]
fn a_closed_account_keeps_its_balance_and_refuses_debits_and_grants() {
    let closed = || [Done(open("1")), Done(debit("0.3")), Done(close())];
    check(&[Done(open("1")), Done(debit("0.3"))], &close(), &["applied", "closed with 0.7"]);
    check(&closed(), &debit("0.1"), &["refused: account_closed"]);
    check(&closed(), &dry(debit("0.1")), &["refused: account_closed"]);
    check(&closed(), &grant("g", "1"), &["refused: account_closed"]);
}

#[test]
fn a_closed_account_still_takes_deposits() {
    check(
        &[Done(open("1")), Done(close())],
        &deposit("d", "1"),
        &["applied", "deposited 1 as lot 2: 2 of 2, healthy"],
    );
}

#[test]
fn closing_again_and_opening_again_change_nothing() {
    check(&[Done(open("1")), Done(close())], &close(), &["unchanged"]);
    check(&[Done(open("1"))], &open("50"), &["unchanged"]);
    check(&[Done(open("1")), Done(close())], &open("1"), &["unchanged"]);
    check(&[Done(open("1"))], &open("-1"), &["unchanged"]);
}

#[test]
fn a_dry_run_tells_what_would_happen_and_does_nothing() {
    let steps = || [Done(open("1")), Done(dry(debit("0.9")))];
    check(&steps()[..1], &dry(debit("0.9")), &["would charge 0.9, leaving 0.1"]);
    check(&steps(), &debit("0.5"), &["applied", "debited 0.5 [0.5 of lot 1] fee 0.025: 0.5, healthy"]);
    let short = [Done(open("1")), Refused(dry(debit("2")))];
    check(&short, &dry(debit("2")), &["refused: insufficient_credit, 2 of 1"]);
}

#[test]
fn events_hold_all_that_was_asked() {
    let sealed = || Some(Sealed::plain(r#"{"email":"anna@example.org"}"#));
    let mut world = World::new();
    let (account, actor, profile) = (anna(), label("ops"), sealed());
    let ask = Open { account, key: Some(key("o")), initial_balance: usdc("5"), actor, profile };
    let opened = world.ask(&Command::Open(ask)).events;
    let [Event::AccountOpened(event)] = opened.as_slice() else { panic!("{opened:?}") };
    let seen = (event.key.clone(), event.actor.clone(), event.profile.clone());
    assert_eq!(seen, (Some(key("o")), label("ops"), sealed()));

    let ask = AddMoney {
        account: anna(),
        key: key("d"),
        amount: usdc("1"),
        actor: label("stripe"),
        metadata: sealed(),
    };
    let deposited = world.ask(&Command::Deposit(ask)).events;
    let [Event::Deposited(event)] = deposited.as_slice() else { panic!("{deposited:?}") };
    let seen = (event.key.clone(), event.actor.clone(), event.metadata.clone(), event.priority);
    assert_eq!(seen, (key("d"), label("stripe"), sealed(), 100));

    let mut asked = usage(anna(), Charge::Amount(usdc("0.007")));
    asked.key = Some(key("u"));
    asked.item = Some(SourceItem { source: SourceName::new("s").unwrap(), number: 3 });
    asked.scope = Some(Scope::new("agent:planner").unwrap());
    asked.occurred_at = Some(START);
    asked.metadata = sealed();
    let debited = world.ask(&Command::Debit(Debit { usage: asked.clone(), dry_run: false })).events;
    let [Event::Debited(event)] = debited.as_slice() else { panic!("{debited:?}") };
    assert_eq!(event.usage, asked);
}

#[test]
fn an_account_has_so_many_lots_and_a_debit_over_all_of_them_fits_into_a_message() {
    let mut world = World::given(&[Done(open("0"))]);
    for number in 0..crate::account::LOTS_MAX {
        assert!(world.ask(&grant(&format!("g{number}"), "0.000001")).outcome.is_ok());
    }
    let full = world.ask(&deposit("one-more", "1")).outcome.unwrap_err();
    assert_eq!(full.code, crate::rejection::Code::LotsFull);
    let all = world.ask(&debit("0.01"));
    let mut commit = crate::commit::CommitBuilder::default();
    all.events.iter().for_each(|event| commit.push(event));
    assert!(commit.size() + crate::commit::COMMIT_BYTES_MAX < 1_000_000, "{}", commit.size());
    assert!(world.ask(&deposit("one-more", "1")).outcome.is_ok(), "spent lots make room");
}
