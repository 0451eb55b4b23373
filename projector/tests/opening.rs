//! Creating and opening stores: each refusal is one sentence that says what to do.

use std::path::Path;

use projector::{Applied, PostgresViews, SqliteViews};
use sqlx::{Connection as _, Executor as _};
use test_servers::Postgres;

use crate::folding::{delta, start};
use crate::on_both_stores;
use crate::stores::{Place, dump};
use crate::world::World;

on_both_stores! {
    creating_again_changes_nothing
    tables_of_another_version_are_refused
    older_tables_are_brought_up_to_date_and_folded_anew
}

async fn creating_again_changes_nothing(place: Place) {
    let before = dump(&place.open().await).await;
    place.create().await;
    assert_eq!(dump(&place.open().await).await, before);
}

async fn refusal(place: &Place) -> String {
    match place {
        Place::Folder(dir) => SqliteViews::open(dir.path()).await.err(),
        Place::Database(url) => PostgresViews::open(url).await.err(),
    }
    .expect("it is refused")
    .to_string()
}

async fn execute(place: &Place, sql: &'static str) {
    match place {
        Place::Folder(dir) => {
            let url = format!("sqlite://{}", dir.path().join("views.db").display());
            let mut connection = sqlx::SqliteConnection::connect(&url).await.expect("the file");
            connection.execute(sql).await.expect("changed by hand");
        }
        Place::Database(url) => {
            let mut connection = sqlx::PgConnection::connect(url).await.expect("the database");
            connection.execute(sql).await.expect("changed by hand");
        }
    }
}

async fn tables_of_another_version_are_refused(place: Place) {
    execute(&place, "UPDATE _sqlx_migrations SET version = 999 WHERE version = 3").await;
    assert!(refusal(&place).await.contains("made by a newer Drip (version 999"));
    execute(&place, "DELETE FROM _sqlx_migrations WHERE version > 1").await;
    assert!(refusal(&place).await.contains("of an older version (1"));
    execute(&place, "DELETE FROM _sqlx_migrations").await;
    assert!(refusal(&place).await.contains("Create them with `drip init`"));
    execute(&place, "DROP TABLE _sqlx_migrations").await;
    assert!(refusal(&place).await.contains("Create them with `drip init`"));
}

/// What the later migrations change, as the first one had it.
const FIRST_VERSION: &str = "\
    DROP TABLE containers; DROP TABLE notices; DROP TABLE checkouts; DROP TABLE solvency; DROP TABLE agent_log; \
    ALTER TABLE accounts DROP COLUMN paused; ALTER TABLE accounts DROP COLUMN forced; \
    DROP INDEX journal_key; DROP INDEX journal_declined; \
    CREATE INDEX journal_key ON journal (app, user_id, key) WHERE key IS NOT NULL; \
    CREATE INDEX journal_source ON journal (app, source, number) WHERE source IS NOT NULL; \
    DELETE FROM _sqlx_migrations WHERE version > 1";

/// An older program did not write what a newer one shows of the same events: so they are folded once more.
async fn older_tables_are_brought_up_to_date_and_folded_anew(place: Place) {
    let (store, world) = (place.open().await, World::of(0, 31, 20));
    let all = delta(&world, start(0), world.entries.len());
    store.apply(&all).await.expect("applied");
    let before = dump(&store).await;
    execute(&place, FIRST_VERSION).await;
    assert!(refusal(&place).await.contains("of an older version (1"));
    place.create().await;
    let store = place.open().await;
    assert_eq!(dump(&store).await, "", "as if nothing had been read");
    assert_eq!(store.apply(&all).await.expect("applied from the beginning"), Applied::Here);
    assert_eq!(dump(&store).await, before);
    place.create().await;
    assert_eq!(dump(&place.open().await).await, before, "once is enough");
}

#[tokio::test]
async fn what_is_not_there_can_not_be_opened() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let error = SqliteViews::open(dir.path()).await.expect_err("no file").to_string();
    assert!(error.contains("views.db yet. Create them with `drip init`"), "{error}");
    assert!(!dir.path().join("views.db").exists(), "opening creates nothing");
    let url = Postgres::shared().await.fresh_database().await;
    let error = PostgresViews::open(&url).await.expect_err("no tables").to_string();
    assert!(error.contains("Create them with `drip init`"), "{error}");
}

#[tokio::test]
async fn what_can_not_be_reached_is_said_in_a_sentence() {
    let error =
        PostgresViews::open("postgres://drip:secret@127.0.0.1:1/views").await.expect_err("nobody there");
    let error = error.to_string();
    assert!(error.contains("can not reach Postgres at 127.0.0.1:1/views: "), "{error}");
    assert!(error.contains("refused") && error.contains("--database-url"), "{error}");
    assert!(!error.contains("secret"), "{error}");
    let error = PostgresViews::create("nonsense").await.expect_err("no address").to_string();
    assert!(error.contains("--database-url"), "{error}");
    let error = SqliteViews::create(Path::new("/proc/views")).await.expect_err("not writable").to_string();
    assert!(error.contains("can not use /proc/views/views.db") && error.contains("--data-dir"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(
        dir.path().join("views.db"),
        "not a database, but long enough to be read as one".repeat(99),
    )
    .expect("written");
    let error = SqliteViews::open(dir.path()).await.expect_err("no database").to_string();
    assert!(error.contains("views.db"), "{error}");
}

#[tokio::test]
async fn a_file_is_sealed_when_nobody_else_has_it_open() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("study.db");
    SqliteViews::create_file(&file).await.expect("a new file");
    let (views, other) = (SqliteViews::open_file(&file).await, SqliteViews::open_file(&file).await);
    let (views, other) = (views.expect("it was created"), other.expect("it was created"));
    let reading = other.freeze().await.expect("it can be read");
    // Else what stands in a file beside it could be lost when it gets another name.
    let error = views.seal().await.expect_err("somebody reads it").to_string();
    assert!(error.contains("writing all to the one file"), "{error}");
    reading.close().await;
    other.seal().await.expect("nobody else has it open");
    let names = std::fs::read_dir(dir.path()).expect("it is ours").map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["study.db"]);
}
