//! Containers: who may act for one, what is due, and what can follow what.

use super::{Done, Refused, Step as Given, Wait, check};
use crate::command::Command;
use crate::rejection::Code;
use crate::testing::upkeep::{all_steps, claim, claim_for, failed, force, hibernate, restore, set, tells};
use crate::testing::{World, anna, close, debit, deposit, keyed, label, minutes, open, tell};
use crate::upkeep::{Operation, Phase, Step};

/// An account with so much and a container that nobody has touched yet.
fn asked_for(balance: &str) -> Vec<Given> {
    vec![Done(open(balance)), Done(set("image:1"))]
}

/// One that runs, after seven steps; nobody holds it.
fn running(balance: &str) -> Vec<Given> {
    let mut given = asked_for(balance);
    given.push(Done(claim("w1")));
    given.extend(
        (1..).zip(all_steps().into_iter().take(6)).map(|(after, step)| Done(tells("w1", after, step))),
    );
    given
}

fn and(mut given: Vec<Given>, more: impl IntoIterator<Item = Command>) -> Vec<Given> {
    given.extend(more.into_iter().map(Done));
    given
}

fn due(given: &[Given]) -> Option<Operation> {
    World::given(given).ledger.account(&anna()).unwrap().due()
}

fn scaled_down() -> Step {
    all_steps().remove(6)
}

#[test]
fn the_first_who_claims_makes_it() {
    let claimed = ["applied", "step 1 claimed for provision after 0 failures: creating"];
    check(&asked_for("5"), &claim("w1"), &claimed);
}

#[test]
fn of_two_workers_one_is_refused_until_the_claim_is_over() {
    let given = || and(asked_for("5"), [claim("w1")]);
    check(&given(), &claim("w2"), &["refused: claimed"]);
    let again = ["applied", "step 2 claimed for provision after 0 failures: creating"];
    check(&given(), &claim("w1"), &again);
    let mut later = given();
    later.push(Wait(minutes(1)));
    check(&later, &claim("w2"), &again);
}

#[test]
fn a_claim_is_over_after_ten_minutes_whatever_was_asked() {
    let mut given = and(asked_for("5"), [claim_for("w1", minutes(60))]);
    given.push(Wait(minutes(10) - 1));
    check(&given, &claim("w2"), &["refused: claimed"]);
    given.push(Wait(1));
    check(&given, &claim("w2"), &["applied", "step 2 claimed for provision after 0 failures: creating"]);
    // One of no length, or of less, keeps nobody out.
    let none = and(asked_for("5"), [claim_for("w1", -minutes(60))]);
    check(&none, &claim("w2"), &["applied", "step 2 claimed for provision after 0 failures: creating"]);
}

#[test]
fn what_failed_is_not_tried_before_its_time_by_anybody() {
    let mut given = and(asked_for("5"), [claim("w1"), tells("w1", 1, failed(5))]);
    for worker in ["w1", "w2"] {
        check(&given, &claim(worker), &["refused: too_early"]);
    }
    given.push(Wait(minutes(5)));
    check(&given, &claim("w2"), &["applied", "step 3 claimed for provision after 1 failures: creating"]);
    let again = and(given, [claim("w2")]);
    check(&again, &tells("w2", 3, failed(9)), &["applied", "step 4 failed 2 times: creating"]);
}

#[test]
fn a_person_who_asks_again_does_not_wait() {
    let given = || and(asked_for("5"), [claim("w1"), tells("w1", 1, failed(5))]);
    for ask in [restore(), set("image:2")] {
        let claimed = ["applied", "step 3 claimed for provision after 0 failures: creating"];
        check(&and(given(), [ask]), &claim("w2"), &claimed);
    }
    check(&running("5"), &restore(), &["unchanged"]);
}

#[test]
fn where_nothing_is_to_be_done_nothing_is_claimed() {
    check(&[Done(open("5"))], &claim("w1"), &["refused: container_unknown"]);
    check(&[], &claim("w1"), &["refused: account_unknown"]);
    check(&running("5"), &claim("w1"), &["refused: nothing_due"]);
    // What was never made needs not sleep.
    check(&and(asked_for("5"), [hibernate()]), &claim("w1"), &["refused: nothing_due"]);
    check(&asked_for("0"), &claim("w1"), &["refused: nothing_due"]);
}

