//! Straight to a partition: who hashes gets the same answers, and who hashes wrong is told whose the account is.

use ledger_core::slots::slot;
use ledger_core::{AccountId, AppId, UserId};
use serde_json::{Value, json};

use crate::nats::Served;

/// The partition as the routing says it, by the caller's own reckoning.
fn partition_of(routing: &Value, user: &str) -> u64 {
    let account = AccountId { app: AppId::new("demo").unwrap(), user: UserId::new(user).unwrap() };
    let slot = u64::from(slot(&account));
    let ranges = routing["slots"].as_array().unwrap();
    let range = ranges.iter().rev().find(|range| range["first"].as_u64().unwrap() <= slot).unwrap();
    range["partition"].as_u64().unwrap()
}

/// A verb at a partition, and at the one that is not it: the world has two.
fn subjects(kind: &str, partition: u64, verb: &str) -> [String; 2] {
    [partition, 1 - partition].map(|partition| format!("drip.{kind}.demo.{partition:02}.{verb}"))
}

#[tokio::test]
async fn every_verb_is_answered_by_the_partition_of_the_account_and_by_no_other() {
    let served = Served::start().await;
    let routing = served.good("drip.cmd.demo.routing", json!({})).await;
    served.world.get("/v1/routing").await.is(200, &[("", routing.clone())]);
    assert_eq!((&routing["partitions"], &routing["slots"][0]["first"]), (&2.into(), &0.into()));
    for user in ["anna", "bob", "{acme}anna"] {
        let partition = partition_of(&routing, user);
        for (kind, verb, body) in [
            ("adm", "open", json!({ "user_id": user, "initial_balance": "1" })),
            ("cmd", "get", json!({ "user_id": user })),
            ("cmd", "debit", json!({ "user_id": user, "amount": "0.1", "key": "k" })),
            ("adm", "grant", json!({ "user_id": user, "amount": "0.1", "key": "g" })),
            ("adm", "deposit", json!({ "user_id": user, "amount": "0.1", "key": "d" })),
            ("adm", "container", json!({ "user_id": user, "image": "a:1" })),
            ("adm", "hibernate", json!({ "user_id": user })),
            ("adm", "restore", json!({ "user_id": user })),
            ("adm", "close", json!({ "user_id": user })),
        ] {
            let [right, wrong] = subjects(kind, partition, verb);
            let refused = served.refused(&wrong, body.clone(), 421, "wrong_partition").await;
            assert_eq!(refused["partition"], partition, "{verb}");
            assert_eq!(served.good(&right, body).await["user_id"], user);
        }
    }
}

#[tokio::test]
async fn in_a_batch_each_account_of_another_partition_is_refused_by_itself() {
    let served = Served::start().await;
    let routing = served.good("drip.cmd.demo.routing", json!({})).await;
    let users: Vec<_> = (0..40).map(|number| format!("user-{number}")).collect();
    for user in &users {
        served.world.open(user, "1").await;
    }
    let debits: Vec<_> = users.iter().map(|user| json!({ "user_id": user, "amount": "0.1" })).collect();
    let answer = served.good("drip.cmd.demo.01.debits", json!({ "debits": debits })).await;
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), users.len());
    for (user, result) in users.iter().zip(results) {
        match partition_of(&routing, user) {
            0 => assert_eq!(
                (&result["error"]["code"], &result["error"]["partition"]),
                (&"wrong_partition".into(), &0.into())
            ),
            _ => assert_eq!((&result["user_id"], &result["balance"]), (&user.as_str().into(), &"0.9".into())),
        }
    }
}

#[tokio::test]
async fn a_partition_that_is_none_and_a_source_are_refused_with_the_way_out() {
    let served = Served::start().await;
    for named in ["02", "0", "1", "000", "-1", "x", "99999999999999999999999"] {
        let subject = format!("drip.cmd.demo.{named}.get");
        let refused = served.refused(&subject, json!({ "user_id": "anna" }), 422, "invalid_field").await;
        assert_eq!(refused["detail"], "partition in the subject must be 00 to 01");
        assert_eq!(refused["field"], "partition");
    }
    let source = json!({ "source": "f", "from": 0, "to": 1, "debits": [] });
    let refused = served.refused("drip.cmd.demo.00.debits", source, 422, "invalid_field").await;
    assert_eq!(refused["detail"], "source goes to every partition: ask for it without naming one");
    served.refused("drip.cmd.demo.routing", json!({ "app": "other" }), 403, "app_mismatch").await;
}
