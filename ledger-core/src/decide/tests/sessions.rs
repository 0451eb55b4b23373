//! Checkout sessions: money comes in once, as much as was asked for or as a person says, and none goes unseen.

use super::{Done, Step as Given, Wait, check};
use crate::command::{CheckoutOutcome, Command};
use crate::money::AMOUNT_MAX;
use crate::testing::upkeep::{EXPIRED, credited, paid, session, session_of, settles, settles_of};
use crate::testing::{World, anna, close, debit, deposit, keyed, minutes, open, open_for, tell, usdc, user};
use crate::upkeep::{CHECKOUTS_MAX, ParkReason};
use CheckoutOutcome::Dismissed;

const CANCELLED: CheckoutOutcome = CheckoutOutcome::Ended(ParkReason::Cancelled);

/// An account with 1 and a session of 5.
fn opened() -> Vec<Given> {
    vec![Done(open("1")), Done(session("s-1", "5"))]
}

fn and(mut given: Vec<Given>, more: impl IntoIterator<Item = Command>) -> Vec<Given> {
    given.extend(more.into_iter().map(Done));
    given
}

fn settled(outcomes: impl IntoIterator<Item = CheckoutOutcome>) -> Vec<Given> {
    and(opened(), outcomes.into_iter().map(|outcome| settles("s-1", outcome)))
}

fn balance(world: &World) -> String {
    world.ledger.account(&anna()).unwrap().balance().to_string()
}

#[test]
fn a_session_brings_what_it_asked_for() {
    check(&[Done(open("1"))], &session("s-1", "5"), &["applied", "session s-1 opened"]);
    let told = ["applied", "deposited 5 as lot 2: 6 of 6, healthy", "session s-1 paid"];
    check(&opened(), &settles("s-1", paid("5")), &told);
}

#[test]
fn however_often_it_is_told_it_is_credited_once() {
    let mut world = World::given(&opened());
    let first = world.ask(&settles("s-1", paid("5")));
    let once = [format!("duplicate of 0-{}-0", world.sequence)];
    assert_eq!(tell(&first)[0], "applied");
    for outcome in [paid("5"), paid("5"), paid("4"), paid("-1"), EXPIRED, Dismissed, credited("5"), paid("5")]
    {
        assert_eq!(tell(&world.ask(&settles("s-1", outcome))), once);
    }
    assert_eq!(balance(&world), "6");
}

#[test]
fn it_pays_the_account_that_opened_it() {
    let given = || and(opened(), [open_for("bob", "1")]);
    for outcome in [paid("5"), EXPIRED, credited("5"), Dismissed] {
        check(&given(), &settles_of("bob", "s-1", outcome), &["refused: checkout_unknown"]);
        check(&given(), &settles("s-2", paid("5")), &["refused: checkout_unknown"]);
    }
    check(&given(), &settles_of("nobody", "s-1", paid("5")), &["refused: account_unknown"]);
}

#[test]
fn a_session_is_opened_once_whatever_became_of_it() {
    let again = || session("s-1", "5");
    for before in [vec![], vec![paid("5")], vec![EXPIRED], vec![EXPIRED, Dismissed]] {
        check(&settled(before), &again(), &["unchanged"]);
    }
    // Not with another amount either.
    check(&opened(), &session("s-1", "7"), &["unchanged"]);
    let by_key = || keyed("k", session("s-2", "5"));
    check(&and(opened(), [by_key()]), &by_key(), &["duplicate of 0-4-0"]);
    // The provider made another session for the same ask: the first one stands.
    check(&and(opened(), [by_key()]), &keyed("k", session("s-3", "5")), &["duplicate of 0-4-0"]);
    check(&and(opened(), [by_key()]), &keyed("k", session("s-3", "6")), &["refused: key_reused"]);
}

#[test]
fn what_a_session_asks_for_is_an_amount() {
    for (amount, told) in [
        ("0", "refused: amount_not_positive"),
        ("-1", "refused: amount_not_positive"),
        ("1000000000.000001", "refused: amount_too_large"),
    ] {
        check(&[Done(open("1"))], &session("s-1", amount), &[told]);
    }
    check(&[Done(open("1")), Done(close())], &session("s-1", "5"), &["refused: account_closed"]);
}

#[test]
fn an_account_that_was_closed_is_credited_all_the_same() {
    let told = ["applied", "deposited 5 as lot 2: 6 of 6, healthy", "session s-1 paid"];
    check(&and(opened(), [close()]), &settles("s-1", paid("5")), &told);
}

