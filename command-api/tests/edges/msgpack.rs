//! `MessagePack` beside JSON: the same verbs, names, answers and refusals.

use async_nats::{HeaderMap, Message};
use axum::body::{Body, to_bytes};
use serde_json::{Value, json};
use test_servers::NatsServer;
use tower::ServiceExt as _;

use crate::nats::Served;

fn packed(value: &Value) -> Vec<u8> {
    rmp_serde::to_vec(value).unwrap()
}

impl Served {
    async fn ask_as(&self, content_type: &str, subject: &str, body: Vec<u8>) -> Message {
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", content_type);
        self.caller.request_with_headers(subject.to_owned(), headers, body.into()).await.unwrap()
    }

    /// What is answered in `MessagePack`, as a value.
    async fn packed(&self, subject: &str, body: &Value) -> Value {
        let answer = self.ask_as("application/msgpack", subject, packed(body)).await;
        rmp_serde::from_slice(&answer.payload).unwrap()
    }
}

#[tokio::test]
async fn every_verb_answers_in_messagepack_what_it_answers_in_json() {
    let served = Served::start().await;
    for (subject, body) in [
        (
            "drip.adm.demo.open",
            json!({ "user_id": "anna", "initial_balance": "5", "email": "a@x", "metadata": "{\"n\":1.10}" }),
        ),
        ("drip.adm.demo.grant", json!({ "user_id": "anna", "amount": 2, "key": "g" })),
        ("drip.adm.demo.deposit", json!({ "user_id": "anna", "amount": "0.5", "key": "d" })),
        (
            "drip.cmd.demo.debit",
            json!({ "user_id": "anna", "key": "i", "meter": "llm",
                "items": [{ "name": "tokens", "quantity": 812, "unit_price": "0.0000025" }] }),
        ),
        (
            "drip.cmd.demo.debits",
            json!({ "debits": [
                { "user_id": "anna", "amount": "0.007", "key": "b" },
                { "user_id": "nobody", "amount": "1", "key": "n" },
                { "user_id": "anna", "amount": "1000", "key": "o" },
                { "user_id": "anna", "amount": "0.1", "dry_run": true },
            ] }),
        ),
        (
            "drip.cmd.demo.debits",
            json!({ "answer": "brief", "debits": [
            { "user_id": "anna", "amount": "0.007", "key": "b2" },
            { "user_id": "nobody", "amount": "1", "key": "n" },
            { "user_id": "anna", "amount": "0.1", "dry_run": true },
        ] }),
        ),
        (
            "drip.cmd.demo.debits",
            json!({ "source": "f", "from": 0, "to": 1, "debits": [
            { "number": 1, "user_id": "anna", "amount": "0.1" }] }),
        ),
        ("drip.cmd.demo.get", json!({ "user_id": "anna", "expand": "lots" })),
        ("drip.cmd.demo.routing", json!({})),
        ("drip.adm.demo.close", json!({ "user_id": "anna" })),
        ("drip.cmd.demo.debit", json!({ "user_id": "anna", "amount": "1", "key": "late" })),
        ("drip.cmd.demo.debits", json!({ "debits": [{ "user_id": "anna", "amount": 0.5 }] })),
    ] {
        let first = served.packed(subject, &body).await;
        // The same again in JSON: what has happened already is said to have.
        let again = in_json(&body);
        let (second, _) = served.ask(subject, &again).await;
        if body.pointer("/debits/0/amount").is_some_and(Value::is_f64) {
            assert_eq!(first["error"]["field"], "debits[0].amount");
            assert_eq!(first["error"]["code"], "invalid_field");
            continue;
        }
        assert_eq!(settled(first.clone()), settled(second), "{subject}");
        assert!(first.is_object());
    }
}

/// The metadata as JSON has it.
fn in_json(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(metadata) = body.get_mut("metadata") {
        *metadata = serde_json::from_str(metadata.as_str().unwrap()).unwrap();
    }
    body
}

/// Without what differs between the first time and the second, and between two requests.
fn settled(mut value: Value) -> Value {
    match &mut value {
        Value::Object(entries) => {
            for name in [
                "created",
                "opened_at",
                "changed",
                "duplicate",
                "request_id",
                "charged",
                "skipped",
                "positions",
                "amount",
            ] {
                entries.remove(name);
            }
            if let Some(metadata) = entries.get_mut("metadata").filter(|metadata| metadata.is_string()) {
                *metadata = serde_json::from_str(metadata.as_str().unwrap()).unwrap();
            }
            entries.values_mut().for_each(|value| *value = settled(value.take()));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| *value = settled(value.take())),
        _ => {}
    }
    value
}

