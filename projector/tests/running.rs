//! The running projector: it catches up, follows, starts again, shares, and refuses what it must.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use event_log::{AppendOutcome, EventLog, LogIdentity, SqliteLog};
use ledger_core::{LogId, PartitionId, Position};
use projector::{Applied, Config, Positions, ProjectorError, ViewStore, Views, run};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::fake_log::FakeLog;
use crate::folding::delta;
use crate::stores::{Place, dump};
use crate::world::{LOG, World};
use crate::{naive, on_both_stores};

on_both_stores! {
    it_catches_up_and_follows
    it_goes_on_where_it_stopped
    two_projectors_on_one_store_come_to_the_same
    views_moved_by_somebody_else_are_taken_up_from_there
    a_log_shorter_than_the_views_is_refused
    another_commit_where_the_views_were_folded_is_refused
    another_log_is_refused
    an_answer_from_the_past_is_outwaited
    it_works_on_the_sqlite_log
    what_comes_before_damage_is_applied
}

/// A projector at work.
pub(crate) struct Running {
    task: JoinHandle<Result<(), ProjectorError>>,
    shutdown: CancellationToken,
    pub(crate) positions: watch::Receiver<Positions>,
}

pub(crate) fn quick() -> Config {
    Config {
        batch_entries: 7,
        patience: Duration::from_millis(200),
        standby: Duration::from_millis(5),
        longest_pause: Duration::from_millis(100),
        look_every: Duration::from_millis(20),
        ..Config::default()
    }
}

impl Running {
    pub(crate) fn start(log: Arc<dyn EventLog>, store: Arc<dyn ViewStore>) -> Self {
        Self::start_with(quick(), log, store)
    }

    #[expect(clippy::disallowed_methods, reason = "the test watches the task itself")]
    pub(crate) fn start_with(config: Config, log: Arc<dyn EventLog>, store: Arc<dyn ViewStore>) -> Self {
        let (sender, positions) = watch::channel(Positions::default());
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(run(config, log, store, shutdown.clone(), sender));
        Self { task, shutdown, positions }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.expect("no panic").expect("a shutdown is no error");
    }

    pub(crate) async fn failed(self) -> ProjectorError {
        let ended = tokio::time::timeout(Duration::from_secs(20), self.task).await;
        ended.expect("it ends").expect("no panic").expect_err("it was to fail")
    }
}

/// Waits until the views hold all of the worlds, as somebody in another process would.
pub(crate) async fn arrived(store: &Arc<dyn ViewStore>, worlds: &[World]) {
    let views = Views::new(store.clone(), None);
    for (partition, world) in (0..).zip(worlds) {
        let sequence = world.entries.len() as u64;
        let position = Position { partition: PartitionId(partition), sequence, index: 0 };
        let deadline = Instant::now() + Duration::from_secs(40);
        views.wait_for(position, deadline).await.expect("it arrives");
    }
}

async fn it_catches_up_and_follows(place: Place) {
    let store = place.open().await;
    let mut worlds = [World::of(0, 31, 40), World::of(1, 32, 40), World::new(2, 33)];
    let log = FakeLog::of(&worlds);
    let running = Running::start(Arc::new(log.clone()), store.clone());
    arrived(&store, &worlds).await;
    let views = Views::new(store.clone(), Some(running.positions.clone()));
    for _ in 0..10 {
        worlds[0].grow(1);
        log.catch_up(0, &worlds[0]);
        let sequence = worlds[0].entries.len() as u64;
        let position = Position { partition: PartitionId(0), sequence, index: 0 };
        let deadline = Instant::now() + Duration::from_secs(10);
        views.wait_for(position, deadline).await.expect("what was written is read");
    }
    naive::check(&views, &worlds).await;
    running.stop().await;
}

async fn it_goes_on_where_it_stopped(place: Place) {
    let mut world = World::of(0, 34, 1);
    let log = FakeLog::of(std::slice::from_ref(&world));
    for _ in 0..6 {
        let store = place.open().await;
        let running = Running::start(Arc::new(log.clone()), store.clone());
        world.grow(15);
        log.catch_up(0, &world);
        // Stopped wherever it is.
        tokio::time::timeout(Duration::from_millis(15), arrived(&store, std::slice::from_ref(&world)))
            .await
            .ok();
        running.stop().await;
    }
    let store = place.open().await;
    let running = Running::start(Arc::new(log), store.clone());
    arrived(&store, std::slice::from_ref(&world)).await;
    running.stop().await;
    naive::check(&Views::new(store, None), &[world]).await;
}

