//! Given a mail and a time: what is to be done.

use std::time::Duration;

use ledger_core::upkeep::NoticeState::{Due, Retrying, Sending};
use ledger_core::upkeep::{NoticeKind, NoticeState};
use serde_json::{Value, json};

use super::*;

const HOUR: i64 = ledger_core::time::HOUR;

/// What differs from one case to the next.
struct Case {
    state: NoticeState,
    attempts: u16,
    not_before: i64,
    worker: Option<&'static str>,
    last_sent: Option<i64>,
    email: Option<&'static str>,
    written_at: Option<i64>,
}

const NEW: Case = Case {
    state: Due,
    attempts: 0,
    not_before: 0,
    worker: None,
    last_sent: None,
    email: Some("anna@example.org"),
    written_at: None,
};

const BEGUN: Case = Case { state: Retrying, attempts: 1, written_at: Some(0), ..NEW };

fn letter(written_at: i64) -> Letter {
    let text = |text: &str| text.to_owned();
    Letter {
        from: text("drip@agentmail.to"),
        to: text("old@example.org"),
        subject: text("s"),
        text: text("t"),
        html: text("h"),
        reference: text("r"),
        written_at: Timestamp(written_at),
    }
}

fn mail(case: &Case) -> OpenMail {
    let written = case.written_at.map(|at| serde_json::to_value(letter(at)).unwrap());
    let wire = json!({
        "app": "demo", "user_id": "anna",
        "kind": NoticeKind::LowCredit, "epoch": 1, "cause": "0-1-0", "state": case.state, "steps": 1,
        "attempts": case.attempts, "not_before": case.not_before, "worker": case.worker, "mail": null,
        "last_sent": case.last_sent, "email": case.email, "balance": "0.1", "baseline": "1",
        "written": written.unwrap_or(Value::Null), "due_at": 0,
    });
    serde_json::from_value(wire).unwrap()
}

/// The plan of a worker "me" with a cooldown of an hour.
fn planned(case: &Case, now: i64, has_keys: bool) -> Plan {
    let timing = Timing { cooldown: Duration::from_secs(3_600), ..Timing::default() };
    let worker = Label::new("me").unwrap();
    plan(&mail(case), Timestamp(now), &Rules { worker: &worker, has_keys, timing: &timing })
}

#[test]
fn a_new_mail_is_written_unless_it_is_too_old_or_goes_nowhere() {
    let write = || Plan::Write("anna@example.org".to_owned());
    for (case, now, wanted) in [
        (NEW, HOUR, write()),
        (Case { email: Some(" anna@example.org "), ..NEW }, HOUR, write()),
        (NEW, 24 * HOUR, write()),
        (NEW, 24 * HOUR + 1, Plan::Abandon(TOO_OLD)),
        (Case { email: None, ..NEW }, HOUR, Plan::Abandon(NO_ADDRESS)),
        (Case { email: Some(" "), ..NEW }, HOUR, Plan::Abandon(NO_ADDRESS)),
        (Case { last_sent: Some(HOUR), ..NEW }, HOUR + 1, Plan::Later(Timestamp(2 * HOUR))),
        (Case { last_sent: Some(HOUR), ..NEW }, 2 * HOUR, write()),
        // Nobody waits for the cooldown of what will not be sent.
        (Case { last_sent: Some(24 * HOUR), ..NEW }, 24 * HOUR + 1, Plan::Abandon(TOO_OLD)),
    ] {
        for has_keys in [true, false] {
            assert_eq!(planned(&case, now, has_keys), wanted, "{now} {has_keys}");
        }
    }
}

#[test]
fn a_mail_that_was_begun_goes_on_as_it_was_written() {
    for (now, has_keys, wanted) in [
        (HOUR, true, Plan::Attempt(letter(0), Again::Send)),
        (HOUR, false, Plan::Attempt(letter(0), Again::LookThenSend)),
        (20 * HOUR, true, Plan::Attempt(letter(0), Again::Send)),
        (20 * HOUR + 1, true, Plan::Abandon(UNKNOWN)),
        (20 * HOUR + 1, false, Plan::Attempt(letter(0), Again::Look)),
    ] {
        assert_eq!(planned(&BEGUN, now, has_keys), wanted, "{now} {has_keys}");
    }
    // It counts from the first attempt, not from when it was due; and the address of the first attempt stays.
    let late = Case { written_at: Some(19 * HOUR), email: None, ..BEGUN };
    assert_eq!(planned(&late, 30 * HOUR, true), Plan::Attempt(letter(19 * HOUR), Again::Send));
    let lost = Case { written_at: None, ..BEGUN };
    assert_eq!(planned(&lost, HOUR, true), Plan::Abandon(UNKNOWN));
}

#[test]
fn what_another_works_on_or_what_failed_a_moment_ago_is_waited_for() {
    let sending = |worker| Case { state: Sending, worker: Some(worker), not_before: 2 * HOUR, ..BEGUN };
    let failed = Case { not_before: 2 * HOUR, ..BEGUN };
    let (later, go_on) = (Plan::Later(Timestamp(2 * HOUR)), Plan::Attempt(letter(0), Again::Send));
    let look = Plan::Attempt(letter(0), Again::LookThenSend);
    assert_eq!(planned(&failed, HOUR, true), later);
    assert_eq!(planned(&failed, 2 * HOUR, true), go_on);
    assert_eq!(planned(&sending("other"), HOUR, true), later);
    assert_eq!(planned(&sending("other"), 2 * HOUR, true), go_on);
    // What we left behind by a crash is safe to go on with at once under a key, and else may still be on its way.
    assert_eq!(planned(&sending("me"), HOUR, true), go_on);
    assert_eq!(planned(&sending("me"), HOUR, false), later);
    assert_eq!(planned(&sending("me"), 2 * HOUR, false), look);
}

#[test]
fn what_is_done_with_stays_so() {
    for state in [NoticeState::Sent, NoticeState::Abandoned, NoticeState::Superseded] {
        assert_eq!(planned(&Case { state, ..BEGUN }, 99 * HOUR, true), Plan::Nothing);
    }
}
