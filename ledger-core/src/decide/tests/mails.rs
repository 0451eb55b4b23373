//! Mails: one a kind and epoch, by one worker at a time, and only what is true.

use super::{Done, Step as Given, Wait, check};
use crate::command::Command;
use crate::testing::upkeep::{
    all_steps, at, claim, cooled, hibernate, mail, restore, sends, sent, set, tells, text,
};
use crate::testing::{World, anna, close, debit, deposit, minutes, open};
use crate::upkeep::NoticeKind::{LowCredit, Paused, PlanSuggestion, Restored};
use crate::upkeep::{NoticeKind, NoticeState, NoticeStep};

/// Little of its credit is left.
fn low() -> Vec<Given> {
    vec![Done(open("5")), Done(debit("4.1"))]
}

/// None is left.
fn exhausted() -> Vec<Given> {
    vec![Done(open("5")), Done(debit("5"))]
}

fn and(mut given: Vec<Given>, more: impl IntoIterator<Item = Command>) -> Vec<Given> {
    given.extend(more.into_iter().map(Done));
    given
}

/// The mail of little credit in the first epoch.
fn first(worker: &str, after: u32, step: NoticeStep) -> Command {
    mail(worker, LowCredit, 1, after, step)
}

fn second(worker: &str, after: u32, step: NoticeStep) -> Command {
    mail(worker, LowCredit, 2, after, step)
}

fn fails(until: i64) -> NoticeStep {
    NoticeStep::Failed { reason: text("no answer"), retry_at: at(until) }
}

fn abandoned() -> NoticeStep {
    NoticeStep::Abandoned { reason: text("address refused") }
}

fn states(given: &[Given], kind: NoticeKind) -> Vec<(u32, NoticeState)> {
    let world = World::given(given);
    let upkeep = world.ledger.account(&anna()).unwrap().upkeep().cloned().unwrap_or_default();
    let of_kind = upkeep.notices.iter().filter(|notice| notice.kind == kind);
    of_kind.map(|notice| (notice.epoch, notice.state)).collect()
}

#[test]
fn a_line_that_is_passed_makes_its_mail_due() {
    assert_eq!(states(&low(), LowCredit), [(1, NoticeState::Due)]);
    assert_eq!(states(&low(), Paused), []);
    assert_eq!(states(&exhausted(), Paused), [(1, NoticeState::Due)]);
    check(
        &low(),
        &first("w1", 0, sends(5)),
        &["applied", "mail lowcredit of epoch 1 step 1: claimed with its text"],
    );
}

#[test]
fn there_is_no_mail_of_what_did_not_happen() {
    for (kind, epoch) in [(LowCredit, 2), (LowCredit, 0), (Paused, 1), (Restored, 1), (PlanSuggestion, 1)] {
        check(&low(), &mail("w1", kind, epoch, 0, sends(5)), &["refused: nothing_due"]);
    }
    check(&[Done(open("0"))], &mail("w1", Paused, 1, 0, sends(5)), &["refused: nothing_due"]);
    check(&[], &first("w1", 0, sends(5)), &["refused: account_unknown"]);
}

#[test]
fn one_worker_at_a_time_sends_it() {
    let mut given = and(low(), [first("w1", 0, sends(5))]);
    check(&given, &first("w2", 1, sends(5)), &["refused: claimed"]);
    check(&given, &first("w2", 0, sends(5)), &["refused: moved"]);
    // Whoever goes on sends the same bytes.
    let again = ["applied", "mail lowcredit of epoch 1 step 2: claimed"];
    check(&given, &first("w1", 1, sends(5)), &again);
    given.push(Wait(minutes(5)));
    check(&given, &first("w2", 1, sends(9)), &again);
}

#[test]
fn a_claim_is_over_after_ten_minutes_whatever_was_asked() {
    let mut given = and(low(), [first("w1", 0, sends(600))]);
    given.push(Wait(minutes(10) - 1));
    check(&given, &first("w2", 1, sends(600)), &["refused: claimed"]);
    given.push(Wait(1));
    check(&given, &first("w2", 1, sends(600)), &["applied", "mail lowcredit of epoch 1 step 2: claimed"]);
}

