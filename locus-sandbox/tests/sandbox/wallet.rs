//! The wallet, and what is paid from it.

use locus_sandbox::{BalanceShape, Config, Effect, ShortWallet, Switches};
use serde_json::{Value, json};

use crate::support::{Lab, rich};

fn usdc(text: &str) -> ledger_core::Usdc {
    ledger_core::Usdc::parse(text).unwrap()
}

#[tokio::test]
async fn the_balance_has_three_shapes() {
    let lab = Lab::start().await;
    let (status, body) = lab.get_pay("/pay/balance").await;
    let data = &body["data"];
    assert_eq!(
        (status, &data["usdc_balance"], &data["promo_credit_balance"]),
        (200, &"12.5".into(), &"7.75".into())
    );
    lab.sandbox.set_balances(Some(usdc("0")), None);
    assert_eq!(lab.get_pay("/pay/balance").await.1["data"]["usdc_balance"], "0.0");
    lab.sandbox.set_switches(Switches { balance_shape: BalanceShape::Documented, ..Switches::default() });
    let (_, body) = lab.get_pay("/pay/balance").await;
    assert_eq!((&body["data"]["balance"], &body["data"]["token"]), (&"7.75".into(), &"USDC".into()));
    lab.sandbox.set_switches(Switches { balance_shape: BalanceShape::Changed, ..Switches::default() });
    let (_, body) = lab.get_pay("/pay/balance").await;
    assert!(body["data"].get("balance").is_none() && body["data"].get("usdc_balance").is_none());
}

#[tokio::test]
async fn wrapped_calls_answer_and_cost_promo_first() {
    let lab = Lab::start().await;
    lab.sandbox.set_balances(Some(usdc("1")), Some(usdc("0.012")));
    let message = json!([{"role": "user", "content": "Say hello"}]);
    let ask = async |path: &str, body: Value| {
        let (status, body) = lab.post_pay(path, body).await;
        assert_eq!((status, &body["success"]), (200, &true.into()), "{path} {body}");
        body["data"].clone()
    };
    let found = ask("/wrapped/exa/search", json!({"query": "rust", "numResults": 2})).await;
    assert_eq!(found["results"].as_array().unwrap().len(), 2);
    assert!(found["results"][0]["title"].as_str().unwrap().contains("rust"));
    let scraped = ask("/wrapped/firecrawl/scrape", json!({"url": "https://example.com"})).await;
    assert!(scraped["markdown"].is_string());
    assert_eq!(lab.sandbox.balances(), (usdc("0.998"), usdc("0")));
    let said =
        ask("/wrapped/anthropic/messages", json!({"model": "m", "messages": message, "max_tokens": 9})).await;
    assert!(said["content"][0]["text"].as_str().unwrap().contains("Say hello"));
    let said = ask("/wrapped/openai/chat", json!({"model": "m", "messages": message})).await;
    assert!(said["choices"][0]["message"]["content"].is_string());
    assert_eq!(lab.effects(|effect| matches!(effect, Effect::WrappedCalled { .. })).len(), 4);
    let (_, listed) = lab.get_pay("/pay/transactions?limit=2").await;
    assert_eq!(listed["data"]["pagination"], json!({"total": 4, "limit": 2, "offset": 0, "has_more": true}));
    assert_eq!(listed["data"]["transactions"][0]["amount_usdc"], "0.023");
    let id = listed["data"]["transactions"][0]["id"].as_str().unwrap();
    assert_eq!(lab.get_pay(&format!("/pay/transactions/{id}")).await.0, 200);
    assert_eq!(lab.get_pay("/pay/transactions/no").await.0, 404);
}

#[tokio::test]
async fn wrapped_calls_that_are_wrong_cost_nothing() {
    let lab = Lab::start().await;
    for (path, body, status) in [
        ("/wrapped/exa/search", json!({}), 400),
        ("/wrapped/exa/nothing", json!({"query": "x"}), 404),
        ("/wrapped/nobody/search", json!({"query": "x"}), 404),
        ("/x402/nothing", json!({}), 404),
    ] {
        assert_eq!(lab.post_pay(path, body).await.0, status, "{path}");
    }
    assert_eq!(lab.sandbox.record(), []);
}

