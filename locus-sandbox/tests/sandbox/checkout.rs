//! Checkout sessions.

use std::time::Duration;

use locus_sandbox::{Config, Effect, Mode, PayOptions, SessionStatus, Switches};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Lab, answer, rich};

fn beta() -> Config {
    Config { switches: Switches { mode: Mode::Beta, ..Switches::default() }, ..rich() }
}

#[tokio::test]
async fn a_session_is_made_read_and_paid_after_the_confirmation() {
    let lab = Lab::start().await;
    let body = json!({"amount": "5.00", "description": "Credits", "metadata": {"user_id": "anna"}});
    let (status, made) = lab.post_pay("/checkout/sessions", body).await;
    let made = &made["data"];
    assert_eq!((status, &made["amount"], &made["status"]), (200, &"5".into(), &"PENDING".into()));
    assert!(made.get("webhookSecret").is_none());
    let id = made["id"].as_str().unwrap();
    let path = format!("/checkout/sessions/{id}");
    lab.sandbox.pay_session(id, PayOptions::default()).unwrap();
    lab.sandbox.advance(Duration::from_secs(10));
    assert_eq!(lab.get_pay(&path).await.1["data"]["status"], "PENDING");
    lab.sandbox.advance(Duration::from_secs(10));
    let (status, read) = lab.get_pay(&path).await;
    let read = &read["data"];
    assert_eq!((status, &read["status"], &read["amount"]), (200, &"PAID".into(), &"5".into()));
    assert_eq!(read["metadata"]["user_id"], "anna");
    assert_eq!(read["metadata"]["payerWalletAddress"], read["payerAddress"]);
    assert!(read["paymentTxHash"].as_str().unwrap().starts_with("0x") && read["paidAt"].is_string());
    assert!(read.get("checkoutUrl").is_none());
    let amount = "5".to_owned().try_into().unwrap();
    let session = id.to_owned();
    let expected = [
        Effect::SessionCreated { session: session.clone(), amount },
        Effect::SessionPaid { session, amount },
    ];
    assert_eq!(lab.effects(|_| true), expected);
}