#[test]
fn something_else_that_was_paid_waits_for_a_person() {
    for other in ["4", "6"] {
        let line = format!("session s-1 parked: amountdiffers of {other}");
        check(&opened(), &settles("s-1", paid(other)), &["applied", &line]);
    }
    check(&settled([paid("4")]), &settles("s-1", paid("4")), &["unchanged"]);
    let credit = ["applied", "deposited 4 as lot 2: 5 of 5, healthy", "session s-1 paid"];
    check(&settled([paid("4")]), &settles("s-1", credited("4")), &credit);
    check(&settled([paid("4")]), &settles("s-1", Dismissed), &["applied", "session s-1 dismissed"]);
    let whole = ["applied", "deposited 5 as lot 2: 6 of 6, healthy", "session s-1 paid"];
    check(&settled([paid("4")]), &settles("s-1", paid("5")), &whole);
    for (amount, told) in [("0", "refused: amount_not_positive"), ("1000000001", "refused: amount_too_large")]
    {
        check(&settled([paid("4")]), &settles("s-1", credited(amount)), &[told]);
    }
}

#[test]
fn what_can_not_have_been_paid_is_told_without_its_amount() {
    let beyond = CheckoutOutcome::Paid { amount: Some(AMOUNT_MAX + usdc("0.000001")), transaction: None };
    let unknown = CheckoutOutcome::Paid { amount: None, transaction: None };
    for outcome in [paid("-1"), beyond, unknown.clone()] {
        check(&opened(), &settles("s-1", outcome), &["applied", "session s-1 parked: amountdiffers"]);
    }
    // What is known is not forgotten, and what is known later is told.
    check(&settled([paid("4")]), &settles("s-1", unknown.clone()), &["unchanged"]);
    check(&settled([unknown.clone()]), &settles("s-1", unknown.clone()), &["unchanged"]);
    let differs = ["applied", "session s-1 parked: amountdiffers of 4"];
    check(&settled([unknown.clone()]), &settles("s-1", paid("4")), &differs);
    let other = ["applied", "session s-1 parked: amountdiffers of 3"];
    check(&settled([paid("4")]), &settles("s-1", paid("3")), &other);
    // It may be known later, or a person knows it.
    let credit = ["applied", "deposited 5 as lot 2: 6 of 6, healthy", "session s-1 paid"];
    check(&settled([unknown.clone()]), &settles("s-1", paid("5")), &credit);
    check(&settled([unknown]), &settles("s-1", credited("5")), &credit);
}

#[test]
fn nobody_decides_of_what_may_still_be_paid() {
    for outcome in [credited("5"), Dismissed] {
        check(&opened(), &settles("s-1", outcome), &["refused: step_out_of_place"]);
    }
}

#[test]
fn what_ended_may_be_paid_after_all() {
    check(&opened(), &settles("s-1", EXPIRED), &["applied", "session s-1 parked: expired"]);
    check(&settled([EXPIRED]), &settles("s-1", EXPIRED), &["unchanged"]);
    check(&settled([EXPIRED]), &settles("s-1", CANCELLED), &["applied", "session s-1 parked: cancelled"]);
    let whole = ["applied", "deposited 5 as lot 2: 6 of 6, healthy", "session s-1 paid"];
    check(&settled([EXPIRED]), &settles("s-1", paid("5")), &whole);
    let differs = ["applied", "session s-1 parked: amountdiffers of 4"];
    check(&settled([EXPIRED]), &settles("s-1", paid("4")), &differs);
}

#[test]
fn money_that_was_seen_stays_seen() {
    for end in [EXPIRED, CANCELLED] {
        check(&settled([paid("4")]), &settles("s-1", end.clone()), &["unchanged"]);
        check(&settled([EXPIRED, Dismissed, paid("5")]), &settles("s-1", end), &["unchanged"]);
    }
    // No end is told that is none.
    for reason in [ParkReason::AmountDiffers, ParkReason::Refused, ParkReason::Late] {
        let told = CheckoutOutcome::Ended(reason);
        check(&opened(), &settles("s-1", told), &["refused: step_out_of_place"]);
    }
}