async fn two_projectors_on_one_store_come_to_the_same(place: Place) {
    let mut worlds = [World::of(0, 35, 50), World::of(1, 36, 50)];
    let log = FakeLog::of(&worlds);
    let stores = [place.open().await, place.open().await];
    let running = stores.clone().map(|store| Running::start(Arc::new(log.clone()), store));
    for _ in 0..20 {
        for (partition, world) in worlds.iter_mut().enumerate() {
            world.grow(2);
            log.catch_up(partition, world);
        }
        tokio::task::yield_now().await;
    }
    arrived(&stores[0], &worlds).await;
    for running in running {
        running.stop().await;
    }
    naive::check(&Views::new(stores[0].clone(), None), &worlds).await;
}

async fn views_moved_by_somebody_else_are_taken_up_from_there(place: Place) {
    let store = place.open().await;
    let mut world = World::of(0, 45, 5);
    let log = FakeLog::of(std::slice::from_ref(&world));
    let running = Running::start(Arc::new(log.clone()), store.clone());
    arrived(&store, std::slice::from_ref(&world)).await;
    let position = store.positions().await.expect("positions")[0];
    world.grow(3);
    let part = delta(&world, position, world.entries.len() - 1);
    assert_eq!(store.apply(&part).await.expect("applied"), Applied::Here);
    log.catch_up(0, &world);
    arrived(&store, std::slice::from_ref(&world)).await;
    running.stop().await;
    naive::check(&Views::new(store, None), &[world]).await;
}

/// Views that were folded from this world.
async fn folded(place: &Place, world: &World) -> Arc<dyn ViewStore> {
    let store = place.open().await;
    let log = FakeLog::of(std::slice::from_ref(world));
    let running = Running::start(Arc::new(log), store.clone());
    arrived(&store, std::slice::from_ref(world)).await;
    running.stop().await;
    store
}

async fn a_log_shorter_than_the_views_is_refused(place: Place) {
    let world = World::of(0, 37, 10);
    let store = folded(&place, &world).await;
    let before = dump(&store).await;
    let cut = world.entries[..world.entries.len() - 1].to_vec();
    let begin = Instant::now();
    let error = Running::start(Arc::new(FakeLog::new(vec![cut])), store.clone()).failed().await;
    assert!(begin.elapsed() >= quick().patience, "it looks again before it believes");
    assert!(matches!(error, ProjectorError::LogDiffers { folded: 12, .. }), "{error}");
    assert!(error.to_string().contains("the log ends at 11"), "{error}");
    assert_eq!(dump(&store).await, before);
}

async fn another_commit_where_the_views_were_folded_is_refused(place: Place) {
    let world = World::of(0, 38, 10);
    let store = folded(&place, &world).await;
    let before = dump(&store).await;
    let replaced = FakeLog::of(&[World::of(0, 39, 20)]);
    let error = Running::start(Arc::new(replaced), store.clone()).failed().await;
    assert!(error.to_string().contains("another one stands at 12"), "{error}");
    assert_eq!(dump(&store).await, before);
}

async fn another_log_is_refused(place: Place) {
    let world = World::of(0, 40, 10);
    let store = folded(&place, &world).await;
    let other = FakeLog::of(&[world]).with_id(LogId([9; 16]));
    let error = Running::start(Arc::new(other), store).failed().await;
    assert!(matches!(error, ProjectorError::OtherLog { views: LOG, .. }), "{error}");
}

async fn an_answer_from_the_past_is_outwaited(place: Place) {
    let mut world = World::of(0, 41, 10);
    let store = folded(&place, &world).await;
    world.grow(5);
    let log = FakeLog::of(std::slice::from_ref(&world));
    log.stale.store(3, Ordering::SeqCst);
    let running = Running::start(Arc::new(log.clone()), store.clone());
    arrived(&store, std::slice::from_ref(&world)).await;
    assert_eq!(log.stale.load(Ordering::SeqCst), 0, "it had asked in vain");
    running.stop().await;
    naive::check(&Views::new(store, None), &[world]).await;
}

async fn it_works_on_the_sqlite_log(place: Place) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let identity = LogIdentity { log: LOG, partitions: 1 };
    SqliteLog::create(dir.path(), identity).await.expect("created");
    let log = Arc::new(SqliteLog::open_writer(dir.path()).await.expect("opened"));
    let store = place.open().await;
    let running = Running::start(log.clone(), store.clone());
    let world = World::of(0, 42, 40);
    for commit in &world.commits {
        assert_eq!(log.append(commit).await, AppendOutcome::Stored);
    }
    arrived(&store, std::slice::from_ref(&world)).await;
    running.stop().await;
    naive::check(&Views::new(store, None), &[world]).await;
}

async fn what_comes_before_damage_is_applied(place: Place) {
    let world = World::of(0, 43, 10);
    let mut entries = world.entries.clone();
    entries[8] = World::of(0, 44, 10).entries[8].clone();
    let store = place.open().await;
    let error = Running::start(Arc::new(FakeLog::new(vec![entries])), store.clone()).failed().await;
    assert!(matches!(&error, ProjectorError::Broken(broken) if broken.sequence == 9), "{error}");
    assert_eq!(store.positions().await.expect("positions")[0].read, 8);
}
