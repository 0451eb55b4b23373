//! `/metrics`: figures of all apps, for who works for the house.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use command_api::edge::House;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;

use crate::world::World;

const KEY: &str = "the key of workers";

async fn page(world: &World) -> String {
    let request = Request::builder().uri("/metrics").header("authorization", format!("Bearer {KEY}"));
    let answer = world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    String::from_utf8(to_bytes(answer.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
}

fn found(wallet: Option<&str>) -> String {
    json!({
        "worker": "w", "wallet": wallet, "promo": null, "build_credits": "0.5", "build_monthly": "0.75",
        "floor": "1"
    })
    .to_string()
}

#[tokio::test]
async fn figures_are_those_of_the_views_and_what_is_not_known_is_no_zero() {
    let worker_key = Some(Sha256::digest(KEY).into());
    let world = World::with_house(House { worker_key, ..House::default() }).await;
    // There are two apps, and neither may see what both hold.
    world.get("/metrics").await.is(403, &[("/code", "forbidden".into())]);
    world.with_key("no key", "GET", "/metrics", "").await.is(401, &[]);
    world.open("anna", "2").await;
    world.post("/v1/users/anna/debits", r#"{"amount":"1.9"}"#).await.is(200, &[]);
    world.get("/v1/users/anna/notices").await.is(200, &[]);
    let answer = world.with_key(KEY, "POST", "/work/solvency", &found(None)).await;
    answer.is(200, &[("/wallet_level", "unknown".into()), ("/build_level", "critical".into())]);
    let text = loop {
        let text = page(&world).await;
        if text.contains("drip_solvency_level") {
            break text;
        }
        tokio::task::yield_now().await;
    };
    for line in [
        "drip_writer_up{partition=\"0\"} 1",
        "drip_notices_open 1",
        "drip_containers_due 0",
        "drip_checkouts_waiting{state=\"parked\"} 0",
        "drip_balances_usdc 0.1",
        "drip_build_credits_usd 0.5",
        "drip_solvency_level{of=\"wallet\"} 3",
        "drip_solvency_level{of=\"build\"} 2",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains("drip_wallet_usdc "), "{text}");
}
