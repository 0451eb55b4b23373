//! Garbage over NATS: every verb, both forms of subject, JSON and `MessagePack`. Each gets a clear refusal of its own,
//! nothing is charged, and nobody else notices.

use async_nats::{Client, HeaderMap};
use serde_json::{Value, json};

use crate::audit::audit;
use crate::bystander::unharmed;
use crate::garbage::DEBITS;
use crate::stack::{Engines, Stack};

const JSON: &str = "application/json";
const MESSAGEPACK: &str = "application/msgpack";

/// A verb, and a body that it would take.
fn verbs() -> Vec<(&'static str, Value)> {
    vec![
        ("cmd.get", json!({ "user_id": "anna", "expand": "lots" })),
        ("cmd.debit", json!({ "user_id": "anna", "amount": "0.1", "key": "cut", "meter": "m" })),
        ("cmd.debits", json!({ "debits": [{ "user_id": "anna", "amount": "0.1", "key": "cut" }] })),
        (
            "cmd.debits",
            json!({ "source": "cut", "from": 0, "to": 1, "debits": [
            { "number": 1, "user_id": "anna", "amount": "0.1" }] }),
        ),
        ("cmd.routing", json!({ "app": "demo" })),
        ("adm.open", json!({ "user_id": "carl", "initial_balance": "5", "email": "c@x" })),
        ("adm.grant", json!({ "user_id": "anna", "amount": 1, "key": "cut-g" })),
        ("adm.deposit", json!({ "user_id": "anna", "amount": 1, "key": "cut-d" })),
        ("adm.close", json!({ "user_id": "anna", "key": "cut-c" })),
    ]
}

/// Both forms of a verb's subject. All accounts of these tests live in some partition of four; which does not matter to
/// what is refused before it is decided.
fn subjects(verb: &str) -> Vec<String> {
    let (kind, verb) = verb.split_once('.').expect("a kind and a verb");
    let plain = format!("drip.{kind}.demo.{verb}");
    match verb {
        "routing" => vec![plain],
        _ => vec![plain, format!("drip.{kind}.demo.02.{verb}")],
    }
}

fn packed(value: &Value) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("any JSON can be packed")
}

/// The problem, which must be one, in the format of the request.
async fn refused(nats: &Client, subject: &str, format: &str, body: Vec<u8>) -> Value {
    let mut headers = HeaderMap::new();
    headers.insert("Content-Type", format);
    let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
    let answer = nats.request_with_headers(subject.to_owned(), headers, body.into()).await;
    let answer = answer.unwrap_or_else(|error| panic!("{subject} {shown}: {error}"));
    let read: Value = match format {
        JSON => serde_json::from_slice(&answer.payload).expect("an answer in JSON"),
        _ => rmp_serde::from_slice(&answer.payload).expect("an answer in MessagePack"),
    };
    let problem = read["error"].clone();
    let status = problem["status"].as_u64().unwrap_or_else(|| panic!("{subject} {shown}: {read}"));
    assert!((400..500).contains(&status), "{subject} {shown}: {problem}");
    let headers = answer.headers.expect("a refusal has headers");
    assert_eq!(
        headers.get("Nats-Service-Error").map(ToString::to_string).as_deref(),
        problem["code"].as_str()
    );
    assert!(answer.payload.len() < 2_000, "{subject} {shown}: a problem is short");
    problem
}

