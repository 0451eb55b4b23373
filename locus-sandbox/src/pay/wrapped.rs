//! Wrapped APIs, with canned content: the same question has the same answer.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::{Answer, Caller, Refusal, read_body, success};
use crate::gate::answer;
use crate::store::Shared;

/// The endpoints there are, with the fields a request must have.
const ENDPOINTS: &[(&str, &[&str])] = &[
    ("exa/search", &["query"]),
    ("firecrawl/scrape", &["url"]),
    ("anthropic/messages", &["model", "messages", "max_tokens"]),
    ("openai/chat", &["model", "messages"]),
];

pub(super) async fn catalogue(_: Caller) -> Response {
    let names: Vec<&str> = ENDPOINTS.iter().map(|(name, _)| *name).collect();
    answer(StatusCode::OK, &json!({"success": true, "data": {"endpoints": names, "catalog": {}}}))
}

pub(super) async fn call(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path((provider, endpoint)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let name = format!("{provider}/{endpoint}");
    let known = ENDPOINTS.iter().find(|(known, _)| *known == name);
    let (_, fields) = known.ok_or_else(|| Refusal::not_found("Provider or endpoint"))?;
    let body: Value = read_body(&body)?;
    if let Some(missing) = fields.iter().find(|field| body.get(field).is_none_or(Value::is_null)) {
        return Err(Refusal::bad(format!("{missing} is required")));
    }
    shared.turn(|turn| turn.pay_call(&name))?;
    Ok(success(&content(&name, &body)))
}

fn content(name: &str, body: &Value) -> Value {
    match name {
        "exa/search" => found(body["query"].as_str().unwrap_or_default(), &body["numResults"]),
        "firecrawl/scrape" => scraped(body["url"].as_str().unwrap_or_default()),
        "anthropic/messages" => message(body),
        _ => chat(body),
    }
}

fn found(query: &str, wanted: &Value) -> Value {
    let wanted = wanted.as_u64().unwrap_or(3).min(10);
    let result = |n: u64| {
        json!({
            "title": format!("{query}: finding {n}"), "url": format!("https://example.com/{n}"),
            "text": format!("What finding {n} says about {query}."), "publishedDate": "2026-01-01T00:00:00.000Z",
        })
    };
    json!({"results": (1..=wanted).map(result).collect::<Vec<_>>(), "costDollars": {"total": 0.007}})
}

fn scraped(url: &str) -> Value {
    let markdown = format!("# {url}\n\nThis page is part of the sandbox.\n");
    json!({"markdown": markdown, "metadata": {"sourceURL": url, "statusCode": 200}})
}

fn message(body: &Value) -> Value {
    json!({
        "id": "msg_sandbox", "type": "message", "role": "assistant", "model": body["model"],
        "content": [{"type": "text", "text": said(body)}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 100, "output_tokens": 50},
    })
}

fn chat(body: &Value) -> Value {
    let message = json!({"role": "assistant", "content": said(body)});
    json!({
        "id": "chatcmpl-sandbox", "object": "chat.completion", "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150},
    })
}

fn said(body: &Value) -> String {
    let last = body["messages"].as_array().and_then(|messages| messages.last());
    let last = last.and_then(|message| message["content"].as_str()).unwrap_or("nothing");
    let start: String = last.chars().take(80).collect();
    format!("A canned answer to: {start}")
}
