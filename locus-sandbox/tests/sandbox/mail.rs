//! AgentMail.

use std::time::Duration;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use locus_sandbox::{Effect, InboundMail};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Lab, answer, eventually};
use crate::webhooks::Receiver;

const SEND: &str = "/inboxes/drip@agentmail.to/messages/send";

fn letter(to: &str) -> Value {
    json!({"to": [to], "subject": "Low credits", "text": "Top up", "headers": {"X-Drip-Notification-Id": "1"}})
}

impl Lab {
    async fn send_keyed(&self, key: &str, body: Value) -> (u16, Value) {
        answer(self.mail_request(Method::POST, SEND).header("Idempotency-Key", key).json(&body)).await
    }

    fn mails_sent(&self) -> usize {
        self.effects(|effect| matches!(effect, Effect::MailSent { .. })).len()
    }
}

/// As a segment of a path.
fn encoded(id: &str) -> String {
    id.replace('<', "%3C").replace('>', "%3E").replace('@', "%40")
}

#[tokio::test]
async fn a_mail_is_sent_listed_read_and_answered() {
    let lab = Lab::start().await;
    let (status, sent) = lab.post_mail(SEND, letter("anna@example.com")).await;
    assert_eq!(status, 200);
    let id = sent["message_id"].as_str().unwrap();
    let (_, listed) = lab.get_mail("/inboxes/drip@agentmail.to/messages").await;
    assert_eq!((&listed["count"], &listed["messages"][0]["message_id"]), (&1.into(), &id.into()));
    let path = format!("/inboxes/drip%40agentmail.to/messages/{}", encoded(id));
    let (status, read) = lab.get_mail(&path).await;
    assert_eq!((status, &read["text"], &read["to"]), (200, &"Top up".into(), &json!(["anna@example.com"])));
    assert_eq!(read["headers"]["X-Drip-Notification-Id"], "1");
    let inbound = InboundMail {
        inbox: "drip@agentmail.to".into(),
        from: "anna@example.com".into(),
        text: "YES".into(),
        in_reply_to: Some(id.into()),
        ..InboundMail::default()
    };
    let received = lab.sandbox.inbound_mail(inbound).unwrap();
    let path = format!("/inboxes/drip@agentmail.to/messages/{}", encoded(&received));
    let (_, read) = lab.get_mail(&path).await;
    assert_eq!((&read["thread_id"], &read["subject"]), (&sent["thread_id"], &"Re: Low credits".into()));
    let (status, reply) = lab.post_mail(&format!("{path}/reply"), json!({"text": "Done"})).await;
    assert_eq!((status, &reply["thread_id"]), (200, &sent["thread_id"]));
    assert_eq!(lab.sandbox.messages()[2].letter.to, ["anna@example.com"]);
    let seen = json!({"remove_labels": ["unread"], "add_labels": "seen"});
    let (status, labelled) = answer(lab.mail_request(Method::PATCH, &path).json(&seen)).await;
    assert_eq!((status, &labelled["labels"]), (200, &json!(["received", "seen"])));
    let threads = "/inboxes/drip@agentmail.to/threads";
    let (_, listed) = lab.get_mail(threads).await;
    assert_eq!((&listed["count"], &listed["threads"][0]["message_count"]), (&1.into(), &3.into()));
    let (_, thread) = lab.get_mail(&format!("{threads}/{}", sent["thread_id"].as_str().unwrap())).await;
    assert_eq!(thread["messages"][1]["text"], "YES");
    assert_eq!(lab.get_mail(&format!("{threads}/no")).await.0, 404);
    let (_, page) = lab.get_mail("/inboxes/drip@agentmail.to/messages?limit=2").await;
    let token = page["next_page_token"].as_str().unwrap();
    let (_, rest) =
        lab.get_mail(&format!("/inboxes/drip@agentmail.to/messages?limit=2&page_token={token}")).await;
    assert_eq!((rest["count"].as_u64(), rest.get("next_page_token")), (Some(1), None));
}

