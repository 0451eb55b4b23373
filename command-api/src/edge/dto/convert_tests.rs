//! Every kind of garbage in, and what is said about it: code, field, detail.

use std::collections::BTreeMap;

use ledger_core::event::Usage;
use ledger_core::{AppId, Charge, Key, Label, Timestamp, Usdc};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::format::Format;
use super::requests::{
    AnyDebitsRequest, CloseRequest, DebitRequest, DebitsRequest, GetRequest, MoneyRequest, OpenRequest,
    SourceRequest,
};
use crate::edge::auth::Principal;
use crate::edge::problem::Problem;

fn who() -> Principal {
    Principal { app: AppId::new("demo").unwrap(), actor: Label::new("key:dev").unwrap() }
}

fn fresh() -> Key {
    Key::new("made").unwrap()
}

/// What the JSON says; and in MessagePack, where it can say the same, the same.
fn parsed<T: DeserializeOwned, U>(
    json: &str,
    convert: impl Fn(T) -> Result<U, Problem>,
) -> Result<U, Problem> {
    let read = |format: Format, bytes: &[u8]| format.read::<T>(bytes).and_then(&convert);
    let result = read(Format::Json, json.as_bytes());
    let twice = result.as_ref().is_err_and(|problem| problem.body().detail.ends_with("is given twice"));
    if let Some(bytes) = in_msgpack(json).filter(|_| !twice) {
        let code_and_field = |result: &Result<U, Problem>| {
            result.as_ref().err().map(|problem| (problem.body().code, problem.body().field.clone()))
        };
        let other = read(Format::MessagePack, &bytes);
        assert_eq!(code_and_field(&result), code_and_field(&other), "{json}");
    }
    result
}

/// The same in MessagePack; nothing for what only JSON can say: no JSON at all, a float.
fn in_msgpack(json: &str) -> Option<Vec<u8>> {
    fn has_floats(value: &Value) -> bool {
        match value {
            Value::Number(number) => number.is_f64(),
            Value::Array(values) => values.iter().any(has_floats),
            Value::Object(entries) => {
                entries.iter().any(|(name, value)| name != "metadata" && has_floats(value))
            }
            _ => false,
        }
    }
    let mut value: Value = serde_json::from_str(json).ok().filter(|value| !has_floats(value))?;
    if let Some(metadata) = value.get_mut("metadata").filter(|metadata| metadata.is_object()) {
        // By its text as it stands: the digits of its numbers are what is looked at.
        let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(json).ok()?;
        *metadata = fields["metadata"].get().into();
    }
    Some(rmp_serde::to_vec(&value).unwrap())
}

fn debit(json: &str) -> Result<Usage, Problem> {
    parsed(json, |body: DebitRequest| body.into_command(&who(), fresh)).map(|debit| debit.usage)
}

fn open(json: &str) -> Result<(), Problem> {
    parsed(json, |body: OpenRequest| body.into_command(&who())).map(drop)
}

fn deposit(json: &str) -> Result<(), Problem> {
    parsed(json, |body: MoneyRequest| body.into_command(&who())).map(drop)
}

fn close(json: &str) -> Result<(), Problem> {
    parsed(json, |body: CloseRequest| body.into_command(&who())).map(drop)
}

fn get(json: &str) -> Result<(), Problem> {
    parsed(json, |body: GetRequest| body.into_account(&who())).map(drop)
}

fn batch(json: &str) -> Result<(), Problem> {
    parsed(json, |body: DebitsRequest| body.into_commands(&who(), fresh)).map(drop)
}

fn source(json: &str) -> Result<(), Problem> {
    parsed(json, |body: SourceRequest| body.into_batch(&who())).map(drop)
}

/// What is said about a refused text: code, field, detail.
fn told(problem: &Problem) -> (&str, &str, &str) {
    let body = problem.body();
    (body.code, body.field.as_deref().unwrap_or(""), &body.detail)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Problem>, code: &str, field: &str, detail: &str) {
    let problem = result.expect_err("this must be refused");
    assert_eq!(told(&problem), (code, field, detail));
}

const PLAIN: &str = "amount must be a plain decimal number such as \"0.007\": digits, without exponent, sign '+' or separators";
const PRECISE: &str = "amount has more than 6 decimals";
const MOVED: &str = "One command moves at most 1000000000 USDC.";