#[test]
fn nothing_is_failed_that_nobody_began() {
    check(&running("5"), &tells("w1", 7, failed(5)), &["refused: step_out_of_place"]);
}

#[test]
fn money_that_comes_while_it_is_put_to_sleep_wakes_it_and_the_other_way_round() {
    let slept = and(running("5"), [debit("5"), claim("w1"), tells("w1", 8, scaled_down())]);
    assert_eq!(due(&slept), Some(Operation::Hibernate));
    let paid = and(slept, [deposit("d", "2")]);
    assert_eq!(due(&paid), Some(Operation::Restore), "though it was never seen asleep");
    let claimed = ["applied", "step 10 claimed for restore after 0 failures: stopping"];
    check(&paid, &claim("w1"), &claimed);
    check(&paid, &claim("w2"), &["refused: claimed"]);
    let woken = and(paid, [tells("w1", 9, Step::Asleep), claim("w1"), tells("w1", 11, Step::ScaledUp)]);
    let spent = and(woken, [debit("2")]);
    assert_eq!(due(&spent), Some(Operation::Hibernate));
    let claimed = ["applied", "step 13 claimed for hibernate after 0 failures: stopping"];
    check(&spent, &claim("w1"), &claimed);
}

/// What is claimed may be done by a worker that dies before it can tell of it.
#[test]
fn whichever_way_things_turn_behind_a_claim_something_is_due() {
    let made = and(asked_for("5"), [claim("w1")]);
    assert_eq!(due(&and(made, [close()])), Some(Operation::Deprovision), "a project may be there");

    let sleeping = || {
        let told = [tells("w1", 8, scaled_down()), tells("w1", 9, Step::Asleep)];
        and(and(running("5"), [debit("5"), claim("w1")]), told)
    };
    assert_eq!(due(&sleeping()), None);
    let woken = and(sleeping(), [deposit("d", "2"), claim("w1")]);
    let spent = and(woken, [debit("2")]);
    assert_eq!(due(&spent), Some(Operation::Hibernate), "it may have been woken");

    let told_to_sleep = and(running("5"), [debit("5"), claim("w1")]);
    let paid = and(told_to_sleep, [deposit("d", "2")]);
    assert_eq!(due(&paid), Some(Operation::Restore), "it may have been put to sleep");
}

/// Whoever wakes it in the middle of falling asleep may die: then it must be told to sleep once more.
#[test]
fn a_claim_to_wake_forgets_how_it_was_told_to_sleep() {
    let strategy = |given: &[Given]| {
        let world = World::given(given);
        world.ledger.account(&anna()).unwrap().container().unwrap().strategy
    };
    let falling = and(running("5"), [debit("5"), claim("w1"), tells("w1", 8, scaled_down())]);
    assert!(strategy(&falling).is_some());
    let waking = and(falling, [deposit("d", "2"), claim("w1")]);
    assert_eq!(strategy(&waking), None);
}

#[test]
fn a_person_puts_to_sleep_and_wakes() {
    let asleep = || and(running("5"), [hibernate()]);
    check(&running("5"), &hibernate(), &["applied", "paused with 5"]);
    check(&asleep(), &hibernate(), &["unchanged"]);
    check(&asleep(), &debit("1"), &["refused: account_paused"]);
    assert_eq!(due(&asleep()), Some(Operation::Hibernate));
    check(&asleep(), &restore(), &["applied", "resumed with 5"]);
    // Credit is there, so there is nothing to force.
    check(&asleep(), &force(), &["applied", "resumed with 5"]);
}

#[test]
fn without_credit_only_force_wakes_and_only_until_money_comes_and_goes_again() {
    let empty = || and(running("5"), [debit("5")]);
    check(&empty(), &restore(), &["refused: restore_without_credit"]);
    check(&empty(), &force(), &["applied", "resumed with 0, forced"]);
    let forced = || and(empty(), [force()]);
    check(&forced(), &force(), &["unchanged"]);
    assert_eq!((due(&empty()), due(&forced())), (Some(Operation::Hibernate), None));
    check(&forced(), &debit("1"), &["refused: insufficient_credit, 1 of 0"]);
    let spent = and(forced(), [deposit("d", "1"), debit("1")]);
    assert_eq!(due(&spent), Some(Operation::Hibernate), "the force ended with its epoch");
    assert_eq!(due(&and(forced(), [hibernate()])), Some(Operation::Hibernate));
}