#[tokio::test]
async fn who_has_no_key_is_told_which_way() {
    let lab = Lab::start().await;
    let url = format!("{}{SEND}", lab.sandbox.mail_base());
    let ask = |value: &str| answer(lab.http.post(&url).header("Authorization", value).json(&json!({})));
    assert_eq!(answer(lab.http.post(&url)).await.1["code"], "missing_authorization");
    for (value, status, code) in [
        ("Basic x", 401, json!("invalid_token_type")),
        ("bearer am_sandbox", 401, json!("invalid_token_type")),
        ("Bearer am_other", 401, json!("unknown_api_key")),
        ("Bearer claw_dev_sandbox", 403, Value::Null),
    ] {
        let (is, body) = ask(value).await;
        assert_eq!((is, &body["code"]), (status, &code), "{value}");
    }
}

#[tokio::test]
async fn letters_that_can_not_be_sent_are_refused() {
    let lab = Lab::start().await;
    let many: Vec<String> = (0..51).map(|n| format!("user{n}@example.com")).collect();
    lab.sandbox.suppress("gone@example.com");
    for (body, status, code) in [
        (json!({"subject": "x"}), 422, "unprocessable"),
        (json!({"to": many}), 400, "validation_error"),
        (json!({"to": "nobody"}), 400, "validation_error"),
        (json!({"to": 5}), 400, "validation_error"),
        (letter("gone@example.com"), 403, "message_rejected"),
    ] {
        let (is, answer) = lab.post_mail(SEND, body.clone()).await;
        assert_eq!((is, &answer["code"]), (status, &code.into()), "{body} {answer}");
        assert!(answer["name"].is_string());
    }
    let (status, body) =
        lab.post_mail("/inboxes/no@agentmail.to/messages/send", letter("a@example.com")).await;
    assert_eq!((status, &body["code"]), (404, &"not_found".into()));
    let (status, _) =
        lab.post_mail("/inboxes/drip@agentmail.to/messages/no/reply", json!({"text": "x"})).await;
    assert_eq!((status, lab.mails_sent()), (404, 0));
    assert_eq!(lab.get_mail("/inboxes/no@agentmail.to/messages").await.0, 404);
    assert_eq!(lab.get_mail("/inboxes/drip@agentmail.to/messages/no").await.0, 404);
}

#[tokio::test]
async fn the_same_key_and_request_send_one_mail() {
    let lab = Lab::start().await;
    let first = lab.send_keyed("key-1", letter("anna@example.com")).await;
    assert_eq!((first.0, &lab.send_keyed("key-1", letter("anna@example.com")).await), (200, &first));
    assert_eq!(lab.mails_sent(), 1);
    let (status, body) = lab.send_keyed("key-1", letter("bert@example.com")).await;
    assert_eq!((status, &body["code"]), (409, &"conflict".into()));
    let reply = format!(
        "/inboxes/drip@agentmail.to/messages/{}/reply",
        encoded(first.1["message_id"].as_str().unwrap())
    );
    let request = lab.mail_request(Method::POST, &reply).header("Idempotency-Key", "key-1");
    assert_eq!(answer(request.json(&letter("anna@example.com"))).await.0, 409);
    for key in ["", "a@b", "a b", &"x".repeat(257)] {
        assert_eq!(lab.send_keyed(key, letter("anna@example.com")).await.0, 400, "{key}");
    }
    assert_eq!(lab.mails_sent(), 1);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let lab = Lab::start().await;
    let first = lab.send_keyed("key-1", letter("anna@example.com")).await;
    lab.sandbox.advance(Duration::from_secs(24 * 3_600 - 60));
    assert_eq!(lab.send_keyed("key-1", letter("anna@example.com")).await, first);
    lab.sandbox.advance(Duration::from_secs(60));
    let second = lab.send_keyed("key-1", letter("anna@example.com")).await;
    assert_eq!(
        (second.0, second.1["message_id"] == first.1["message_id"], lab.mails_sent()),
        (200, false, 2)
    );
}

#[tokio::test]
async fn a_key_of_a_refused_send_is_free() {
    let lab = Lab::start().await;
    assert_eq!(lab.send_keyed("key-1", json!({"subject": "x"})).await.0, 422);
    assert_eq!(lab.send_keyed("key-1", letter("anna@example.com")).await.0, 200);
}