#[test]
fn what_became_of_an_attempt_is_told_by_whoever_made_it() {
    let claimed = || and(low(), [first("w1", 0, sends(5))]);
    for outcome in [sent(), fails(3), abandoned()] {
        check(&claimed(), &first("w2", 1, outcome.clone()), &["refused: claimed"]);
        // When its claim is over anybody may: what a worker that died began must come to an end.
        let mut late = claimed();
        late.push(Wait(minutes(5) - 1));
        check(&late, &first("w2", 1, outcome.clone()), &["refused: claimed"]);
        late.push(Wait(1));
        for worker in ["w1", "w2"] {
            assert!(World::given(&late).ask(&first(worker, 1, outcome.clone())).outcome.is_ok());
        }
    }
    for outcome in [sent(), fails(3)] {
        check(&low(), &first("w1", 0, outcome), &["refused: step_out_of_place"]);
    }
}

#[test]
fn what_failed_is_tried_again_but_not_before_its_time() {
    let mut given = and(low(), [first("w1", 0, sends(5)), first("w1", 1, fails(3))]);
    for worker in ["w1", "w2"] {
        check(&given, &first(worker, 2, sends(5)), &["refused: too_early"]);
    }
    check(&given, &first("w1", 2, sent()), &["refused: step_out_of_place"]);
    given.push(Wait(minutes(3)));
    check(&given, &first("w2", 2, sends(5)), &["applied", "mail lowcredit of epoch 1 step 3: claimed"]);
}

#[test]
fn nothing_follows_the_end() {
    let sent_one = and(low(), [first("w1", 0, sends(5)), first("w1", 1, sent())]);
    let given_up = and(low(), [first("w1", 0, abandoned())]);
    let untrue = and(exhausted(), [first("w1", 0, NoticeStep::Superseded)]);
    for (given, after) in [(sent_one, 2), (given_up, 1), (untrue, 1)] {
        for step in [sends(5), sent(), fails(3), abandoned(), NoticeStep::Superseded] {
            check(&given, &first("w1", after, step), &["refused: nothing_due"]);
        }
    }
}

#[test]
fn what_is_true_is_not_superseded_and_what_is_not_is_never_begun() {
    check(&low(), &first("w1", 0, NoticeStep::Superseded), &["refused: step_out_of_place"]);
    let superseded = ["applied", "mail lowcredit of epoch 1 step 1: superseded"];
    for more in [debit("0.9"), deposit("d", "5"), close()] {
        check(&and(low(), [more]), &first("w1", 0, sends(5)), &superseded);
    }
    check(
        &and(exhausted(), [close()]),
        &mail("w1", Paused, 1, 0, sends(5)),
        &["applied", "mail paused of epoch 1 step 1: superseded"],
    );
}

#[test]
fn what_a_provider_may_have_taken_is_seen_to_its_end() {
    let mut given = and(low(), [first("w1", 0, sends(1)), deposit("d", "5")]);
    given.push(Wait(minutes(1)));
    check(&given, &first("w2", 1, sends(5)), &["applied", "mail lowcredit of epoch 1 step 2: claimed"]);
}

#[test]
fn an_account_that_is_low_twice_hears_it_twice() {
    let twice = |between: &[Command]| {
        let again = [deposit("d", "5"), debit("5.8")];
        and(and(low(), between.to_vec()), again)
    };
    // Nobody began with the first: it is not true any more.
    let given = twice(&[]);
    assert_eq!(states(&given, LowCredit), [(2, NoticeState::Due)]);
    check(&given, &first("w1", 0, sends(5)), &["refused: nothing_due"]);
    check(
        &given,
        &second("w1", 0, sends(5)),
        &["applied", "mail lowcredit of epoch 2 step 1: claimed with its text"],
    );
    // A worker had begun with it: both are alive, until it ends.
    let given = twice(&[first("w1", 0, sends(5))]);
    assert_eq!(states(&given, LowCredit), [(1, NoticeState::Sending), (2, NoticeState::Due)]);
    let ended = and(given, [first("w1", 1, sent())]);
    assert_eq!(states(&ended, LowCredit), [(2, NoticeState::Due)]);
    // It was sent: so is the second.
    let given = twice(&[first("w1", 0, sends(5)), first("w1", 1, sent())]);
    assert_eq!(states(&given, LowCredit), [(2, NoticeState::Due)]);
    check(
        &given,
        &second("w1", 0, sends(5)),
        &["applied", "mail lowcredit of epoch 2 step 1: claimed with its text"],
    );
}

