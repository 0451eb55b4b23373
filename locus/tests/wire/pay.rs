//! What PayWithLocus is asked and how its answers are read.

use locus::pay::{Limit, NewSession, SessionStatus, X402Mail};
use serde_json::json;

use crate::server::Server;
use crate::{LOCUS_KEY, pay};

fn usdc(text: &str) -> ledger_core::Usdc {
    ledger_core::Usdc::parse(text).expect("it is an amount")
}

#[tokio::test]
async fn a_balance_is_read_in_both_shapes() {
    let beta = r#"{"success":true,"data":{"wallet_address":"0xAA","workspace_id":"ws_1","chain":"base",
        "usdc_balance":"12.5","promo_credit_balance":"7.75","allowance":null,"max_transaction_size":"5"}}"#;
    let server = Server::says(200, beta).await;
    let balance = pay(&server).balance().await.unwrap();
    assert_eq!(balance.total(), Some(usdc("20.25")));
    assert_eq!((balance.usdc, balance.promo), (Some(usdc("12.5")), Some(usdc("7.75"))));
    assert_eq!(
        (balance.allowance, balance.max_transaction_size),
        (Limit::Unlimited, Limit::AtMost(usdc("5")))
    );
    let call = server.only();
    assert_eq!(call.line, "GET /api/pay/balance");
    assert_eq!(call.header("authorization"), format!("Bearer {LOCUS_KEY}"));

    let documented = r#"{"success":true,"data":{"balance":"41.25","token":"USDC","wallet_address":"0xAA"}}"#;
    let balance = pay(&Server::says(200, documented).await).balance().await.unwrap();
    assert_eq!((balance.total(), balance.usdc, balance.promo), (Some(usdc("41.25")), None, None));
    assert_eq!(balance.allowance, Limit::Unknown);
    assert_eq!(balance.wallet_address.as_deref(), Some("0xAA"));
}

