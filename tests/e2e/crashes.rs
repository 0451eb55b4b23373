//! Drip, NATS and Postgres are killed while many clients debit: nothing that was acknowledged is lost, nothing is
//! charged twice, and the views come to say what the log says.

use crate::load::{Load, Target, a_moment};
use crate::stack::{Engines, Stack, on_both_engines};

on_both_engines!(drip_is_killed_three_times_under_load);

async fn drip_is_killed_three_times_under_load(engines: Engines) {
    let Stack { mut drip, nats: _nats, .. } = Stack::start(engines).await;
    let load = Load::prepare(&drip).await;
    let target = Target::of(&drip);
    let chaos = async {
        for _ in 0..3 {
            load.progress(150).await;
            a_moment(100).await;
            drip.kill();
            drip.restart().await;
        }
        load.progress(50).await;
    };
    load.during(&target, chaos).await;
    load.check(&drip).await;
    drip.stop().await;
}

#[tokio::test]
async fn nats_is_killed_under_load_and_drip_goes_on() {
    let Stack { mut drip, nats, .. } = Stack::start(Engines::Servers).await;
    let mut nats = nats.expect("this Drip is on NATS");
    let load = Load::prepare(&drip).await;
    let target = Target::of(&drip);
    let chaos = async {
        for _ in 0..2 {
            load.progress(150).await;
            a_moment(100).await;
            nats.kill();
            a_moment(1000).await;
            nats.restart().await;
        }
        load.progress(50).await;
    };
    load.during(&target, chaos).await;
    assert!(drip.runs(), "{}", drip.log());
    load.check(&drip).await;
}

#[tokio::test]
async fn postgres_is_killed_under_load_and_debits_go_on() {
    let Stack { mut drip, nats: _nats, postgres } = Stack::start_breakable().await;
    let mut postgres = postgres.expect("this Drip is on a Postgres of its own");
    let load = Load::prepare(&drip).await;
    let target = Target::of(&drip);
    let chaos = async {
        load.progress(100).await;
        postgres.kill();
        // The views are away; debits do not need them.
        load.progress(100).await;
        postgres.restart().await;
        load.progress(50).await;
    };
    load.during(&target, chaos).await;
    assert!(drip.runs(), "{}", drip.log());
    load.check(&drip).await;
}
