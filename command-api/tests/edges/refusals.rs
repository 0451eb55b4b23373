//! Bad input over HTTP: each a clear problem, nothing changed.

use axum::body::Body;
use axum::http::Request;
use command_api::edge::http;
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn who_has_no_key_is_told_so_and_learns_nothing() {
    let world = World::start().await;
    let wrong = format!("Bearer {}x", world.key);
    let basic = format!("Basic {}", world.key);
    for header in
        [None, Some("Bearer"), Some("Bearer "), Some(&wrong), Some(&basic), Some(world.key.as_str())]
    {
        for (method, path) in [
            ("GET", "/v1/users/anna"),
            ("POST", "/v1/users"),
            ("POST", "/v1/debits"),
            ("GET", "/v1/sources/x"),
        ] {
            let mut request = Request::builder().method(method).uri(path);
            if let Some(header) = header {
                request = request.header("authorization", header);
            }
            let answer = world.send(request.body(Body::empty()).unwrap()).await;
            answer.is_problem(401, "unauthorized", None);
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
            assert!(!answer.body.to_string().contains(&world.key));
        }
    }
    let lower =
        Request::builder().uri("/v1/users/nobody").header("authorization", format!("bearer {}", world.key));
    world.send(lower.body(Body::empty()).unwrap()).await.is_problem(404, "account_unknown", None);
}

