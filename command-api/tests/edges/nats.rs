//! The same verbs over a real NATS server.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, HeaderMap, Message};
use command_api::edge::nats;
use event_log::JetStreamOptions;
use futures::StreamExt as _;
use serde_json::{Value, json};
use test_servers::NatsServer;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::checkouts::Market;
use crate::world::World;

/// A world whose verbs are served on a NATS server, and a caller.
pub(crate) struct Served {
    pub(crate) world: World,
    server: NatsServer,
    pub(crate) caller: Client,
    stop: CancellationToken,
}

impl Served {
    pub(crate) async fn start() -> Self {
        Self::on(NatsServer::start().await).await
    }

    pub(crate) async fn on(server: NatsServer) -> Self {
        let client = async_nats::connect(server.url()).await.unwrap();
        let caller = async_nats::connect(server.url()).await.unwrap();
        Self::between(server, client, caller).await
    }

    /// Served over one connection, asked over another.
    async fn between(server: NatsServer, client: Client, caller: Client) -> Self {
        Self::of(World::start().await, server, client, caller).await
    }

    /// A world that is there, served.
    pub(crate) async fn world(world: World) -> Self {
        let server = NatsServer::start().await;
        let client = async_nats::connect(server.url()).await.unwrap();
        let caller = async_nats::connect(server.url()).await.unwrap();
        Self::of(world, server, client, caller).await
    }

    async fn of(world: World, server: NatsServer, client: Client, caller: Client) -> Self {
        let stop = CancellationToken::new();
        let serving = nats::serve(client, world.state.clone(), stop.clone());
        world.supervisor.spawn("nats", serving);
        let served = Self { world, server, caller, stop };
        served.until_it_answers().await;
        served
    }

    async fn until_it_answers(&self) {
        let trying = async {
            while self.caller.request("drip.cmd.demo.get", "{}".into()).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), trying).await.expect("the service must come up");
    }

    pub(crate) async fn ask(&self, subject: &str, body: &Value) -> (Value, Option<HeaderMap>) {
        let request = self.caller.request(subject.to_owned(), body.to_string().into());
        let Message { payload, headers, .. } = request.await.unwrap();
        (serde_json::from_slice(&payload).unwrap(), headers)
    }

    pub(crate) async fn good(&self, subject: &str, body: Value) -> Value {
        let (answer, headers) = self.ask(subject, &body).await;
        assert!(answer.get("error").is_none() && headers.is_none(), "{answer}");
        answer
    }

    pub(crate) async fn refused(&self, subject: &str, body: Value, status: u16, code: &str) -> Value {
        let (answer, headers) = self.ask(subject, &body).await;
        let headers = headers.expect("a refusal has headers");
        assert_eq!(headers.get("Nats-Service-Error-Code").unwrap().as_str(), status.to_string());
        assert_eq!(headers.get("Nats-Service-Error").unwrap().as_str(), code);
        assert_eq!((&answer["error"]["code"], &answer["error"]["status"]), (&code.into(), &status.into()));
        answer["error"].clone()
    }
}

