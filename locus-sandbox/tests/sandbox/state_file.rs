//! A sandbox that is started again knows what it knew.

use std::time::Duration;

use locus_sandbox::{Config, Error, Fault, PayOptions, Rule, Sandbox, Service, SessionStatus};
use serde_json::json;

use crate::support::{Lab, eventually, rich};

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.json");
    let config = || Config { state_file: Some(file.clone()), ..rich() };
    let lab = Lab::with(config()).await;
    let service = lab.running_service("p").await;
    let session = lab.session(json!({"amount": "5"})).await;
    lab.sandbox.pay_session(&session, PayOptions::default()).unwrap();
    let (record, now) = (lab.sandbox.record(), lab.sandbox.now());
    drop(lab);

    let lab = Lab::with(config()).await;
    assert_eq!(lab.sandbox.record(), record);
    assert!(lab.sandbox.now() >= now, "time does not go back");
    assert_eq!(lab.sandbox.services()[0].id, service);
    assert_ne!(lab.service("q").await, service, "ids go on");
    lab.sandbox.advance(Duration::from_secs(20));
    assert_eq!(lab.sandbox.sessions()[0].status, SessionStatus::Paid, "what was due is still due");
}

#[tokio::test]
async fn changes_are_saved_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.json");
    let lab = Lab::with(Config { state_file: Some(file.clone()), ..rich() }).await;
    let session = lab.session(json!({"amount": "5"})).await;
    let saved = || std::fs::read_to_string(&file).unwrap();
    assert!(saved().contains(&session), "before the answer was sent");
    lab.sandbox.pay_session(&session, PayOptions { at_once: true, ..PayOptions::default() }).unwrap();
    eventually("the save", || saved().contains("session_paid")).await;
}

#[tokio::test]
async fn a_fault_that_has_struck_is_not_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.json");
    let lab = Lab::with(Config { state_file: Some(file.clone()), ..rich() }).await;
    let fault = Fault::LatencyMs { ms: 60_000 };
    lab.sandbox.add_fault(Rule { times: Some(1), ..Rule::new(Service::Pay, fault) });
    let saved = || std::fs::read_to_string(&file).unwrap();
    eventually("the order is saved", || saved().contains("latency_ms")).await;
    let held = reqwest::get(format!("{}/pay/balance", lab.sandbox.pay_base()));
    tokio::select! {
        answer = held => panic!("it is held for a minute: {answer:?}"),
        () = eventually("that it struck is saved", || !saved().contains("latency_ms")) => {}
    }
}

#[tokio::test]
async fn another_file_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letters.json");
    std::fs::write(&file, "dear diary").unwrap();
    let error = Sandbox::start(Config { state_file: Some(file.clone()), ..rich() }).await.unwrap_err();
    assert!(matches!(error, Error::NotAState { .. }));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "dear diary");
}

#[tokio::test]
async fn a_host_runs_it_until_it_should_stop() {
    let sandbox = Sandbox::start(rich()).await.unwrap();
    let url = format!("{}/pay/balance", sandbox.pay_base());
    let handle = sandbox.handle();
    sandbox.run(async { assert_eq!(reqwest::get(&url).await.unwrap().status(), 401) }).await.unwrap();
    assert!(reqwest::get(&url).await.is_err(), "nobody listens any more");
    assert_eq!(handle.record(), []);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_ids() {
    let ids = async |seed| {
        let lab = Lab::with(Config { seed, ..rich() }).await;
        (lab.service("p").await, lab.session(json!({"amount": "1"})).await)
    };
    assert_eq!(ids(7).await, ids(7).await);
    assert_ne!(ids(7).await, ids(8).await);
}

#[tokio::test]
async fn a_fast_clock_needs_nobody_to_push_it() {
    let lab = Lab::with(Config { scale: 600, ..rich() }).await;
    let session = lab.session(json!({"amount": "1"})).await;
    lab.sandbox.pay_session(&session, PayOptions::default()).unwrap();
    let service = lab.service("p").await;
    lab.deploy(&service).await;
    eventually("the payment", || lab.sandbox.sessions()[0].status == SessionStatus::Paid).await;
    eventually("the container", || lab.sandbox.services()[0].answers_at(lab.sandbox.now())).await;
}
