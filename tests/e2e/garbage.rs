//! Garbage in, a clear problem out: the right status, a stable code, the field's name; and Drip goes on.

use reqwest::Method;
use serde_json::{Value, json};

use crate::ask::{Reply, ask, encode, send};
use crate::audit::audit;
use crate::stack::{Drip, Engines, Stack};

/// Body of a debit on `anna`, status, code, field.
pub(crate) const DEBITS: &[(&str, u16, &str, &str)] = &[
    (r#"{"amount": true}"#, 422, "invalid_field", "amount"),
    (r#"{"amount": []}"#, 422, "invalid_field", "amount"),
    (r#"{"amount": {"usdc": 1}}"#, 422, "invalid_field", "amount"),
    (r#"{"amount": "a lot"}"#, 422, "invalid_field", "amount"),
    (r#"{"amount": ""}"#, 422, "invalid_field", "amount"),
    (r#"{"amount": " 1"}"#, 422, "invalid_field", "amount"),
    (r#"{"amount": "1,5"}"#, 422, "invalid_field", "amount"),
    (r#"{"amount": "NaN"}"#, 422, "invalid_field", "amount"),
    (r#"{"amount": "1e-3"}"#, 422, "invalid_field", "amount"),
    (r#"{"amount": 1e-3}"#, 422, "invalid_field", "amount"),
    (r#"{"amount": 1E2}"#, 422, "invalid_field", "amount"),
    (r#"{"amount": "0.0000001"}"#, 422, "invalid_field", "amount"),
    (r#"{"amount": 0.0000001}"#, 422, "invalid_field", "amount"),
    (r#"{"amount": 0.30000000000000004}"#, 422, "invalid_field", "amount"),
    (r#"{"amount": 0}"#, 422, "amount_not_positive", "amount"),
    (r#"{"amount": "0.000000"}"#, 422, "amount_not_positive", "amount"),
    (r#"{"amount": -1}"#, 422, "amount_not_positive", "amount"),
    (r#"{"amount": "-0.000001"}"#, 422, "amount_not_positive", "amount"),
    (r#"{"amount": "1000000000.000001"}"#, 422, "amount_too_large", "amount"),
    (r#"{"amount": 99999999999999999999999999}"#, 422, "", "amount"),
    (r#"{"amount": "1", "amount": "2"}"#, 422, "invalid_field", "amount"),
    (
        r#"{"amount": "1", "items": [{"name": "a", "quantity": 1, "unit_price": 1}]}"#,
        422,
        "invalid_field",
        "amount",
    ),
    (r#"{"items": []}"#, 422, "items_count", ""),
    (r#"{"items": {}}"#, 422, "invalid_field", "items"),
    (
        r#"{"items": [{"name": "a", "quantity": -1, "unit_price": "1"}]}"#,
        422,
        "invalid_field",
        "items[0].quantity",
    ),
    (
        r#"{"items": [{"name": "a", "quantity": 1, "unit_price": "0.0000000000001"}]}"#,
        422,
        "invalid_field",
        "items[0].unit_price",
    ),
    (r#"{"items": [{"name": "a", "quantity": 1}]}"#, 422, "missing_field", "items[0].unit_price"),
    (
        r#"{"items": [{"name": "a", "quantity": 1, "unit_price": 1, "tax": 1}]}"#,
        422,
        "unknown_field",
        "items[0].tax",
    ),
    (r#"{"items": [["a", 1, 1]]}"#, 422, "invalid_field", "items[0]"),
    (r#"{"items": [{"name": "a", "quantity": 0, "unit_price": 1}]}"#, 422, "amount_not_positive", "items"),
    (r#"{"amount": "1", "color": "red"}"#, 422, "unknown_field", "color"),
    (r#"{"amount": "1", "Amount": "1"}"#, 422, "unknown_field", "Amount"),
    (r"{}", 422, "missing_field", "amount"),
    (r#"{"amount": null}"#, 422, "missing_field", "amount"),
    (r#"{"amount": "1", "meter": ""}"#, 422, "invalid_field", "meter"),
    (r#"{"amount": "1", "meter": "a\u0000b"}"#, 422, "invalid_field", "meter"),
    (r#"{"amount": "1", "meter": 7}"#, 422, "invalid_field", "meter"),
    (r#"{"amount": "1", "scope": "a\nb"}"#, 422, "invalid_field", "scope"),
    (r#"{"amount": "1", "key": ""}"#, 422, "invalid_field", "key"),
    (r#"{"amount": "1", "key": 5}"#, 422, "invalid_field", "key"),
    (r#"{"amount": "1", "dry_run": "yes"}"#, 422, "invalid_field", "dry_run"),
    (r#"{"amount": "1", "occurred_at": "yesterday"}"#, 422, "invalid_field", "occurred_at"),
    (r#"{"amount": "1", "occurred_at": "2026-11-23T10:00:00"}"#, 422, "invalid_field", "occurred_at"),
    (r#"{"amount": "1", "metadata": "x"}"#, 422, "invalid_field", "metadata"),
    (r#"{"amount": "1", "metadata": []}"#, 422, "invalid_field", "metadata"),
    (r#"{"amount": "1", "app": "other"}"#, 403, "app_mismatch", "app"),
    (r#"{"amount": "1", "user_id": "bert"}"#, 422, "invalid_field", "user_id"),
    (r#"{"amount": "1", "deadline": "2099-01-01T00:00:00Z"}"#, 422, "deadline_too_far", ""),
    (r#"{"amount": "1", "deadline": "2020-01-01T00:00:00Z"}"#, 408, "deadline_passed", ""),
    (r#"{"amount": "1", "deadline": "soon"}"#, 422, "invalid_field", "deadline"),
    (r#"{"amount": NaN}"#, 400, "malformed_json", ""),
    (r#"{"amount": Infinity}"#, 400, "malformed_json", ""),
    (r#"{"amount": 01}"#, 400, "malformed_json", ""),
    (r#"{"amount": "1""#, 400, "malformed_json", ""),
    (r#"{"amount": "1"} {}"#, 400, "malformed_json", ""),
    ("{'amount': 1}", 400, "malformed_json", ""),
    ("", 400, "malformed_json", ""),
    ("\u{0}", 400, "malformed_json", ""),
    ("amount=1", 400, "malformed_json", ""),
    ("[]", 422, "invalid_field", "body"),
    ("null", 422, "invalid_field", "body"),
    ("\"1\"", 422, "invalid_field", "body"),
];

#[tokio::test]
async fn garbage_in_a_debit_is_named_and_charges_nothing() {
    let mut drip = Drip::embedded().await;
    drip.open("anna", "1").await;
    for (body, status, code, field) in DEBITS {
        let request =
            drip.request(Method::POST, "/v1/users/anna/debits").header("content-type", "application/json");
        let reply = send(request.body(*body)).await;
        assert_problem(&reply, *status, code, field, body);
    }
    assert_eq!(drip.account("anna").await.text("balance"), "1");
    assert!(audit(&drip).await.spent.is_empty());
    drip.stop().await;
}

#[tokio::test]
async fn garbage_over_nats_gets_the_same_answers() {
    let Stack { drip, nats, .. } = Stack::start(Engines::Servers).await;
    let server = nats.expect("this Drip is on NATS");
    let nats = async_nats::connect(server.url()).await.expect("NATS is there");
    drip.open("anna", "1").await;
    for (body, status, code, field) in DEBITS {
        // Over HTTP the path names the user.
        let body = if body.contains("user_id") {
            continue;
        } else {
            body.replacen('{', r#"{"user_id": "anna", "#, 1)
        };
        let body = if body.starts_with('{') { body.replace(", }", "}") } else { body };
        let (shown, answer) = ask(&nats, "drip.cmd.demo.debit", body.as_bytes()).await;
        let problem = &answer["error"];
        assert_eq!(
            (&problem["status"], shown.as_str()),
            (&json!(status), problem["code"].as_str().unwrap()),
            "{body}"
        );
        assert!(code.is_empty() || shown == *code, "{body}: {answer}");
        assert!(field.is_empty() || problem["field"] == *field, "{body}: {answer}");
    }
    for (subject, body, code) in [
        ("drip.cmd.demo.get", r#"{"user_id": "nobody"}"#, "account_unknown"),
        ("drip.cmd.demo.get", r#"{"user_id": "anna", "app": "other"}"#, "app_mismatch"),
        ("drip.cmd.other.get", r#"{"user_id": "anna"}"#, "account_unknown"),
        ("drip.cmd.other.debit", r#"{"user_id": "anna", "amount": "1"}"#, "app_unknown"),
        ("drip.adm.other.open", r#"{"user_id": "anna"}"#, "app_unknown"),
        ("drip.cmd.Demo.get", r#"{"user_id": "anna"}"#, "invalid_field"),
        ("drip.adm.demo.deposit", r#"{"user_id": "anna", "amount": "1"}"#, "key_required"),
        ("drip.adm.demo.open", r#"{"user_id": ""}"#, "invalid_field"),
        ("drip.cmd.demo.debits", r#"{"debits": []}"#, "invalid_field"),
    ] {
        assert_eq!(ask(&nats, subject, body.as_bytes()).await.0, code, "{subject} {body}");
    }
    let (code, account) = ask(&nats, "drip.cmd.demo.get", br#"{"user_id": "anna"}"#).await;
    assert_eq!((code.as_str(), &account["balance"]), ("", &"1".into()));
    assert!(audit(&drip).await.spent.is_empty());
}

#[tokio::test]
async fn user_ids_may_be_anything_but_empty_long_or_unprintable() {
    let mut drip = Drip::embedded().await;
    for user in [
        "a/b",
        "a b",
        "a%2Fb",
        "😀",
        "{acme}anna",
        "a?b#c",
        "...",
        "日本",
        "a+b",
        "\"'<>\\",
        &"x".repeat(200),
    ] {
        drip.open(user, "1").await;
        let debit = drip.debit(user, &json!({ "amount": "0.5" })).await.expect(200);
        assert_eq!((debit.text("user_id"), debit.text("balance")), (user, "0.5"));
        let last = debit.text("position");
        let journal = format!("/v1/users/{}/journal?wait_for={last}", encode(user));
        assert_eq!(drip.get(&journal).await.expect(200).body["data"][0]["user_id"], user);
    }
    for user in
        ["", "$fee", "a\nb", "a\u{7f}b", "\u{0}", &"x".repeat(201), &"x".repeat(10_000), &"😀".repeat(51)]
    {
        let refused = drip.post("/v1/users", &json!({ "user_id": user })).await;
        assert_problem(&refused, 422, "invalid_field", "user_id", user);
        if !user.is_empty() {
            let refused = drip.get(&format!("/v1/users/{}", encode(user))).await;
            assert_problem(&refused, 422, "invalid_field", "user_id", user);
        }
    }
    let refused = drip.get("/v1/users/%FF%FE").await;
    assert_problem(&refused, 422, "invalid_field", "user_id", "no UTF-8");
    audit(&drip).await;
    drip.stop().await;
}

/// Method, path, body, status, code, field; as the app `demo`.
const REQUESTS: &[(&str, &str, &str, u16, &str, &str)] = &[
    ("POST", "/v1/users", r#"{"user_id": 7}"#, 422, "invalid_field", "user_id"),
    ("POST", "/v1/users", r"{}", 422, "missing_field", "user_id"),
    (
        "POST",
        "/v1/users",
        r#"{"user_id": "x", "initial_balance": "-1"}"#,
        422,
        "amount_not_positive",
        "initial_balance",
    ),
    (
        "POST",
        "/v1/users",
        r#"{"user_id": "x", "initial_balance": "0.0000001"}"#,
        422,
        "invalid_field",
        "initial_balance",
    ),
    ("POST", "/v1/users", r#"{"user_id": "x", "email": "nobody"}"#, 422, "invalid_field", "email"),
    ("POST", "/v1/users", r#"{"user_id": "x", "app": "other"}"#, 403, "app_mismatch", "app"),
    ("POST", "/v1/users/anna/deposits", r#"{"amount": "1"}"#, 400, "key_required", "key"),
    ("POST", "/v1/users/anna/grants", r#"{"amount": "1"}"#, 400, "key_required", "key"),
    (
        "POST",
        "/v1/users/anna/deposits",
        r#"{"amount": "0", "key": "k"}"#,
        422,
        "amount_not_positive",
        "amount",
    ),
    ("POST", "/v1/users/anna/deposits", r#"{"key": "k"}"#, 422, "missing_field", "amount"),
    ("POST", "/v1/users/nobody/debits", r#"{"amount": "1"}"#, 404, "account_unknown", ""),
    ("POST", "/v1/users/nobody/deposits", r#"{"amount": "1", "key": "k"}"#, 404, "account_unknown", ""),
    ("POST", "/v1/debits", r"{}", 422, "missing_field", "debits"),
    ("POST", "/v1/debits", r#"{"debits": []}"#, 422, "invalid_field", "debits"),
    (
        "POST",
        "/v1/debits",
        r#"{"debits": [{"user_id": "anna", "amount": "1"}, {"user_id": "anna", "amount": "x"}]}"#,
        422,
        "invalid_field",
        "debits[1].amount",
    ),
    ("POST", "/v1/debits", r#"{"debits": [{"amount": "1"}]}"#, 422, "missing_field", "debits[0].user_id"),
    (
        "POST",
        "/v1/debits",
        r#"{"source": "s", "from": 0, "to": 1, "debits": [{"number": 2, "user_id": "anna", "amount": "1"}]}"#,
        422,
        "source_range",
        "",
    ),
    (
        "POST",
        "/v1/debits",
        r#"{"source": "s", "from": 5, "to": 6, "digest": "0000000000000000000000000000000000000000000000000000000000000000", "debits": []}"#,
        409,
        "source_gap",
        "",
    ),
    (
        "POST",
        "/v1/debits",
        r#"{"source": "s", "from": -1, "to": 1, "debits": []}"#,
        422,
        "invalid_field",
        "from",
    ),
    ("GET", "/v1/users/nobody", "", 404, "account_unknown", ""),
    ("GET", "/v1/users/anna?expand=everything", "", 422, "invalid_field", "expand"),
    ("GET", "/v1/users/anna?color=red", "", 422, "unknown_field", "color"),
    ("GET", "/v1/users?limit=0", "", 422, "invalid_field", "limit"),
    ("GET", "/v1/users?limit=many", "", 422, "invalid_field", "limit"),
    ("GET", "/v1/users?limit=1001", "", 422, "invalid_field", "limit"),
    ("GET", "/v1/users?limit=1&limit=2", "", 422, "invalid_field", "limit"),
    ("GET", "/v1/users?cursor=nonsense", "", 400, "invalid_cursor", ""),
    ("GET", "/v1/users?level=rich", "", 422, "invalid_field", "level"),
    ("GET", "/v1/users?wait_for=tomorrow", "", 422, "invalid_field", "wait_for"),
    ("GET", "/v1/users?wait_for=99-1-0", "", 422, "invalid_field", "wait_for"),
    ("GET", "/v1/users/anna/journal?order=random", "", 422, "invalid_field", "order"),
    ("GET", "/v1/users/anna/journal?kind=stolen", "", 422, "invalid_field", "kind"),
    ("GET", "/v1/users/anna/journal?cursor=%00", "", 400, "invalid_cursor", ""),
    ("GET", "/v1/users/nobody/journal", "", 404, "account_unknown", ""),
    ("GET", "/v1/users/anna/debits", "", 422, "missing_field", "key"),
    ("GET", "/v1/sources/nothing", "", 404, "not_found", ""),
    ("GET", "/v1/nothing", "", 404, "not_found", ""),
    ("GET", "/nothing", "", 404, "not_found", ""),
    ("PUT", "/v1/users", "{}", 405, "method_not_allowed", ""),
    ("DELETE", "/v1/users/anna", "", 405, "method_not_allowed", ""),
];

#[tokio::test]
async fn requests_that_make_no_sense_are_answered_with_what_is_wrong() {
    let mut drip = Drip::embedded().await;
    drip.open("anna", "1").await;
    for (method, path, body, status, code, field) in REQUESTS {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = drip.request(method, path);
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(*body);
        }
        assert_problem(&send(request).await, *status, code, field, &format!("{path} {body}"));
    }
    let conflict = drip.request(Method::POST, "/v1/users/anna/debits").header("Idempotency-Key", "one");
    let conflict = send(conflict.json(&json!({ "amount": "1", "key": "other" }))).await;
    assert_problem(&conflict, 400, "key_conflict", "key", "two keys");
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"] {
        let request = drip.request(Method::POST, "/v1/users").header("content-type", content_type);
        assert_problem(&send(request.body("{}")).await, 415, "unsupported_media_type", "", content_type);
    }
    assert!(audit(&drip).await.spent.is_empty());
    drip.stop().await;
}

#[tokio::test]
async fn only_a_known_key_is_let_in() {
    let mut drip = Drip::embedded().await;
    let key = drip.key();
    let wrong = format!("{}x", &key[..key.len() - 1]);
    let other = key.replacen("_demo_", "_other_", 1);
    for header in
        ["", "Bearer", "Bearer ", "Basic YTpi", &key, &format!("Bearer {wrong}"), &format!("Bearer {other}")]
    {
        for (method, path) in
            [(Method::GET, "/v1/users"), (Method::POST, "/v1/users"), (Method::GET, "/v1/users/anna")]
        {
            let mut request = drip.client().request(method, format!("{}{path}", drip.url()));
            if !header.is_empty() {
                request = request.header("authorization", header);
            }
            let reply = send(request.json(&json!({ "user_id": "anna" }))).await;
            assert_problem(&reply, 401, "unauthorized", "", header);
            assert_eq!(reply.header("www-authenticate"), "Bearer", "{header}");
        }
    }
    assert!(!drip.output().contains(&key), "a key stands in the log");
    assert!(audit(&drip).await.balances.is_empty());
    drip.stop().await;
}

#[tokio::test]
async fn huge_and_deep_bodies_are_refused() {
    let mut drip = Drip::embedded().await;
    drip.open("anna", "1").await;
    let post = |path: &'static str, body: String| {
        send(drip.request(Method::POST, path).header("content-type", "application/json").body(body))
    };
    let huge = format!(r#"{{"user_id": "{}"}}"#, "x".repeat(3_000_000));
    assert_problem(&post("/v1/users", huge).await, 413, "payload_too_large", "", "3 MB");
    let deep = |shell: (&str, &str)| format!("{}{}{}", shell.0, "[".repeat(100_000), shell.1);
    for shell in [
        ("", ""),
        (r#"{"amount": "1", "metadata": {"x": "#, "}}"),
        (r#"{"amount": "#, "}"),
        (r#"{"items": "#, "}"),
    ] {
        let reply = post("/v1/users/anna/debits", deep(shell)).await;
        assert!([400, 422].contains(&reply.status), "{reply:?}");
        let closed = format!("{}{}{}{}", shell.0, "[".repeat(100_000), "]".repeat(100_000), shell.1);
        let reply = post("/v1/users/anna/debits", closed).await;
        assert!([400, 422].contains(&reply.status), "{reply:?}");
    }
    let many: Vec<Value> = (0..1_001).map(|_| json!({ "user_id": "anna", "amount": "0.0001" })).collect();
    let reply = drip.post("/v1/debits", &json!({ "debits": many })).await;
    assert_problem(&reply, 422, "invalid_field", "debits", "1001 debits");
    for (metadata, field) in [
        (json!({ "x": "y".repeat(501) }), "metadata.x"),
        (json!({ "": 1 }), "metadata"),
        (json!({ "x".repeat(41): 1 }), "metadata"),
    ] {
        let reply = drip.debit("anna", &json!({ "amount": "1", "metadata": metadata })).await.expect(422);
        assert!(reply.text("field").starts_with(field), "{reply:?}");
    }
    assert!(audit(&drip).await.spent.is_empty());
    drip.stop().await;
}

/// A problem as RFC 9457 has it. An empty code or field: any, or none.
#[track_caller]
fn assert_problem(reply: &Reply, status: u16, code: &str, field: &str, asked: &str) {
    let asked: String = asked.chars().take(200).collect();
    assert_eq!(reply.status, status, "{asked}: {reply:?}");
    assert_eq!(reply.header("content-type"), "application/problem+json", "{asked}");
    assert_eq!(reply.body["status"], status, "{asked}");
    for name in ["type", "title", "detail", "request_id"] {
        assert!(!reply.text(name).is_empty(), "{asked}: {reply:?}");
    }
    assert!(code.is_empty() || reply.text("code") == code, "{asked}: {reply:?}");
    assert!(field.is_empty() || reply.text("field") == field, "{asked}: {reply:?}");
    assert!(reply.body.to_string().len() < 2_000, "{asked}: a problem is short");
}