#[tokio::test]
async fn while_a_send_is_under_way_its_key_conflicts() {
    let lab = Lab::start().await;
    let first = lab.send_keyed("key-1", letter("slow@example.com"));
    let meanwhile = async {
        let mut status = 200;
        while status != 409 {
            status = lab.send_keyed("key-1", letter("slow@example.com")).await.0;
        }
        assert_eq!(lab.mails_sent(), 0);
        lab.sandbox.advance(Duration::from_secs(10));
        let again = lab.send_keyed("key-1", letter("slow@example.com")).await;
        assert_eq!((again.0, lab.mails_sent()), (200, 1));
        again
    };
    let race = tokio::time::timeout(Duration::from_secs(30), async { tokio::join!(first, meanwhile) });
    let (first, again) = race.await.unwrap();
    // Either of the two was the first.
    assert_eq!((first.0 == 409 || first == again, lab.mails_sent()), (true, 1));
}

#[tokio::test]
async fn addresses_decide_what_becomes_of_a_mail() {
    let lab = Lab::start().await;
    for address in ["bounce@example.com", "complain+anna@example.com", "anna@example.com"] {
        assert_eq!(lab.post_mail(SEND, letter(address)).await.0, 200);
    }
    lab.sandbox.advance(Duration::from_secs(5));
    let fates =
        lab.effects(|effect| matches!(effect, Effect::MailBounced { .. } | Effect::MailComplained { .. }));
    assert_eq!(fates.len(), 2);
    assert_eq!(lab.post_mail(SEND, letter("bounce@example.com")).await.0, 403);
    assert_eq!(lab.post_mail(SEND, letter("complain+anna@example.com")).await.0, 403);
    assert_eq!(lab.post_mail(SEND, letter("anna@example.com")).await.0, 200);
}

#[tokio::test]
async fn inboxes_are_made_once() {
    let lab = Lab::start().await;
    let (status, made) = lab.post_mail("/inboxes", json!({"username": "anna", "client_id": "one"})).await;
    assert_eq!((status, &made["inbox_id"]), (200, &"anna@agentmail.to".into()));
    assert_eq!(lab.post_mail("/inboxes", json!({"username": "anna", "client_id": "one"})).await, (200, made));
    for (body, status, code) in [
        (json!({"username": "anna"}), 403, "resource_taken"),
        (json!({"username": "an na"}), 400, "validation_error"),
        (json!({"client_id": "a@b"}), 400, "validation_error"),
        (json!({"domain": "other.example"}), 403, "domain_not_verified"),
    ] {
        let (is, answer) = lab.post_mail("/inboxes", body).await;
        assert_eq!((is, &answer["code"]), (status, &code.into()));
    }
    for _ in 2..10 {
        assert_eq!(lab.post_mail("/inboxes", json!({})).await.0, 200);
    }
    assert_eq!(lab.post_mail("/inboxes", json!({})).await.1["code"], "limit_exceeded");
    assert_eq!(lab.get_mail("/inboxes").await.1["count"], 10);
}

#[tokio::test]
async fn news_of_mails_is_sent_to_webhooks() {
    let (lab, receiver) = (Lab::start().await, Receiver::start(StatusCode::SERVICE_UNAVAILABLE).await);
    let body = json!({"url": receiver.url, "event_types": ["message.bounced"], "client_id": "one"});
    let (status, made) = lab.post_mail("/webhooks", body.clone()).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(lab.post_mail("/webhooks", body).await.1["webhook_id"], made["webhook_id"]);
    assert_eq!(lab.post_mail("/webhooks", json!({"url": "x", "event_types": ["odd"]})).await.0, 400);
    lab.post_mail(SEND, letter("bounce@example.com")).await;
    lab.sandbox.advance(Duration::from_secs(5));
    let attempts = || lab.effects(|effect| matches!(effect, Effect::MailWebhookDelivered { .. })).len();
    eventually("the attempt", || attempts() == 1).await;
    lab.sandbox.advance(Duration::from_secs(5));
    let got = receiver.wait_for(2).await;
    let secret = made["secret"].as_str().unwrap().strip_prefix("whsec_").unwrap();
    let key = BASE64.decode(secret).unwrap();
    for (headers, body) in &got {
        let header = |name: &str| headers[name].to_str().unwrap();
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.{body}", header("svix-id"), header("svix-timestamp")).as_bytes());
        let signature = format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()));
        assert_eq!(header("svix-signature"), signature);
    }
    assert_eq!(got[0].0["svix-id"], got[1].0["svix-id"]);
    let body: Value = serde_json::from_str(&got[0].1).unwrap();
    assert_eq!(
        (&body["event_type"], &body["bounce"]["type"]),
        (&"message.bounced".into(), &"Permanent".into())
    );
}