#[test]
fn a_step_that_can_not_follow_is_refused() {
    let steps = |given: &[Given]| {
        let world = World::given(given);
        let after = world.ledger.account(&anna()).unwrap().container().unwrap().steps;
        let can = all_steps().into_iter().filter(|step| {
            let mut tried = World::given(given);
            match tried.ask(&tells("w1", after, step.clone())).outcome {
                Ok(_) => true,
                Err(refusal) => {
                    assert_eq!(refusal.code, Code::StepOutOfPlace);
                    false
                }
            }
        });
        can.map(|step| tell_name(&step)).collect::<Vec<_>>().join(" ")
    };
    let made = |count: usize| {
        let steps = (1..).zip(all_steps().into_iter().take(count));
        and(and(asked_for("5"), [claim("w1")]), steps.map(|(after, step)| tells("w1", after, step)))
    };
    let has_service = "ScaledDown ScaledUp ServiceDeleted ProjectDeleted";
    for (count, can) in [
        (0, "ProjectCreated ProjectDeleted".to_owned()),
        (1, "EnvironmentCreated ProjectDeleted".to_owned()),
        (2, "ServiceCreated ProjectDeleted".to_owned()),
        (3, format!("VariablesSet {has_service}")),
        (4, format!("VariablesSet DeploymentStarted {has_service}")),
        (5, format!("VariablesSet DeploymentStarted Running {has_service}")),
        (6, format!("DeploymentStarted {has_service}")),
        (7, "DeploymentStarted ScaledDown Asleep ScaledUp ServiceDeleted ProjectDeleted".to_owned()),
        (8, format!("DeploymentStarted {has_service}")),
        (9, "DeploymentStarted Running ScaledDown ScaledUp ServiceDeleted ProjectDeleted".to_owned()),
        (10, "ServiceCreated ProjectDeleted".to_owned()),
        (11, "ProjectCreated".to_owned()),
    ] {
        assert_eq!(steps(&made(count)), can, "after {count} steps");
    }
}

fn tell_name(step: &Step) -> String {
    let text = format!("{step:?}");
    text.split([' ', '{']).next().unwrap().to_owned()
}

#[test]
fn a_claim_is_asked_for_and_never_told() {
    let until = crate::testing::upkeep::at(60);
    let told = Step::Claimed { operation: Operation::Deprovision, until, attempts: 0 };
    check(&running("5"), &tells("w1", 7, told), &["refused: step_out_of_place"]);
}

#[test]
fn who_does_not_know_the_last_step_must_look_again() {
    let created = || Step::ProjectCreated { id: label("p") };
    let given = || and(asked_for("5"), [claim("w1"), tells("w1", 1, created())]);
    for after in [0, 1, 3] {
        check(&given(), &tells("w1", after, created()), &["refused: moved"]);
    }
}

#[test]
fn while_a_worker_is_at_it_no_other_one_is_heard() {
    let created = || Step::ProjectCreated { id: label("p") };
    let mut given = and(asked_for("5"), [claim("w1")]);
    check(&given, &tells("w2", 1, created()), &["refused: claimed"]);
    check(&given, &tells("w2", 1, failed(5)), &["refused: claimed"]);
    given.push(Wait(minutes(1)));
    // When nobody is at it, whoever looked may tell.
    check(&given, &tells("w2", 1, created()), &["applied", "step 2 projectcreated: creating"]);
    // It was thought dead, and its successor is at it.
    check(&and(given, [claim("w2")]), &tells("w1", 2, created()), &["refused: claimed"]);
}

#[test]
fn other_settings_are_deployed_while_it_runs() {
    let given = || and(running("5"), [set("image:2")]);
    assert_eq!(due(&given()), Some(Operation::Provision));
    let old_deployment = Step::DeploymentStarted { id: label("d") };
    check(&given(), &tells("w1", 7, old_deployment), &["refused: step_out_of_place"]);
    let claimed = and(given(), [claim("w1"), tells("w1", 8, Step::VariablesSet)]);
    let deployed = and(claimed, [tells("w1", 9, Step::DeploymentStarted { id: label("d") })]);
    let runs = ["applied", "step 11 running: running"];
    check(&deployed, &tells("w1", 10, Step::Running), &runs);
    assert_eq!(due(&and(deployed, [tells("w1", 10, Step::Running)])), None);
}

