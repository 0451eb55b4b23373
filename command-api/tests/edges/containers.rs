//! Containers, and accounts that sleep: what people ask for.

use command_api::edge::House;
use command_api::vault::Vault;
use event_log::Entry;
use serde_json::{Value, json};

use crate::world::World;

const SECRET: &str = "whatever-nobody-should-read";

fn house() -> House {
    House { vault: Some(Vault::new(&"1".repeat(64)).unwrap()), ..House::default() }
}

/// All bytes of the log.
async fn bytes(world: &World) -> Vec<u8> {
    let mut all = Vec::new();
    for partition in world.state.log.identity().partitions() {
        for sequence in 1..=world.state.log.head(partition).await.unwrap() {
            if let Some(Entry::Commit(stored)) = world.state.log.read(partition, sequence).await.unwrap() {
                all.extend_from_slice(&stored.bytes);
            }
        }
    }
    all
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[tokio::test]
async fn a_container_is_set_shown_and_set_anew() {
    let world = World::start().await;
    world.open("anna", "1").await;
    let first = json!({ "image": "ghcr.io/acme/bot:1", "key": "k" }).to_string();
    let set = world.put("/v1/users/anna/container", first.clone()).await;
    set.is(
        200,
        &[
            ("/changed", true.into()),
            ("/status", "provisioning".into()),
            ("/container/phase", "absent".into()),
            ("/container/attempts", 0.into()),
            ("/container/url", Value::Null),
        ],
    );
    world.put("/v1/users/anna/container", first).await.is(200, &[("/changed", false.into())]);
    let other = json!({ "image": "ghcr.io/acme/bot:2", "key": "k" }).to_string();
    world.put("/v1/users/anna/container", other).await.is_problem(409, "key_reused", None);
    world.get("/v1/users/anna").await.is(200, &[("/container/phase", "absent".into())]);
    let none = world.put("/v1/users/nobody/container", r#"{"image":"a:1"}"#).await;
    none.is_problem(404, "account_unknown", None);
    world.post("/v1/users/anna/close", "").await.is(200, &[]);
    let closed = world.put("/v1/users/anna/container", r#"{"image":"a:1"}"#).await;
    closed.is_problem(409, "account_closed", None);
}

#[tokio::test]
async fn fields_of_a_container_that_can_not_be_are_refused_by_their_names() {
    let world = World::with_house(house()).await;
    world.open("anna", "1").await;
    let many: Value =
        (0..101).map(|number| (format!("A{number}"), "x".into())).collect::<serde_json::Map<_, _>>().into();
    for (body, code, field) in [
        (json!({}), "missing_field", "image"),
        (json!({ "image": null }), "missing_field", "image"),
        (json!({ "image": "" }), "invalid_field", "image"),
        (json!({ "image": "a b:1" }), "invalid_field", "image"),
        (json!({ "image": "a\n:1" }), "invalid_field", "image"),
        (json!({ "image": "a".repeat(501) }), "invalid_field", "image"),
        (json!({ "image": "a:1", "health_path": "health" }), "invalid_field", "health_path"),
        (json!({ "image": "a:1", "health_path": "" }), "invalid_field", "health_path"),
        (json!({ "image": "a:1", "health_path": "/a b" }), "invalid_field", "health_path"),
        (json!({ "image": "a:1", "health_path": "/ä" }), "invalid_field", "health_path"),
        (
            json!({ "image": "a:1", "health_path": format!("/{}", "a".repeat(200)) }),
            "invalid_field",
            "health_path",
        ),
        (json!({ "image": "a:1", "variables": many }), "invalid_field", "variables"),
        (json!({ "image": "a:1", "variables": { "1A": "x" } }), "invalid_field", "variables"),
        (json!({ "image": "a:1", "variables": { "": "x" } }), "invalid_field", "variables"),
        (json!({ "image": "a:1", "variables": { "A-B": "x" } }), "invalid_field", "variables"),
        (json!({ "image": "a:1", "variables": { "A".repeat(101): "x" } }), "invalid_field", "variables"),
        (json!({ "image": "a:1", "variables": { "DRIP_API_KEY": "x" } }), "invalid_field", "variables"),
        (json!({ "image": "a:1", "variables": { "A": "a\u{0}" } }), "invalid_field", "variables"),
        (json!({ "image": "a:1", "variables": { "A": "a".repeat(4_097) } }), "invalid_field", "variables"),
        (json!({ "image": "a:1", "port": 80 }), "unknown_field", "port"),
        (json!({ "image": "a:1", "user_id": "bob" }), "invalid_field", "user_id"),
    ] {
        let refused = world.put("/v1/users/anna/container", body.to_string()).await;
        assert_eq!(refused.body["code"], code, "{body} {refused:?}");
        refused.is_problem(422, code, Some(field));
    }
    world.get("/v1/users/anna").await.is(200, &[("/container", Value::Null)]);
    let edge = json!({ "image": "a".repeat(500), "health_path": format!("/{}", "a".repeat(199)), "variables": { "_a1": "x".repeat(4_096) } });
    world.put("/v1/users/anna/container", edge.to_string()).await.is(200, &[]);
}

#[tokio::test]
async fn variables_need_a_key_and_can_not_be_read_in_the_log() {
    let world = World::start().await;
    world.open("anna", "1").await;
    let body = json!({ "image": "a:1", "variables": { "SECRET_NAME": SECRET } });
    let refused = world.put("/v1/users/anna/container", body.to_string()).await;
    refused.is_problem(501, "not_configured", Some("variables"));
    let opening = json!({ "user_id": "bob", "container": body }).to_string();
    let refused = world.post("/v1/users", opening.clone()).await;
    refused.is_problem(501, "not_configured", Some("container.variables"));
    world.get("/v1/users/bob").await.is_problem(404, "account_unknown", None);

    let world = World::with_house(house()).await;
    world.open("anna", "1").await;
    world.put("/v1/users/anna/container", body.to_string()).await.is(200, &[]);
    world.post("/v1/users", opening).await.is(201, &[("/container/phase", "absent".into())]);
    let bytes = bytes(&world).await;
    assert!(holds(&bytes, "a:1") && !holds(&bytes, SECRET) && !holds(&bytes, "SECRET_NAME"));
}

#[tokio::test]
async fn who_was_put_to_sleep_is_not_debited_until_woken() {
    let world = World::start().await;
    world.open("anna", "1").await;
    let asleep = world.post("/v1/users/anna/hibernate", "").await;
    asleep.is(200, &[("/changed", true.into()), ("/status", "paused".into()), ("/level", "healthy".into())]);
    world.post("/v1/users/anna/hibernate", "{}").await.is(200, &[("/changed", false.into())]);
    let refused = world.post("/v1/users/anna/debits", r#"{"amount":"0.1"}"#).await;
    refused.is_problem(409, "account_paused", None);
    let batch = world.post("/v1/debits", r#"{"debits":[{"user_id":"anna","amount":"0.1"}]}"#).await;
    batch.is(200, &[("/results/0/error/code", "account_paused".into())]);
    world.post("/v1/users/anna/deposits", r#"{"amount":"1","key":"p"}"#).await.is(200, &[]);
    let still = world.post("/v1/users/anna/debits", r#"{"amount":"0.1"}"#).await;
    still.is_problem(409, "account_paused", None);
    let awake = world.post("/v1/users/anna/restore", "").await;
    awake.is(200, &[("/changed", true.into()), ("/status", "active".into()), ("/balance", "2".into())]);
    world.post("/v1/users/anna/restore", r#"{"force":false}"#).await.is(200, &[("/changed", false.into())]);
    world.post("/v1/users/anna/debits", r#"{"amount":"0.1"}"#).await.is(200, &[]);
}

#[tokio::test]
async fn without_credit_an_account_is_woken_by_force_alone() {
    let world = World::start().await;
    world.open("anna", "1").await;
    world.put("/v1/users/anna/container", r#"{"image":"a:1"}"#).await.is(200, &[]);
    world.post("/v1/users/anna/debits", r#"{"amount":"1"}"#).await.is(200, &[]);
    let refused = world.post("/v1/users/anna/restore", "").await;
    refused.is_problem(402, "restore_without_credit", None);
    let forced = world.post("/v1/users/anna/restore", r#"{"force":true}"#).await;
    forced.is(200, &[("/changed", true.into()), ("/level", "exhausted".into())]);
    // What it wants is a container that runs; money comes from elsewhere.
    assert_ne!(forced.body["status"], "paused", "{forced:?}");
    let broke = world.post("/v1/users/anna/debits", r#"{"amount":"0.1"}"#).await;
    broke.is_problem(402, "insufficient_credit", None);
    world.post("/v1/users/anna/restore", r#"{"force":"yes"}"#).await.is_problem(
        422,
        "invalid_field",
        Some("force"),
    );
    world.post("/v1/users/nobody/restore", "").await.is_problem(404, "account_unknown", None);
    world.post("/v1/users/nobody/hibernate", "").await.is_problem(404, "account_unknown", None);
}

#[tokio::test]
async fn the_mails_of_an_account_are_listed_newest_first() {
    let world = World::start().await;
    world.open("anna", "1").await;
    world.get("/v1/users/anna/notices").await.is(200, &[("/data", json!([]))]);
    world.post("/v1/users/anna/debits", r#"{"amount":"0.9"}"#).await.is(200, &[]);
    world.post("/v1/users/anna/debits", r#"{"amount":"0.1"}"#).await.is(200, &[]);
    world.post("/v1/users/anna/deposits", r#"{"amount":"1","key":"p"}"#).await.is(200, &[]);
    let mails = world.get("/v1/users/anna/notices").await;
    mails.is(
        200,
        &[
            ("/data/0/kind", "restored".into()),
            ("/data/0/epoch", 2.into()),
            ("/data/0/state", "due".into()),
            ("/data/1/kind", "paused".into()),
            ("/data/2/kind", "low_credit".into()),
            ("/data/2/epoch", 1.into()),
            ("/data/2/attempts", 0.into()),
        ],
    );
    world.get("/v1/users/nobody/notices").await.is_problem(404, "account_unknown", None);
}
