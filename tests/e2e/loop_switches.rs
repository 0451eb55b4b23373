//! The provider behaves in one way or the other: how a container is put to sleep, what the wallet is called, whether
//! there are webhooks. Drip copes with each, and is told of none.

use reqwest::Method;
use serde_json::json;
use test_servers::NatsServer;

use crate::ask::send;
use crate::loop_lab::{Lab, wait_for};
use crate::loop_users::User;
use crate::stack::{Engines, on_both_engines};

on_both_engines!(whatever_the_provider_is_like);

/// How the provider scales, and what is really done to sleep and to wake then.
const WAYS: [(&str, &str, &str); 5] = [
    ("immediate", "down ", "up deployment "),
    ("max-zero", "down ", "up deployment "),
    ("next-deployment", "deployment down ", "deployment up "),
    ("ignored", "deployment no-service ", "service deployment up "),
    ("reject-zero", "no-service ", "service deployment up "),
];
const MADE: &str = crate::loop_users::MADE;

async fn whatever_the_provider_is_like(engines: Engines) {
    let nats = match engines {
        Engines::Embedded => None,
        Engines::Servers => Some(NatsServer::start().await),
    };
    // A provider in beta takes no other address than one of the world's.
    let mut lab = Lab::up(nats, &["--public-url", "https://drip.example.org"]).await;
    let users: Vec<_> = WAYS.iter().map(|(way, ..)| lab.awake_user(way, "1")).collect();
    let users = futures::future::join_all(users).await;
    for (user, (way, asleep, awake)) in users.iter().zip(WAYS) {
        lab.switch("scaling", way).await;
        sleeps_and_wakes(user, asleep, awake).await;
    }
    lab.switch("scaling", "immediate").await;
    tokio::join!(the_wallet_has_other_names(&lab), nothing_tells_of_payments(&lab));
    lab.check().await;
}

async fn sleeps_and_wakes(user: &User<'_>, asleep: &str, awake: &str) {
    user.spend("1").await.expect(200);
    user.asleep().await;
    user.is_told(&["paused"]).await;
    user.has_story(&[MADE, asleep]).await;
    user.top_up("1").await;
    user.awake().await;
    user.is_told(&["paused", "restored"]).await;
    user.has_story(&[MADE, asleep, awake]).await;
}

/// What can not be read is unknown, and no alarm.
async fn the_wallet_has_other_names(lab: &Lab) {
    wallet_is(lab, "ok").await;
    lab.switch("balance_shape", "changed").await;
    wallet_is(lab, "unknown").await;
    let wallet = lab.drip.get("/v1/wallet").await.expect(200);
    assert!(wallet.body["wallet"].is_null() && wallet.body["promo"].is_null(), "{wallet:?}");
    assert!(!lab.drip.output().contains("there is less than users hold"), "{}", lab.drip.log());
    lab.switch("balance_shape", "documented").await;
    wallet_is(lab, "ok").await;
    lab.tell(Method::PUT, "/balances", &json!({ "usdc": "0.5", "promo": "0" })).await.expect(200);
    wallet_is(lab, "critical").await;
    lab.tell(Method::PUT, "/balances", &json!({ "usdc": "1000" })).await.expect(200);
    wallet_is(lab, "ok").await;
}

async fn wallet_is(lab: &Lab, level: &str) {
    wait_for(&format!("the wallet is {level}"), async || {
        let shown = lab.drip.get("/v1/wallet").await.body;
        if shown["level"] == level { Ok(()) } else { Err(shown) }
    })
    .await;
}

/// No secret, no webhooks: the clock finds what was paid, and whoever says so is only a reason to look.
async fn nothing_tells_of_payments(lab: &Lab) {
    lab.switch("mode", "beta").await;
    let lena = lab.user("lena", "0").await;
    let (paid, unpaid) = (lena.checkout("2").await, lena.checkout("100").await);
    for _ in 0..3 {
        let knock = lab.drip.client().post(format!("{}/webhook/checkout-paid", lab.drip.url()));
        assert_eq!(send(knock.header("x-session-id", &unpaid).json(&json!({}))).await.status, 202);
    }
    lena.pay(&paid, &json!({})).await;
    lena.comes_to(2_000_000).await;
    lena.awake().await;
    lena.has_story(&[MADE]).await;
    let deeds = lab.record().await;
    let about = |session: &str, kind: &str| {
        deeds
            .iter()
            .filter(|entry| entry["effect"]["session"] == session && entry["effect"]["kind"] == kind)
            .count()
    };
    assert_eq!((about(&paid, "session_paid"), about(&paid, "webhook_delivered")), (1, 0));
    assert_eq!(about(&unpaid, "session_paid"), 0);
    lena.has("2").await;
}
