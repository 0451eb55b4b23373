//! Webhooks of checkout sessions, right and wrong, and of deployments.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit as _, Mac as _};
use locus_sandbox::{Effect, PayOptions, WebhookTricks};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::{Lab, eventually};

/// Takes webhooks and answers with a status.
pub(crate) struct Receiver {
    pub(crate) url: String,
    got: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    _task: JoinSet<()>,
}

impl Receiver {
    pub(crate) async fn start(status: StatusCode) -> Self {
        let got: Arc<Mutex<Vec<(HeaderMap, String)>>> = Arc::default();
        let take = async move |State(got): State<Arc<Mutex<Vec<_>>>>, headers: HeaderMap, body: String| {
            got.lock().unwrap().push((headers, body));
            status
        };
        let router = Router::new().route("/hook", post(take)).with_state(Arc::clone(&got));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, got, _task: task }
    }

    pub(crate) async fn wait_for(&self, count: usize) -> Vec<(HeaderMap, String)> {
        eventually("the webhooks", || self.got.lock().unwrap().len() >= count).await;
        self.got.lock().unwrap().clone()
    }
}

/// A lab whose session was paid with such tricks: the secret, and the session.
async fn paid(lab: &Lab, receiver: &Receiver, webhook: WebhookTricks) -> (String, String) {
    let body = json!({"amount": "5.00", "webhookUrl": receiver.url, "metadata": {"user_id": "anna"}});
    let (_, made) = lab.post_pay("/checkout/sessions", body).await;
    let text = |name: &str| made["data"][name].as_str().unwrap().to_owned();
    let options = PayOptions { at_once: true, webhook, ..PayOptions::default() };
    lab.sandbox.pay_session(&text("id"), options).unwrap();
    (text("webhookSecret"), text("id"))
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap()
}

fn event(name: &str) -> HeaderValue {
    value(&format!("checkout.session.{name}"))
}

fn verifies(secret: &str, headers: &HeaderMap, body: &str) -> bool {
    let signature = headers["x-signature-256"].to_str().unwrap().strip_prefix("sha256=").unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    mac.verify_slice(&hex::decode(signature).unwrap()).is_ok()
}

#[tokio::test]
async fn a_payment_is_told_with_a_signature() {
    let (lab, receiver) = (Lab::start().await, Receiver::start(StatusCode::OK).await);
    let (secret, session) = paid(&lab, &receiver, WebhookTricks::default()).await;
    assert!(secret.starts_with("whsec_"));
    let (headers, body) = receiver.wait_for(1).await.remove(0);
    assert!(verifies(&secret, &headers, &body));
    assert_eq!((&headers["x-webhook-event"], &headers["x-session-id"]), (&event("paid"), &value(&session)));
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&body["event"], &body["data"]["sessionId"]),
        (&"checkout.session.paid".into(), &session.into())
    );
    assert_eq!(
        (&body["data"]["amount"], &body["data"]["metadata"]["user_id"]),
        (&"5.00".into(), &"anna".into())
    );
    let delivered =
        |effect: &Effect| matches!(effect, Effect::WebhookDelivered { status: Some(200), attempt: 1, .. });
    eventually("the record", || lab.effects(delivered).len() == 1).await;
}

#[tokio::test]
async fn a_refused_webhook_comes_three_times_more() {
    let (lab, receiver) = (Lab::start().await, Receiver::start(StatusCode::BAD_GATEWAY).await);
    paid(&lab, &receiver, WebhookTricks::default()).await;
    let attempts =
        || lab.effects(|effect| matches!(effect, Effect::WebhookDelivered { status: Some(502), .. })).len();
    for (attempt, pause) in [(1, 5), (2, 30), (3, 180), (4, 3_600)] {
        eventually("the attempt", || attempts() == attempt).await;
        lab.sandbox.advance(Duration::from_secs(pause - 1));
        assert_eq!(attempts(), attempt);
        lab.sandbox.advance(Duration::from_secs(1));
    }
    let bodies = receiver.wait_for(4).await;
    assert_eq!(bodies.len(), 4);
    assert!(bodies.iter().all(|(_, body)| *body == bodies[0].1));
}

