//! Many clients debit one account at once: it is never overspent, and ends at exactly nothing.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::ask::{Reply, ask};
use crate::audit::audit;
use crate::stack::{Drip, Engines, Stack, on_both_engines};

on_both_engines!(parallel_debits_over_http_never_overspend);

const CLIENTS: usize = 64;

async fn parallel_debits_over_http_never_overspend(engines: Engines) {
    let Stack { mut drip, nats: _nats, .. } = Stack::start(engines).await;
    drip.open("anna", "3").await;
    let replies = join_all((0..CLIENTS).map(|_| debit_over_http(&drip))).await;
    assert_exactly_thirty(&replies);
    assert_spent(&drip).await;
    drip.stop().await;
}

#[tokio::test]
async fn parallel_debits_over_nats_and_http_never_overspend() {
    let Stack { mut drip, nats, .. } = Stack::start(Engines::Servers).await;
    let server = nats.expect("this Drip is on NATS");
    let nats = async_nats::connect(server.url()).await.expect("NATS is there");
    drip.open("anna", "3").await;
    let both =
        (0..CLIENTS / 2).map(|_| async { tokio::join!(debit_over_http(&drip), debit_over_nats(&nats)) });
    let replies: Vec<_> = join_all(both).await.into_iter().flat_map(|(http, nats)| [http, nats]).collect();
    assert_exactly_thirty(&replies);
    assert_spent(&drip).await;
    drip.stop().await;
}

/// Status and body.
async fn debit_over_http(drip: &Drip) -> (u16, Value) {
    let Reply { status, body, .. } = drip.debit("anna", &json!({ "amount": "0.10" })).await;
    (status, body)
}

async fn debit_over_nats(nats: &async_nats::Client) -> (u16, Value) {
    let body = json!({ "user_id": "anna", "amount": "0.10" }).to_string();
    let (_, body) = ask(nats, "drip.cmd.demo.debit", body.as_bytes()).await;
    match body.get("error") {
        Some(problem) => {
            (problem["status"].as_u64().and_then(|code| code.try_into().ok()).unwrap_or(0), problem.clone())
        }
        None => (200, body),
    }
}

fn assert_exactly_thirty(replies: &[(u16, Value)]) {
    let (paid, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|(status, _)| *status == 200);
    assert_eq!((paid.len(), refused.len()), (30, CLIENTS - 30));
    for (status, body) in refused {
        assert_eq!((*status, &body["code"]), (402, &"insufficient_credit".into()), "{body}");
        let figures = ["needed", "available", "shortfall"].map(|name| body[name].clone());
        assert_eq!(figures, [json!("0.1"), json!("0"), json!("0.1")], "{body}");
    }
    // No two of them saw the same balance.
    let mut balances: Vec<_> = paid.iter().map(|(_, body)| body["balance"].to_string()).collect();
    balances.sort();
    balances.dedup();
    assert_eq!(balances.len(), 30);
}

async fn assert_spent(drip: &Drip) {
    let account = drip.account("anna").await;
    assert_eq!((account.text("balance"), account.text("level")), ("0", "exhausted"));
    assert_eq!(audit(drip).await.spent["anna"], 3_000_000);
}
