//! The agent log: in order, and nothing twice or never, while it grows in several partitions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::world::World;

/// All lines behind a place, page by page, and the place behind them.
async fn read_on(world: &World, mut after: String, limit: u32) -> (Vec<Value>, String) {
    let mut lines = Vec::new();
    loop {
        let page = world.get(&format!("/v1/log?limit={limit}&after_id={after}")).await;
        page.is(200, &[]);
        let data = page.body["data"].as_array().unwrap().clone();
        assert!(data.len() <= limit as usize);
        after = page.text("/last_id");
        if data.is_empty() {
            return (lines, after);
        }
        lines.extend(data);
    }
}

fn place(line: &Value) -> (u64, u64, u64) {
    let position = line["position"].as_str().unwrap();
    let parts: Vec<u64> = position.split('-').map(|part| part.parse().unwrap()).collect();
    (parts[0], parts[1], parts[2])
}

/// Signals of some users of both partitions, all in the views.
async fn signals(world: &World, round: u32) -> Vec<String> {
    let mut wanted = Vec::new();
    for number in 0..6 {
        let user = format!("user-{round}-{number}");
        world.open(&user, "1").await;
        world.post(&format!("/v1/users/{user}/debits"), r#"{"amount":"1"}"#).await.is(200, &[]);
        world.post(&format!("/v1/users/{user}/hibernate"), "").await.is(200, &[]);
        world.get(&format!("/v1/users/{user}/notices")).await.is(200, &[]);
        wanted.push(user);
    }
    wanted
}

#[tokio::test]
async fn whoever_reads_on_gets_every_line_once_while_it_grows() {
    let world = World::start().await;
    let begin = world.get("/v1/log").await;
    begin.is(200, &[("/data", json!([]))]);
    let (mut lines, mut after, mut users) = (Vec::new(), begin.text("/last_id"), Vec::new());
    for round in 0..4 {
        users.extend(signals(&world, round).await);
        // One page only in some rounds: the next goes on in the middle.
        let limit = [1, 3, 7, 1000][round as usize];
        let (more, next) = read_on(&world, after, limit).await;
        lines.extend(more);
        after = next;
    }
    let mut by_partition: BTreeMap<u64, Vec<_>> = BTreeMap::new();
    for line in &lines {
        by_partition.entry(place(line).0).or_default().push(place(line));
    }
    assert_eq!(by_partition.len(), 2, "both partitions have lines");
    for places in by_partition.values() {
        assert!(places.is_sorted_by(|a, b| a < b), "{places:?}");
    }
    for user in &users {
        let kinds: Vec<_> = lines
            .iter()
            .filter(|line| line["user_id"] == **user)
            .map(|line| line["kind"].as_str().unwrap())
            .collect();
        assert!(kinds.starts_with(&["opened"]) && kinds.ends_with(&["paused"]), "{user}: {kinds:?}");
        assert!(kinds.iter().filter(|kind| **kind == "crossed").count() >= 1, "{user}: {kinds:?}");
    }
    let (all, _) = read_on(&world, begin.text("/last_id"), 1000).await;
    assert_eq!(all.len(), lines.len());
}

#[tokio::test]
async fn pages_that_end_in_the_middle_go_on_where_they_ended() {
    let world = World::start().await;
    let begin = world.get("/v1/log").await.text("/last_id");
    signals(&world, 0).await;
    let first = world.get(&format!("/v1/log?limit=4&after_id={begin}")).await;
    signals(&world, 1).await;
    let (rest, _) = read_on(&world, first.text("/last_id"), 5).await;
    let mut places: Vec<_> = first.body["data"].as_array().unwrap().iter().chain(&rest).map(place).collect();
    let count = places.len();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), count, "nothing comes twice");
    let (all, _) = read_on(&world, begin, 1000).await;
    assert_eq!(all.len(), count, "nothing is passed over");
}

#[tokio::test]
async fn without_a_place_the_last_lines_are_shown_in_sentences() {
    let world = World::start().await;
    world.open("anna", "1").await;
    world.post("/v1/users/anna/debits", r#"{"amount":"0.9"}"#).await.is(200, &[]);
    world.post("/v1/users/anna/debits", r#"{"amount":"0.1"}"#).await.is(200, &[]);
    world.get("/v1/users/anna/notices").await.is(200, &[]);
    let last = world.get("/v1/log?limit=2").await;
    last.is(
        200,
        &[
            ("/data/0/message", "low credit: 0.1 USDC of 1 USDC left".into()),
            ("/data/0/user_id", "anna".into()),
            ("/data/1/message", "balance depleted: 0 USDC of 1 USDC left".into()),
            ("/data/2", Value::Null),
        ],
    );
    // Nobody reads of another app's users.
    let other = world.with_key(&world.other_key, "GET", "/v1/log", "").await;
    other.is(200, &[("/data", json!([]))]);
}

#[tokio::test]
async fn a_place_of_another_list_is_none() {
    let world = World::start().await;
    for (query, status, code, field) in [
        ("after_id=x", 400, "invalid_cursor", "after_id"),
        ("after_id=", 400, "invalid_cursor", "after_id"),
        ("after_id=31613a616e6e61", 400, "invalid_cursor", "after_id"),
        ("limit=0", 422, "invalid_field", "limit"),
        ("limit=1001", 422, "invalid_field", "limit"),
        ("before_id=x", 422, "unknown_field", "before_id"),
    ] {
        world.get(&format!("/v1/log?{query}")).await.is_problem(status, code, Some(field));
    }
}
