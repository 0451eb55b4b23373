//! A Postgres that is killed while the views are folded.

use std::sync::Arc;
use std::time::Duration;

use ledger_core::{PartitionId, Position};
use projector::{PostgresViews, ViewStore, Views};
use test_servers::Postgres;
use tokio::time::Instant;

use crate::fake_log::FakeLog;
use crate::naive;
use crate::running::{Running, arrived};
use crate::world::World;

#[tokio::test]
async fn a_postgres_killed_while_folding_is_outlived_and_nothing_is_lost_or_doubled() {
    let mut server = Postgres::start().await;
    PostgresViews::create(&server.url()).await.expect("created");
    let store: Arc<dyn ViewStore> = Arc::new(PostgresViews::open(&server.url()).await.expect("opened"));
    let mut worlds = [World::of(0, 61, 5), World::of(1, 62, 5)];
    let log = FakeLog::of(&worlds);
    let running = Running::start(Arc::new(log.clone()), store.clone());
    for round in 0..3_u64 {
        arrived(&store, &worlds).await;
        for (partition, world) in worlds.iter_mut().enumerate() {
            world.grow(150);
            log.catch_up(partition, world);
        }
        half_way(&running, 20 * (round + 1)).await;
        server.kill();
        server.restart().await;
    }
    arrived(&store, &worlds).await;
    running.stop().await;
    naive::check(&Views::new(store, None), &worlds).await;
}

/// Waits until some of what is new is folded, so that the kill finds the projector at work.
async fn half_way(running: &Running, more: u64) {
    let mut positions = running.positions.clone();
    let begin = positions.borrow_and_update().get(PartitionId(0));
    let arrival = positions.wait_for(|positions| positions.get(PartitionId(0)) >= begin + more);
    tokio::time::timeout(Duration::from_secs(20), arrival).await.expect("it folds").expect("it runs");
}

#[tokio::test]
async fn a_reader_is_told_that_postgres_is_gone_and_reads_again_when_it_is_back() {
    let mut server = Postgres::start().await;
    PostgresViews::create(&server.url()).await.expect("created");
    let store: Arc<dyn ViewStore> = Arc::new(PostgresViews::open(&server.url()).await.expect("opened"));
    let views = Views::new(store, None);
    assert!(views.positions().await.expect("read").is_empty());
    server.kill();
    let error = views.positions().await.expect_err("it is gone");
    assert!(error.is_transient(), "{error}");
    let position = Position { partition: PartitionId(0), sequence: 1, index: 0 };
    let lagging = views.wait_for(position, Instant::now() + Duration::from_millis(50)).await;
    assert_eq!(lagging.expect_err("nothing arrives").reached, 0);
    server.restart().await;
    assert!(views.positions().await.expect("read again").is_empty());
}
