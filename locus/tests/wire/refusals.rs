//! Every "no" the services are documented to say, call by call.

use locus::build::{EnvironmentKind, NewProject, NewService, Runtime, Variables};
use locus::mail::NewInbox;
use locus::pay::{NewSession, X402Mail};
use locus::{Build, Error, ErrorKind, Mail, Pay, Timing};
use serde_json::json;

use crate::mail::{key, letter};
use crate::server::{Server, answer};
use crate::{build_in, mail, pay_in};

/// Nothing is repeated: each answer is looked at once.
fn once() -> Timing {
    Timing { pauses: Vec::new(), ..Timing::default() }
}

async fn refused(call: impl AsyncFn(&Pay) -> Option<Error>, status: u16, body: &str) -> ErrorKind {
    let server = Server::says(status, body).await;
    call(&pay_in(&server, once())).await.expect("it is refused").kind().clone()
}

async fn build_refused(call: impl AsyncFn(&Build) -> Option<Error>, status: u16, body: &str) -> ErrorKind {
    let server = Server::with_token(&[answer(status, body)]).await;
    call(&build_in(&server, once())).await.expect("it is refused").kind().clone()
}

async fn mail_refused(call: impl AsyncFn(&Mail) -> Option<Error>, status: u16, body: &str) -> Error {
    let server = Server::says(status, body).await;
    call(&mail(&server)).await.expect("it is refused")
}

const NO: &str = r#"{"success":false,"error":"Short phrase","message":"Longer human text"}"#;

const GENERIC: [(u16, ErrorKind); 5] = [
    (401, ErrorKind::Auth),
    (404, ErrorKind::NotFound),
    (429, ErrorKind::RateLimited { after: None }),
    (500, ErrorKind::Upstream { status: 500 }),
    (503, ErrorKind::Upstream { status: 503 }),
];

#[tokio::test]
async fn pay_says_no() {
    let session = NewSession::new(ledger_core::Usdc::from_credits(1));
    for (status, kind) in GENERIC {
        assert_eq!(refused(async |pay| pay.balance().await.err(), status, NO).await, kind);
        assert_eq!(refused(async |pay| pay.create_session(&session).await.err(), status, NO).await, kind);
        assert_eq!(refused(async |pay| pay.session("s").await.err(), status, NO).await, kind);
        assert_eq!(refused(async |pay| pay.cancel_session("s").await.err(), status, NO).await, kind);
    }
    let bad = ErrorKind::Rejected { status: 400 };
    assert_eq!(refused(async |pay| pay.create_session(&session).await.err(), 400, NO).await, bad);
    assert_eq!(refused(async |pay| pay.cancel_session("s").await.err(), 400, NO).await, bad);
    // A redirect is not followed: it would carry the key elsewhere.
    let moved = ErrorKind::Rejected { status: 302 };
    assert_eq!(refused(async |pay| pay.balance().await.err(), 302, "").await, moved);
    assert_eq!(refused(async |pay| pay.session("s").await.err(), 410, NO).await, ErrorKind::Gone);
    let html = ErrorKind::Upstream { status: 502 };
    assert_eq!(refused(async |pay| pay.balance().await.err(), 502, "<html>").await, html);
    let no = ErrorKind::Rejected { status: 200 };
    assert_eq!(refused(async |pay| pay.balance().await.err(), 200, NO).await, no);
}

#[tokio::test]
async fn a_wrapped_call_is_refused_in_many_ways() {
    let wrapped = async |pay: &Pay| pay.wrapped("exa", "search", &json!({ "query": "q" })).await.err();
    let approval = r#"{"success":true,"data":{"pending_approval_id":"pa_1","approval_url":"https://x/a",
        "status":"PENDING_APPROVAL","estimated_cost_usdc":"0.25","message":"needs a human"}}"#;
    let disabled = r#"{"error":"API disabled","message":"exa is disabled"}"#;
    let empty = r#"{"success":false,"error":"Forbidden","message":"Insufficient USDC balance"}"#;
    for (status, body, kind) in [
        (202, approval, ErrorKind::PendingApproval { approval_url: Some("https://x/a".to_owned()) }),
        (400, NO, ErrorKind::Rejected { status: 400 }),
        (401, NO, ErrorKind::Auth),
        (402, NO, ErrorKind::InsufficientFunds),
        (403, disabled, ErrorKind::Policy),
        (403, empty, ErrorKind::InsufficientFunds),
        (404, NO, ErrorKind::NotFound),
        (429, NO, ErrorKind::RateLimited { after: None }),
        (500, NO, ErrorKind::Upstream { status: 500 }),
        (502, NO, ErrorKind::Upstream { status: 502 }),
    ] {
        assert_eq!(refused(wrapped, status, body).await, kind, "{status} {body}");
    }
}

