//! What was asked with a key happens once, also across a restart; a key is for one thing only.

use serde_json::{Value, json};

use crate::ask::Reply;
use crate::audit::audit;
use crate::stack::{Drip, Engines, Stack, on_both_engines};

on_both_engines!(a_repeated_key_answers_the_first_outcome_also_after_a_kill);

async fn a_repeated_key_answers_the_first_outcome_also_after_a_kill(engines: Engines) {
    let Stack { mut drip, nats: _nats, .. } = Stack::start(engines).await;
    drip.open("anna", "1").await;
    let first = Outcomes::of(&drip, false).await;
    drip.debit("anna", &json!({ "amount": "0.5" })).await.expect(200);
    assert_eq!(Outcomes::of(&drip, true).await, first);
    the_same_key_for_something_else_is_refused(&drip).await;

    drip.kill();
    drip.restart().await;
    assert_eq!(Outcomes::of(&drip, true).await, first);
    the_same_key_for_something_else_is_refused(&drip).await;

    let rows = drip.get("/v1/users/anna/debits?key=call-1").await.expect(200);
    let rows = rows.body["data"].as_array().expect("a list");
    assert_eq!((rows.len(), &rows[0]["amount"], &rows[0]["key"]), (1, &"-0.25".into(), &"call-1".into()));
    // 1 + 2 + 3 - 0.25 - 0.02 - 0.5.
    assert_eq!(audit(&drip).await.balances["anna"], 5_230_000);
    drip.stop().await;
}

/// The first outcome of each verb that takes a key, without the mark of a duplicate.
#[derive(Debug, PartialEq)]
struct Outcomes(Vec<Value>);

impl Outcomes {
    /// Asks for all of them, which must be marked so.
    async fn of(drip: &Drip, duplicate: bool) -> Self {
        let items = json!([{ "name": "tokens", "quantity": 2000, "unit_price": "0.00001" }]);
        let mut outcomes = vec![
            drip.post("/v1/users/anna/deposits", &json!({ "amount": "2", "key": "pay-1" })).await,
            drip.post("/v1/users/anna/grants", &json!({ "amount": 3, "key": "gift-1" })).await,
            drip.debit("anna", &json!({ "amount": "0.25", "key": "call-1", "meter": "search" })).await,
            drip.debit("anna", &json!({ "items": items, "key": "call-2" })).await,
        ];
        let header =
            drip.request(reqwest::Method::POST, "/v1/users/anna/debits").header("Idempotency-Key", "call-1");
        let header = header.json(&json!({ "amount": 0.25, "meter": "search" }));
        if duplicate {
            outcomes.push(crate::ask::send(header).await);
        }
        let mut bodies: Vec<Value> = outcomes.into_iter().map(|reply| strip(reply, duplicate)).collect();
        if duplicate {
            assert_eq!(bodies.pop(), Some(bodies[2].clone()), "a key in the header is the same key");
        }
        Self(bodies)
    }
}

fn strip(reply: Reply, duplicate: bool) -> Value {
    let mut reply = reply.expect(200);
    assert_eq!(reply.body["duplicate"], duplicate, "{reply:?}");
    reply.body["duplicate"].take();
    reply.body
}

async fn the_same_key_for_something_else_is_refused(drip: &Drip) {
    for (path, body) in [
        ("deposits", json!({ "amount": "2.000001", "key": "pay-1" })),
        ("grants", json!({ "amount": "2", "key": "pay-1" })),
        ("debits", json!({ "amount": "0.26", "key": "call-1", "meter": "search" })),
        ("debits", json!({ "amount": "0.25", "key": "call-1", "meter": "other" })),
        ("deposits", json!({ "amount": "0.25", "key": "call-1" })),
    ] {
        let refused = drip.post(&format!("/v1/users/anna/{path}"), &body).await.expect(409);
        assert_eq!(refused.text("code"), "key_reused", "{body}");
    }
}

#[tokio::test]
async fn a_declined_key_may_succeed_after_a_top_up() {
    let mut drip = Drip::embedded().await;
    drip.open("anna", "0.1").await;
    let body = json!({ "amount": "0.5", "key": "call-1" });
    drip.debit("anna", &body).await.expect(402);
    drip.post("/v1/users/anna/deposits", &json!({ "amount": "1", "key": "pay-1" })).await.expect(200);
    let paid = drip.debit("anna", &body).await.expect(200);
    assert_eq!((paid.text("balance"), &paid.body["duplicate"]), ("0.6", &false.into()));
    assert_eq!(audit(&drip).await.spent["anna"], 500_000);
    drip.stop().await;
}

#[tokio::test]
async fn a_dry_run_tells_and_changes_nothing() {
    let mut drip = Drip::embedded().await;
    let opened = drip.open("anna", "1").await;
    let told =
        drip.debit("anna", &json!({ "amount": "0.4", "dry_run": true, "key": "call-1" })).await.expect(200);
    assert_eq!((told.text("amount"), told.text("balance")), ("0.4", "0.6"));
    assert_eq!((&told.body["dry_run"], &told.body["position"]), (&true.into(), &Value::Null));
    drip.debit("anna", &json!({ "amount": "1.1", "dry_run": true })).await.expect(402);
    assert_eq!(drip.account("anna").await.text("position"), opened.text("position"));
    assert_eq!(audit(&drip).await.balances["anna"], 1_000_000);
    drip.stop().await;
}