#[test]
fn what_was_dismissed_and_is_paid_after_all_waits_for_a_person() {
    let late = || settled([EXPIRED, Dismissed, paid("5")]);
    let parked = ["applied", "session s-1 parked: late of 5"];
    check(&settled([EXPIRED, Dismissed]), &settles("s-1", paid("5")), &parked);
    // However often the provider says it.
    for again in ["5", "4", "-1"] {
        check(&late(), &settles("s-1", paid(again)), &["unchanged"]);
    }
    let credit = ["applied", "deposited 3 as lot 2: 4 of 4, healthy", "session s-1 paid"];
    check(&late(), &settles("s-1", credited("3")), &credit);
    check(&late(), &settles("s-1", Dismissed), &["applied", "session s-1 dismissed"]);
    check(&settled([EXPIRED, Dismissed, paid("5"), Dismissed]), &settles("s-1", paid("5")), &parked);
    let unknown = ["applied", "session s-1 parked: late"];
    check(&settled([EXPIRED, Dismissed]), &settles("s-1", paid("-1")), &unknown);
    for outcome in [EXPIRED, credited("5"), Dismissed] {
        check(&settled([EXPIRED, Dismissed]), &settles("s-1", outcome), &["refused: checkout_unknown"]);
    }
}

#[test]
fn money_that_does_not_fit_waits_until_it_does() {
    let full = || {
        let deposits = (0..1_000).map(|number| Done(deposit(&format!("d{number}"), "1000000000")));
        let opened = [Done(open("0")), Done(session("s-1", "5"))];
        opened.into_iter().chain(deposits).collect::<Vec<_>>()
    };
    check(&full(), &settles("s-1", paid("5")), &["applied", "session s-1 parked: refused of 5"]);
    let mut given = and(full(), [settles("s-1", paid("5"))]);
    check(&given, &settles("s-1", paid("5")), &["unchanged"]);
    check(&given, &settles("s-1", credited("5")), &["refused: balance_too_large"]);
    given.push(Done(debit("5")));
    let told = tell(&World::given(&given).ask(&settles("s-1", paid("5"))));
    assert_eq!(told[2], "session s-1 paid");
}

#[test]
fn a_hundred_wait_and_those_that_ended_make_room() {
    let name = |number: usize| format!("m-{number}");
    let mut world = World::given(&[Done(open("1"))]);
    for number in 0..CHECKOUTS_MAX {
        assert_eq!(tell(&world.ask(&session(&name(number), "5")))[0], "applied");
    }
    assert_eq!(tell(&world.ask(&session("one more", "5"))), ["refused: checkouts_full"]);
    // One that was paid something else waits, one that ended does not.
    world.ask(&settles("m-3", paid("4")));
    assert_eq!(tell(&world.ask(&session("one more", "5"))), ["refused: checkouts_full"]);
    world.ask(&settles("m-7", EXPIRED));
    assert_eq!(tell(&world.ask(&session("one more", "5")))[0], "applied");
    let upkeep = world.ledger.account(&anna()).unwrap().upkeep().unwrap();
    assert_eq!((upkeep.checkouts.len(), upkeep.checkout("m-7")), (CHECKOUTS_MAX, None));
    // Forgotten, and not lost; nor opened once more.
    assert_eq!(tell(&world.ask(&session("m-7", "5"))), ["unchanged"]);
    let late = tell(&world.ask(&settles("m-7", paid("5"))));
    assert_eq!(late, ["applied", "session m-7 parked: late of 5"]);
    assert_eq!(tell(&world.ask(&settles("m-7", credited("5"))))[2], "session m-7 paid");
    assert_eq!(balance(&world), "6");
}

#[test]
fn nobody_can_use_up_the_key_of_a_session() {
    // Neither before it is opened nor after, nor by a debit or another account.
    for key in ["$checkout/s-1", "$opened/s-1"] {
        let refused = ["refused: key_reserved"];
        check(&opened(), &keyed(key, session("s-2", "5")), &refused);
        check(&opened(), &keyed(key, deposit("k", "1")), &refused);
    }
    let given = and(
        opened(),
        [open_for("bob", "1"), session_of("bob", "s-9", "5"), settles_of("bob", "s-9", paid("5"))],
    );
    let mut world = World::given(&given);
    world.now = world.now.plus(minutes(60 * 24 * 400));
    // The key of a session is remembered for ever.
    assert!(tell(&world.ask(&settles_of("bob", "s-9", paid("5"))))[0].starts_with("duplicate of"));
    assert_eq!(world.ledger.account(&user("bob")).unwrap().balance(), usdc("6"));
    check(&[Wait(1)], &session("s-1", "5"), &["refused: account_unknown"]);
}