#[tokio::test]
async fn an_x402_mail_is_refused_in_many_ways() {
    let to = vec!["u@example.com".to_owned()];
    let (inbox_id, subject, body) = ("i@x".to_owned(), "s".to_owned(), "b".to_owned());
    let letter = X402Mail { inbox_id, to, subject, body };
    let invalid = r#"{"success":false,"error":"Validation failed","message":"to.0.email: Required"}"#;
    let empty = r#"{"success":false,"error":"Insufficient funds","message":"top up"}"#;
    for (status, body, kind) in [
        (400, invalid, ErrorKind::Rejected { status: 400 }),
        (403, empty, ErrorKind::InsufficientFunds),
        (502, NO, ErrorKind::Upstream { status: 502 }),
    ] {
        assert_eq!(refused(async |pay| pay.x402_send(&letter).await.err(), status, body).await, kind);
    }
    let server = Server::says(400, invalid).await;
    let error = pay_in(&server, once()).x402_send(&letter).await.unwrap_err();
    assert!(error.to_string().contains("to.0.email"), "{error}");
    // Nothing says that such a mail was not sent.
    let server = Server::says(502, NO).await;
    assert!(pay_in(&server, once()).x402_send(&letter).await.unwrap_err().is_ambiguous());
}

#[tokio::test]
async fn build_says_no() {
    let no = r#"{"error":"text","details":{"a":1}}"#;
    let new = || NewService {
        project_id: "p".to_owned(),
        environment_id: "e".to_owned(),
        name: "n".to_owned(),
        image_uri: "i".to_owned(),
        runtime: Runtime::default(),
        health_check_path: "/health".to_owned(),
    };
    let service = async |build: &Build| build.create_service(&new()).await.err();
    let credits = r#"{"error":"Insufficient credits","creditBalance":0.10,"requiredAmount":0.25}"#;
    for (status, body, kind) in [
        (400, no, ErrorKind::Rejected { status: 400 }),
        (402, credits, ErrorKind::InsufficientFunds),
        (404, no, ErrorKind::NotFound),
        (409, no, ErrorKind::Conflict),
    ] {
        assert_eq!(build_refused(service, status, body).await, kind);
    }
    let bad = ErrorKind::Rejected { status: 400 };
    let project = async |build: &Build| build.create_project(&NewProject::default()).await.err();
    assert_eq!(build_refused(project, 400, no).await, bad);
    let odd = EnvironmentKind::Other("odd".to_owned());
    let environment = async |build: &Build| build.create_environment("p", "n", &odd).await.err();
    assert_eq!(build_refused(environment, 400, no).await, bad);
    assert_eq!(build_refused(environment, 404, no).await, ErrorKind::NotFound);
    let variables = async |build: &Build| build.replace_variables("s", &Variables::new()).await.err();
    let merge = async |build: &Build| build.merge_variables("s", &Variables::new()).await.err();
    let runtime = async |build: &Build| build.set_runtime("s", &Runtime::default()).await.err();
    let deploy = async |build: &Build| build.deploy("s").await.err();
    for (status, kind) in [(400, bad), (404, ErrorKind::NotFound)] {
        assert_eq!(build_refused(variables, status, no).await, kind);
        assert_eq!(build_refused(merge, status, no).await, kind);
        assert_eq!(build_refused(runtime, status, no).await, kind);
        assert_eq!(build_refused(deploy, status, no).await, kind);
    }
    let read = async |build: &Build| build.service_with_runtime("s").await.err();
    assert_eq!(build_refused(read, 404, no).await, ErrorKind::NotFound);
    let read = async |build: &Build| build.deployment("d").await.err();
    assert_eq!(build_refused(read, 404, no).await, ErrorKind::NotFound);
    let cancel = async |build: &Build| build.cancel_deployment("d").await.err();
    assert_eq!(build_refused(cancel, 409, no).await, ErrorKind::Conflict);
    let delete = async |build: &Build| build.delete_environment("e").await.err();
    assert_eq!(build_refused(delete, 409, no).await, ErrorKind::Conflict);
}

#[tokio::test]
async fn agentmail_says_no_with_a_code() {
    let send = async |mail: &Mail| mail.send("i@x", &letter(), &key()).await.err();
    for (status, code, kind) in [
        (400, "validation_error", ErrorKind::Rejected { status: 400 }),
        (401, "unknown_api_key", ErrorKind::Auth),
        (403, "message_rejected", ErrorKind::Rejected { status: 403 }),
        (403, "missing_permission", ErrorKind::Policy),
        (404, "not_found", ErrorKind::NotFound),
        (409, "conflict", ErrorKind::Conflict),
        (409, "race_condition", ErrorKind::Conflict),
        (422, "unprocessable", ErrorKind::Rejected { status: 422 }),
        (429, "rate_limit_exceeded", ErrorKind::RateLimited { after: None }),
        (500, "internal_error", ErrorKind::Upstream { status: 500 }),
        (503, "service_unavailable", ErrorKind::Upstream { status: 503 }),
    ] {
        let body = format!(r#"{{"name":"SomeError","code":"{code}","message":"m","fix":"f"}}"#);
        let error = mail_refused(send, status, &body).await;
        assert_eq!((error.kind(), error.code()), (&kind, Some(code)));
    }
    let gateway = mail_refused(send, 403, r#"{"message":"Forbidden"}"#).await;
    assert_eq!((gateway.kind(), gateway.code()), (&ErrorKind::Auth, None));

    let (username, domain, display_name) = (None, None, None);
    let new = NewInbox { username, domain, display_name, client_id: key() };
    let create = async |mail: &Mail| mail.create_inbox(&new).await.err();
    for (code, kind) in [("resource_taken", ErrorKind::Conflict), ("limit_exceeded", ErrorKind::Policy)] {
        let error = mail_refused(create, 403, &format!(r#"{{"code":"{code}"}}"#)).await;
        assert_eq!(*error.kind(), kind);
    }
}