#[tokio::test]
async fn every_verb_answers_as_over_http() {
    let served = Served::start().await;
    let opened =
        served.good("drip.adm.demo.open", json!({ "user_id": "anna", "initial_balance": "1" })).await;
    assert_eq!((&opened["created"], &opened["balance"]), (&true.into(), &"1".into()));
    let paid =
        served.good("drip.cmd.demo.debit", json!({ "user_id": "anna", "amount": "0.007", "key": "k" })).await;
    assert_eq!((&paid["balance"], &paid["duplicate"]), (&"0.993".into(), &false.into()));
    let again = served.world.post("/v1/users/anna/debits", r#"{"amount":0.007,"key":"k"}"#).await;
    again.is(200, &[("/duplicate", true.into()), ("/position", paid["position"].clone())]);
    let deposit =
        served.good("drip.adm.demo.deposit", json!({ "user_id": "anna", "amount": 1, "key": "d" })).await;
    assert_eq!(deposit["balance"], "1.993");
    let grant =
        served.good("drip.adm.demo.grant", json!({ "user_id": "anna", "amount": 1, "key": "g" })).await;
    assert_eq!(grant["balance"], "2.993");
    let shown = served.good("drip.cmd.demo.get", json!({ "user_id": "anna", "expand": "lots" })).await;
    assert_eq!((&shown["balance"], shown["lots"].as_array().unwrap().len()), (&"2.993".into(), 3));
    let batch =
        json!({ "debits": [{ "user_id": "anna", "amount": 1 }, { "user_id": "nobody", "amount": 1 }] });
    let results = served.good("drip.cmd.demo.debits", batch).await;
    assert_eq!(results["results"][0]["balance"], "1.993");
    assert_eq!(results["results"][1]["error"]["code"], "account_unknown");
    let source = json!({ "source": "f", "from": 0, "to": 1, "debits": [{ "number": 1, "user_id": "anna", "amount": 1 }] });
    assert_eq!(served.good("drip.cmd.demo.debits", source).await["charged"], 1);
    let closed = served.good("drip.adm.demo.close", json!({ "user_id": "anna" })).await;
    assert_eq!((&closed["changed"], &closed["status"]), (&true.into(), &"closed".into()));
    let journal = served.world.get("/v1/users/anna/journal?kind=deposited&wait_for=0-1-0").await;
    journal.is(200, &[("/data/0/actor", "nats".into())]);
}

#[tokio::test]
async fn containers_and_sleep_are_asked_for_as_over_http() {
    let served = Served::start().await;
    served.good("drip.adm.demo.open", json!({ "user_id": "anna", "initial_balance": "1" })).await;
    let set = served.good("drip.adm.demo.container", json!({ "user_id": "anna", "image": "a:1" })).await;
    assert_eq!((&set["changed"], &set["container"]["phase"]), (&true.into(), &"absent".into()));
    let asleep = served.good("drip.adm.demo.hibernate", json!({ "user_id": "anna" })).await;
    assert_eq!((&asleep["changed"], &asleep["status"]), (&true.into(), &"paused".into()));
    let debit = json!({ "user_id": "anna", "amount": "1" });
    served.refused("drip.cmd.demo.debit", debit.clone(), 409, "account_paused").await;
    let awake = served.good("drip.adm.demo.restore", json!({ "user_id": "anna" })).await;
    assert_eq!(awake["changed"], true);
    served.good("drip.cmd.demo.debit", debit).await;
    let restore = json!({ "user_id": "anna", "force": false });
    served.refused("drip.adm.demo.restore", restore, 402, "restore_without_credit").await;
    let forced = served.good("drip.adm.demo.restore", json!({ "user_id": "anna", "force": true })).await;
    assert_eq!(forced["changed"], true);
    for (verb, body, code) in [
        ("container", json!({ "user_id": "anna" }), "missing_field"),
        ("container", json!({ "image": "a:1" }), "missing_field"),
        ("hibernate", json!({}), "missing_field"),
        ("restore", json!({ "user_id": "anna", "force": 1 }), "invalid_field"),
        ("checkout", json!({ "user_id": "anna" }), "missing_field"),
    ] {
        served.refused(&format!("drip.adm.demo.{verb}"), body, 422, code).await;
    }
    let five = json!({ "user_id": "anna", "amount": "5" });
    served.refused("drip.adm.demo.checkout", five, 501, "not_configured").await;
}

#[tokio::test]
async fn a_checkout_session_is_opened_where_the_account_is() {
    let Market { world, sandbox, .. } = Market::beta().await;
    let served = Served::world(world).await;
    served.good("drip.adm.demo.open", json!({ "user_id": "anna" })).await;
    let five = json!({ "user_id": "anna", "amount": "5", "key": "k" });
    let session = served.good("drip.adm.demo.checkout", five.clone()).await;
    assert_eq!((&session["state"], &session["amount"]), (&"pending".into(), &"5".into()));
    assert_eq!(served.good("drip.adm.demo.checkout", five.clone()).await["id"], session["id"]);
    assert_eq!(sandbox.sessions().len(), 1, "the provider was asked once");
    let other = json!({ "user_id": "anna", "amount": "5", "key": "l" });
    let (mut wrong, mut right) = (0, 0);
    for partition in ["00", "01"] {
        let subject = format!("drip.adm.demo.{partition}.checkout");
        let (answer, _) = served.ask(&subject, &other).await;
        wrong += usize::from(answer["error"]["code"] == "wrong_partition");
        right += usize::from(answer["state"] == "pending");
    }
    assert_eq!((wrong, right), (1, 1));
    assert_eq!(sandbox.sessions().len(), 2, "of a wrong partition the provider hears nothing");
}

#[tokio::test]
async fn refusals_say_in_headers_and_body_what_is_wrong() {
    let served = Served::start().await;
    served.good("drip.adm.demo.open", json!({ "user_id": "anna", "initial_balance": "0.005" })).await;
    let short = served
        .refused(
            "drip.cmd.demo.debit",
            json!({ "user_id": "anna", "amount": "0.007" }),
            402,
            "insufficient_credit",
        )
        .await;
    assert_eq!(short["shortfall"], "0.002");
    for (subject, body, status, code) in [
        ("drip.cmd.demo.debit", json!({ "amount": 1 }), 422, "missing_field"),
        (
            "drip.cmd.demo.debit",
            json!({ "user_id": "anna", "amount": 1, "app": "other" }),
            403,
            "app_mismatch",
        ),
        ("drip.cmd.Demo.debit", json!({ "user_id": "anna", "amount": 1 }), 422, "invalid_field"),
        ("drip.cmd.unknown.debit", json!({ "user_id": "anna", "amount": 1 }), 404, "app_unknown"),
        ("drip.cmd.demo.get", json!({ "user_id": "nobody" }), 404, "account_unknown"),
        ("drip.adm.demo.grant", json!({ "user_id": "anna", "amount": 1 }), 400, "key_required"),
        (
            "drip.cmd.demo.debit",
            json!({ "user_id": "anna", "amount": 1, "deadline": "2099-01-01T00:00:00Z" }),
            422,
            "deadline_too_far",
        ),
        ("drip.cmd.demo.debit", json!([]), 422, "invalid_field"),
    ] {
        served.refused(subject, body, status, code).await;
    }
    let garbage = served.caller.request("drip.cmd.demo.debit", "\u{0}{".into()).await.unwrap();
    assert_eq!(garbage.headers.unwrap().get("Nats-Service-Error").unwrap().as_str(), "malformed_json");
}

#[tokio::test]
async fn an_answer_goes_to_an_inbox_or_nowhere_and_then_nothing_is_decided() {
    let served = Served::start().await;
    served.good("drip.adm.demo.open", json!({ "user_id": "anna", "initial_balance": "1" })).await;
    let mut stolen = served.caller.subscribe("drip.ledger.>").await.unwrap();
    let body = || json!({ "user_id": "anna", "amount": "0.1" }).to_string().into();
    let publish = served.caller.publish_with_reply("drip.cmd.demo.debit", "drip.ledger.00.usage", body());
    publish.await.unwrap();
    // The same connection and subject: when the later one is done, the earlier was thrown away.
    served.caller.publish("drip.cmd.demo.debit", body()).await.unwrap();
    let settled = async {
        while served.good("drip.cmd.demo.get", json!({ "user_id": "anna" })).await["balance"] == "1" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), settled).await.expect("a request without reply is decided");
    assert_eq!(served.good("drip.cmd.demo.get", json!({ "user_id": "anna" })).await["balance"], "0.9");
    served.caller.flush().await.unwrap();
    let nothing = tokio::time::timeout(Duration::from_millis(50), stolen.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
}

#[tokio::test]
async fn the_service_can_be_found_and_leaves_when_it_stops() {
    let served = Served::start().await;
    let info = served.ask("$SRV.INFO.drip", &json!({})).await.0;
    assert_eq!(info["name"], "drip");
    let subjects: Vec<_> =
        info["endpoints"].as_array().unwrap().iter().map(|e| e["subject"].as_str().unwrap()).collect();
    for (subject, _) in nats::SUBJECTS {
        assert!(subjects.contains(subject), "{subject} in {subjects:?}");
        let straight = nats::straight_subject(subject);
        assert!(straight.is_none_or(|subject| subjects.contains(&subject.as_str())), "{subject} straight");
    }
    assert!(info["endpoints"].as_array().unwrap().iter().all(|endpoint| endpoint["queue_group"] == "drip"));
    served.world.supervisor.shutdown();
    served.stop.cancel();
    let gone = async {
        while served.caller.request("drip.cmd.demo.get", "{}".into()).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("it must leave");
}

#[tokio::test]
async fn a_batch_whose_answer_could_not_be_sent_is_refused_before_it_is_decided() {
    let small = NatsServer::builder().config("max_payload: 65536").start().await;
    let served = Served::on(small).await;
    served.good("drip.adm.demo.open", json!({ "user_id": "anna", "initial_balance": "1" })).await;
    let batch = |count| json!({ "debits": vec![json!({ "user_id": "anna", "amount": "0.001" }); count] });
    served.refused("drip.cmd.demo.debits", batch(900), 413, "payload_too_large").await;
    assert_eq!(served.good("drip.cmd.demo.get", json!({ "user_id": "anna" })).await["balance"], "1");
    let results = served.good("drip.cmd.demo.debits", batch(40)).await;
    assert_eq!(results["results"].as_array().unwrap().len(), 40);
}

#[tokio::test]
async fn the_service_comes_back_when_the_server_does() {
    let mut served = Served::start().await;
    served.good("drip.adm.demo.open", json!({ "user_id": "anna", "initial_balance": "1" })).await;
    served.server.kill();
    served.server.restart().await;
    served.until_it_answers().await;
    assert_eq!(served.good("drip.cmd.demo.get", json!({ "user_id": "anna" })).await["balance"], "1");
}

/// As docs/using.md has it: what Drip's command connection needs, and the user of the app `demo`.
const USERS: &str = r#"authorization { users: [
    { user: drip_cmd, password: p, permissions: {
        subscribe: ["drip.cmd.>", "drip.adm.>", "$SRV.>"]
        publish: ["_INBOX.>", "_INBOX_demo.>", "_INBOX_other.>"] } }
    { user: demo, password: p, permissions: { publish: ["drip.cmd.demo.>"], subscribe: ["_INBOX_demo.>"] } }
] }"#;

