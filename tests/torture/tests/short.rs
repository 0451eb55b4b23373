//! The short torture of every test run: each engine under load with every component hit at least once, power cuts, and
//! damaged files. The long one is the program `torture`.

use std::time::Duration;

use torture::damage::{self, Damage};
use torture::plan::{Engines, Plan};
use torture::report::Report;
use torture::{campaign, power};

/// New every time, so that many runs see many schedules; told, so that one can be seen again.
fn plan(engines: Engines, seconds: u64, longest_fault: u64) -> Plan {
    let seed = rand::random::<u32>().into();
    let longest_fault = Duration::from_secs(longest_fault);
    Plan { longest_fault, ..Plan::new(engines, Duration::from_secs(seconds), seed) }
}

/// What is wrong stands first: of a long text only the beginning may be kept.
fn clean(report: &Report) {
    assert!(report.violations.is_empty(), "{}\n\n{}", report.violations.join("\n"), report.text());
}

/// There was something to judge. How much of each kind is a matter of the machine's speed in so short a time.
fn workers_did_something(report: &Report) -> bool {
    report.outside.as_ref().is_some_and(|done| done.made > 0 && done.mails > 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_on_nats_and_postgres() {
    let report = campaign::run(&plan(Engines::R1, 55, 5)).await.unwrap();
    clean(&report);
    let kinds = report.faults_by_kind();
    for kind in [
        "kill -9 owner",
        "kill -9 projector",
        "kill -9 nats-server",
        "kill -9 Postgres",
        "kill -9 Postgres backend",
        "kill -9 lifecycle-worker",
        "kill -9 notifier",
        "kill -9 sandbox",
        "pause lifecycle-worker",
        "pause notifier",
        "second owner beside the first",
        "second owner while the first is paused",
        "foreign message",
    ] {
        assert!(kinds.contains_key(kind), "{kind} was not done: {kinds:?}");
    }
    assert!(report.operations.with_outcome("ok") > 1_000, "{}", report.text());
    assert!(
        report.operations.unknown_stored > 0 && report.operations.unknown_not_stored > 0,
        "{}",
        report.text()
    );
    assert!(report.log.foreign > 0 && report.log.crossings > 0, "{}", report.text());
    assert!(workers_did_something(&report), "{}", report.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_embedded() {
    let report = campaign::run(&plan(Engines::Embedded, 18, 3)).await.unwrap();
    clean(&report);
    assert!(report.operations.with_outcome("ok") > 500, "{}", report.text());
    assert!(workers_did_something(&report), "{}", report.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_power_cut() {
    if let Some(reason) = power::missing().await {
        return power::skipped(&reason);
    }
    for engines in [Engines::Embedded, Engines::R1] {
        let report = power::run(&plan(engines, 0, 1), 1).await.unwrap();
        clean(&report);
        assert!(report.operations.with_outcome("ok") > 100, "{}", report.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_goes_on_with_a_damaged_log() {
    for (engines, damage, says) in [
        (Engines::Embedded, Damage::FlippedBit, "is damaged at"),
        (Engines::R1, Damage::FlippedBit, "the log ends at"),
    ] {
        let found = damage::one_copy(&plan(engines, 3, 1), damage).await.unwrap();
        assert!(found.violations.is_empty(), "{found:?}");
        assert!(found.refusals.iter().all(|refusal| refusal.contains(says)), "{found:?}");
    }
}