/// Bodies that no verb takes, whatever the format: code and field.
fn for_all(format: &str) -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let malformed = if format == JSON { "malformed_json" } else { "malformed_msgpack" };
    let write = |value: &Value| if format == JSON { value.to_string().into_bytes() } else { packed(value) };
    let mut bodies = vec![(vec![], malformed, "")];
    for value in [json!(null), json!([]), json!([1]), json!(5), json!("text"), json!(true)] {
        bodies.push((write(&value), "invalid_field", "body"));
    }
    bodies.push((write(&json!({ "colour": "red" })), "unknown_field", "colour"));
    bodies.push((write(&json!({ "app": 5 })), "invalid_field", "app"));
    let raw: &[(&[u8], &str)] = match format {
        JSON => &[
            (b"{", malformed),
            (b"}", malformed),
            (b"\x00", malformed),
            (b"\xff\xfe", malformed),
            (b"{\"app\"", malformed),
            (b"{\"app\":", malformed),
            (b"{'app':1}", malformed),
            (b"{\"app\":NaN}", malformed),
            (b"\xef\xbb\xbf{}", malformed),
            (b"{\"app\":\"\xff\"}", malformed),
        ],
        _ => &[
            (b"\xc1", malformed),
            (b"\x81", malformed),
            (b"\x81\xa3app", malformed),
            (b"\x81\xa3ap", malformed),
            // Lengths that are only claimed.
            (b"\xdf\xff\xff\xff\xff", malformed),
            (b"\xdb\xff\xff\xff\xff", malformed),
            (b"\x81\xa3app\xdb\xff\xff\xff\xff", malformed),
            (b"\x81\xdb\xff\xff\xff\xff", malformed),
            (b"\x81\xa3app\xc6\xff\xff\xff\xff", malformed),
            (b"\xdd\xff\xff\xff\xff", "invalid_field"),
            // Names that are no text.
            (b"\x81\x00\xa1x", "invalid_field"),
            (b"\x81\xc4\x03app\xa1x", "invalid_field"),
            (b"\x81\xc0\xa1x", "invalid_field"),
        ],
    };
    bodies.extend(raw.iter().map(|(bytes, code)| (bytes.to_vec(), *code, "")));
    bodies
}

#[tokio::test]
async fn every_verb_refuses_what_is_none_of_its_bodies_in_both_formats() {
    let Stack { drip, nats, .. } = Stack::start(Engines::Servers).await;
    let server = nats.expect("this Drip is on NATS");
    let nats = async_nats::connect(server.url()).await.expect("NATS is there");
    drip.open("anna", "1").await;
    unharmed(&drip, async {
        for (verb, body) in verbs() {
            for (subject, format) in
                subjects(verb).iter().flat_map(|subject| [(subject, JSON), (subject, MESSAGEPACK)])
            {
                for (bytes, code, field) in for_all(format) {
                    let problem = refused(&nats, subject, format, bytes.clone()).await;
                    assert_eq!(problem["code"], code, "{subject} {format} {bytes:?}: {problem}");
                    assert!(
                        field.is_empty() || problem["field"] == field,
                        "{subject} {format} {bytes:?}: {problem}"
                    );
                }
                let whole = if format == JSON { body.to_string().into_bytes() } else { packed(&body) };
                for end in (0..whole.len()).step_by(3) {
                    let problem = refused(&nats, subject, format, whole[..end].to_vec()).await;
                    let code = if format == JSON { "malformed_json" } else { "malformed_msgpack" };
                    assert_eq!(problem["code"], code, "{subject} {format} cut after {end}: {problem}");
                }
            }
        }
        for subject in ["drip.cmd.demo.09.get", "drip.cmd.demo.0.get", "drip.adm.demo.x.open"] {
            assert_eq!(refused(&nats, subject, JSON, b"{}".to_vec()).await["field"], "partition");
        }
    })
    .await;
    assert_eq!(drip.account("anna").await.text("balance"), "1");
    audit(&drip).await;
}