#[tokio::test]
async fn each_trick_is_played() {
    let (lab, receiver) = (Lab::start().await, Receiver::start(StatusCode::OK).await);
    let mut seen = 0;
    let mut play = async |tricks: WebhookTricks, count: usize| {
        let (secret, _) = paid(&lab, &receiver, tricks).await;
        seen += count;
        (secret, receiver.wait_for(seen).await.split_off(seen - count))
    };
    let tricks = WebhookTricks::default;

    let (secret, got) = play(WebhookTricks { amount: Some("500".into()), ..tricks() }, 1).await;
    assert!(verifies(&secret, &got[0].0, &got[0].1) && got[0].1.contains(r#""amount":"500""#));

    let metadata = [("user_id".to_owned(), "mallory".to_owned())].into();
    let (secret, got) = play(WebhookTricks { metadata, ..tricks() }, 1).await;
    assert!(verifies(&secret, &got[0].0, &got[0].1) && got[0].1.contains("mallory"));

    let (secret, got) = play(WebhookTricks { duplicate: true, ..tricks() }, 2).await;
    assert!(got[0].1 == got[1].1 && verifies(&secret, &got[1].0, &got[1].1));

    let (secret, got) = play(WebhookTricks { wrong_signature: true, ..tricks() }, 1).await;
    assert!(!verifies(&secret, &got[0].0, &got[0].1));

    let (_, got) = play(WebhookTricks { missing_header: true, ..tricks() }, 1).await;
    assert!(!got[0].0.contains_key("x-signature-256"));

    let (_, got) =
        play(WebhookTricks { other_header: Some("X-Locus-Signature".into()), ..tricks() }, 1).await;
    assert_eq!(got[0].0["x-locus-signature"].len(), 64);

    let (secret, got) = play(WebhookTricks { truncated: true, ..tricks() }, 1).await;
    assert!(serde_json::from_str::<Value>(&got[0].1).is_err() && !verifies(&secret, &got[0].0, &got[0].1));
}

#[tokio::test]
async fn late_and_replayed_webhooks_come_in_their_time() {
    let (lab, receiver) = (Lab::start().await, Receiver::start(StatusCode::OK).await);
    let tricks = WebhookTricks {
        delay_s: 600,
        replay_after_s: Some(3_600),
        then_expired: true,
        ..WebhookTricks::default()
    };
    paid(&lab, &receiver, tricks).await;
    lab.sandbox.advance(Duration::from_secs(599));
    assert_eq!(receiver.got.lock().unwrap().len(), 0);
    lab.sandbox.advance(Duration::from_secs(1));
    receiver.wait_for(1).await;
    lab.sandbox.advance(Duration::from_secs(1));
    let got = receiver.wait_for(2).await;
    assert_eq!(got[1].0["x-webhook-event"], "checkout.session.expired");
    lab.sandbox.advance(Duration::from_secs(3_600));
    let got = receiver.wait_for(3).await;
    assert_eq!(got[2].1, got[0].1);
}

#[tokio::test]
async fn a_project_is_told_of_its_deployments() {
    let (lab, receiver) = (Lab::start().await, Receiver::start(StatusCode::OK).await);
    let service = lab.service("p").await;
    let project = lab.sandbox.projects()[0].id.clone();
    let body = json!({"projectId": project, "url": receiver.url, "events": ["deployment.healthy"]});
    let (status, made) = lab.post_build("/webhooks", body).await;
    assert_eq!(status, 201, "{made}");
    let odd = json!({"projectId": project, "url": receiver.url, "events": ["odd"]});
    let (status, refused) = lab.post_build("/webhooks", odd).await;
    assert_eq!((status, &refused["invalidEvents"]), (400, &json!(["odd"])));
    let deployment = lab.deploy(&service).await;
    lab.pass_deployment();
    let (headers, body) = receiver.wait_for(1).await.remove(0);
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(made["secret"].as_str().unwrap().as_bytes()).unwrap();
    mac.update(body.as_bytes());
    assert!(mac.verify_slice(&hex::decode(&headers["x-locus-signature"]).unwrap()).is_ok());
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["deploymentId"], &body["status"]), (&deployment.into(), &"healthy".into()));
    let (_, listed) = lab.get_build(&format!("/webhooks?projectId={project}")).await;
    assert_eq!((&listed["webhooks"][0]["id"], listed["webhooks"][0].get("secret")), (&made["id"], None));
    let path = format!("/webhooks/{}", made["id"].as_str().unwrap());
    assert_eq!(lab.build(reqwest::Method::DELETE, &path, None).await.0, 204);
    assert_eq!(lab.build(reqwest::Method::DELETE, &path, None).await.0, 404);
}
