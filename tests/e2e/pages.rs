//! What Drip serves beside the ledger: documentation, health, and the name of each request.

use reqwest::Method;
use serde_json::Value;

use crate::ask::send;
use crate::stack::{Drip, Engines, Stack, until};

#[tokio::test]
async fn documentation_and_health_are_open_to_everybody() {
    let mut drip = Drip::embedded().await;
    let get = |path: &str| send(drip.client().get(format!("{}{path}", drip.url())));
    let document = get("/openapi.json").await.expect(200);
    assert!(
        document.body["openapi"].as_str().is_some_and(|version| version.starts_with("3.")),
        "{document:?}"
    );
    for path in [
        "/v1/users",
        "/v1/users/{user_id}",
        "/v1/users/{user_id}/debits",
        "/v1/users/{user_id}/deposits",
        "/v1/users/{user_id}/grants",
        "/v1/users/{user_id}/close",
        "/v1/users/{user_id}/journal",
        "/v1/debits",
        "/v1/sources/{source}",
        "/v1/sources/{source}/declines",
        "/health/live",
        "/health/ready",
    ] {
        assert!(document.body["paths"][path].is_object(), "{path} is not in the document");
    }
    let docs = get("/docs/").await.expect(200);
    assert!(docs.body.as_str().is_some_and(|page| page.contains("<html")), "{docs:?}");
    let problems = get("/docs/problems").await.expect(200);
    assert!(problems.body.as_str().is_some_and(|page| page.contains("insufficient_credit")), "{problems:?}");
    assert_eq!(get("/health/live").await.expect(200).text("status"), "ok");
    let ready = get("/health/ready").await.expect(200);
    assert!(
        ready.body["checks"].as_array().is_some_and(|checks| checks.iter().all(|check| check["ok"] == true))
    );
    drip.stop().await;
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let mut drip = Drip::embedded().await;
    let made = drip.get("/v1/users/nobody").await.expect(404);
    assert!(!made.header("x-request-id").is_empty(), "{made:?}");
    assert_eq!(made.text("request_id"), made.header("x-request-id"));
    let mine = send(drip.request(Method::GET, "/v1/users/nobody").header("x-request-id", "mine-7")).await;
    assert_eq!((mine.header("x-request-id"), mine.text("request_id")), ("mine-7", "mine-7"));
    let success =
        send(drip.request(Method::GET, "/v1/users").header("x-request-id", "mine-8")).await.expect(200);
    assert_eq!(success.header("x-request-id"), "mine-8");
    drip.stop().await;
}

#[tokio::test]
async fn a_drip_without_its_log_is_alive_and_not_ready_until_the_log_is_back() {
    let Stack { drip, nats, .. } = Stack::start(Engines::Servers).await;
    let mut nats = nats.expect("this Drip is on NATS");
    drip.open("anna", "1").await;
    nats.kill();
    let bound = crate::stack::BOUND;
    until(bound, "it is not ready", async || (drip.get("/health/ready").await.status == 503).then_some(()))
        .await;
    drip.get("/health/live").await.expect(200);
    nats.restart().await;
    until(bound, "it is ready again", async || (drip.get("/health/ready").await.status == 200).then_some(()))
        .await;
    let debit = drip.debit("anna", &serde_json::json!({ "amount": "0.5" })).await.expect(200);
    assert_eq!(debit.body["balance"], Value::from("0.5"));
    assert!(!drip.output().contains("response failed"), "an answered 503 is no error\n{}", drip.log());
    drip.assert_no_panic();
}
