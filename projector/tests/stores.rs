//! Fresh stores of both kinds, and what stands in them as text.

use std::fmt::Debug;
use std::sync::Arc;

use ledger_core::{AccountId, Timestamp};
use projector::{FrozenViews, JournalFilter, Order, PostgresViews, SqliteViews, ViewStore, Views};
use tempfile::TempDir;
use test_servers::Postgres;

use crate::world::name;

/// Where a store is, so that it can be opened again.
#[derive(Clone)]
pub(crate) enum Place {
    Folder(Arc<TempDir>),
    Database(String),
}

impl Place {
    pub(crate) async fn sqlite() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let place = Self::Folder(Arc::new(dir));
        place.create().await;
        place
    }

    pub(crate) async fn postgres() -> Self {
        let place = Self::Database(Postgres::shared().await.fresh_database().await);
        place.create().await;
        place
    }

    pub(crate) async fn create(&self) {
        let created = match self {
            Self::Folder(dir) => SqliteViews::create(dir.path()).await,
            Self::Database(url) => PostgresViews::create(url).await,
        };
        created.expect("views can be created");
    }

    pub(crate) async fn freeze(&self) -> FrozenViews {
        let frozen = match self {
            Self::Folder(dir) => {
                SqliteViews::open_to_read(dir.path()).await.expect("it was created").freeze().await
            }
            Self::Database(url) => PostgresViews::open(url).await.expect("it was created").freeze().await,
        };
        frozen.expect("views that are there can be frozen")
    }

    pub(crate) async fn open(&self) -> Arc<dyn ViewStore> {
        match self {
            Self::Folder(dir) => Arc::new(SqliteViews::open(dir.path()).await.expect("it was created")),
            Self::Database(url) => Arc::new(PostgresViews::open(url).await.expect("it was created")),
        }
    }
}

/// One test for each store.
#[macro_export]
macro_rules! on_both_stores {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test] async fn $name() { super::$name($crate::stores::Place::sqlite().await).await })*
        }
        mod postgres {
            $(#[tokio::test] async fn $name() { super::$name($crate::stores::Place::postgres().await).await })*
        }
    };
}

const ALL: u32 = 1_000_000;

/// Every row of every view, as text, in the order of the queries: two stores that hold the same print the same.
pub(crate) async fn dump(store: &Arc<dyn ViewStore>) -> String {
    let views = Views::new(store.clone(), None);
    let mut text = lines("position", views.positions().await.expect("positions"));
    let app = name("demo");
    let accounts = views.accounts(&app, None, None, ALL).await.expect("accounts");
    for row in &accounts {
        let id = &row.account;
        let filter = JournalFilter { order: Order::OldestFirst, ..JournalFilter::default() };
        text += &lines("lot", views.lots(id).await.expect("lots"));
        text += &lines("journal", views.journal(id, &filter, ALL).await.expect("journal"));
        text += &lines("container", views.container(id).await.expect("container"));
        text += &lines("notice", views.notices(id).await.expect("notices"));
        text += &lines("checkout", views.checkouts(id, ALL).await.expect("checkouts"));
    }
    for position in views.positions().await.expect("positions") {
        text += &lines("log", views.log(None, position.partition, (0, 0), ALL).await.expect("the log"));
    }
    text += &lines("solvency", views.solvency().await.expect("solvency"));
    text += &lines("account", accounts);
    let (first, last) = (Timestamp(i64::MIN / 2), Timestamp(i64::MAX / 2));
    text += &lines("usage", views.usage(&app, None, first, last).await.expect("usage"));
    let source = name("calls.csv");
    text += &lines("source", views.source(&app, &source).await.expect("source"));
    text + &lines("declined", views.source_declines(&app, &source, 0, ALL).await.expect("declines"))
}

fn lines<T: Debug>(table: &str, rows: impl IntoIterator<Item = T>) -> String {
    rows.into_iter().map(|row| format!("{table} {row:?}\n")).collect()
}

/// Every event of the account, oldest first.
pub(crate) async fn journal(views: &Views, id: &AccountId) -> Vec<projector::JournalRow> {
    let filter = JournalFilter { order: Order::OldestFirst, ..JournalFilter::default() };
    views.journal(id, &filter, ALL).await.expect("journal")
}
