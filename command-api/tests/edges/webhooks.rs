//! What anybody may send to the door of the provider, who has no key.

use axum::http::HeaderMap;
use locus_sandbox::WebhookTricks;

use crate::checkouts::Market;
use crate::world::World;

async fn send(world: &World, session: Option<&str>, body: String) -> crate::world::Answer {
    let mut request = axum::http::Request::builder().method("POST").uri("/webhook/checkout-paid");
    if let Some(session) = session {
        request = request.header("x-session-id", session);
    }
    world.send(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn without_a_provider_nobody_takes_in_money() {
    let world = World::start().await;
    send(&world, Some("s"), "{}".to_owned()).await.is_problem(501, "not_configured", None);
    world.open("anna", "1").await;
    let opened = world.post("/v1/users/anna/checkout-sessions", r#"{"amount":"5"}"#).await;
    opened.is_problem(501, "not_configured", None);
    world.get("/v1/checkout-sessions").await.is(200, &[("/data", serde_json::json!([]))]);
    world.get("/v1/checkout-sessions?state=paid").await.is_problem(422, "invalid_field", Some("state"));
}

#[tokio::test]
async fn sessions_that_are_not_known_and_bodies_that_are_too_large_are_refused() {
    let market = Market::documented().await;
    let world = &market.world;
    send(world, Some("nothing"), "{}".to_owned()).await.is_problem(404, "not_found", None);
    let named = r#"{"event":"checkout.session.paid","data":{"sessionId":"nothing"}}"#;
    send(world, None, named.to_owned()).await.is_problem(404, "not_found", None);
    for body in ["", "{}", "[]", "no JSON"] {
        send(world, None, body.to_owned()).await.is_problem(422, "missing_field", Some("x-session-id"));
    }
    for size in [64 * 1024 + 1, 3 * 1024 * 1024] {
        send(world, Some("nothing"), "x".repeat(size)).await.is_problem(413, "payload_too_large", None);
    }
    let fits = send(world, Some("nothing"), "x".repeat(64 * 1024)).await;
    fits.is_problem(404, "not_found", None);
}

#[tokio::test]
async fn a_session_that_ended_is_parked_when_its_time_is_over_and_never_credited_by_a_webhook() {
    let mut market = Market::documented().await;
    market.world.open("anna", "0").await;
    let session = market.session("anna").await;
    market.sandbox.cancel_session(&session).unwrap();
    market.refresh(&session).await.is(200, &[("/state", "parked".into()), ("/reason", "cancelled".into())]);
    let paid = market.session("anna").await;
    let tricks = WebhookTricks { then_expired: true, ..WebhookTricks::default() };
    market.pay(&paid, None, tricks);
    for _ in 0..2 {
        let webhook = market.webhook().await;
        assert_eq!(market.deliver(&webhook).await.status, 200);
    }
    assert_eq!((market.world.balance("anna").await.as_str(), market.deposits("anna").await), ("5", 1));
    let stranger = market.deliver(&(HeaderMap::new(), r#"{"sessionId":"x"}"#.to_owned())).await;
    stranger.is_problem(404, "not_found", None);
}
