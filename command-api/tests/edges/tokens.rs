//! Tokens, which can only debit one account; the door of workers; what all users hold.

use std::sync::Arc;
use std::time::Duration;

use command_api::edge::auth::{ApiKeyConfig, Keyring, generate_key};
use command_api::edge::{EdgeState, House, http};
use command_api::vault::Vault;
use ledger_core::{AccountId, AppId, UserId};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::world::World;

/// Where workers ask.
const DOOR: &str = "/work";
const WORKER_KEY: &str = "the key of workers";

fn house() -> House {
    let worker_key = Some(Sha256::digest(WORKER_KEY).into());
    House { vault: Some(Vault::new(&"1".repeat(64)).unwrap()), worker_key, ..House::default() }
}

fn door(path: &str) -> String {
    format!("{DOOR}/{path}")
}

fn token(world: &World, app: &str, user: &str) -> String {
    let account = AccountId { app: AppId::new(app).unwrap(), user: UserId::new(user).unwrap() };
    world.state.house.vault.as_ref().unwrap().token(&account)
}

#[tokio::test]
async fn a_token_debits_its_account_and_shows_it_and_does_nothing_else() {
    let world = World::with_house(house()).await;
    for user in ["anna", "bob"] {
        world.open(user, "1").await;
    }
    let token = token(&world, "demo", "anna");
    let ask = async |method, path, body| world.with_key(&token, method, path, body).await;
    let amount = r#"{"amount":"0.1","key":"k"}"#;
    ask("POST", "/v1/users/anna/debits", amount).await.is(200, &[("/balance", "0.9".into())]);
    ask("GET", "/v1/users/anna", "").await.is(200, &[("/balance", "0.9".into())]);
    let named = r#"{"amount":"0.1","user_id":"bob"}"#;
    ask("POST", "/v1/users/anna/debits", named).await.is_problem(422, "invalid_field", Some("user_id"));
    ask("POST", "/v1/users/bob/debits", amount).await.is_problem(403, "forbidden", Some("user_id"));
    ask("GET", "/v1/users/bob", "").await.is_problem(403, "forbidden", Some("user_id"));
    // An escaped name is the same name, and another one stays another.
    ask("GET", "/v1/users/%61nna", "").await.is(200, &[]);
    ask("GET", "/v1/users/anna%2F", "").await.is_problem(403, "forbidden", Some("user_id"));
    let batch = r#"{"debits":[{"user_id":"anna","amount":"0.1"}]}"#;
    for (method, path, body) in [
        ("POST", "/v1/debits", batch),
        ("POST", "/v1/users", r#"{"user_id":"anna"}"#),
        ("GET", "/v1/users", ""),
        ("POST", "/v1/users/anna/deposits", r#"{"amount":"1","key":"d"}"#),
        ("POST", "/v1/users/anna/grants", r#"{"amount":"1","key":"g"}"#),
        ("POST", "/v1/users/anna/close", "{}"),
        ("POST", "/v1/users/anna/hibernate", "{}"),
        ("POST", "/v1/users/anna/restore", "{}"),
        ("PUT", "/v1/users/anna/container", r#"{"image":"a:1"}"#),
        ("POST", "/v1/users/anna/checkout-sessions", r#"{"amount":"1"}"#),
        ("GET", "/v1/users/anna/checkout-sessions", ""),
        ("GET", "/v1/users/anna/journal", ""),
        ("GET", "/v1/users/anna/debits?key=k", ""),
        ("GET", "/v1/users/anna/notices", ""),
        ("GET", "/v1/checkout-sessions", ""),
        ("GET", "/v1/log", ""),
        ("GET", "/v1/wallet", ""),
        ("GET", "/v1/routing", ""),
        ("GET", "/v1/sources/x", ""),
    ] {
        let refused = ask(method, path, body).await;
        assert_eq!(refused.status, 403, "{method} {path} {refused:?}");
        refused.is_problem(403, "forbidden", None);
    }
    world.get("/v1/users/anna").await.is(200, &[("/balance", "0.9".into())]);
    world.get("/v1/users/bob").await.is(200, &[("/balance", "1".into())]);
}

#[tokio::test]
async fn a_token_that_was_changed_or_is_of_another_key_opens_nothing() {
    let world = World::with_house(house()).await;
    world.open("anna", "1").await;
    let token_of = token(&world, "demo", "anna");
    let foreign = Vault::new(&"2".repeat(64)).unwrap();
    let account = AccountId { app: AppId::new("demo").unwrap(), user: UserId::new("anna").unwrap() };
    let flipped = |at: usize| {
        let mut bytes = token_of.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let mut bad =
        vec![foreign.token(&account), token_of[..token_of.len() - 1].to_owned(), format!("{token_of}A")];
    bad.extend([6, 10, token_of.len() / 2, token_of.len() - 5].map(flipped));
    for token in bad {
        let refused = world.with_key(&token, "GET", "/v1/users/anna", "").await;
        refused.is_problem(401, "unauthorized", None);
    }
    // A token of another app is asked about in that app.
    let other = token(&world, "other", "anna");
    world.with_key(&other, "GET", "/v1/users/anna", "").await.is_problem(404, "account_unknown", None);
    // Without the key of the house there are no tokens.
    let plain = World::start().await;
    plain.with_key(&token_of, "GET", "/v1/users/anna", "").await.is_problem(401, "unauthorized", None);
}

#[tokio::test]
async fn the_door_of_workers_opens_for_their_key_alone() {
    let world = World::with_house(house()).await;
    world.open("anna", "1").await;
    let anna = &door("container?app=demo&user_id=anna");
    let claim = json!({ "app": "demo", "user_id": "anna", "worker": "w", "hold_ms": 1000 }).to_string();
    let token = token(&world, "demo", "anna");
    for key in [world.key.as_str(), "", "the key of worker", &token] {
        world.with_key(key, "GET", anna, "").await.is_problem(401, "unauthorized", None);
        world.with_key(key, "GET", &door("containers"), "").await.is_problem(401, "unauthorized", None);
        world.with_key(key, "POST", &door("claims"), &claim).await.is_problem(401, "unauthorized", None);
    }
    let none = World::start().await;
    none.with_key("", "GET", anna, "").await.is_problem(401, "unauthorized", None);
    none.with_key(WORKER_KEY, "GET", anna, "").await.is_problem(401, "unauthorized", None);
    world.with_key(WORKER_KEY, "GET", &door("nothing"), "").await.is_problem(404, "not_found", None);
    world.with_key(WORKER_KEY, "GET", &door("claims"), "").await.is_problem(405, "method_not_allowed", None);
    // And their key opens nothing else.
    world.with_key(WORKER_KEY, "GET", "/v1/users/anna", "").await.is_problem(401, "unauthorized", None);
    world.with_key(WORKER_KEY, "GET", anna, "").await.is(200, &[("/user_id", "anna".into())]);
    let unknown = world.with_key(WORKER_KEY, "POST", &door("claims"), &claim).await;
    unknown.is_problem(404, "container_unknown", None);
}

#[tokio::test]
async fn who_claims_gets_the_settings_in_clear_and_a_token_that_debits() {
    let world = World::with_house(house()).await;
    world.open("anna", "1").await;
    let set = json!({ "image": "a:1", "variables": { "A": "b" } }).to_string();
    world.put("/v1/users/anna/container", set).await.is(200, &[]);
    let claim = json!({ "app": "demo", "user_id": "anna", "worker": "w", "hold_ms": 1000 }).to_string();
    let work = world.with_key(WORKER_KEY, "POST", &door("claims"), &claim).await;
    work.is(
        200,
        &[
            ("/due", "provision".into()),
            ("/settings/image", "a:1".into()),
            ("/settings/health_path", "/health".into()),
            ("/settings/variables/A", "b".into()),
            ("/settings/variables/DRIP_USER_ID", "anna".into()),
            ("/settings/variables/DRIP_APP", "demo".into()),
        ],
    );
    let key = work.text("/settings/variables/DRIP_API_KEY");
    let paid = world.with_key(&key, "POST", "/v1/users/anna/debits", r#"{"amount":"0.1"}"#).await;
    paid.is(200, &[("/balance", "0.9".into())]);
    let other = claim.replace("\"w\"", "\"x\"");
    world.with_key(WORKER_KEY, "POST", &door("claims"), &other).await.is_problem(409, "claimed", None);
}

/// A claim that leads nowhere would only make the log longer, again and again.
#[tokio::test]
async fn nothing_is_claimed_whose_variables_can_not_be_opened() {
    let mut world = World::with_house(house()).await;
    world.open("anna", "1").await;
    let set = json!({ "image": "a:1", "variables": { "A": "b" } }).to_string();
    world.put("/v1/users/anna/container", set).await.is(200, &[]);
    let vault = Some(Vault::new(&"2".repeat(64)).unwrap());
    let state = EdgeState { house: Arc::new(House { vault, ..house() }), ..world.state.clone() };
    let with_its_key = std::mem::replace(&mut world.router, http::router(state));
    let claim = json!({ "app": "demo", "user_id": "anna", "worker": "w", "hold_ms": 1000 }).to_string();
    let refused = world.with_key(WORKER_KEY, "POST", &door("claims"), &claim).await;
    refused.is_problem(501, "not_configured", None);
    world.router = with_its_key;
    let anna = &door("container?app=demo&user_id=anna");
    let untouched = [("/container/steps", 0.into()), ("/container/holder", Value::Null)];
    world.with_key(WORKER_KEY, "GET", anna, "").await.is(200, &untouched);
}

/// It runs unpaid, whoever let it: told of that, the ledger wants it to sleep.
#[tokio::test]
async fn a_sleeper_is_listed_and_is_due_when_it_is_seen_awake() {
    let world = World::with_house(house()).await;
    for user in ["anna", "bert"] {
        world.open(user, "1").await;
        let set = json!({ "image": "a:1" }).to_string();
        world.put(&format!("/v1/users/{user}/container"), set).await.is(200, &[]);
    }
    let ask = async |path: &str, body: Value| {
        let mut told = json!({ "app": "demo", "user_id": "anna", "worker": "w" });
        told.as_object_mut().unwrap().append(&mut body.as_object().unwrap().clone());
        world.with_key(WORKER_KEY, "POST", &door(path), &told.to_string()).await
    };
    let tell = async |after: u32, mut step: Value| {
        step["after"] = after.into();
        ask("steps", step).await
    };
    // The views know of a step some moments later.
    let sleepers = async |wanted: Value| {
        let listed = async || {
            let found = world.with_key(WORKER_KEY, "GET", &door("sleepers"), "").await;
            found.is(200, &[("/more", false.into())]);
            found.body["data"] == wanted
        };
        while !listed().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let sleepers = async |wanted| {
        let shown = tokio::time::timeout(Duration::from_secs(10), sleepers(wanted)).await;
        shown.expect("the sleepers are listed");
    };
    ask("claims", json!({ "hold_ms": 60_000 })).await.is(200, &[]);
    for (after, step) in (1..).zip([
        json!({ "step": "project_created", "id": "p" }),
        json!({ "step": "environment_created", "id": "e" }),
        json!({ "step": "service_created", "id": "s", "url": "http://s" }),
        json!({ "step": "variables_set" }),
        json!({ "step": "scaled_up" }),
        json!({ "step": "deployment_started", "id": "d" }),
        json!({ "step": "running" }),
    ]) {
        tell(after, step).await.is(200, &[]);
    }
    world.post("/v1/users/anna/hibernate", "").await.is(200, &[]);
    ask("claims", json!({ "hold_ms": 60_000 })).await.is(200, &[("/due", "hibernate".into())]);
    tell(9, json!({ "step": "scaled_down", "strategy": "min_zero" })).await.is(200, &[]);
    sleepers(json!([])).await;
    tell(10, json!({ "step": "asleep" })).await.is(200, &[("/due", Value::Null)]);
    let anna = json!({ "app": "demo", "user_id": "anna", "service": "s", "steps": 11 });
    sleepers(json!([anna])).await;
    world
        .with_key(WORKER_KEY, "GET", &door("sleepers?app=demo&user_id=anna"), "")
        .await
        .is(200, &[("/data", json!([]))]);
    // Who has not heard of the last step is not believed.
    tell(10, json!({ "step": "scaled_up" })).await.is_problem(409, "moved", None);
    tell(11, json!({ "step": "scaled_up" })).await.is(200, &[("/due", "hibernate".into())]);
    sleepers(json!([])).await;
}

/// The world with a key of one app only.
fn alone(world: &World) -> (EdgeState, String) {
    let app = AppId::new("demo").unwrap();
    let (key, sha256) = generate_key(&app);
    let keyring = Keyring::new(&[ApiKeyConfig { app, name: "dev".into(), sha256 }]).unwrap();
    (EdgeState { keyring: Arc::new(keyring), ..world.state.clone() }, key)
}

#[tokio::test]
async fn the_wallet_is_shown_to_the_only_app_when_it_was_looked_at() {
    let mut world = World::with_house(house()).await;
    world.open("anna", "1").await;
    world.get("/v1/wallet").await.is_problem(403, "forbidden", None);
    let (state, key) = alone(&world);
    world.router = http::router(state);
    world.with_key(&key, "GET", "/v1/wallet", "").await.is_problem(404, "not_found", None);
    // The mails of anna wait for the views, and so all that was opened is in the sum.
    world.with_key(&key, "GET", "/v1/users/anna/notices", "").await.is(200, &[]);
    let found = json!({ "worker": "w", "wallet": "0.5", "promo": null, "build_credits": null, "build_monthly": null, "floor": "0" });
    let told = world.with_key(WORKER_KEY, "POST", &door("solvency"), &found.to_string()).await;
    told.is(200, &[("/wallet_level", "critical".into()), ("/balances", "1".into())]);
    let shown = async || world.with_key(&key, "GET", "/v1/wallet", "").await;
    let patience = tokio::time::timeout(Duration::from_secs(10), async {
        while shown().await.status == 404 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    patience.await.expect("the views must hold what was told");
    shown().await.is(
        200,
        &[
            ("/level", "critical".into()),
            ("/balances", "1".into()),
            ("/wallet", "0.5".into()),
            ("/build_level", "unknown".into()),
            ("/build_credits", Value::Null),
        ],
    );
}
