//! Sources over HTTP: each item once, whatever is sent again.

use serde_json::{Value, json};

use crate::world::World;

fn item(number: u64, user: &str, amount: &str) -> Value {
    json!({ "number": number, "user_id": user, "amount": amount })
}

#[tokio::test]
async fn a_feed_is_charged_once_however_often_it_is_sent() {
    let world = World::start().await;
    let first = json!({
        "source": "usage.csv", "from": 0, "to": 4, "grant_missing": "1",
        "debits": [item(1, "anna", "0.4"), item(2, "bob", "0.7"), item(4, "anna", "0.7")],
    });
    let answer = world.post("/v1/debits", first.to_string()).await;
    answer.is(
        200,
        &[
            ("/source", "usage.csv".into()),
            ("/from", 0.into()),
            ("/to", 4.into()),
            ("/charged", 2.into()),
            ("/declined", 1.into()),
            ("/skipped", 0.into()),
            ("/opened", 2.into()),
            ("/amount", "1.1".into()),
        ],
    );
    let digest = answer.text("/digest");
    assert_eq!(digest.len(), 64);
    assert!(!answer.body["positions"].as_object().unwrap().is_empty());

    let again = world.post("/v1/debits", first.to_string()).await;
    again.is(
        200,
        &[
            ("/charged", 0.into()),
            ("/skipped", 3.into()),
            ("/digest", digest.clone().into()),
            ("/amount", "0".into()),
        ],
    );

    let second = json!({
        "source": "usage.csv", "from": 4, "to": 5, "digest": digest, "last": true,
        "debits": [item(5, "bob", "0.3")],
    });
    world
        .post("/v1/debits", second.to_string())
        .await
        .is(200, &[("/charged", 1.into()), ("/amount", "0.3".into())]);

    let report = world.get("/v1/sources/usage.csv").await;
    report.is(
        200,
        &[
            ("/source", "usage.csv".into()),
            ("/marks/0", 5.into()),
            ("/marks/1", 5.into()),
            ("/charged", 3.into()),
            ("/declined", 1.into()),
            ("/amount", "1.4".into()),
        ],
    );
    let declines = world.get("/v1/sources/usage.csv/declines").await;
    declines.is(
        200,
        &[
            ("/data/0/number", 4.into()),
            ("/data/0/user_id", "anna".into()),
            ("/data/0/code", "insufficient_credit".into()),
            ("/data/0/asked", "0.7".into()),
            ("/data/1", Value::Null),
            ("/next_cursor", Value::Null),
        ],
    );
}

#[tokio::test]
async fn a_gap_another_feed_and_a_shorter_one_are_refused_with_the_mark() {
    let world = World::start().await;
    let batch = |from: u64, to: u64, digest: Option<&str>, debits: Value, last: bool| {
        let mut body = json!({ "source": "f", "from": from, "to": to, "last": last, "grant_missing": "1", "debits": debits });
        if let Some(digest) = digest {
            body["digest"] = digest.into();
        }
        body.to_string()
    };
    let first = batch(0, 3, None, json!([item(1, "anna", "0.1"), item(3, "bob", "0.1")]), false);
    let digest = world.post("/v1/debits", first).await.text("/digest");
    let gap = world.post("/v1/debits", batch(5, 6, Some(&digest), json!([]), false)).await;
    gap.is_problem(409, "source_gap", None);
    gap.is(409, &[("/mark", 3.into())]);
    let differs = world.post("/v1/debits", batch(0, 3, None, json!([item(1, "anna", "0.2")]), false)).await;
    differs.is_problem(409, "source_differs", None);
    let shorter = world.post("/v1/debits", batch(0, 1, None, json!([item(1, "anna", "0.1")]), true)).await;
    shorter.is_problem(409, "source_shorter", None);
    for debits in [json!([item(4, "a", "1")]), json!([item(2, "a", "1"), item(1, "a", "1")])] {
        world.post("/v1/debits", batch(0, 3, None, debits, false)).await.is_problem(
            422,
            "source_range",
            None,
        );
    }
    world.get("/v1/sources/other").await.is_problem(404, "not_found", None);
}

#[tokio::test]
async fn declines_are_paged_by_number() {
    let world = World::start().await;
    world.open("anna", "0.1").await;
    let debits: Vec<_> = (1..=7).map(|n| item(n, if n % 2 == 0 { "nobody" } else { "anna" }, "1")).collect();
    let body = json!({ "source": "a/b c", "from": 0, "to": 7, "debits": debits });
    world.post("/v1/debits", body.to_string()).await.is(200, &[("/declined", 7.into())]);
    let (mut numbers, mut path) = (vec![], "/v1/sources/a%2Fb%20c/declines?limit=3".to_owned());
    loop {
        let page = world.get(&path).await;
        page.is(200, &[]);
        numbers
            .extend(page.body["data"].as_array().unwrap().iter().map(|row| row["number"].as_u64().unwrap()));
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        path = format!("/v1/sources/a%2Fb%20c/declines?limit=3&cursor={cursor}");
    }
    assert_eq!(numbers, (1..=7).collect::<Vec<_>>());
    let wrong = world.get("/v1/users?cursor=3164").await;
    wrong.is_problem(400, "invalid_cursor", Some("cursor"));
}