#[test]
fn amounts_that_are_none_are_refused_whether_numbers_or_strings() {
    for (amount, code, detail) in [
        ("1e3", "invalid_field", PLAIN),
        ("1E-3", "invalid_field", PLAIN),
        ("\"1e3\"", "invalid_field", PLAIN),
        ("\"NaN\"", "invalid_field", PLAIN),
        ("\"Infinity\"", "invalid_field", PLAIN),
        ("\"\"", "invalid_field", PLAIN),
        ("\" 1\"", "invalid_field", PLAIN),
        ("\"+1\"", "invalid_field", PLAIN),
        ("\"1,000\"", "invalid_field", PLAIN),
        ("\"0x10\"", "invalid_field", PLAIN),
        ("\"٣\"", "invalid_field", PLAIN),
        ("\"1\\u0000\"", "invalid_field", PLAIN),
        ("0.30000000000000004", "invalid_field", PRECISE),
        ("\"0.30000000000000004\"", "invalid_field", PRECISE),
        ("0.0000001", "invalid_field", PRECISE),
        ("\"0.0000001\"", "invalid_field", PRECISE),
        ("99999999999999999999999999", "amount_too_large", MOVED),
        ("\"99999999999999999999999999\"", "amount_too_large", MOVED),
        ("true", "invalid_field", "amount must be a decimal number, as a string or a number"),
        ("[1]", "invalid_field", "amount must be a decimal number, as a string or a number"),
        ("{}", "invalid_field", "amount must be a decimal number, as a string or a number"),
    ] {
        refused(debit(&format!(r#"{{"user_id":"anna","amount":{amount}}}"#)), code, "amount", detail);
    }
    refused(debit(r#"{"user_id":"anna","amount":null}"#), "missing_field", "amount", "amount is missing");
}

#[test]
fn zero_and_negative_amounts_are_the_ledgers_to_refuse() {
    for (amount, credits) in [("0", 0), ("-1", -1_000_000), ("\"-0.000001\"", -1), ("0.3", 300_000)] {
        let usage = debit(&format!(r#"{{"user_id":"anna","amount":{amount}}}"#)).unwrap();
        assert_eq!(usage.charge, Charge::Amount(Usdc::from_credits(credits)));
    }
}

#[test]
fn user_ids_hold_what_a_person_may_type_and_nothing_else() {
    for good in ["a/b c", "{acme}anna", "🦀", "...", "%2F", "ä"] {
        let json = format!(r#"{{"user_id":{good:?},"amount":1}}"#);
        assert_eq!(debit(&json).unwrap().account.user.as_str(), good);
    }
    let long = "x".repeat(10_000);
    for (id, rule) in [
        ("\"\"", "must not be empty"),
        ("\"a\\nb\"", "must not contain control characters"),
        ("\"\\u0000\"", "must not contain control characters"),
        ("\"\\u007f\"", "must not contain control characters"),
        (&*format!("\"{long}\""), "must be at most 200 bytes"),
        ("\"$fee\"", "must not begin with '$': those are the ledger's own"),
        ("7", "must be a string"),
        ("[\"anna\"]", "must be a string"),
    ] {
        let detail = format!("user_id {rule}");
        refused(debit(&format!(r#"{{"user_id":{id},"amount":1}}"#)), "invalid_field", "user_id", &detail);
        refused(open(&format!(r#"{{"user_id":{id}}}"#)), "invalid_field", "user_id", &detail);
        refused(get(&format!(r#"{{"user_id":{id}}}"#)), "invalid_field", "user_id", &detail);
        refused(close(&format!(r#"{{"user_id":{id}}}"#)), "invalid_field", "user_id", &detail);
    }
}

#[test]
fn every_field_of_a_debit_is_checked_and_named() {
    let times = "must be a time with its offset, such as 2026-11-23T10:00:00.5Z";
    for (json, code, field, rule) in [
        (r#"{"amount":1}"#, "missing_field", "user_id", "is missing"),
        (r#"{"user_id":"a"}"#, "missing_field", "amount", "is missing"),
        (
            r#"{"user_id":"a","amount":1,"items":[]}"#,
            "invalid_field",
            "amount",
            "can not be given together with items",
        ),
        (
            r#"{"user_id":"a","amount":1,"amonut":2}"#,
            "unknown_field",
            "amonut",
            "is not a field of this request",
        ),
        (r#"{"user_id":"a","amount":1,"amount":1}"#, "invalid_field", "amount", "is given twice"),
        (r#"{"user_id":"a","amount":1,"meter":""}"#, "invalid_field", "meter", "must not be empty"),
        (r#"{"user_id":"a","amount":1,"meter":3}"#, "invalid_field", "meter", "must be a string"),
        (
            r#"{"user_id":"a","amount":1,"scope":"\t"}"#,
            "invalid_field",
            "scope",
            "must not contain control characters",
        ),
        (r#"{"user_id":"a","amount":1,"key":""}"#, "invalid_field", "key", "must not be empty"),
        (r#"{"user_id":"a","amount":1,"occurred_at":"now"}"#, "invalid_field", "occurred_at", times),
        (
            r#"{"user_id":"a","amount":1,"occurred_at":1700000000}"#,
            "invalid_field",
            "occurred_at",
            "must be a string",
        ),
        (r#"{"user_id":"a","amount":1,"dry_run":"yes"}"#, "invalid_field", "dry_run", "must be a boolean"),
        (r#"{"user_id":"a","amount":1,"metadata":[]}"#, "invalid_field", "metadata", "must be a JSON object"),
        (
            r#"{"user_id":"a","amount":1,"metadata":{"x":"\u0000"}}"#,
            "invalid_field",
            "metadata.x",
            "must not contain U+0000",
        ),
        (
            r#"{"user_id":"a","items":[{"name":"x","quantity":-1,"unit_price":1}]}"#,
            "invalid_field",
            "items[0].quantity",
            "must not be negative",
        ),
        (
            r#"{"user_id":"a","items":[{"name":"x","quantity":0.0000001,"unit_price":1}]}"#,
            "invalid_field",
            "items[0].quantity",
            "has more than 6 decimals",
        ),
        (
            r#"{"user_id":"a","items":[{"name":"x","quantity":1,"unit_price":"1000001"}]}"#,
            "invalid_field",
            "items[0].unit_price",
            "is too large",
        ),
        (
            r#"{"user_id":"a","items":[{"name":"","quantity":1,"unit_price":1}]}"#,
            "invalid_field",
            "items[0].name",
            "must not be empty",
        ),
        (
            r#"{"user_id":"a","items":[{"quantity":1,"unit_price":1}]}"#,
            "missing_field",
            "items[0].name",
            "is missing",
        ),
        (
            r#"{"user_id":"a","items":[{"name":"x","quantity":1,"unit_price":1,"unit":"t"}]}"#,
            "unknown_field",
            "items[0].unit",
            "is not a field of this request",
        ),
        (r#"{"user_id":"a","items":[["x",1,1]]}"#, "invalid_field", "items[0]", "must be an object"),
    ] {
        refused(debit(json), code, field, &format!("{field} {rule}"));
    }
    for items in
        ["[]".to_owned(), format!("[{}]", [r#"{"name":"x","quantity":1,"unit_price":1}"#; 17].join(","))]
    {
        let json = format!(r#"{{"user_id":"a","items":{items}}}"#);
        refused(debit(&json), "items_count", "items", "A charge has 1 to 16 items.");
    }
}

#[test]
fn a_whole_debit_reads_as_it_was_written() {
    let usage = debit(
        r#"{"user_id":"a","items":[{"name":"ContextTokens","quantity":4808,"unit_price":0.0000025}],"meter":"llm",
           "scope":"run:1","occurred_at":"1970-01-01T00:00:01.5Z","metadata":{"b":1,"a":2},"key":"k"}"#,
    )
    .unwrap();
    assert_eq!(usage.charge.atto(), 12_020_000_000_000_000);
    assert_eq!(usage.occurred_at, Some(Timestamp(1_500_000)));
    assert_eq!(usage.metadata.unwrap().plain_text(), Some(r#"{"a":2,"b":1}"#));
    assert_eq!((usage.meter.as_str(), &*usage.key.unwrap().text()), ("llm", "k"));
    let plain = debit(r#"{"user_id":"a","amount":"0.007"}"#).unwrap();
    assert_eq!((plain.meter.as_str(), &*plain.key.unwrap().text()), ("usage", "made"));
    let dry = debit(r#"{"user_id":"a","amount":"0.007","dry_run":true}"#).unwrap();
    assert_eq!(dry.key, None);
}

#[test]
fn openings_and_money_in_are_checked() {
    let address = "email must be an e-mail address of at most 254 bytes";
    for email in ["\"\"", "\"anna\"", "\"@x\"", "\"a@\"", "\"a b@x\"", "\"a@x\\n\""] {
        refused(open(&format!(r#"{{"user_id":"a","email":{email}}}"#)), "invalid_field", "email", address);
    }
    refused(open("{}"), "missing_field", "user_id", "user_id is missing");
    let negative =
        parsed(r#"{"user_id":"a","initial_balance":"-5"}"#, |body: OpenRequest| body.into_command(&who()));
    assert_eq!(negative.unwrap().initial_balance, Usdc::from_credits(-5_000_000), "the ledger refuses it");
    refused(
        deposit(r#"{"user_id":"a","amount":1}"#),
        "key_required",
        "key",
        "Money in needs a key, so that it can never be booked twice.",
    );
    refused(deposit(r#"{"user_id":"a","key":"k"}"#), "missing_field", "amount", "amount is missing");
    refused(
        get(r#"{"user_id":"a","expand":"all"}"#),
        "invalid_field",
        "expand",
        "expand can only be \"lots\"",
    );
}

#[test]
fn a_profile_is_kept_as_json_with_what_was_given() {
    let profile = |json: &str| {
        let command = parsed(json, |body: OpenRequest| body.into_command(&who())).unwrap();
        command.profile.map(|sealed| sealed.plain_text().unwrap().to_owned())
    };
    assert_eq!(profile(r#"{"user_id":"a"}"#), None);
    assert_eq!(profile(r#"{"user_id":"a","email":"a\"@x"}"#).unwrap(), r#"{"email":"a\"@x"}"#);
    let both = profile(r#"{"user_id":"a","email":"a@x","metadata":{"n":1.10}}"#).unwrap();
    assert_eq!(both, r#"{"email":"a@x","metadata":{"n":1.10}}"#);
}

#[test]
fn batches_name_the_debit_that_is_wrong() {
    let count = "debits must hold 1 to 1000 debits";
    refused(batch(r#"{"debits":[]}"#), "invalid_field", "debits", count);
    let many = [r#"{"user_id":"a","amount":1}"#; 1_001].join(",");
    refused(batch(&format!(r#"{{"debits":[{many}]}}"#)), "invalid_field", "debits", count);
    for (second, code, field, rule) in [
        (r#"{"user_id":"a","amount":1e3}"#, "invalid_field", "debits[1].amount", &PLAIN[7..]),
        (r#"{"amount":1}"#, "missing_field", "debits[1].user_id", "is missing"),
        (r#"{"user_id":"a"}"#, "missing_field", "debits[1].amount", "is missing"),
        (
            r#"{"user_id":"a","amount":1,"number":1}"#,
            "unknown_field",
            "debits[1].number",
            "is not a field of this request",
        ),
        (
            r#"{"user_id":"a","items":[{"name":"x","quantity":"x","unit_price":1}]}"#,
            "invalid_field",
            "debits[1].items[0].quantity",
            &PLAIN[7..],
        ),
    ] {
        let json = format!(r#"{{"debits":[{{"user_id":"a","amount":1}},{second}]}}"#);
        refused(batch(&json), code, field, &format!("{field} {rule}"));
    }
}

#[test]
fn a_brief_answer_takes_longer_batches_and_needs_keys() {
    let debits = |count, rest: &str| {
        let debit = format!(r#"{{"user_id":"a","amount":1{rest}}}"#);
        let debits = vec![debit; count].join(",");
        batch(&format!(r#"{{"answer":"brief","debits":[{debits}]}}"#))
    };
    assert!(debits(10_000, r#","key":"k""#).is_ok());
    assert!(debits(2, r#","dry_run":true"#).is_ok());
    let count = "debits must hold 1 to 10000 debits";
    refused(debits(10_001, r#","key":"k""#), "invalid_field", "debits", count);
    let key = "debits[0].key is missing: a brief answer does not tell a key that was made";
    refused(debits(2, ""), "missing_field", "debits[0].key", key);
    let form = batch(r#"{"answer":"long","debits":[{"user_id":"a","amount":1}]}"#);
    refused(form, "invalid_field", "answer", "answer can only be \"brief\"");
}

#[test]
fn in_messagepack_what_is_no_exact_number_and_no_text_of_json_is_refused() {
    let floats = "amount must be a decimal number as text, or a whole number: floats are not exact";
    let text = "metadata must be the text of a JSON object";
    for (body, code, field, detail) in [
        (json!({ "user_id": "a", "amount": 0.5 }), "invalid_field", "amount", floats),
        (json!({ "user_id": "a", "amount": 1.0 }), "invalid_field", "amount", floats),
        (json!({ "user_id": "a", "amount": "1", "metadata": { "x": 1 } }), "invalid_field", "metadata", text),
        (json!({ "user_id": "a", "amount": "1", "metadata": "x" }), "invalid_field", "metadata", text),
        (json!({ "user_id": "a", "amount": "1", "metadata": "[1]" }), "invalid_field", "metadata", text),
        (json!({ "user_id": "a", "amount": 1, "metadata": "" }), "invalid_field", "metadata", text),
        (
            json!({ "user_id": "a", "amount": 1, "dry_run": "yes" }),
            "invalid_field",
            "dry_run",
            "dry_run is not of the kind it must be",
        ),
    ] {
        let bytes = rmp_serde::to_vec(&body).unwrap();
        let read = Format::MessagePack.read::<DebitRequest>(&bytes);
        refused(read.and_then(|body| body.into_command(&who(), fresh)), code, field, detail);
    }
    let same = json!({ "user_id": "a", "amount": 3, "metadata": r#"{"b": 1.10, "a": 2}"# });
    let body: DebitRequest = Format::MessagePack.read(&rmp_serde::to_vec(&same).unwrap()).unwrap();
    let usage = body.into_command(&who(), fresh).unwrap().usage;
    assert_eq!(usage.charge, Charge::Amount(Usdc::from_credits(3_000_000)));
    assert_eq!(usage.metadata.unwrap().plain_text(), Some(r#"{"a":2,"b":1.10}"#));
}

#[test]
fn batches_of_sources_are_checked() {
    let item = r#"{"number":1,"user_id":"a","amount":1}"#;
    assert!(source(&format!(r#"{{"source":"f","from":0,"to":1,"debits":[{item}]}}"#)).is_ok());
    for (json, code, field, rule) in [
        (r#"{"source":"","from":0,"to":1,"debits":[]}"#, "invalid_field", "source", "must not be empty"),
        (
            r#"{"source":"f","from":-1,"to":1,"debits":[]}"#,
            "invalid_field",
            "from",
            "must be a whole number, not negative",
        ),
        (
            r#"{"source":"f","from":0,"to":"1","debits":[]}"#,
            "invalid_field",
            "to",
            "must be a whole number, not negative",
        ),
        (
            r#"{"source":"f","from":0,"to":18446744073709551615,"debits":[]}"#,
            "invalid_field",
            "to",
            "must be at most 9007199254740991",
        ),
        (r#"{"source":"f","from":1,"to":1,"debits":[]}"#, "missing_field", "digest", "is missing"),
        (
            r#"{"source":"f","from":1,"to":1,"digest":"12","debits":[]}"#,
            "invalid_field",
            "digest",
            "must be 64 hex digits",
        ),
        (
            r#"{"source":"f","from":0,"to":1,"debits":[{"user_id":"a","amount":1}]}"#,
            "missing_field",
            "debits[0].number",
            "is missing",
        ),
        (
            r#"{"source":"f","from":0,"to":1,"debits":[{"number":1,"user_id":"a","amount":1,"key":"k"}]}"#,
            "unknown_field",
            "debits[0].key",
            "is not a field of this request",
        ),
        (
            r#"{"source":"f","from":0,"to":1,"debits":[{"number":1,"user_id":"\n","amount":1}]}"#,
            "invalid_field",
            "debits[0].user_id",
            "must not contain control characters",
        ),
        (r#"{"source":"f","from":0,"to":1}"#, "missing_field", "debits", "is missing"),
    ] {
        refused(source(json), code, field, &format!("{field} {rule}"));
    }
    let grant =
        |grant| source(&format!(r#"{{"source":"f","from":0,"to":0,"grant_missing":{grant},"debits":[]}}"#));
    refused(grant("-1"), "amount_not_positive", "grant_missing", "grant_missing must be zero or more");
    refused(grant("1000000001"), "amount_too_large", "grant_missing", MOVED);
    assert!(grant("0").is_ok());
}

#[test]
fn the_field_source_tells_the_form_of_a_batch() {
    let read = |json: &str| AnyDebitsRequest::read(Format::Json, json.as_bytes());
    assert!(matches!(read(r#"{"debits":[]}"#), Ok(AnyDebitsRequest::Batch(_))));
    assert!(matches!(read(r#"{"debits":[],"source":"f","from":0,"to":0}"#), Ok(AnyDebitsRequest::Source(_))));
    refused(
        read(r#"{"debits":[],"from":0}"#),
        "unknown_field",
        "from",
        "from is not a field of this request",
    );
    refused(read(r#"{"debits":[],"source":5}"#), "invalid_field", "source", "source must be a string");
    refused(read(r#"["source"]"#), "invalid_field", "body", "body must be an object");
    refused(read("{"), "malformed_json", "", "The body is not JSON: see line 1, column 1.");
}