#[test]
fn variables_of_older_settings_are_not_taken_for_those_in_force() {
    // The worker set what it knew; meanwhile a person set something else.
    let steps = (1..).zip(all_steps().into_iter().take(3)).map(|(after, step)| tells("w1", after, step));
    let given = || {
        let made = and(and(asked_for("5"), [claim("w1")]), steps.clone());
        and(made, [set("image:2")])
    };
    check(&given(), &tells("w1", 4, Step::VariablesSet), &["refused: step_out_of_place"]);
    let claimed = and(given(), [claim("w1")]);
    check(&claimed, &tells("w1", 5, Step::VariablesSet), &["applied", "step 6 variablesset: creating"]);
}

#[test]
fn a_closed_account_has_its_container_taken_away() {
    let closed = || and(running("5"), [close()]);
    let claimed = ["applied", "step 8 claimed for deprovision after 0 failures: running"];
    check(&closed(), &claim("w1"), &claimed);
    for ask in [set("image:2"), hibernate(), restore(), force()] {
        check(&closed(), &ask, &["refused: account_closed"]);
    }
    let gone = and(closed(), [claim("w1"), tells("w1", 8, Step::ProjectDeleted)]);
    check(&gone, &claim("w1"), &["refused: nothing_due"]);
    check(&and(asked_for("5"), [close()]), &claim("w1"), &["refused: nothing_due"]);
}

#[test]
fn a_service_that_is_deleted_is_a_sleep_only_of_what_was_to_sleep() {
    let slept = |more: &[Step]| {
        let given = and(running("5"), [hibernate(), claim("w1"), tells("w1", 8, scaled_down())]);
        let more = (9..).zip(more).map(|(after, step)| tells("w1", after, step.clone()));
        World::given(&and(given, more)).ledger.account(&anna()).unwrap().container().unwrap().clone()
    };
    let deleted = slept(&[Step::ServiceDeleted]);
    assert_eq!((deleted.phase, deleted.holder, deleted.progress), (Phase::Asleep, None, None));
    let later = slept(&[Step::Asleep, Step::ServiceDeleted]);
    assert_eq!((later.phase, later.service, later.ran), (Phase::Asleep, None, true));
    let running = and(running("5"), [tells("w1", 7, Step::ServiceDeleted)]);
    assert_eq!(due(&running), Some(Operation::Provision));
}

#[test]
fn each_ask_happens_once_by_its_key() {
    let asks = [set("image:2"), hibernate(), restore()];
    for ask in asks {
        let keyed = |ask| keyed("k", ask);
        let given = and(running("5"), [hibernate(), restore(), hibernate()]);
        let given = if matches!(ask, Command::Hibernate(_)) { and(given, [restore()]) } else { given };
        let mut world = World::given(&given);
        let first = tell(&world.ask(&keyed(ask.clone())));
        assert_eq!(first[0], "applied");
        assert!(tell(&world.ask(&keyed(ask.clone())))[0].starts_with("duplicate of"), "{ask:?}");
        assert_eq!(tell(&world.ask(&keyed(debit("1")))), ["refused: key_reused"]);
    }
    let other = keyed("k", set("image:3"));
    check(&[Done(open("1")), Done(keyed("k", set("image:2")))], &other, &["refused: key_reused"]);
}

#[test]
fn keys_of_the_ledger_itself_are_nobodys() {
    for key in ["$", "$checkout/s-1", "$opened/s-1"] {
        for ask in [open("1"), deposit("k", "1"), debit("1"), close(), set("i"), hibernate(), restore()] {
            check(&[Done(open("5"))], &keyed(key, ask), &["refused: key_reserved"]);
        }
    }
    // Whatever else is wrong with it, and before anything is known of the account.
    check(&[Refused(debit("1"))], &keyed("$", debit("-1")), &["refused: key_reserved"]);
}
