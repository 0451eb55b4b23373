//! What is told of an attempt. How errors come about, the tests of the clients say; here they are real ones of the
//! sandbox.

use super::*;

fn case(attempts: u16, has_keys: bool, last: bool, timing: &Timing) -> Case<'_> {
    Case { attempts, now: Timestamp(0), last, has_keys, timing, random: 0 }
}

fn seconds(told: &Told<'_>) -> Option<i64> {
    match told {
        Told::Failed { retry_at, .. } => Some(retry_at.0 / ledger_core::time::SECOND),
        _ => None,
    }
}

fn reason<'a>(told: &'a Told<'_>) -> Option<&'a str> {
    match told {
        Told::Abandoned { reason } | Told::Failed { reason, .. } => Some(reason),
        _ => None,
    }
}

#[test]
fn pauses_double_up_to_the_longest() {
    let timing = Timing::default();
    let paused = |attempts| {
        let verdict = case(attempts, true, false, &timing).verdict(Outcome::NoAnswer);
        seconds(&verdict.told).unwrap()
    };
    assert_eq!([1, 2, 3, 4, 7, 8, 9, 99, u16::MAX].map(paused), [5, 10, 20, 40, 320, 640, 900, 900, 900]);
}

#[test]
fn without_keys_a_mail_on_its_way_is_given_time() {
    let timing = Timing::default();
    for (attempts, has_keys, wanted) in [(1, true, 5), (1, false, 60), (7, false, 320)] {
        let verdict = case(attempts, has_keys, false, &timing).verdict(Outcome::NoAnswer);
        assert_eq!(seconds(&verdict.told), Some(wanted));
    }
}

#[test]
fn what_can_not_be_told_is_asked_again_and_given_up_in_the_end() {
    let timing = Timing::default();
    let told = |last| case(1, false, last, &timing).verdict(Outcome::Unclear(None)).told;
    assert_eq!(seconds(&told(false)), Some(5));
    assert_eq!(reason(&told(true)), Some(UNKNOWN));
    let missing = case(1, false, true, &timing).verdict(Outcome::Missing).told;
    assert!(matches!(missing, Told::Abandoned { .. }));
}

/// The errors of a provider that answers every send like this.
async fn told(fault: locus_sandbox::Fault, to: &str) -> (Option<i64>, bool, String) {
    let (rule, timing) = (locus_sandbox::Rule::new(locus_sandbox::Service::Mail, fault), Timing::default());
    let sandbox = locus_sandbox::Sandbox::start(locus_sandbox::Config::default()).await.unwrap();
    sandbox.add_fault(rule);
    let timing_of_calls = locus::Timing { pauses: vec![], ..locus::Timing::default() };
    let key = locus::MailKey::parse(&sandbox.keys().mail[0]).unwrap();
    let config = locus::mail::Config { base: sandbox.mail_base(), key, timing: timing_of_calls };
    let mail = locus::Mail::new(config).unwrap();
    let letter = locus::mail::Letter { to: vec![to.to_owned()], ..locus::mail::Letter::default() };
    let key = locus::mail::IdempotencyKey::parse("k").unwrap();
    let error = mail.send("drip@agentmail.to", &letter, &key).await.unwrap_err();
    let verdict = case(1, true, false, &timing).verdict(Outcome::Failed(error));
    let said = reason(&verdict.told).unwrap().to_owned();
    (seconds(&verdict.told), verdict.person.is_some(), said)
}

fn status(status: u16, retry_after: Option<u32>) -> locus_sandbox::Fault {
    locus_sandbox::Fault::Status { status, retry_after }
}

#[tokio::test]
async fn failures_that_pass_are_tried_again_and_refusals_are_not() {
    let anna = "anna@example.org";
    for (fault, wanted) in [
        (status(503, None), Some(5)),
        (status(429, Some(120)), Some(120)),
        (status(409, None), Some(5)),
        (locus_sandbox::Fault::LostAnswer, Some(5)),
        (locus_sandbox::Fault::Refuse, Some(5)),
        (status(400, None), None),
        (status(422, None), None),
        (locus_sandbox::Fault::MailRefused, None),
    ] {
        let (seconds, person, said) = told(fault.clone(), anna).await;
        assert_eq!((seconds, person), (wanted, false), "{fault:?}: {said}");
        assert!(!said.contains(anna), "{said}");
    }
    // The provider repeats the address in its words.
    let (seconds, _, said) = told(locus_sandbox::Fault::LatencyMs { ms: 0 }, "anna-is-no-address").await;
    assert_eq!((seconds, said.contains("anna")), (None, false), "{said}");
}

#[tokio::test]
async fn what_a_person_must_end_waits_longest_and_is_said() {
    for number in [401, 402, 403, 404] {
        let (seconds, person, said) = told(status(number, None), "anna@example.org").await;
        assert_eq!((seconds, person), (Some(900), true), "{number}: {said}");
    }
}