#[test]
fn between_two_mails_of_a_kind_some_time_goes_by() {
    let sent_before = [first("w1", 0, sends(5)), first("w1", 1, sent())];
    let again = || [deposit("d", "5"), debit("5.8")];
    let mut given = and(and(low(), sent_before), again());
    check(&given, &cooled(60, second("w1", 0, sends(5))), &["refused: too_early"]);
    check(
        &given,
        &cooled(-60, second("w1", 0, sends(5))),
        &["applied", "mail lowcredit of epoch 2 step 1: claimed with its text"],
    );
    given.push(Wait(minutes(60)));
    check(
        &given,
        &cooled(60, second("w1", 0, sends(65))),
        &["applied", "mail lowcredit of epoch 2 step 1: claimed with its text"],
    );
    // The older one may be sent when the newer one is due already.
    let older = and(and(low(), [first("w1", 0, sends(5))]), again());
    let given = and(older, [first("w1", 1, sent())]);
    check(&given, &cooled(60, second("w1", 0, sends(5))), &["refused: too_early"]);
    // Another kind is another matter.
    let other = cooled(60, mail("w1", Paused, 2, 0, sends(5)));
    let claimed = ["applied", "mail paused of epoch 2 step 1: claimed with its text"];
    check(&and(given, [debit("0.1")]), &other, &claimed);
}

#[test]
fn the_end_of_a_sleep_is_told_only_to_whoever_was_to_hear_of_the_sleep() {
    let wake = |epoch| mail("w1", Restored, epoch, 0, sends(5));
    check(&[Done(open("0")), Done(deposit("d", "5"))], &wake(2), &["refused: nothing_due"]);
    check(&and(low(), [deposit("d", "5")]), &wake(2), &["refused: nothing_due"]);
    let woken = || and(exhausted(), [deposit("d", "5")]);
    let claimed = ["applied", "mail restored of epoch 2 step 1: claimed with its text"];
    check(&woken(), &wake(2), &claimed);
    // By force there is no more credit than before.
    check(&and(exhausted(), [crate::testing::upkeep::force()]), &wake(1), &["refused: nothing_due"]);
    check(&and(exhausted(), [close(), deposit("d", "5")]), &wake(2), &["refused: nothing_due"]);
    let superseded = ["applied", "mail restored of epoch 2 step 1: superseded"];
    check(&and(woken(), [hibernate()]), &wake(2), &superseded);
    check(&and(woken(), [hibernate(), restore()]), &wake(2), &claimed);
    check(&and(woken(), [debit("5")]), &wake(2), &superseded);
}

#[test]
fn the_end_of_a_sleep_is_told_when_the_container_runs() {
    let wake = || mail("w1", Restored, 2, 0, sends(5));
    let steps = (1..).zip(all_steps().into_iter().take(6)).map(|(after, step)| tells("w1", after, step));
    let starting: Vec<_> = steps.collect();
    let asked = || and(exhausted(), [set("i"), deposit("d", "5"), claim("w1")]);
    let early = ["refused: too_early"];
    check(&asked(), &wake(), &early);
    check(&and(asked(), starting[..5].to_vec()), &wake(), &early);
    let claimed = ["applied", "mail restored of epoch 2 step 1: claimed with its text"];
    check(&and(asked(), starting), &wake(), &claimed);
}

#[test]
fn the_end_of_a_sleep_that_somebody_began_to_tell_of_is_told_to_its_end() {
    let wake = |after, until| mail("w1", Restored, 2, after, sends(until));
    let claimed = ["applied", "mail restored of epoch 2 step 2: claimed"];
    for more in [hibernate(), close(), debit("5"), set("i")] {
        let given = and(exhausted(), [deposit("d", "5"), wake(0, 5), more]);
        check(&given, &wake(1, 5), &claimed);
    }
    // Nor does what was begun wait for another one of its kind.
    let begun = and(exhausted(), [deposit("d", "5"), wake(0, 5)]);
    check(&begun, &cooled(60, wake(1, 5)), &claimed);
}

#[test]
fn a_line_that_other_rules_let_pass_anew_is_told_anew() {
    let rules =
        |low_percent| super::Rules(crate::policy::Policy { low_percent, ..crate::policy::Policy::default() });
    let mut given = and(low(), [first("w1", 0, sends(5)), first("w1", 1, sent())]);
    given.extend([rules(1), Done(debit("0.1")), rules(90), Done(debit("0.1"))]);
    assert_eq!(states(&given, LowCredit), [(2, NoticeState::Due)]);
}