#[tokio::test]
async fn bad_amounts_and_bodies_are_400_and_do_nothing() {
    let lab = Lab::start().await;
    for body in [
        json!({}),
        json!({"amount": 5}),
        json!({"amount": "0"}),
        json!({"amount": "-1"}),
        json!({"amount": "1.0000001"}),
        json!({"amount": "1e3"}),
        json!({"amount": "1", "webhookUrl": "not a url"}),
        json!([]),
    ] {
        let (status, answer) = lab.post_pay("/checkout/sessions", body.clone()).await;
        assert_eq!((status, &answer["success"]), (400, &false.into()), "{body} {answer}");
        assert!(answer["error"].is_string() && answer["message"].is_string());
    }
    let plain = lab.pay_request(Method::POST, "/checkout/sessions").body(r#"{"amount":"1"}"#);
    assert_eq!(answer(plain).await.0, 400);
    assert_eq!((lab.sandbox.record().len(), lab.sandbox.refused()), (0, 9));
}

#[tokio::test]
async fn every_endpoint_wants_the_key() {
    let lab = Lab::start().await;
    for (method, path) in [
        (Method::GET, "/pay/balance"),
        (Method::POST, "/checkout/sessions"),
        (Method::GET, "/checkout/sessions/x"),
        (Method::POST, "/checkout/sessions/x/cancel"),
        (Method::GET, "/checkout/agent/preflight/x"),
        (Method::POST, "/checkout/agent/pay/x"),
        (Method::POST, "/wrapped/exa/search"),
        (Method::POST, "/x402/agentmail-send-message"),
    ] {
        let url = format!("{}{path}", lab.sandbox.pay_base());
        for request in [
            lab.http.request(method.clone(), &url),
            lab.http.request(method.clone(), &url).bearer_auth("claw_other"),
        ] {
            let (status, body) = answer(request).await;
            assert_eq!((status, &body["success"]), (401, &false.into()), "{path} {body}");
        }
    }
}

#[tokio::test]
async fn beta_gives_no_secret_and_fails_on_laptops() {
    let lab = Lab::with(beta()).await;
    let ask = |url: &str| lab.post_pay("/checkout/sessions", json!({"amount": "1", "webhookUrl": url}));
    for url in ["http://drip.example/hook", "https://127.0.0.1/hook", "https://localhost/hook"] {
        assert_eq!(ask(url).await.0, 500, "{url}");
    }
    let (status, body) = ask("https://drip.example/hook").await;
    assert_eq!((status, body["data"].get("webhookSecret")), (200, None));
    assert_eq!(lab.sandbox.sessions().len(), 1);
}

#[tokio::test]
async fn sessions_end_by_the_clock_but_not_while_they_are_being_paid() {
    let lab = Lab::start().await;
    let idle = lab.session(json!({"amount": "1", "expiresInMinutes": 1})).await;
    let late = lab.session(json!({"amount": "1", "expiresInMinutes": 1})).await;
    lab.sandbox.advance(Duration::from_secs(50));
    lab.sandbox.pay_session(&late, PayOptions::default()).unwrap();
    lab.sandbox.advance(Duration::from_secs(15));
    let status =
        async |id: &str| lab.get_pay(&format!("/checkout/sessions/{id}")).await.1["data"]["status"].clone();
    assert_eq!((status(&idle).await, status(&late).await), ("EXPIRED".into(), "PENDING".into()));
    lab.sandbox.advance(Duration::from_secs(10));
    assert_eq!(status(&late).await, "PAID");
    assert_eq!(lab.effects(|effect| matches!(effect, Effect::SessionExpired { .. })).len(), 1);
}

#[tokio::test]
async fn sessions_are_cancelled_once_and_what_is_unknown_is_404() {
    let lab = Lab::start().await;
    let id = lab.session(json!({"amount": "1"})).await;
    let cancel = format!("/checkout/sessions/{id}/cancel");
    let (status, body) = lab.post_pay(&cancel, Value::Null).await;
    assert_eq!((status, &body["data"]["status"]), (200, &"CANCELLED".into()));
    assert_eq!(lab.post_pay(&cancel, Value::Null).await.0, 400);
    assert_eq!(lab.post_pay("/checkout/sessions/no/cancel", Value::Null).await.0, 404);
    assert_eq!(lab.get_pay("/checkout/sessions/no").await.0, 404);
    assert!(lab.sandbox.pay_session(&id, PayOptions::default()).is_err());
}

#[tokio::test]
async fn an_agent_pays() {
    let lab = Lab::start().await;
    let id = lab.session(json!({"amount": "1.50"})).await;
    let (status, flat) = lab.get_pay(&format!("/checkout/agent/preflight/{id}")).await;
    assert_eq!((status, &flat["canPay"], &flat["session"]["amount"]), (200, &true.into(), &"1.5".into()));
    assert_eq!(flat["agent"]["availableBalance"], "999999");
    let pay = format!("/checkout/agent/pay/{id}");
    let (status, paid) = lab.post_pay(&pay, json!({"payerEmail": "a@b.example"})).await;
    assert_eq!((status, &paid["data"]["status"]), (200, &"queued".into()));
    assert_eq!(lab.post_pay(&pay, json!({})).await.0, 400);
    let payment = format!("/checkout/agent/payments/{}", paid["data"]["transactionId"].as_str().unwrap());
    lab.sandbox.advance(Duration::from_secs(11));
    assert_eq!(lab.get_pay(&payment).await.1["data"]["status"], "processing");
    lab.sandbox.advance(Duration::from_secs(11));
    assert_eq!(lab.get_pay(&payment).await.1["data"]["status"], "confirmed");
    assert_eq!(lab.sandbox.sessions()[0].status, SessionStatus::Paid);
    let (_, flat) = lab.get_pay(&format!("/checkout/agent/preflight/{id}")).await;
    assert_eq!(flat["canPay"], false);
    assert_eq!(flat["blockers"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_agent_is_told_what_can_not_be_paid() {
    let lab = Lab::start().await;
    let id = lab.session(json!({"amount": "1"})).await;
    lab.sandbox.expire_session(&id).unwrap();
    assert_eq!(lab.get_pay(&format!("/checkout/agent/preflight/{id}")).await.0, 410);
    assert_eq!(lab.post_pay(&format!("/checkout/agent/pay/{id}"), json!({})).await.0, 410);
    assert_eq!(lab.get_pay("/checkout/agent/preflight/no").await.0, 404);
    assert_eq!(lab.post_pay("/checkout/agent/pay/no", json!({})).await.0, 404);
    let cancelled = lab.session(json!({"amount": "1"})).await;
    lab.sandbox.cancel_session(&cancelled).unwrap();
    assert_eq!(lab.post_pay(&format!("/checkout/agent/pay/{cancelled}"), json!({})).await.0, 400);
}

#[tokio::test]
async fn beta_does_not_show_payments() {
    let lab = Lab::with(beta()).await;
    let id = lab.session(json!({"amount": "1"})).await;
    let (_, paid) = lab.post_pay(&format!("/checkout/agent/pay/{id}"), json!({})).await;
    let tx = paid["data"]["transactionId"].as_str().unwrap();
    assert_eq!(lab.get_pay(&format!("/checkout/agent/payments/{tx}")).await.0, 403);
    assert_eq!(lab.get_pay("/pay/transactions/x").await.0, 403);
}

#[tokio::test]
async fn an_underpaid_session_is_paid_with_what_was_paid() {
    let lab = Lab::start().await;
    let id = lab.session(json!({"amount": "5"})).await;
    let amount = Some("0.5".to_owned().try_into().unwrap());
    lab.sandbox.pay_session(&id, PayOptions { amount, at_once: true, ..PayOptions::default() }).unwrap();
    let (_, read) = lab.get_pay(&format!("/checkout/sessions/{id}")).await;
    assert_eq!((&read["data"]["status"], &read["data"]["amount"]), (&"PAID".into(), &"0.5".into()));
}
