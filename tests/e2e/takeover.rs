//! Of two Drips on one log the newer writes; the older notices, says so and ends.

use std::fs;

use test_servers::{NatsServer, Postgres};

use crate::load::{Load, Target};
use crate::stack::{BOUND, Drip, engine_flags, until};

#[tokio::test]
async fn the_older_of_two_idle_drips_ends_and_says_why() {
    let (nats, database) = servers().await;
    let mut older = Drip::on_engines(&nats, &database).await;
    older.open("anna", "1").await;
    let mut newer = second(&older, &nats, &database);
    newer.restart().await;
    assert_taken_over(&mut older).await;
    assert_eq!(newer.account("anna").await.text("balance"), "1");
    newer.open("bert", "1").await;
    newer.stop().await;
}

#[tokio::test]
async fn no_acknowledged_debit_is_lost_when_a_newer_drip_takes_over() {
    let (nats, database) = servers().await;
    let mut older = Drip::on_engines(&nats, &database).await;
    let mut newer = second(&older, &nats, &database);
    let load = Load::prepare(&older).await;
    let target = Target::of(&older);
    let chaos = async {
        load.progress(150).await;
        newer.spawn();
        assert_taken_over(&mut older).await;
        newer.ready().await;
        // The clients go on with their keys: what they got no answer to is not charged twice.
        target.move_to(&newer);
        load.progress(50).await;
    };
    load.during(&target, chaos).await;
    load.check(&newer).await;
    newer.stop().await;
}

async fn servers() -> (NatsServer, String) {
    (NatsServer::start().await, Postgres::shared().await.fresh_database().await)
}

/// With a data folder of its own that holds the same configuration and key.
fn second(first: &Drip, nats: &NatsServer, database: &str) -> Drip {
    let drip = Drip::prepared(&["up"], &engine_flags(nats, database));
    fs::create_dir(drip.data_dir()).expect("the folder is new");
    for name in ["drip.toml", "dev.key"] {
        fs::copy(first.data_dir().join(name), drip.data_dir().join(name)).expect("the first has written it");
    }
    drip
}

/// It ends by itself, not well, with a sentence.
async fn assert_taken_over(older: &mut Drip) {
    let status = older.ended().await;
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    let said = |drip: &Drip| drip.output().lines().rev().take(10).any(|line| line.contains("taken over"));
    until(BOUND, "it says why", async || said(older).then_some(())).await;
    older.assert_no_panic();
}
