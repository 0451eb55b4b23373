//! The control API and the pages.

use reqwest::{Method, redirect};
use serde_json::{Value, json};

use crate::support::{Lab, answer, eventually};

impl Lab {
    async fn order(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.request(method, format!("{}{path}", self.sandbox.control_url()));
        answer(if body.is_null() { request } else { request.json(&body) }).await
    }
}

#[tokio::test]
async fn orders_are_taken_over_http() {
    let lab = Lab::start().await;
    let id = lab.session(json!({"amount": "5"})).await;
    let pay = format!("/sessions/{id}/pay");
    let body = json!({"at_once": true, "amount": "4", "webhook": {"duplicate": true}});
    assert_eq!(lab.order(Method::POST, &pay, body).await.0, 200);
    assert_eq!(lab.order(Method::POST, &pay, Value::Null).await.0, 409);
    assert_eq!(lab.order(Method::POST, &pay, json!({"odd": 1})).await.0, 400);
    assert_eq!(lab.order(Method::POST, "/sessions/no/expire", Value::Null).await.0, 404);
    let other = lab.session(json!({"amount": "5"})).await;
    assert_eq!(lab.order(Method::POST, &format!("/sessions/{other}/cancel"), Value::Null).await.0, 200);
    let (_, balances) = lab.order(Method::PUT, "/balances", json!({"usdc": "1.5"})).await;
    assert_eq!(balances, json!({"usdc": "1.5", "promo": "7.75"}));
    assert_eq!(lab.order(Method::PUT, "/credits", json!({"credits": "3"})).await.1, json!({"credits": "3"}));
    let token = lab.token().await;
    assert_eq!(lab.order(Method::POST, "/tokens/expire", Value::Null).await.0, 200);
    assert_eq!(answer(lab.build_request(Method::GET, "/auth/whoami", &token)).await.0, 401);
    let mail = json!({"inbox": "drip@agentmail.to", "from": "anna@example.com", "text": "YES"});
    assert!(lab.order(Method::POST, "/mail/inbound", mail.clone()).await.1["message_id"].is_string());
    let nowhere = json!({"inbox": "no@agentmail.to", "from": "anna@example.com", "text": "YES"});
    assert_eq!(lab.order(Method::POST, "/mail/inbound", nowhere).await.0, 404);
    assert_eq!(lab.order(Method::POST, "/mail/suppress", json!({"address": "a@example.com"})).await.0, 200);
    assert_eq!(lab.order(Method::POST, "/clock/advance", json!({"seconds": 60})).await.0, 200);
    let (_, all) = lab.order(Method::GET, "/record", Value::Null).await;
    assert_eq!((&all["last"], &all["entries"][1]["effect"]["kind"]), (&5.into(), &"session_paid".into()));
    assert_eq!(all["entries"][1]["effect"]["amount"], "4");
    let (_, later) = lab.order(Method::GET, "/record?after=4", Value::Null).await;
    assert_eq!((later["entries"].as_array().unwrap().len(), &later["refused"]), (1, &1.into()));
    let (_, state) = lab.order(Method::GET, "/state", Value::Null).await;
    assert_eq!((state["sessions"].as_array().unwrap().len(), &state["usdc"]), (2, &"1.5".into()));
}

#[tokio::test]
async fn faults_and_switches_are_ordered_over_http() {
    let lab = Lab::start().await;
    let rule =
        json!({"service": "pay", "method": "GET", "path": "/api/pay/*", "kind": "status", "status": 502});
    let (_, made) = lab.order(Method::POST, "/faults", rule).await;
    assert_eq!(lab.get_pay("/pay/balance").await.0, 502);
    assert_eq!(lab.order(Method::GET, "/faults", Value::Null).await.1["faults"][0]["id"], made["id"]);
    let path = format!("/faults/{}", made["id"]);
    assert_eq!(lab.order(Method::DELETE, &path, Value::Null).await.0, 200);
    assert_eq!(lab.order(Method::DELETE, &path, Value::Null).await.0, 404);
    assert_eq!(lab.order(Method::POST, "/faults", json!({"service": "pay", "kind": "odd"})).await.0, 400);
    assert_eq!(lab.order(Method::DELETE, "/faults", Value::Null).await.0, 200);
    let patch = json!({"balance_shape": "documented", "scaling": "next-deployment"});
    let (status, switches) = lab.order(Method::PATCH, "/switches", patch).await;
    assert_eq!(
        (status, &switches["mode"], &switches["scaling"]),
        (200, &"docs".into(), &"next-deployment".into())
    );
    assert!(lab.get_pay("/pay/balance").await.1["data"]["balance"].is_string());
    assert_eq!(lab.order(Method::PATCH, "/switches", json!({"odd": 1})).await.0, 400);
    assert_eq!(lab.order(Method::PATCH, "/switches", json!({"mode": "odd"})).await.0, 400);
}

#[tokio::test]
async fn the_public_listener_takes_no_orders() {
    let lab = Lab::start().await;
    let id = lab.session(json!({"amount": "5"})).await;
    let public = lab.sandbox.pay_base().replace("/api", "");
    for path in [
        format!("/sessions/{id}/pay"),
        format!("/checkout/{id}/pay"),
        "/faults".into(),
        "/tokens/expire".into(),
    ] {
        assert_eq!(answer(lab.http.post(format!("{public}{path}"))).await.0, 404, "{path}");
    }
    assert_eq!(answer(lab.http.get(format!("{public}/record"))).await.0, 404);
}

#[tokio::test]
async fn the_live_page_shows_everything_and_no_foreign_html() {
    let lab = Lab::start().await;
    lab.running_service("drip-anna").await;
    lab.session(json!({"amount": "5"})).await;
    let mail = json!({"to": "anna@example.com", "subject": "<script>alert(1)</script>", "text": "Low"});
    lab.post_mail("/inboxes/drip@agentmail.to/messages/send", mail).await;
    let page = lab.http.get(lab.sandbox.control_url()).send().await.unwrap().text().await.unwrap();
    for text in [
        "drip-anna / agent",
        "running, deployment 1 healthy",
        "anna@example.com",
        "Low",
        "mail sent",
        "Pending",
        "&lt;script&gt;alert",
    ] {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
    assert!(!page.contains("<script>alert"));
    let mut events = lab.http.get(format!("{}/events", lab.sandbox.control_url())).send().await.unwrap();
    assert!(events.chunk().await.unwrap().unwrap().starts_with(b"data:"));
}

#[tokio::test]
async fn a_payer_pays_on_the_checkout_page() {
    let lab = Lab::start().await;
    let (_, made) =
        lab.post_pay("/checkout/sessions", json!({"amount": "5", "description": "Credits"})).await;
    let url = made["data"]["checkoutUrl"].as_str().unwrap();
    let page = lab.http.get(url).send().await.unwrap().text().await.unwrap();
    let action = page.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
    let browser = reqwest::Client::builder().redirect(redirect::Policy::none()).build().unwrap();
    let back = browser.post(action).send().await.unwrap();
    assert_eq!((back.status().as_u16(), back.headers()["location"].to_str().unwrap()), (303, url));
    lab.sandbox.advance(std::time::Duration::from_secs(20));
    eventually("the payment", || lab.sandbox.sessions()[0].paid_at.is_some()).await;
    assert!(lab.http.get(url).send().await.unwrap().text().await.unwrap().contains("Paid"));
    assert_eq!(lab.http.get(format!("{url}x")).send().await.unwrap().status(), 404);
}
