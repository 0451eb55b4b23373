//! What is sent again, what is not, and what is known afterwards.

use std::time::Duration;

use locus::build::{NewProject, Removal, Runtime};
use locus::pay::NewSession;
use locus::{ErrorKind, Timing};
use serde_json::json;

use crate::mail::{key, letter};
use crate::server::{Reply, Server, answer};
use crate::{build, build_in, mail, pay, pay_in, timing};

const BALANCE: &str = r#"{"success":true,"data":{"balance":"1"}}"#;

fn session() -> NewSession {
    NewSession::new(ledger_core::Usdc::from_credits(1))
}

#[tokio::test]
async fn a_read_is_sent_again_until_it_is_answered() {
    for trouble in [answer(500, ""), answer(408, ""), answer(429, ""), Reply::Lost, Reply::Torn] {
        let server = Server::replies(&[trouble.clone(), trouble.clone(), answer(200, BALANCE)]).await;
        pay(&server).balance().await.unwrap();
        assert_eq!(server.lines().len(), 3, "{trouble:?}");
    }
    let server = Server::says(500, "").await;
    let error = pay(&server).balance().await.unwrap_err();
    assert_eq!((server.lines().len(), error.is_retryable()), (4, true), "one attempt and three pauses");
}

#[tokio::test]
async fn what_will_be_refused_again_is_not_sent_again() {
    for status in [400, 401, 403, 404, 409, 410, 422] {
        let server = Server::says(status, "").await;
        let error = pay(&server).balance().await.unwrap_err();
        assert_eq!((server.lines().len(), error.is_retryable()), (1, false), "{status}");
    }
}

#[tokio::test]
async fn a_creation_whose_answer_is_lost_is_ambiguous_and_sent_once() {
    for trouble in [Reply::Lost, Reply::Torn, answer(500, ""), answer(504, "<html>")] {
        let server = Server::replies(&[trouble.clone(), answer(200, "{}")]).await;
        let error = pay(&server).create_session(&session()).await.unwrap_err();
        assert!(error.is_ambiguous() && !error.is_retryable(), "{error}");
        let error = pay(&Server::replies(std::slice::from_ref(&trouble)).await)
            .cancel_session("s")
            .await
            .unwrap_err();
        assert!(error.is_ambiguous(), "{error}");
        assert_eq!(server.lines().len(), 1);

        let server = Server::with_token(&[trouble, answer(200, "{}")]).await;
        let error = build(&server).create_project(&NewProject::default()).await.unwrap_err();
        assert!(error.is_ambiguous() && !error.is_retryable(), "{error}");
        server.only();
        let error = build(&Server::with_token(&[Reply::Lost]).await).deploy("s").await.unwrap_err();
        assert!(error.is_ambiguous() && !error.is_retryable(), "{error}");
    }
}

#[tokio::test]
async fn a_creation_that_can_not_be_read_is_ambiguous() {
    let server = Server::says(200, r#"{"success":true,"data":{"sessionKey":"s"}}"#).await;
    let error = pay(&server).create_session(&session()).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Decode { snippet } if snippet.contains("sessionKey")),
        "{error:?}"
    );
    assert!(error.is_ambiguous() && !error.is_retryable());
}

#[tokio::test]
async fn a_creation_that_is_turned_away_for_now_is_left_to_the_caller() {
    let server = Server::replies(&[Reply::Answer(429, "Retry-After: 7\r\n", String::new())]).await;
    let error = pay(&server).create_session(&session()).await.unwrap_err();
    let after = Some(Duration::from_secs(7));
    assert_eq!((error.kind(), error.retry_after()), (&ErrorKind::RateLimited { after }, after));
    assert!(!error.is_ambiguous() && error.is_retryable());
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test]
async fn a_wrapped_call_is_sent_once_and_only_its_own_502_is_harmless() {
    let words = r#"{"success":false,"error":"Upstream failed"}"#;
    for (reply, ambiguous) in [
        (answer(502, words), false),
        (answer(502, "<html>"), true),
        (answer(500, words), true),
        (Reply::Lost, true),
    ] {
        let server = Server::replies(&[reply.clone(), answer(200, "{}")]).await;
        let error = pay(&server).wrapped("exa", "search", &json!({})).await.unwrap_err();
        assert_eq!((error.is_ambiguous(), error.is_retryable()), (ambiguous, !ambiguous), "{reply:?}");
        assert_eq!(server.lines().len(), 1);
    }
}

