//! What goes well over HTTP, and what the ledger itself refuses.

use axum::body::Body;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn an_account_is_opened_debited_and_shown() {
    let world = World::start().await;
    let body = r#"{"user_id":"anna","email":"anna@example.org","metadata":{"plan":"pro","n":1.10},"initial_balance":1}"#;
    let opened = world.post("/v1/users", body).await;
    opened.is(
        201,
        &[
            ("/user_id", "anna".into()),
            ("/balance", "1".into()),
            ("/available", "1".into()),
            ("/baseline", "1".into()),
            ("/level", "healthy".into()),
            ("/status", "active".into()),
            ("/epoch", 1.into()),
            ("/created", true.into()),
            ("/email", "anna@example.org".into()),
            ("/metadata/plan", "pro".into()),
        ],
    );
    let again = world.post("/v1/users", r#"{"user_id":"anna","initial_balance":"5"}"#).await;
    again.is(
        200,
        &[("/created", false.into()), ("/balance", "1".into()), ("/email", "anna@example.org".into())],
    );

    let paid = world.post("/v1/users/anna/debits", r#"{"amount":0.007,"meter":"search","key":"k1"}"#).await;
    paid.is(
        200,
        &[
            ("/user_id", "anna".into()),
            ("/key", "k1".into()),
            ("/amount", "0.007".into()),
            ("/balance", "0.993".into()),
            ("/available", "0.993".into()),
            ("/level", "healthy".into()),
            ("/duplicate", false.into()),
            ("/fee", "0.00035".into()),
            ("/meter", "search".into()),
            ("/dry_run", Value::Null),
        ],
    );
    let shown = world.get("/v1/users/anna?expand=lots").await;
    shown.is(
        200,
        &[
            ("/balance", "0.993".into()),
            ("/position", paid.text("/position").into()),
            ("/email", "anna@example.org".into()),
            ("/lots/0/kind", "promo".into()),
            ("/lots/0/left", "0.993".into()),
            ("/lots/0/lot", 1.into()),
            ("/created", Value::Null),
        ],
    );
    assert!(shown.text("/opened_at").ends_with('Z'));
    assert!(shown.body["metadata"].to_string().contains("1.1"));
    assert!(world.get("/v1/users/anna").await.body.get("lots").is_none());
}

#[tokio::test]
async fn a_key_charges_once_and_only_for_what_it_was_first_used() {
    let world = World::start().await;
    world.open("anna", "1").await;
    let body = r#"{"amount":"0.25","key":"k"}"#;
    let first = world.post("/v1/users/anna/debits", body).await;
    let second = world.post("/v1/users/anna/debits", body).await;
    second.is(
        200,
        &[
            ("/duplicate", true.into()),
            ("/position", first.text("/position").into()),
            ("/balance", "0.75".into()),
        ],
    );
    let by_header = world.request("POST", "/v1/users/anna/debits").header("idempotency-key", "k");
    let by_header = by_header.header("content-type", "application/json; charset=utf-8");
    let third = world.send(by_header.body(Body::from(r#"{"amount":0.250}"#)).unwrap()).await;
    third.is(200, &[("/duplicate", true.into()), ("/key", "k".into())]);
    let other = world.post("/v1/users/anna/debits", r#"{"amount":"0.26","key":"k"}"#).await;
    other.is_problem(409, "key_reused", None);
    world.get("/v1/users/anna").await.is(200, &[("/balance", "0.75".into())]);
    let made = world.post("/v1/users/anna/debits", r#"{"amount":"0.25"}"#).await;
    assert_eq!(made.text("/key").len(), 36);
}

#[tokio::test]
async fn want_of_credit_says_what_was_needed() {
    let world = World::start().await;
    world.open("anna", "0.005").await;
    let refused = world.post("/v1/users/anna/debits", r#"{"amount":"0.007"}"#).await;
    refused.is_problem(402, "insufficient_credit", None);
    refused.is(
        402,
        &[("/needed", "0.007".into()), ("/available", "0.005".into()), ("/shortfall", "0.002".into())],
    );
    world.post("/v1/users/anna/debits", r#"{"amount":"0.005"}"#).await.is(200, &[("/balance", "0".into())]);
    for (amount, code) in
        [("0", "amount_not_positive"), ("-1", "amount_not_positive"), ("1000000001", "amount_too_large")]
    {
        let refused = world.post("/v1/users/anna/debits", format!("{{\"amount\":{amount}}}")).await;
        refused.is_problem(422, code, Some("amount"));
    }
    world.post("/v1/users/nobody/debits", r#"{"amount":1}"#).await.is_problem(404, "account_unknown", None);
    world.get("/v1/users/nobody").await.is_problem(404, "account_unknown", None);
}

#[tokio::test]
async fn a_dry_run_tells_and_changes_nothing() {
    let world = World::start().await;
    world.open("anna", "1").await;
    let dry = world.post("/v1/users/anna/debits", r#"{"amount":"0.9","dry_run":true}"#).await;
    dry.is(
        200,
        &[
            ("/dry_run", true.into()),
            ("/amount", "0.9".into()),
            ("/balance", "0.1".into()),
            ("/level", "low".into()),
            ("/position", Value::Null),
            ("/duplicate", false.into()),
        ],
    );
    assert!(dry.body.as_object().unwrap().contains_key("position"));
    let dry = world.post("/v1/users/anna/debits", r#"{"amount":"1.1","dry_run":true}"#).await;
    dry.is_problem(402, "insufficient_credit", None);
    world.get("/v1/users/anna").await.is(200, &[("/balance", "1".into())]);
}

#[tokio::test]
async fn items_are_charged_exactly_and_come_back_as_asked() {
    let world = World::start().await;
    world.open("anna", "1").await;
    let body = r#"{"items":[{"name":"in","quantity":1,"unit_price":0.0000025}]}"#;
    world.post("/v1/users/anna/debits", body).await.is(200, &[("/amount", "0.000002".into())]);
    world.post("/v1/users/anna/debits", body).await.is(
        200,
        &[
            ("/amount", "0.000003".into()),
            ("/items/0/name", "in".into()),
            ("/items/0/quantity", "1".into()),
            ("/items/0/unit_price", "0.0000025".into()),
        ],
    );
}

#[tokio::test]
async fn money_comes_in_once_and_an_account_is_closed_once() {
    let world = World::start().await;
    world.open("anna", "0").await;
    let body = r#"{"amount":"50","key":"invoice 7","metadata":{"invoice":7}}"#;
    let paid = world.post("/v1/users/anna/deposits", body).await;
    paid.is(
        200,
        &[
            ("/amount", "50".into()),
            ("/balance", "50".into()),
            ("/key", "invoice 7".into()),
            ("/duplicate", false.into()),
        ],
    );
    assert!(paid.body.get("fee").is_none());
    world
        .post("/v1/users/anna/deposits", body)
        .await
        .is(200, &[("/duplicate", true.into()), ("/balance", "50".into())]);
    world.post("/v1/users/anna/grants", body).await.is_problem(409, "key_reused", None);
    world
        .post("/v1/users/anna/grants", r#"{"amount":"1","key":"g"}"#)
        .await
        .is(200, &[("/balance", "51".into())]);
    let closed = world.send(world.request("POST", "/v1/users/anna/close").body(Body::empty()).unwrap()).await;
    closed.is(200, &[("/changed", true.into()), ("/status", "closed".into()), ("/balance", "51".into())]);
    for body in ["{}", ""] {
        world.post("/v1/users/anna/close", body).await.is(200, &[("/changed", false.into())]);
    }
    world.post("/v1/users/anna/debits", r#"{"amount":1}"#).await.is_problem(409, "account_closed", None);
}

#[tokio::test]
async fn each_debit_of_a_batch_is_decided_by_itself() {
    let world = World::start().await;
    world.open("anna", "1").await;
    world.open("bob", "0.5").await;
    let batch = json!({ "debits": [
        { "user_id": "anna", "amount": "0.4", "key": "1" },
        { "user_id": "bob", "amount": "0.6" },
        { "user_id": "nobody", "amount": "0.1" },
        { "user_id": "anna", "amount": "0.4", "key": "1" },
        { "user_id": "bob", "amount": "0.5", "dry_run": true },
        { "user_id": "anna", "amount": "0.6" },
    ] });
    let answer = world.post("/v1/debits", batch.to_string()).await;
    answer.is(
        200,
        &[
            ("/results/0/balance", "0.6".into()),
            ("/results/0/duplicate", false.into()),
            ("/results/1/error/code", "insufficient_credit".into()),
            ("/results/1/error/shortfall", "0.1".into()),
            ("/results/2/error/code", "account_unknown".into()),
            ("/results/3/duplicate", true.into()),
            ("/results/4/dry_run", true.into()),
            ("/results/5/balance", "0".into()),
        ],
    );
    assert_eq!(answer.body["results"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn a_batch_with_a_field_that_can_not_be_is_refused_before_anything_is_decided() {
    let world = World::start().await;
    world.open("anna", "1").await;
    let batch = r#"{"debits":[{"user_id":"anna","amount":1},{"user_id":"anna","amount":"1.0000001"}]}"#;
    world.post("/v1/debits", batch).await.is_problem(422, "invalid_field", Some("debits[1].amount"));
    world.get("/v1/users/anna").await.is(200, &[("/balance", "1".into())]);
}

#[tokio::test]
async fn names_of_users_may_hold_slashes_spaces_emoji_and_braces() {
    let world = World::start().await;
    for (user, path) in [
        ("a/b c", "a%2Fb%20c"),
        ("🦀", "%F0%9F%A6%80"),
        ("{acme}anna", "%7Bacme%7Danna"),
        ("100%", "100%25"),
        ("a+b", "a+b"),
        ("a?b#c", "a%3Fb%23c"),
    ] {
        world.open(user, "1").await;
        let body = r#"{"amount":"0.5","key":"k"}"#;
        let paid = world.post(&format!("/v1/users/{path}/debits"), body).await;
        paid.is(200, &[("/user_id", user.into()), ("/balance", "0.5".into())]);
        world.get(&format!("/v1/users/{path}")).await.is(200, &[("/user_id", user.into())]);
        let rows = world.get(&format!("/v1/users/{path}/debits?key=k")).await;
        rows.is(200, &[("/data/0/amount", "-0.5".into()), ("/data/0/user_id", user.into())]);
    }
}

#[tokio::test]
async fn the_journal_is_paged_both_ways_without_gap_or_repetition() {
    let world = World::start().await;
    world.open("anna", "10").await;
    let mut last = String::new();
    for n in 1..=7 {
        let body = json!({ "amount": format!("0.{n}"), "meter": if n % 2 == 0 { "even" } else { "odd" } });
        last = world.post("/v1/users/anna/debits", body.to_string()).await.text("/position");
    }
    let wanted: Vec<_> = (1..=7).rev().map(|n| format!("-0.{n}")).chain(["10".to_owned()]).collect();
    for (order, wanted) in [("desc", wanted.clone()), ("asc", wanted.into_iter().rev().collect())] {
        let mut path = format!("/v1/users/anna/journal?limit=3&order={order}&wait_for={last}");
        let (first, mut seen, mut pages) = (path.clone(), vec![], 0);
        loop {
            let page = world.get(&path).await;
            page.is(200, &[]);
            seen.extend(
                page.body["data"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|row| row["amount"].as_str().unwrap().to_owned()),
            );
            pages += 1;
            let Some(cursor) = page.body["next_cursor"].as_str() else { break };
            path = format!("{first}&cursor={cursor}");
        }
        assert_eq!((seen, pages), (wanted, 3));
    }
    let even = world.get("/v1/users/anna/journal?meter=even&kind=debited").await;
    even.is(
        200,
        &[
            ("/data/0/amount", "-0.6".into()),
            ("/data/2/amount", "-0.2".into()),
            ("/data/3", Value::Null),
            ("/next_cursor", Value::Null),
        ],
    );
    let opened = world.get("/v1/users/anna/journal?kind=opened").await;
    opened.is(
        200,
        &[("/data/0/actor", "key:dev".into()), ("/data/0/balance", "10".into()), ("/data/1", Value::Null)],
    );
    world.get("/v1/users/nobody/journal").await.is_problem(404, "account_unknown", None);
}

#[tokio::test]
async fn accounts_are_listed_by_user_id_and_by_level() {
    let world = World::start().await;
    let users = ["bob", "anna", "dora", "carl", "🦀"];
    for user in users {
        world.open(user, if user == "carl" { "0" } else { "1" }).await;
    }
    let mut last = std::collections::BTreeMap::new();
    for user in users {
        let position = world.get(&format!("/v1/users/{}", urlencode(user))).await.text("/position");
        last.insert(position.split('-').next().unwrap().to_owned(), position);
    }
    for position in last.values() {
        world.get(&format!("/v1/users?wait_for={position}")).await.is(200, &[]);
    }
    let first = world.get("/v1/users?limit=3").await;
    first.is(
        200,
        &[
            ("/data/0/user_id", "anna".into()),
            ("/data/2/user_id", "carl".into()),
            ("/data/2/status", "paused".into()),
        ],
    );
    let second = world.get(&format!("/v1/users?limit=3&cursor={}", first.text("/next_cursor"))).await;
    second.is(
        200,
        &[
            ("/data/0/user_id", "dora".into()),
            ("/data/1/user_id", "🦀".into()),
            ("/next_cursor", Value::Null),
        ],
    );
    let low = world.get("/v1/users?level=exhausted").await;
    low.is(200, &[("/data/0/user_id", "carl".into()), ("/data/1", Value::Null)]);
    assert!(second.body.as_object().unwrap().contains_key("next_cursor"));
}

#[tokio::test]
async fn what_became_of_a_key_is_known_at_once() {
    let world = World::start().await;
    world.open("anna", "1").await;
    for n in 0..20 {
        world
            .post("/v1/users/anna/debits", format!(r#"{{"amount":"0.01","key":"k{n}"}}"#))
            .await
            .is(200, &[]);
        let rows = world.get(&format!("/v1/users/anna/debits?key=k{n}")).await;
        rows.is(
            200,
            &[("/data/0/kind", "debited".into()), ("/data/0/asked", "0.01".into()), ("/data/1", Value::Null)],
        );
    }
    world.get("/v1/users/anna/debits?key=unused").await.is(200, &[("/data", json!([]))]);
    world.get("/v1/users/anna/debits").await.is_problem(422, "missing_field", Some("key"));
    world.get("/v1/users/nobody/debits?key=k").await.is_problem(404, "account_unknown", None);
}

#[tokio::test]
async fn a_decline_that_was_recorded_is_found_by_its_key() {
    let world = World::start().await;
    world.open("anna", "0.012").await;
    world.post("/v1/users/anna/debits", r#"{"amount":"0.007"}"#).await.is(200, &[]);
    world.post("/v1/users/anna/debits", r#"{"amount":"0.007","key":"k"}"#).await.is_problem(
        402,
        "insufficient_credit",
        None,
    );
    let rows = world.get("/v1/users/anna/debits?key=k").await;
    rows.is(
        200,
        &[
            ("/data/0/kind", "declined".into()),
            ("/data/0/code", "insufficient_credit".into()),
            ("/data/0/amount", "0".into()),
        ],
    );
    world
        .get("/v1/users/anna")
        .await
        .is(200, &[("/level", "exhausted".into()), ("/balance", "0.005".into())]);
}

#[tokio::test]
async fn parallel_debits_never_overspend() {
    let world = World::start().await;
    world.open("anna", "0.5").await;
    let debit = |_| world.post("/v1/users/anna/debits", r#"{"amount":"0.01"}"#);
    let answers = futures::future::join_all((0..80).map(debit)).await;
    let paid = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.status == 402).count();
    assert_eq!((paid, refused), (50, 30));
    world.get("/v1/users/anna").await.is(200, &[("/balance", "0".into())]);
}

pub(crate) fn urlencode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