#[tokio::test]
async fn a_tenant_debits_its_own_app_and_can_neither_ask_for_another_nor_listen() {
    let server = NatsServer::builder().config(USERS).start().await;
    let options = JetStreamOptions::new(server.url().replace("//", "//drip_cmd:p@"));
    let client = event_log::connect(&options, "drip-commands").await.unwrap();
    let (caller, mut refusals) = tenant(&server).await;
    let served = Served::between(server, client, caller).await;
    served.world.open("anna", "1").await;
    let paid = served.good("drip.cmd.demo.debit", json!({ "user_id": "anna", "amount": "0.007" })).await;
    assert_eq!(paid["balance"], "0.993");
    let caller = &served.caller;
    for subject in ["drip.cmd.other.debit", "drip.adm.demo.grant", "drip.ledger.00.usage", "_INBOX_other.x"] {
        caller.publish(subject, "{}".into()).await.unwrap();
        refused(&mut refusals, subject).await;
    }
    for subject in ["drip.>", "drip.cmd.demo.*", "_INBOX.>", "_INBOX_other.>", "_INBOX_drip_log.>"] {
        let _refused = caller.subscribe(subject).await.unwrap();
        refused(&mut refusals, subject).await;
    }
    served.good("drip.cmd.demo.get", json!({ "user_id": "anna" })).await;
}

/// The user `demo` with inboxes of its own, and what the server does not let it do.
async fn tenant(server: &NatsServer) -> (Client, mpsc::UnboundedReceiver<String>) {
    let (sender, refusals) = mpsc::unbounded_channel();
    let options = ConnectOptions::with_user_and_password("demo".into(), "p".into())
        .custom_inbox_prefix("_INBOX_demo")
        .event_callback(move |event| {
            if let Event::ServerError(error) = event {
                let _ = sender.send(error.to_string());
            }
            std::future::ready(())
        });
    (options.connect(server.url()).await.unwrap(), refusals)
}

async fn refused(refusals: &mut mpsc::UnboundedReceiver<String>, subject: &str) {
    let said = tokio::time::timeout(Duration::from_secs(20), refusals.recv()).await;
    let said = said.unwrap_or_else(|_| panic!("{subject} is allowed")).unwrap();
    assert!(said.contains("Permissions Violation") && said.contains(&format!("\"{subject}\"")), "{said}");
}
