//! Checkout sessions against the sandbox of their provider: what is paid is credited once, to who opened the session.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::post;
use command_api::checkouts::{CheckoutConfig, Checkouts};
use command_api::edge::House;
use command_api::vault::Vault;
use futures::future::join_all;
use locus::{LocusKey, Pay, Timing, pay};
use locus_sandbox::{
    Config, Effect, Fault, Mode, PayOptions, Rule, Sandbox, Service, Switches, WebhookTricks,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::world::{Answer, World};

/// A webhook as it was sent.
pub(crate) type Sent = (HeaderMap, String);

/// A world that takes in money by a sandbox, and the webhooks that were sent to it, which wait to be handed in.
pub(crate) struct Market {
    pub(crate) world: World,
    pub(crate) sandbox: Sandbox,
    sent: Arc<Mutex<Vec<Sent>>>,
    taken: usize,
    _receiver: JoinSet<()>,
}

impl Market {
    /// Signed webhooks, as they are documented.
    pub(crate) async fn documented() -> Self {
        Self::start(Mode::Docs, true).await
    }

    /// No secrets and no webhooks.
    pub(crate) async fn beta() -> Self {
        Self::start(Mode::Beta, false).await
    }

    async fn start(mode: Mode, told: bool) -> Self {
        let switches = Switches { mode, ..Switches::default() };
        let sandbox = Sandbox::start(Config { switches, ..Config::default() }).await.unwrap();
        let (url, sent, receiver) = receiver().await;
        let key = LocusKey::parse(&sandbox.keys().locus[0]).unwrap();
        let timing = Timing { pauses: vec![], ..Timing::default() };
        let pay = Pay::new(pay::Config { base: sandbox.pay_base(), key, timing }).unwrap();
        let config = CheckoutConfig { webhook_url: told.then_some(url), ..CheckoutConfig::default() };
        let house = House {
            vault: Some(Vault::new(&"1".repeat(64)).unwrap()),
            checkouts: Some(Checkouts::new(pay, config)),
            ..House::default()
        };
        Self { world: World::with_house(house).await, sandbox, sent, taken: 0, _receiver: receiver }
    }

    /// Opens a session over 5 USDC for a user, and waits until the views know it. Its id.
    pub(crate) async fn session(&self, user: &str) -> String {
        let opened = self.open(user, r#"{"amount":"5"}"#).await;
        opened.is(201, &[("/state", "pending".into()), ("/user_id", user.into()), ("/amount", "5".into())]);
        self.of_user(user).await.is(200, &[]);
        opened.text("/id")
    }

    pub(crate) async fn open(&self, user: &str, body: &str) -> Answer {
        self.world.post(&format!("/v1/users/{user}/checkout-sessions"), body.to_owned()).await
    }

    pub(crate) async fn of_user(&self, user: &str) -> Answer {
        self.world.get(&format!("/v1/users/{user}/checkout-sessions")).await
    }

    /// Somebody pays, and it is confirmed at once.
    pub(crate) fn pay(&self, session: &str, amount: Option<&str>, webhook: WebhookTricks) {
        let amount = amount.map(|amount| amount.parse().unwrap());
        self.sandbox.pay_session(session, PayOptions { amount, at_once: true, webhook }).unwrap();
    }

    /// The next webhook that the sandbox sent.
    pub(crate) async fn webhook(&mut self) -> Sent {
        let waiting = async {
            loop {
                if let Some(sent) = self.sent.lock().unwrap().get(self.taken).cloned() {
                    return sent;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let sent = tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("a webhook must come");
        self.taken += 1;
        sent
    }

    /// Hands a webhook in, as the provider does: without a key.
    pub(crate) async fn deliver(&self, (headers, body): &Sent) -> Answer {
        let mut request = Request::builder().method("POST").uri("/webhook/checkout-paid");
        *request.headers_mut().unwrap() = headers.clone();
        self.world.send(request.body(Body::from(body.clone())).unwrap()).await
    }

    /// Anybody says that a session was paid.
    pub(crate) async fn hint(&self, session: &str) -> Answer {
        let body = json!({ "event": "checkout.session.paid", "data": { "sessionId": session, "amount": "1000000" } });
        self.deliver(&(HeaderMap::new(), body.to_string())).await
    }

    pub(crate) async fn resolve(&self, session: &str, body: &str) -> Answer {
        self.world.post(&format!("/v1/checkout-sessions/{session}/resolve"), body.to_owned()).await
    }

    pub(crate) async fn refresh(&self, session: &str) -> Answer {
        self.world.post(&format!("/v1/checkout-sessions/{session}/refresh"), "").await
    }

    /// How many sessions the provider was asked for.
    fn made(&self) -> usize {
        let made = |effect: &Effect| matches!(effect, Effect::SessionCreated { .. });
        self.sandbox.record().iter().filter(|entry| made(&entry.effect)).count()
    }

    /// How often money came in.
    pub(crate) async fn deposits(&self, user: &str) -> usize {
        self.of_user(user).await.is(200, &[]);
        let rows = self.world.get(&format!("/v1/users/{user}/journal?kind=deposited")).await;
        rows.body["data"].as_array().unwrap().len()
    }
}

/// Takes webhooks, and keeps them.
async fn receiver() -> (String, Arc<Mutex<Vec<Sent>>>, JoinSet<()>) {
    let sent: Arc<Mutex<Vec<Sent>>> = Arc::default();
    let take = async |State(sent): State<Arc<Mutex<Vec<Sent>>>>, headers: HeaderMap, body: String| {
        sent.lock().unwrap().push((headers, body));
        StatusCode::OK
    };
    let router = Router::new().route("/", post(take)).with_state(Arc::clone(&sent));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut task = JoinSet::new();
    task.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, sent, task)
}

#[tokio::test]
async fn a_signed_webhook_credits_once_however_often_it_comes() {
    let mut market = Market::documented().await;
    market.world.open("anna", "0").await;
    let session = market.session("anna").await;
    market.pay(&session, None, WebhookTricks::default());
    let webhook = market.webhook().await;
    for _ in 0..3 {
        assert_eq!(market.deliver(&webhook).await.status, 200);
    }
    assert_eq!((market.world.balance("anna").await.as_str(), market.deposits("anna").await), ("5", 1));
    let shown = market.of_user("anna").await;
    shown.is(200, &[("/data/0/id", session.as_str().into()), ("/data/0/state", "paid".into())]);
    // Looking, or deciding, changes nothing any more.
    market.refresh(&session).await.is(200, &[("/state", "paid".into())]);
    market.resolve(&session, r#"{"credit":"5"}"#).await.is(200, &[("/state", "paid".into())]);
    assert_eq!((market.world.balance("anna").await.as_str(), market.deposits("anna").await), ("5", 1));
}

#[tokio::test]
async fn webhooks_looks_and_hints_at_the_same_moment_credit_once() {
    let mut market = Market::documented().await;
    market.world.open("anna", "0").await;
    let session = market.session("anna").await;
    market.pay(&session, None, WebhookTricks::default());
    let webhook = market.webhook().await;
    let delivered = join_all((0..8).map(|_| market.deliver(&webhook)));
    let looked = join_all((0..4).map(|_| market.refresh(&session)));
    let (delivered, looked) = tokio::join!(delivered, looked);
    assert!(delivered.iter().all(|answer| answer.status == 200), "{delivered:?}");
    assert!(looked.iter().all(|answer| answer.body["state"] == "paid"), "{looked:?}");
    assert_eq!((market.world.balance("anna").await.as_str(), market.deposits("anna").await), ("5", 1));
}

#[tokio::test]
async fn what_a_webhook_says_of_amounts_and_users_is_not_read() {
    let mut market = Market::documented().await;
    market.world.open("anna", "0").await;
    market.world.open("bob", "0").await;
    let session = market.session("anna").await;
    let metadata = [("user_id".to_owned(), "bob".to_owned())].into();
    market.pay(
        &session,
        None,
        WebhookTricks { amount: Some("500".into()), metadata, ..WebhookTricks::default() },
    );
    let webhook = market.webhook().await;
    assert_eq!(market.deliver(&webhook).await.status, 200);
    assert_eq!(market.world.balance("anna").await, "5");
    assert_eq!(market.world.balance("bob").await, "0");
}

#[tokio::test]
async fn a_webhook_that_is_not_signed_as_it_must_be_credits_nobody() {
    let mut market = Market::documented().await;
    market.world.open("anna", "0").await;
    let session = market.session("anna").await;
    market.pay(&session, None, WebhookTricks::default());
    let (headers, body) = market.webhook().await;
    let without = |name: &str| {
        let mut headers = headers.clone();
        headers.remove(name).unwrap();
        headers
    };
    let mut zeros = headers.clone();
    zeros.insert("x-signature-256", format!("sha256={}", "0".repeat(64)).parse().unwrap());
    let mut words = headers.clone();
    words.insert("x-signature-256", "sha256=no".parse().unwrap());
    for sent in [
        (headers.clone(), body.replace("paid", "Paid")),
        (headers.clone(), format!("{body} ")),
        (headers.clone(), String::new()),
        (without("x-signature-256"), body.clone()),
        (zeros, body.clone()),
        (words, body.clone()),
    ] {
        market.deliver(&sent).await.is_problem(401, "unauthorized", None);
    }
    assert_eq!(market.world.balance("anna").await, "0");
    // The same webhook of another session is not signed with that one's secret.
    let other = market.session("anna").await;
    let mut moved = headers.clone();
    moved.insert("x-session-id", other.parse().unwrap());
    market.deliver(&(moved, body.clone())).await.is_problem(401, "unauthorized", None);
    assert_eq!(market.world.balance("anna").await, "0");
    // The header is not needed: the body names the session too.
    assert_eq!(market.deliver(&(without("x-session-id"), body)).await.status, 200);
    assert_eq!(market.world.balance("anna").await, "5");
}

#[tokio::test]
async fn a_hint_that_proves_nothing_only_leads_to_a_look() {
    let market = Market::beta().await;
    market.world.open("anna", "0").await;
    let session = market.session("anna").await;
    for _ in 0..3 {
        assert_eq!(market.hint(&session).await.status, 202);
    }
    assert_eq!(market.world.balance("anna").await, "0");
    market.pay(&session, None, WebhookTricks::default());
    assert_eq!(market.world.balance("anna").await, "0");
    assert_eq!(market.hint(&session).await.status, 200);
    assert_eq!((market.world.balance("anna").await.as_str(), market.deposits("anna").await), ("5", 1));
    // It is done with: nobody is asked any more.
    assert_eq!(market.hint(&session).await.status, 202);
    assert_eq!(market.deposits("anna").await, 1);
}

#[tokio::test]
async fn a_look_on_demand_credits_what_was_paid() {
    let market = Market::beta().await;
    market.world.open("anna", "0").await;
    let session = market.session("anna").await;
    market.refresh(&session).await.is(200, &[("/state", "pending".into())]);
    market.pay(&session, None, WebhookTricks::default());
    market.refresh(&session).await.is(200, &[("/state", "paid".into()), ("/id", session.as_str().into())]);
    market.refresh(&session).await.is(200, &[("/state", "paid".into())]);
    assert_eq!((market.world.balance("anna").await.as_str(), market.deposits("anna").await), ("5", 1));
    market.refresh("nothing").await.is_problem(404, "not_found", None);
}

#[tokio::test]
async fn another_app_sees_and_decides_nothing() {
    let market = Market::beta().await;
    market.world.open("anna", "0").await;
    let session = market.session("anna").await;
    market.pay(&session, Some("4"), WebhookTricks::default());
    market.refresh(&session).await.is(200, &[("/state", "parked".into())]);
    let other = async |method, path: &str, body| {
        market.world.with_key(&market.world.other_key, method, path, body).await
    };
    other("GET", "/v1/checkout-sessions", "").await.is(200, &[("/data", json!([]))]);
    other("GET", "/v1/checkout-sessions?state=pending", "").await.is(200, &[("/data", json!([]))]);
    other("GET", "/v1/users/anna/checkout-sessions", "").await.is_problem(404, "account_unknown", None);
    let path = format!("/v1/checkout-sessions/{session}");
    other("POST", &format!("{path}/refresh"), "").await.is_problem(404, "not_found", None);
    for body in [r#"{"credit":"5"}"#, r#"{"dismiss":true}"#] {
        other("POST", &format!("{path}/resolve"), body).await.is_problem(404, "not_found", None);
    }
    assert_eq!(market.world.balance("anna").await, "0");
    market.world.get("/v1/checkout-sessions").await.is(200, &[("/data/0/id", session.as_str().into())]);
}

#[tokio::test]
async fn what_was_paid_short_waits_for_a_person_who_credits_or_dismisses() {
    let mut market = Market::documented().await;
    market.world.open("anna", "0").await;
    let (short, dropped) = (market.session("anna").await, market.session("anna").await);
    // What may still be paid is not decided by hand.
    for body in [r#"{"credit":"5"}"#, r#"{"dismiss":true}"#] {
        let refused = market.resolve(&short, body).await;
        refused.is_problem(422, "step_out_of_place", None);
        assert!(refused.text("/detail").starts_with("The session is pending: "), "{refused:?}");
    }
    for session in [&short, &dropped] {
        market.pay(session, Some("4"), WebhookTricks::default());
        let webhook = market.webhook().await;
        assert_eq!(market.deliver(&webhook).await.status, 200);
    }
    assert_eq!(market.world.balance("anna").await, "0");
    let parked = market.world.get("/v1/checkout-sessions").await;
    parked.is(
        200,
        &[
            ("/data/0/id", short.as_str().into()),
            ("/data/0/reason", "amount_differs".into()),
            ("/data/0/paid", "4".into()),
            ("/data/0/amount", "5".into()),
            ("/data/1/id", dropped.as_str().into()),
        ],
    );
    market.world.get("/v1/checkout-sessions?state=pending").await.is(200, &[("/data", json!([]))]);
    for (body, code, field) in [
        ("{}", "invalid_field", Some("credit")),
        (r#"{"credit":"4","dismiss":true}"#, "invalid_field", Some("credit")),
        (r#"{"dismiss":false}"#, "invalid_field", Some("credit")),
        (r#"{"credit":"4.0000001"}"#, "invalid_field", Some("credit")),
        (r#"{"credit":"0"}"#, "amount_not_positive", None),
    ] {
        let refused = market.resolve(&short, body).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.body["code"]),
            (422, &code.into()),
            "{body} {refused:?}"
        );
        if let Some(field) = field {
            assert_eq!(refused.body["field"], field, "{body}");
        }
    }
    let paid = market.resolve(&short, r#"{"credit":"4"}"#).await;
    paid.is(200, &[("/state", "paid".into()), ("/id", short.as_str().into())]);
    market.resolve(&dropped, r#"{"dismiss":true}"#).await.is(200, &[("/state", "dismissed".into())]);
    assert_eq!((market.world.balance("anna").await.as_str(), market.deposits("anna").await), ("4", 1));
    let log = market.world.get("/v1/log").await;
    let told: Vec<&str> =
        log.body["data"].as_array().unwrap().iter().filter_map(|line| line["message"].as_str()).collect();
    for line in [
        format!("checkout {short} waits for a person: amount differs, 4 USDC paid"),
        format!("checkout {short} was credited by key:dev"),
        format!("checkout {dropped} dismissed by key:dev"),
    ] {
        assert!(told.contains(&&*line), "no {line:?} in {told:#?}");
    }
    // Nothing can come of what was dismissed.
    let late = market.resolve(&dropped, r#"{"credit":"4"}"#).await;
    late.is_problem(404, "checkout_unknown", None);
    let rows = market.world.get("/v1/users/anna/journal?kind=deposited").await;
    rows.is(200, &[("/data/0/actor", "key:dev".into())]);
}

/// The ledger has its own time from when the provider has answered.
#[tokio::test]
async fn money_that_the_provider_tells_of_slowly_is_credited() {
    let market = Market::beta().await;
    market.world.open("anna", "0").await;
    let session = market.session("anna").await;
    market.pay(&session, None, WebhookTricks::default());
    // Longer than anything at the ledger may take.
    let slow = Rule::new(Service::Pay, Fault::LatencyMs { ms: 10_500 });
    market.sandbox.add_fault(Rule { method: Some("GET".to_owned()), ..slow });
    // Whoever asked may have gone by then.
    market.refresh(&session).await;
    assert_eq!(market.world.balance("anna").await, "5");
}

#[tokio::test]
async fn the_same_key_answers_the_same_session() {
    let market = Market::documented().await;
    market.world.open("anna", "0").await;
    let body = r#"{"amount":"5","key":"k"}"#;
    let first = market.open("anna", body).await;
    first.is(201, &[]);
    let again = market.open("anna", body).await;
    again.is(201, &[("/id", first.text("/id").into()), ("/url", first.text("/url").into())]);
    market.open("anna", r#"{"amount":"6","key":"k"}"#).await.is_problem(409, "key_reused", Some("key"));
    assert_eq!(market.made(), 1, "the provider was asked once");
    market.of_user("anna").await.is(200, &[("/data/1", Value::Null)]);
    let other = market.open("anna", r#"{"amount":"5","key":"l"}"#).await;
    assert_ne!(other.text("/id"), first.text("/id"));
}

#[tokio::test]
async fn nobody_is_sent_to_pay_for_an_account_that_is_not_there_or_closed() {
    let market = Market::documented().await;
    market.world.open("anna", "0").await;
    market.world.post("/v1/users/anna/close", "").await.is(200, &[]);
    let five = r#"{"amount":"5"}"#;
    market.open("anna", five).await.is_problem(409, "account_closed", None);
    market.open("nobody", five).await.is_problem(404, "account_unknown", None);
    market.world.open("bob", "0").await;
    for (body, field) in [
        ("{}", "amount"),
        (r#"{"amount":"five"}"#, "amount"),
        (r#"{"amount":"5","success_url":"javascript:alert(1)"}"#, "success_url"),
        (r#"{"amount":"5","cancel_url":"bob"}"#, "cancel_url"),
    ] {
        let refused = market.open("bob", body).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.body["field"]),
            (422, &field.into()),
            "{body} {refused:?}"
        );
    }
    for amount in ["0", "-1"] {
        let refused = market.open("bob", &format!(r#"{{"amount":"{amount}"}}"#)).await;
        refused.is_problem(422, "amount_not_positive", Some("amount"));
    }
    let reserved = market.open("bob", r#"{"amount":"5","key":"$k"}"#).await;
    reserved.is_problem(422, "key_reserved", Some("key"));
    assert_eq!(market.made(), 0, "the provider was not asked");
}