#[tokio::test]
async fn an_empty_wallet_is_403_or_402() {
    for (short_wallet, expected) in [(ShortWallet::Forbidden, 403), (ShortWallet::PaymentRequired, 402)] {
        let lab =
            Lab::with(Config { switches: Switches { short_wallet, ..Switches::default() }, ..rich() }).await;
        lab.sandbox.set_balances(Some(usdc("0.009")), Some(usdc("0")));
        let (status, body) = lab.post_pay("/wrapped/exa/search", json!({"query": "x"})).await;
        assert_eq!(status, expected);
        assert!(body["message"].as_str().unwrap().contains("Insufficient USDC"));
        assert_eq!((lab.sandbox.record().len(), lab.sandbox.balances().0), (0, usdc("0.009")));
    }
}

fn letter() -> Value {
    json!({"inbox_id": "drip@agentmail.to", "to": [{"email": "anna@example.com"}], "subject": "Low", "body": "Text\nReference: 0123456789ab\n"})
}

#[tokio::test]
async fn mail_by_x402_wants_exactly_its_shape() {
    let lab = Lab::start().await;
    for to in [
        json!("anna@example.com"),
        json!(["anna@example.com"]),
        json!([{"address": "a"}]),
        json!([]),
        Value::Null,
    ] {
        let mut body = letter();
        body["to"] = to.clone();
        let (status, body) = lab.post_pay("/x402/agentmail-send-message", body).await;
        assert_eq!(status, 400, "{to}");
        assert!(body["message"].as_str().unwrap().contains("to.0.email"), "{body}");
        assert_eq!(body["details"][0]["path"], "to.0.email");
    }
    for field in ["inbox_id", "subject", "body"] {
        let mut body = letter();
        body.as_object_mut().unwrap().remove(field);
        let (status, body) = lab.post_pay("/x402/agentmail-send-message", body).await;
        assert_eq!((status, &body["details"][0]["path"]), (400, &field.into()));
    }
    let mut elsewhere = letter();
    elsewhere["inbox_id"] = "nobody@agentmail.to".into();
    assert_eq!(lab.post_pay("/x402/agentmail-send-message", elsewhere).await.0, 404);
    assert_eq!(lab.sandbox.record(), []);
}

#[tokio::test]
async fn mail_by_x402_is_sent_as_often_as_it_is_asked_for() {
    let lab = Lab::start().await;
    for _ in 0..2 {
        let (status, body) = lab.post_pay("/x402/agentmail-send-message", letter()).await;
        assert!(status == 200 && body["data"]["message_id"].is_string(), "{body}");
    }
    // No key ties them to what they are about, so what they say does.
    let sent = lab.effects(|effect| {
        let shown = |reference: &Option<String>| reference.as_deref() == Some("0123456789ab");
        matches!(effect, Effect::MailSent { idempotency_key: None, reference, .. } if shown(reference))
    });
    assert_eq!(sent.len(), 2);
    assert_eq!(lab.sandbox.balances().1, usdc("7.73"));
    let (status, listed) =
        lab.post_pay("/x402/agentmail-list-messages", json!({"inbox_id": "drip@agentmail.to"})).await;
    assert_eq!((status, &listed["data"]["count"]), (200, &2.into()));
    assert_eq!(listed["data"]["messages"][0]["subject"], "Low");
    lab.sandbox.set_balances(Some(usdc("0")), Some(usdc("0")));
    assert_eq!(lab.post_pay("/x402/agentmail-send-message", letter()).await.0, 403);
    lab.sandbox.suppress("anna@example.com");
    assert_eq!(lab.post_pay("/x402/agentmail-send-message", letter()).await.0, 502);
}
