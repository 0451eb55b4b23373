//! The roles as processes of their own, on shared servers.

use std::fs;

use serde_json::json;
use test_servers::{NatsServer, Postgres};

use crate::ask::said;
use crate::audit::audit;
use crate::stack::{Drip, engine_flags, program};

#[tokio::test]
async fn a_command_api_and_a_projector_work_apart() {
    let nats = NatsServer::start().await;
    let database = Postgres::shared().await.fresh_database().await;
    let flags = engine_flags(&nats, &database);
    let mut api = Drip::prepared(&["run", "command-api"], &flags);
    let mut projector = Drip::prepared(&["run", "projector"], &flags);

    // Before `drip init` a role says what is missing; `init` may be run again.
    let mut early = program();
    early.args(["run", "projector"]).args(projector.log_flags());
    let early = said(early).await.expect(1);
    assert!(early.err.contains("drip init") && !early.err.contains("panicked"), "{}", early.err);
    for _ in 0..2 {
        let mut init = program();
        init.arg("init").args(api.log_flags());
        said(init).await.expect(0);
    }
    fs::create_dir(projector.data_dir()).expect("the folder is new");

    api.restart().await;
    projector.spawn();
    let opened = api.open("anna", "5").await;
    let seen = format!("/v1/users/anna/journal?wait_for={}", opened.text("position"));
    assert_eq!(api.get(&seen).await.expect(200).body["data"][0]["kind"], "opened");

    projector.kill();
    let mut last = opened;
    for _ in 0..50 {
        last = api.debit("anna", &json!({ "amount": "0.01" })).await.expect(200);
    }
    let behind = format!("/v1/users?wait_for={}", last.text("position"));
    let request = api.request(reqwest::Method::GET, &behind).header("Drip-Deadline", soon());
    let late = crate::ask::send(request).await;
    assert!(
        [408, 503].contains(&late.status),
        "nobody projects, so the wait must end without an answer: {late:?}"
    );

    projector.spawn();
    let caught_up = api.get(&behind).await.expect(200);
    assert_eq!(caught_up.body["data"][0]["balance"], "4.5");
    assert_eq!(audit(&api).await.spent["anna"], 500_000);
    api.stop().await;
    projector.stop().await;
}

/// A deadline two seconds from now.
fn soon() -> String {
    (chrono::Utc::now() + chrono::TimeDelta::seconds(2)).to_rfc3339()
}
