//! Users who pay by checkout sessions and spend what they paid, to the last credit. They stand in no history, because
//! their money comes by the provider: its record tells of it. What a fault spoils here is let be.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::doors::{container, email};
use crate::world::World;

/// How many there are.
const PAYERS: u32 = 3;
/// Between two things that one of them does.
const PACE: Duration = Duration::from_millis(300);
/// What each of them may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// They come and pay until it is over.
pub(super) async fn pay_until(over: &AtomicBool, world: &World, seed: u64) {
    // Another stream of numbers than the load's.
    let mut rng = StdRng::seed_from_u64(seed ^ 0x7061_7965_7273);
    while world.has_workers && !over.load(Ordering::Relaxed) {
        let user = format!("payer-{}", rng.random_range(0..PAYERS));
        let _ = if rng.random() { spend_all(world, &user).await } else { pay(world, &user).await };
        tokio::time::sleep(PACE).await;
    }
}

async fn open(world: &World, user: &str) -> Result<()> {
    let body =
        json!({ "user_id": user, "email": email(user), "initial_balance": "1", "container": container() });
    told(world.post("/v1/users").json(&body)).await.map(drop)
}

async fn spend_all(world: &World, user: &str) -> Result<()> {
    let account = told(world.get(&format!("/v1/users/{user}"))).await?;
    let body = json!({ "amount": account["balance"] });
    told(world.post(&format!("/v1/users/{user}/debits")).json(&body)).await.map(drop)
}

/// Opens the account first, which changes nothing from the second time on.
async fn pay(world: &World, user: &str) -> Result<()> {
    open(world, user).await?;
    let asked = world.post(&format!("/v1/users/{user}/checkout-sessions")).json(&json!({ "amount": "1" }));
    let session = told(asked).await?;
    let id = session["id"].as_str().unwrap_or_default();
    let pay = format!("{}/sessions/{id}/pay", world.control().await?);
    told(world.http.post(pay).json(&json!({ "at_once": true }))).await.map(drop)
}

/// What was answered; an error where it was a no.
async fn told(call: RequestBuilder) -> Result<Value> {
    Ok(call.timeout(PATIENCE).send().await?.error_for_status()?.json().await?)
}