#[tokio::test]
async fn absolute_writes_and_deletions_are_sent_again() {
    let server = Server::with_token(&[Reply::Lost, answer(500, ""), answer(200, r#"{"id":"s"}"#)]).await;
    build(&server).set_runtime("s", &Runtime::default()).await.unwrap();
    assert_eq!(server.lines().len(), 4);

    let lost = [Reply::Lost, answer(404, r#"{"error":"Service not found"}"#)];
    let server = Server::with_token(&lost).await;
    assert_eq!(build(&server).delete_service("s").await.unwrap(), Removal::WasGone);
}

#[tokio::test]
async fn a_mail_is_sent_again_as_the_same_bytes_under_the_same_key() {
    let sent = answer(200, r#"{"message_id":"<1@x>"}"#);
    let meeting = answer(409, r#"{"code":"conflict","message":"in progress"}"#);
    let race = answer(409, r#"{"code":"race_condition"}"#);
    for troubles in [vec![Reply::Lost], vec![Reply::Lost, meeting.clone()], vec![race], vec![answer(503, "")]]
    {
        let server = Server::replies(&[troubles.clone(), vec![sent.clone()]].concat()).await;
        mail(&server).send("i@x", &letter(), &key()).await.unwrap();
        let seen = server.seen();
        assert_eq!(seen.len(), troubles.len() + 1);
        assert!(
            seen.iter()
                .all(|call| call.bytes == seen[0].bytes && call.header("idempotency-key") == "01J.event")
        );
    }
    // A conflict with another mail of the same key stays one.
    let server = Server::replies(&[meeting.clone(), sent]).await;
    let error = mail(&server).send("i@x", &letter(), &key()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_ambiguous(), server.lines().len()), (&ErrorKind::Conflict, false, 1));
    // One that may be with our own lost attempt leaves a doubt.
    let server = Server::replies(&[Reply::Lost, meeting]).await;
    let error = mail(&server).send("i@x", &letter(), &key()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_ambiguous(), server.lines().len()), (&ErrorKind::Conflict, true, 4));
}

#[tokio::test]
async fn the_wait_a_service_asks_for_takes_the_place_of_our_own() {
    // Our own pause would outlast the test.
    let slow = Timing { pauses: vec![Duration::from_secs(80)], ..timing() };
    for status in [429, 503] {
        let wait = Reply::Answer(status, "Retry-After: 0\r\n", String::new());
        let server = Server::replies(&[wait, answer(200, BALANCE)]).await;
        pay_in(&server, slow.clone()).balance().await.unwrap();
        assert_eq!(server.lines().len(), 2, "{status}");
    }
    // And theirs is not waited for when the call would be over by then.
    let server = Server::replies(&[Reply::Answer(429, "Retry-After: 3600\r\n", String::new())]).await;
    let error = pay(&server).balance().await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test]
async fn a_call_that_gets_no_answer_ends_and_is_ambiguous() {
    let short = Duration::from_millis(50);
    let server = Server::replies(&[Reply::Silence]).await;
    let hasty = Timing { call: short, pauses: Vec::new(), ..timing() };
    let error = pay_in(&server, hasty.clone()).create_session(&session()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Transport { ambiguous: true });
    assert!(error.to_string().contains("no answer in time"), "{error}");

    let hasty = Timing { slow_call: short, ..hasty };
    let error = pay_in(&server, hasty).wrapped("exa", "search", &json!({})).await.unwrap_err();
    assert!(error.is_ambiguous() && !error.is_retryable(), "{error}");

    // Without any time nothing is sent.
    let none = Timing { total: Duration::ZERO, ..timing() };
    let server = Server::says(200, "{}").await;
    let error = pay_in(&server, none).create_session(&session()).await.unwrap_err();
    assert_eq!((error.is_ambiguous(), server.lines().len()), (false, 0), "{error}");

    // The total holds over all attempts, however long one may take.
    let server = Server::replies(&[Reply::Silence]).await;
    let total = Timing { total: short, ..timing() };
    assert!(pay_in(&server, total.clone()).balance().await.unwrap_err().is_ambiguous());
    assert_eq!(server.lines().len(), 1);
    let error = build_in(&server, total).deploy("s").await.unwrap_err();
    assert!(!error.is_ambiguous(), "without a token nothing was deployed: {error}");
}

#[tokio::test]
async fn a_service_that_is_not_reached_did_nothing() {
    let server = Server::says(200, "").await;
    let client = pay(&server);
    drop(server);
    let error = client.create_session(&session()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Transport { ambiguous: false });
    assert!(!error.is_ambiguous() && error.is_retryable());
    assert!(
        error.to_string().starts_with("POST /api/checkout/sessions: the service was not reached: "),
        "{error}"
    );
}