#[tokio::test]
async fn deep_and_huge_bodies_harm_nobody() {
    let Stack { drip, nats, .. } = Stack::start(Engines::Servers).await;
    let server = nats.expect("this Drip is on NATS");
    let nats = async_nats::connect(server.url()).await.expect("NATS is there");
    drip.open("anna", "1").await;
    let text = "x".repeat(900_000);
    unharmed(&drip, async {
        for (verb, _) in verbs() {
            for subject in subjects(verb).into_iter().take(1) {
                for name in ["user_id", "metadata", "debits", "colour"] {
                    for (open, close) in [("[", "]"), ("{\"x\":", "}")] {
                        let start = format!("{{\"{name}\":{}", open.repeat(100_000));
                        let closed = format!("{start}1{}}}", close.repeat(100_000));
                        refused(&nats, &subject, JSON, start.into_bytes()).await;
                        refused(&nats, &subject, JSON, closed.into_bytes()).await;
                    }
                    refused(&nats, &subject, JSON, json!({ name: text }).to_string().into_bytes()).await;
                    let start = [&[0x81], &packed(&name.into())[..]].concat();
                    for deep in [&b"\x91"[..], b"\x81\xa1x", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff"]
                    {
                        let bytes = [&start[..], &deep.repeat(100_000)].concat();
                        refused(&nats, &subject, MESSAGEPACK, bytes).await;
                    }
                    refused(&nats, &subject, MESSAGEPACK, packed(&json!({ name: text }))).await;
                }
            }
        }
    })
    .await;
    assert_eq!(drip.account("anna").await.text("balance"), "1");
    audit(&drip).await;
}

#[tokio::test]
async fn garbage_in_a_debit_is_named_alike_alone_in_batches_and_in_messagepack() {
    let Stack { drip, nats, .. } = Stack::start(Engines::Servers).await;
    let server = nats.expect("this Drip is on NATS");
    let nats = async_nats::connect(server.url()).await.expect("NATS is there");
    drip.open("anna", "1").await;
    for (body, _, code, field) in DEBITS {
        // What only JSON can get wrong was asked in JSON; a batch's debits have neither app nor deadline.
        let Ok(Value::Object(mut debit)) = serde_json::from_str::<Value>(body) else { continue };
        if debit.contains_key("user_id") || body.matches("\"amount\"").count() > 1 {
            continue;
        }
        debit.insert("user_id".to_owned(), "anna".into());
        let alone = Value::Object(debit.clone());
        let problem = refused(&nats, "drip.cmd.demo.debit", MESSAGEPACK, packed(&alone)).await;
        // A number that is no whole one is a float there, and as such refused.
        let float = debit.get("amount").is_some_and(Value::is_f64);
        let code = if float { "invalid_field" } else { code };
        assert!(code.is_empty() || problem["code"] == code, "{body}: {problem}");
        assert!(field.is_empty() || problem["field"] == *field, "{body}: {problem}");
        if debit.contains_key("app") || debit.contains_key("deadline") {
            continue;
        }
        let first = json!({ "user_id": "anna", "amount": "0.1", "dry_run": true });
        let named = body.replacen('{', r#"{"user_id": "anna", "#, 1).replace(", }", "}");
        let batch = format!(r#"{{"debits": [{first}, {named}]}}"#).into_bytes();
        let packed = packed(&json!({ "debits": [first, alone] }));
        for (format, bytes) in [(JSON, batch), (MESSAGEPACK, packed)] {
            let mut headers = HeaderMap::new();
            headers.insert("Content-Type", format);
            let answer = nats
                .request_with_headers("drip.cmd.demo.debits", headers, bytes.into())
                .await
                .expect("an answer");
            let read: Value = match format {
                JSON => serde_json::from_slice(&answer.payload).expect("JSON"),
                _ => rmp_serde::from_slice(&answer.payload).expect("MessagePack"),
            };
            // What the ledger refuses is refused in its place; what is no debit refuses the batch.
            let problem =
                if read.get("error").is_some() { &read["error"] } else { &read["results"][1]["error"] };
            assert!(problem["code"].is_string(), "{format} {body}: {read}");
            assert!(
                field.is_empty() || problem["field"] == format!("debits[1].{field}"),
                "{format} {body}: {read}"
            );
        }
    }
    assert!(audit(&drip).await.spent.is_empty());
}