#[tokio::test]
async fn metadata_is_answered_as_the_text_of_its_json_and_amounts_as_text() {
    let served = Served::start().await;
    let open = json!({ "user_id": "anna", "initial_balance": 1, "metadata": "{\"n\": 1.10, \"a\": 12345678901234567890123}" });
    let opened = served.packed("drip.adm.demo.open", &open).await;
    assert_eq!((&opened["balance"], &opened["created"]), (&"1".into(), &true.into()));
    assert_eq!(opened["metadata"], r#"{"a":12345678901234567890123,"n":1.10}"#);
    let shown = served.packed("drip.cmd.demo.get", &json!({ "user_id": "anna" })).await;
    assert_eq!(shown["metadata"], opened["metadata"]);
}

#[tokio::test]
async fn refusals_come_in_the_format_of_the_request() {
    let served = Served::start().await;
    let answer = served
        .ask_as("application/msgpack", "drip.cmd.demo.get", packed(&json!({ "user_id": "nobody" })))
        .await;
    assert_eq!(answer.headers.unwrap().get("Nats-Service-Error").unwrap().as_str(), "account_unknown");
    let problem: Value = rmp_serde::from_slice(&answer.payload).unwrap();
    assert_eq!(
        (&problem["error"]["code"], &problem["error"]["status"]),
        (&"account_unknown".into(), &404.into())
    );
    for (content_type, body, code) in [
        ("text/plain", &b"{}"[..], "unsupported_media_type"),
        ("application/json", b"\x80", "malformed_json"),
        ("application/msgpack", b"{}", "invalid_field"),
        ("application/msgpack", b"\x81", "malformed_msgpack"),
        ("application/msgpack", b"", "malformed_msgpack"),
        ("application/msgpack; charset=x", b"\x80", "missing_field"),
        ("application/json; charset=utf-8", b"{}", "missing_field"),
    ] {
        let answer = served.ask_as(content_type, "drip.cmd.demo.get", body.to_vec()).await;
        let told = answer.headers.unwrap().get("Nats-Service-Error").unwrap().as_str().to_owned();
        assert_eq!(told, code, "{content_type} {body:?}");
    }
}

#[tokio::test]
async fn a_brief_answer_lets_a_batch_be_as_large_as_a_message() {
    let small = NatsServer::builder().config("max_payload: 65536").start().await;
    let served = Served::on(small).await;
    served.world.open("anna", "1").await;
    let batch = |answer: Option<&str>, count: usize| {
        let debit =
            |number| json!({ "user_id": "anna", "amount": "0.0001", "key": format!("{count}-{number}") });
        json!({ "answer": answer, "debits": (0..count).map(debit).collect::<Vec<_>>() })
    };
    let refused = served.packed("drip.cmd.demo.debits", &batch(None, 70)).await;
    assert_eq!(refused["error"]["code"], "payload_too_large");
    let refused = served.packed("drip.cmd.demo.debits", &batch(Some("brief"), 600)).await;
    assert_eq!(refused["error"]["code"], "payload_too_large");
    assert_eq!(served.packed("drip.cmd.demo.get", &json!({ "user_id": "anna" })).await["balance"], "1");
    let answer = served.packed("drip.cmd.demo.debits", &batch(Some("brief"), 500)).await;
    let results = answer["results"].as_array().unwrap();
    assert_eq!((results.len(), &results[499]["balance"]), (500, &"0.95".into()));
    assert!(results.iter().all(|result| result["position"].is_string() && result.get("duplicate").is_none()));
    let again = served.packed("drip.cmd.demo.debits", &batch(Some("brief"), 500)).await;
    assert_eq!(
        again["results"][499],
        json!({ "position": results[499]["position"], "balance": "0.95", "duplicate": true })
    );
}

#[tokio::test]
async fn batches_over_http_come_in_messagepack_too() {
    let served = Served::start().await;
    let world = &served.world;
    world.open("anna", "1").await;
    let send = async |path: &str, body: Value| {
        let request = world.request("POST", path).header("content-type", "application/msgpack");
        world.router.clone().oneshot(request.body(Body::from(packed(&body))).unwrap()).await.unwrap()
    };
    let response = send("/v1/debits", json!({ "debits": [{ "user_id": "anna", "amount": "0.1" }] })).await;
    assert_eq!(response.headers()["content-type"], "application/msgpack");
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let answer: Value = rmp_serde::from_slice(&bytes).unwrap();
    assert_eq!(answer["results"][0]["balance"], "0.9");
    let refused = send("/v1/debits", json!({ "debits": [{ "user_id": "anna", "amount": 0.1 }] })).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["content-type"]),
        (422, &"application/problem+json".parse().unwrap())
    );
    let alone = send("/v1/users/anna/debits", json!({ "amount": "0.1" })).await;
    assert_eq!(alone.status(), 415);
}