#[tokio::test]
async fn an_empty_wallet_is_zero_and_a_changed_shape_is_unknown() {
    for (data, total) in [
        (r#"{"usdc_balance":"0.0","promo_credit_balance":"0.0"}"#, Some("0")),
        (r#"{"balance":0}"#, Some("0")),
        (r#"{}"#, None),
        (r#"{"usdc_balance":"12.5"}"#, None),
        (r#"{"usdc_balance":"12.5","promo_credit_balance":{"amount":"1"}}"#, None),
        (r#"{"usdc_balance":null,"promo_credit_balance":null}"#, None),
        (r#"{"balance":"a lot"}"#, None),
        (r#"{"available":{"usdc":"3"}}"#, None),
        (r#"{"wallet_address":7,"balance":"3"}"#, Some("3")),
    ] {
        let server = Server::says(200, &format!(r#"{{"success":true,"data":{data}}}"#)).await;
        let balance = pay(&server).balance().await.unwrap();
        assert_eq!(balance.total(), total.map(usdc), "{data}");
    }
}

#[tokio::test]
async fn a_session_is_created_as_documented() {
    let body = r#"{"success":true,"data":{"id":"0f6c","checkoutUrl":"https://beta-checkout.paywithlocus.com/0f6c",
        "amount":"5","currency":"USDC","status":"PENDING","expiresAt":"2026-05-01T10:30:00.000Z",
        "webhookSecret":"whsec_abc","somethingNew":{"a":[1]}}}"#;
    for status in [200, 201] {
        let server = Server::says(status, body).await;
        let mut session = NewSession::new(usdc("5.00"));
        session.metadata.insert("user_id".to_owned(), "user_abc".to_owned());
        session.expires_in_minutes = Some(30);
        let session = pay(&server).create_session(&session).await.unwrap();
        assert_eq!((session.id.as_str(), session.amount), ("0f6c", Some(usdc("5"))));
        assert_eq!(session.status, SessionStatus::Pending);
        assert_eq!(session.checkout_url.as_deref(), Some("https://beta-checkout.paywithlocus.com/0f6c"));
        assert_eq!(session.webhook_secret.unwrap().expose(), "whsec_abc");
        let call = server.only();
        assert_eq!(call.line, "POST /api/checkout/sessions");
        assert_eq!(call.header("content-type"), "application/json");
        let metadata = json!({ "user_id": "user_abc" });
        let wanted =
            json!({ "amount": "5", "currency": "USDC", "metadata": metadata, "expiresInMinutes": 30 });
        assert_eq!(call.json(), wanted);
    }
}

#[tokio::test]
async fn a_session_is_read_in_every_state() {
    let paid = r#"{"success":true,"data":{"id":"s-1","amount":"0.5","currency":"USDC","status":"PAID",
        "paymentTxHash":"0x77","payerAddress":"0xPP","paidAt":"2026-05-01T10:12:00.000Z","description":null,
        "metadata":{"user_id":"u","pendingTransactionId":"x","count":3}}}"#;
    let server = Server::says(200, paid).await;
    let session = pay(&server).session("s-1").await.unwrap();
    assert_eq!((session.status, session.amount), (SessionStatus::Paid, Some(usdc("0.50"))));
    assert_eq!(session.payment_tx_hash.as_deref(), Some("0x77"));
    assert_eq!((session.metadata["user_id"].as_str(), session.webhook_secret.is_none()), (Some("u"), true));
    assert_eq!(server.only().line, "GET /api/checkout/sessions/s-1");

    for (status, wanted) in [
        (r#""EXPIRED""#, SessionStatus::Expired),
        (r#""CANCELLED""#, SessionStatus::Cancelled),
        (r#""REFUNDED""#, SessionStatus::Other("REFUNDED".to_owned())),
        ("7", SessionStatus::Other(String::new())),
    ] {
        let body = format!(r#"{{"success":true,"data":{{"id":"s-1","status":{status}}}}}"#);
        let session = pay(&Server::says(200, &body).await).session("s-1").await.unwrap();
        assert_eq!((session.status, session.amount), (wanted, None));
    }
}

#[tokio::test]
async fn a_session_is_cancelled() {
    let server = Server::says(200, r#"{"success":true,"data":{"id":"s-1","status":"CANCELLED"}}"#).await;
    let session = pay(&server).cancel_session("s-1").await.unwrap();
    assert_eq!(session.status, SessionStatus::Cancelled);
    assert_eq!(server.only().line, "POST /api/checkout/sessions/s-1/cancel");
}

#[tokio::test]
async fn a_wrapped_call_gives_the_upstreams_answer_and_its_cost() {
    let exa = r#"{"success":true,"data":{"results":[{"title":"t"}],"costDollars":{"total":0.007}}}"#;
    let server = Server::says(200, exa).await;
    let answer =
        pay(&server).wrapped("exa", "search", &json!({ "query": "q", "numResults": 3 })).await.unwrap();
    assert_eq!(answer.inner()["results"][0]["title"], "t");
    assert_eq!(answer.cost, Some(usdc("0.007")));
    assert_eq!(server.only().line, "POST /api/wrapped/exa/search");
    assert_eq!(server.only().json(), json!({ "query": "q", "numResults": 3 }));

    let nested = r#"{"success":true,"data":{"success":true,"data":{"markdown":"m"}}}"#;
    let answer =
        pay(&Server::says(200, nested).await).wrapped("firecrawl", "scrape", &json!({})).await.unwrap();
    assert_eq!((answer.inner()["markdown"].as_str(), answer.cost), (Some("m"), None));

    let flat = r#"{"choices":[{"message":{"content":"c"}}]}"#;
    let answer = pay(&Server::says(200, flat).await).wrapped("openai", "chat", &json!({})).await.unwrap();
    assert_eq!(answer.data["choices"][0]["message"]["content"], "c");
}

#[tokio::test]
async fn a_mail_by_way_of_x402_names_its_receivers_as_objects() {
    for (answer, id) in [
        (r#"{"success":true,"data":{"message_id":"m-1"}}"#, Some("m-1")),
        (r#"{"success":true,"data":{"messageId":"m-1"}}"#, Some("m-1")),
        (r#"{"success":true,"data":{"success":true,"data":{"id":"m-1"}}}"#, Some("m-1")),
        (r#"{"success":true,"data":{}}"#, None),
    ] {
        let server = Server::says(200, answer).await;
        let mail = X402Mail {
            inbox_id: "drip@agentmail.to".to_owned(),
            to: vec!["u@example.com".to_owned()],
            subject: "Low".to_owned(),
            body: "text".to_owned(),
        };
        assert_eq!(pay(&server).x402_send(&mail).await.unwrap().message_id.as_deref(), id, "{answer}");
        assert_eq!(server.only().line, "POST /api/x402/agentmail-send-message");
        let to = json!([{ "email": "u@example.com" }]);
        let wanted = json!({ "inbox_id": "drip@agentmail.to", "to": to, "subject": "Low", "body": "text" });
        assert_eq!(server.only().json(), wanted);
    }
}

#[tokio::test]
async fn mails_by_way_of_x402_are_listed_and_no_list_is_not_an_empty_one() {
    let list = r#"{"success":true,"data":{"messages":[{"message_id":"m","subject":"Low","to":["u@x",{"email":"v@x"}]}]}}"#;
    let server = Server::says(200, list).await;
    let messages = pay(&server).x402_messages("drip@agentmail.to").await.unwrap();
    assert_eq!((messages[0].message_id.as_deref(), messages[0].subject.as_deref()), (Some("m"), Some("Low")));
    assert_eq!(messages[0].to, ["u@x", "v@x"]);
    assert_eq!(server.only().json(), json!({ "inbox_id": "drip@agentmail.to" }));

    let empty = Server::says(200, r#"{"success":true,"data":[]}"#).await;
    assert!(pay(&empty).x402_messages("i").await.unwrap().is_empty());
    let none = Server::says(200, r#"{"success":true,"data":{"items":7}}"#).await;
    let error = pay(&none).x402_messages("i").await.unwrap_err();
    assert!(matches!(error.kind(), locus::ErrorKind::Decode { .. }), "{error}");
}
