//! When several rules refuse, the first in the order of `Code` answers.

use super::{Done, Step, Wait};
use crate::command::Command;
use crate::rejection::Code;
use crate::testing::{
    World, anna, close, debit, deposit, grant, items, keyed, minutes, open, open_for, uuid7,
};

/// A command, and what it is refused with once the causes before it are taken away, one after the other.
fn refused(given: &[Step], command: &Command) -> Code {
    World::given(given).ask(command).outcome.unwrap_err().code
}

#[test]
fn the_rules_of_a_debit_are_asked_in_the_order_of_the_codes() {
    let expired = uuid7(-minutes(2 * 24 * 60));
    let ahead = uuid7(minutes(6));
    let too_much = [("1000000000", "1000000"); 17];
    let opened = || Done(open("1"));
    let closed = || vec![opened(), Done(close())];
    let column: Vec<(Vec<Step>, Command)> = vec![
        (vec![], keyed(&expired, debit("0"))),
        (vec![opened(), Done(deposit(&expired, "1")), Done(close())], keyed(&expired, debit("0"))),
        (closed(), keyed(&expired, debit("0"))),
        (closed(), keyed(&ahead, debit("0"))),
        (closed(), debit("0")),
        (vec![opened()], items(&[])),
        (vec![opened()], items(&too_much)),
        (vec![opened()], items(&[("1", "1"); 17])),
        (vec![opened()], items(&[("2", "1"); 16])),
    ];
    let codes: Vec<_> = column.iter().map(|(given, command)| refused(given, command)).collect();
    assert_eq!(
        codes,
        [
            Code::AccountUnknown,
            Code::KeyReused,
            Code::KeyExpired,
            Code::KeyAhead,
            Code::AccountClosed,
            Code::AmountNotPositive,
            Code::AmountTooLarge,
            Code::ItemsCount,
            Code::InsufficientCredit,
        ]
    );
    assert!(codes.is_sorted());
}

#[test]
fn the_rules_of_money_in_are_asked_in_the_order_of_the_codes() {
    let full = || {
        let deposits = (0..1_000).map(|at| Done(deposit(&at.to_string(), "1000000000")));
        [Done(open("0"))].into_iter().chain(deposits).collect::<Vec<_>>()
    };
    let column: Vec<(Vec<Step>, Command)> = vec![
        (vec![], grant("k", "0")),
        (vec![Done(open("1")), Done(deposit("k", "1")), Done(close())], grant("k", "0")),
        (vec![Done(open("1")), Done(close())], grant("k", "0")),
        (full(), grant("k", "0")),
        (full(), grant("k", "2000000000")),
        (full(), grant("k", "1")),
    ];
    let codes: Vec<_> = column.iter().map(|(given, command)| refused(given, command)).collect();
    assert_eq!(
        codes,
        [
            Code::AccountUnknown,
            Code::KeyReused,
            Code::AccountClosed,
            Code::AmountNotPositive,
            Code::AmountTooLarge,
            Code::BalanceTooLarge,
        ]
    );
    assert!(codes.is_sorted());
}

#[test]
fn every_verb_needs_the_app_and_all_but_the_opening_the_account() {
    for command in [open("-1"), deposit("k", "0"), grant("k", "0"), debit("0"), close()] {
        let refused = World::empty().ask(&command).outcome.unwrap_err().code;
        assert_eq!(refused, Code::AppUnknown, "{command:?}");
    }
    for command in [deposit("k", "0"), grant("k", "0"), debit("0"), close()] {
        assert_eq!(refused(&[Done(open_for("bob", "1"))], &command), Code::AccountUnknown, "{command:?}");
    }
}

#[test]
fn a_refused_command_leaves_the_account_as_it_was() {
    let given = [Done(open("1")), Done(deposit("k", "1")), Wait(minutes(1))];
    let mut world = World::given(&given);
    let before = world.ledger.account(&anna()).unwrap().clone();
    for command in [
        debit("0"),
        debit("3"),
        keyed("k", debit("1")),
        keyed(&uuid7(minutes(60)), debit("1")),
        items(&[]),
        deposit("k", "2"),
        grant("g", "0"),
        keyed("k", close()),
    ] {
        let decided = world.ask(&command);
        assert!(decided.outcome.is_err() && decided.events.is_empty(), "{command:?}");
        assert_eq!(world.ledger.account(&anna()), Some(&before));
    }
}