#[tokio::test]
async fn a_key_opens_only_its_own_app() {
    let world = World::start().await;
    world.open("anna", "1").await;
    for (path, body) in [
        ("/v1/users", json!({ "app": "other", "user_id": "x" })),
        ("/v1/users/anna/debits", json!({ "app": "other", "amount": 1 })),
        ("/v1/users/anna/deposits", json!({ "app": "other", "amount": 1, "key": "k" })),
        ("/v1/users/anna/grants", json!({ "app": "other", "amount": 1, "key": "k" })),
        ("/v1/users/anna/close", json!({ "app": "other" })),
        ("/v1/debits", json!({ "app": "other", "debits": [{ "user_id": "anna", "amount": 1 }] })),
        ("/v1/debits", json!({ "app": "other", "source": "f", "from": 0, "to": 0, "debits": [] })),
    ] {
        world.post(path, body.to_string()).await.is_problem(403, "app_mismatch", Some("app"));
    }
    world.post("/v1/users/anna/debits", r#"{"app":"demo","amount":"0.1"}"#).await.is(200, &[]);
    let key = format!("Bearer {}", world.other_key);
    let other = Request::builder().uri("/v1/users/anna").header("authorization", key);
    world.send(other.body(Body::empty()).unwrap()).await.is_problem(404, "account_unknown", None);
}

#[tokio::test]
async fn bodies_that_can_not_be_are_refused_with_the_field() {
    let world = World::start().await;
    world.open("anna", "1").await;
    let long = "x".repeat(10_000);
    let deep = format!("{{\"amount\":{}", "[".repeat(500_000));
    let long_id = format!(r#"{{"user_id":"{long}"}}"#);
    for (path, body, status, code, field) in [
        ("/v1/users", "", 400, "malformed_json", None),
        ("/v1/users", "{", 400, "malformed_json", None),
        ("/v1/users", "{\"user_id\":\"x\"}}", 400, "malformed_json", None),
        ("/v1/users", "[]", 422, "invalid_field", Some("body")),
        ("/v1/users", "null", 422, "invalid_field", Some("body")),
        ("/v1/users", "{}", 422, "missing_field", Some("user_id")),
        ("/v1/users", r#"{"user_id":"x","colour":1}"#, 422, "unknown_field", Some("colour")),
        ("/v1/users", r#"{"user_id":"x\u0000"}"#, 422, "invalid_field", Some("user_id")),
        ("/v1/users", &long_id, 422, "invalid_field", Some("user_id")),
        ("/v1/users", r#"{"user_id":"$fee"}"#, 422, "invalid_field", Some("user_id")),
        (
            "/v1/users",
            r#"{"user_id":"x","initial_balance":-1}"#,
            422,
            "amount_not_positive",
            Some("initial_balance"),
        ),
        ("/v1/users/anna/debits", r#"{"amount":NaN}"#, 400, "malformed_json", None),
        ("/v1/users/anna/debits", r#"{"amount":"NaN"}"#, 422, "invalid_field", Some("amount")),
        ("/v1/users/anna/debits", r#"{"amount":1e-3}"#, 422, "invalid_field", Some("amount")),
        ("/v1/users/anna/debits", r#"{"amount":0.0000001}"#, 422, "invalid_field", Some("amount")),
        ("/v1/users/anna/debits", r#"{"amount":0.30000000000000004}"#, 422, "invalid_field", Some("amount")),
        (
            "/v1/users/anna/debits",
            r#"{"amount":"0.30000000000000004"}"#,
            422,
            "invalid_field",
            Some("amount"),
        ),
        ("/v1/users/anna/debits", r#"{"amount":0}"#, 422, "amount_not_positive", Some("amount")),
        ("/v1/users/anna/debits", r#"{"amount":"-0.007"}"#, 422, "amount_not_positive", Some("amount")),
        ("/v1/users/anna/debits", "{}", 422, "missing_field", Some("amount")),
        ("/v1/users/anna/debits", &deep, 400, "malformed_json", None),
        ("/v1/users/anna/debits", r#"{"user_id":"bob","amount":1}"#, 422, "invalid_field", Some("user_id")),
        (
            "/v1/users/anna/debits",
            r#"{"amount":1,"deadline":"soon"}"#,
            422,
            "invalid_field",
            Some("deadline"),
        ),
        (
            "/v1/users/anna/debits",
            r#"{"amount":1,"deadline":"2099-01-01T00:00:00Z"}"#,
            422,
            "deadline_too_far",
            None,
        ),
        (
            "/v1/users/anna/debits",
            r#"{"amount":1,"deadline":"1999-01-01T00:00:00Z"}"#,
            408,
            "deadline_passed",
            None,
        ),
        ("/v1/users/anna/deposits", r#"{"amount":1}"#, 400, "key_required", Some("key")),
        ("/v1/users/%0A/debits", r#"{"amount":1}"#, 422, "invalid_field", Some("user_id")),
        ("/v1/users/%FF/debits", r#"{"amount":1}"#, 422, "invalid_field", Some("user_id")),
        ("/v1/debits", r#"{"debits":[]}"#, 422, "invalid_field", Some("debits")),
        (
            "/v1/debits",
            r#"{"debits":[{"user_id":"anna","amount":true}]}"#,
            422,
            "invalid_field",
            Some("debits[0].amount"),
        ),
    ] {
        world.post(path, body.to_owned()).await.is_problem(status, code, field);
    }
    world.get("/v1/users/anna").await.is(200, &[("/balance", "1".into())]);
}

#[tokio::test]
async fn paths_methods_types_and_queries_that_are_none_are_problems_too() {
    let world = World::start().await;
    world.get("/v1/nothing").await.is_problem(404, "not_found", None);
    world.get("//").await.is_problem(404, "not_found", None);
    let wrong = world.send(world.request("DELETE", "/v1/users/anna").body(Body::empty()).unwrap()).await;
    wrong.is_problem(405, "method_not_allowed", None);
    assert!(wrong.headers["allow"].to_str().unwrap().contains("GET"));
    for content_type in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx")]
    {
        for path in ["/v1/users", "/v1/users/anna/debits", "/v1/debits", "/v1/users/anna/close"] {
            let mut request = world.request("POST", path);
            if let Some(content_type) = content_type {
                request = request.header("content-type", content_type);
            }
            let answer = world.send(request.body(Body::from("{\"amount\":1}")).unwrap()).await;
            answer.is_problem(415, "unsupported_media_type", None);
        }
    }
    for (path, code, field) in [
        ("/v1/users?limit=0", "invalid_field", "limit"),
        ("/v1/users?limit=1001", "invalid_field", "limit"),
        ("/v1/users?limit=1&limit=2", "invalid_field", "limit"),
        ("/v1/users?level=rich", "invalid_field", "level"),
        ("/v1/users?colour=red", "unknown_field", "colour"),
        ("/v1/users?wait_for=soon", "invalid_field", "wait_for"),
        ("/v1/users?wait_for=7-1-1", "invalid_field", "wait_for"),
        ("/v1/users/anna?expand=all", "invalid_field", "expand"),
        ("/v1/users/anna/journal?order=up", "invalid_field", "order"),
        ("/v1/users/anna/journal?kind=paid", "invalid_field", "kind"),
        ("/v1/users/anna/journal?meter=", "invalid_field", "meter"),
    ] {
        world.get(path).await.is_problem(422, code, Some(field));
    }
    for cursor in ["x", "00", "31613a00"] {
        world.get(&format!("/v1/users?cursor={cursor}")).await.is_problem(
            400,
            "invalid_cursor",
            Some("cursor"),
        );
    }
}

#[tokio::test]
async fn a_post_with_a_parameter_behind_its_path_is_refused() {
    let world = World::start().await;
    world.open("anna", "1").await;
    let debits = r#"{"debits":[{"user_id":"anna","amount":"0.1"}]}"#;
    let money = r#"{"amount":"0.1","key":"k"}"#;
    for (path, body) in [
        ("/v1/users", r#"{"user_id":"bob"}"#),
        ("/v1/users/anna/debits", money),
        ("/v1/users/anna/deposits", money),
        ("/v1/users/anna/grants", money),
        ("/v1/users/anna/close", "{}"),
        ("/v1/debits", debits),
    ] {
        for parameter in ["dry_run", "colour"] {
            let answer = world.post(&format!("{path}?{parameter}=true"), body.to_owned()).await;
            answer.is_problem(422, "unknown_field", Some(parameter));
        }
    }
    let shown = world.get("/v1/users/anna").await;
    shown.is(200, &[("/balance", "1".into()), ("/status", "active".into())]);
    world.get("/v1/users/bob").await.is_problem(404, "account_unknown", None);
}

#[tokio::test]
async fn problems_of_debits_and_money_in_tell_the_key() {
    let world = World::start().await;
    world.open("anna", "1").await;
    let made = world.post("/v1/users/anna/debits", r#"{"amount":2}"#).await;
    made.is_problem(402, "insufficient_credit", None);
    assert_eq!(made.text("/key").len(), 36);
    for (path, body) in [
        ("/v1/users/anna/debits", r#"{"amount":2,"key":"k"}"#),
        ("/v1/users/anna/debits", r#"{"amount":"x","key":"k"}"#),
        ("/v1/users/nobody/grants", r#"{"amount":2,"key":"k"}"#),
        ("/v1/users/nobody/deposits", r#"{"amount":2,"key":"k"}"#),
    ] {
        assert_eq!(world.post(path, body).await.text("/key"), "k");
    }
    let batch = r#"{"debits":[{"user_id":"anna","amount":2,"key":"k"},{"user_id":"anna","amount":2}]}"#;
    let batch = world.post("/v1/debits", batch).await;
    batch.is(200, &[("/results/0/error/key", "k".into())]);
    assert_eq!(batch.text("/results/1/error/key").len(), 36);
    assert!(world.get("/v1/users/nobody").await.body.get("key").is_none());
}

#[tokio::test]
async fn header_and_body_may_not_say_different_things() {
    let world = World::start().await;
    world.open("anna", "1").await;
    let send = async |name: &str, value: &str, body: &str| {
        let request =
            world.request("POST", "/v1/users/anna/debits").header("content-type", "application/json");
        world.send(request.header(name, value).body(Body::from(body.to_owned())).unwrap()).await
    };
    send("idempotency-key", "a", r#"{"amount":"0.1","key":"b"}"#).await.is_problem(
        400,
        "key_conflict",
        Some("key"),
    );
    send("idempotency-key", "a", r#"{"amount":"0.1","key":"a"}"#).await.is(200, &[("/key", "a".into())]);
    send("drip-deadline", "2099-01-01T00:00:00Z", r#"{"amount":1}"#).await.is_problem(
        422,
        "deadline_too_far",
        None,
    );
    send("drip-deadline", "x", r#"{"amount":1}"#).await.is_problem(422, "invalid_field", Some("deadline"));
    let both =
        send("drip-deadline", "2026-01-01T00:00:00Z", r#"{"amount":1,"deadline":"2027-01-01T00:00:00Z"}"#)
            .await;
    both.is_problem(422, "invalid_field", Some("deadline"));
    let batch = world.request("POST", "/v1/debits").header("content-type", "application/json");
    let batch = batch
        .header("idempotency-key", "a")
        .body(Body::from(r#"{"debits":[{"user_id":"anna","amount":1}]}"#));
    world.send(batch.unwrap()).await.is_problem(422, "invalid_field", Some("idempotency-key"));
}

#[tokio::test]
async fn large_bodies_are_refused_and_the_largest_allowed_is_read() {
    let world = World::start().await;
    let spaces = |count: usize| format!("{}{{}}", " ".repeat(count));
    let limit = 2 * 1024 * 1024;
    world.post("/v1/users", spaces(limit - 2)).await.is_problem(422, "missing_field", Some("user_id"));
    world.post("/v1/users", spaces(limit - 1)).await.is_problem(413, "payload_too_large", None);
    world.post("/v1/users", spaces(20 * limit)).await.is_problem(413, "payload_too_large", None);
}

#[tokio::test]
async fn a_request_id_is_kept_when_it_is_plain_and_made_otherwise() {
    let world = World::start().await;
    let send = async |id: &str| {
        let request = world.request("GET", "/v1/users/nobody").header("x-request-id", id);
        world.send(request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(send("trace-7").await.text("/request_id"), "trace-7");
    for bad in ["", "a b", &"x".repeat(101)] {
        assert_eq!(send(bad).await.text("/request_id").len(), 36);
    }
    let good = world.get("/health/live").await;
    assert_eq!(good.headers["x-request-id"].len(), 36);
}

#[tokio::test]
async fn views_that_lag_are_told_apart_and_balances_do_not_wait_for_them() {
    let world = World::with_projector(false).await;
    world.open("anna", "1").await;
    let shown = world.get("/v1/users/anna").await;
    shown.is(200, &[("/balance", "1".into())]);
    assert!(shown.body.get("opened_at").is_none());
    let deadline = soon();
    let request =
        world.request("GET", "/v1/users/anna/journal?wait_for=0-99-0").header("drip-deadline", deadline);
    let answer = world.send(request.body(Body::empty()).unwrap()).await;
    answer.is_problem(503, "unavailable", None);
    assert_eq!(answer.headers["retry-after"], "2");
}

#[tokio::test]
async fn a_writer_that_has_stopped_is_unavailable_and_not_ready() {
    let world = World::start().await;
    world.open("anna", "1").await;
    world.get("/health/ready").await.is(200, &[("/status", "ok".into()), ("/checks/0/ok", true.into())]);
    world.supervisor.shutdown();
    let gone = async {
        while world.get("/health/ready").await.status != 503 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), gone).await.expect("it must become unready");
    world.get("/health/live").await.is(200, &[]);
    let answer = world.post("/v1/users/anna/debits", r#"{"amount":"0.1"}"#).await;
    assert!([503, 504].contains(&answer.status.as_u16()), "{answer:?}");
}

#[tokio::test]
async fn the_documentation_is_served_and_true() {
    let world = World::start().await;
    let document = world.get("/openapi.json").await;
    assert_eq!(document.body, serde_json::to_value(command_api::edge::openapi::openapi()).unwrap());
    for path in ["/docs/", "/docs/problems", "/docs/swagger-ui-bundle.js"] {
        assert_eq!(world.get(path).await.status, 200, "{path}");
    }
    // A browser shows it.
    let page = world.get("/docs/problems").await;
    assert_eq!(page.headers["content-type"], "text/plain; charset=utf-8");
    let _ = http::router(world.state.clone());
}

pub(crate) fn soon() -> String {
    let moment = chrono::Utc::now() + chrono::Duration::milliseconds(300);
    moment.to_rfc3339()
}
