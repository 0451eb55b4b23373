//! Each index is there for a query, and SQLite, which knows nothing of what is in the tables, must be seen to use it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ledger_core::{AccountId, PartitionId, Position, Timestamp};

use crate::delta::Delta;
use crate::error::Error;
use crate::query::{JournalFilter, Views};
use crate::rebuild::INDEXES;
use crate::rows::ChainPosition;
use crate::sqlite::{SqliteRebuild, SqliteViews};
use crate::store::{Applied, Record, Select, Value, ViewStore};
use crate::upkeep::CheckoutState;

/// Views that say how they would find what is asked for, and find nothing.
struct Explained {
    views: SqliteViews,
    plans: Mutex<Vec<String>>,
}

#[async_trait]
impl ViewStore for Explained {
    async fn apply(&self, _: &Delta) -> Result<Applied, Error> {
        Ok(Applied::Elsewhere)
    }

    async fn positions(&self) -> Result<Vec<ChainPosition>, Error> {
        Ok(Vec::new())
    }

    async fn select(&self, select: &Select) -> Result<Vec<Record>, Error> {
        let explain =
            Select { sql: format!("EXPLAIN QUERY PLAN {}", select.sql), values: select.values.clone() };
        let steps = self.views.select(&explain).await?;
        let found = steps.into_iter().filter_map(|step| step.into_iter().next_back());
        let texts = found.map(|detail| match detail {
            Value::Text(text) => text,
            other => format!("{other:?}"),
        });
        self.plans.lock().expect("nobody panics while holding it").push(texts.collect::<Vec<_>>().join("; "));
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn every_query_finds_its_rows_by_the_index_that_is_there_for_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    SqliteViews::create(dir.path()).await.expect("created");
    let views = SqliteViews::open(dir.path()).await.expect("opened");
    let store = Arc::new(Explained { views, plans: Mutex::default() });
    ask_everything(&Views::new(store.clone(), None)).await.expect("all can be explained");
    let plans = store.plans.lock().expect("nobody panics while holding it");
    let expected = [
        "accounts USING INDEX sqlite_autoindex_accounts_1 (app=? AND user_id=?)",
        "accounts USING INDEX sqlite_autoindex_accounts_1 (app=? AND user_id>?)",
        "lots USING INDEX sqlite_autoindex_lots_1 (app=? AND user_id=?)",
        "journal USING INDEX journal_account (app=? AND user_id=? AND (partition,sequence,idx)<(?,?,?))",
        "journal USING INDEX journal_key (key=? AND app=? AND user_id=?)",
        "journal USING INDEX sqlite_autoindex_journal_1 (partition=? AND sequence=? AND idx=?)",
        "usage_hours USING INDEX usage_hours_app (app=? AND hour>? AND hour<?)",
        "usage_hours USING INDEX sqlite_autoindex_usage_hours_1 (app=? AND user_id=?)",
        "sources USING INDEX sqlite_autoindex_sources_1 (app=? AND source=?)",
        "journal USING INDEX journal_declined (app=? AND source=? AND number>?)",
        "containers USING INDEX sqlite_autoindex_containers_1 (app=? AND user_id=?)",
        "c USING INDEX sqlite_autoindex_containers_1 ((app,user_id)>(?,?)); SEARCH a USING INDEX \
         sqlite_autoindex_accounts_1 (app=? AND user_id=?)",
        "containers USING INDEX sqlite_autoindex_containers_1 ((app,user_id)>(?,?))",
        "notices USING INDEX sqlite_autoindex_notices_1 (app=? AND user_id=?)",
        "notices USING INDEX notices_open (state=?)",
        "checkouts USING INDEX sqlite_autoindex_checkouts_1 (app=? AND user_id=?)",
        "checkouts USING INDEX checkouts_session (session=?)",
        "checkouts USING INDEX checkouts_pending (state=?)",
        "checkouts USING INDEX checkouts_pending (state=?)",
        "agent_log USING INDEX sqlite_autoindex_agent_log_1 (partition=? AND (sequence,idx)>(?,?))",
        "agent_log USING INDEX agent_log_app (app=? AND partition=? AND (sequence,idx)>(?,?))",
        "agent_log USING INDEX sqlite_autoindex_agent_log_1 (partition=?)",
        "agent_log USING INDEX agent_log_app (app=? AND partition=?)",
        "agent_log USING INDEX sqlite_autoindex_agent_log_1 (partition=? AND sequence=? AND idx=?)",
    ];
    assert_eq!(plans.len(), expected.len());
    for (plan, expected) in plans.iter().zip(expected) {
        assert!(plan.contains(expected), "{plan} is not {expected}");
    }
}

#[tokio::test]
async fn a_rebuild_does_without_every_index_that_is_no_key() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    SqliteViews::create(dir.path()).await.expect("created");
    let views = SqliteViews::open(dir.path()).await.expect("opened");
    // A key's index has no SQL of its own.
    let made = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name";
    let indexes = async |views: &SqliteViews| views.select(&Select::new(made)).await.expect("read").concat();
    assert_eq!(indexes(&views).await, INDEXES.map(Value::from));
    let rebuild = SqliteRebuild::begin(dir.path(), false).await.expect("nobody else rebuilds");
    assert_eq!(indexes(&rebuild.next).await, []);
}

/// Each question once.
async fn ask_everything(views: &Views) -> Result<(), Error> {
    let id: AccountId = AccountId { app: name("demo"), user: name("u") };
    let position = Position { partition: PartitionId(0), sequence: 1, index: 0 };
    let (from, to) = (Timestamp(0), Timestamp(1));
    views.account(&id).await?;
    views.accounts(&id.app, None, Some("a"), 9).await?;
    views.lots(&id).await?;
    views.journal(&id, &JournalFilter { after: Some(position), ..JournalFilter::default() }, 9).await?;
    views.debit_by_key(&id, &name("k")).await?;
    views.event(position).await?;
    views.usage(&id.app, None, from, to).await?;
    views.usage(&id.app, Some("u"), from, to).await?;
    views.source(&id.app, &name("calls")).await?;
    views.source_declines(&id.app, &name("calls"), 1, 9).await?;
    ask_of_upkeep(views, &id).await
}

async fn ask_of_upkeep(views: &Views, id: &AccountId) -> Result<(), Error> {
    let (partition, app) = (PartitionId(0), Some(&id.app));
    views.container(id).await?;
    views.containers_due(Some(id), 9).await?;
    views.containers_asleep(Some(id), 9).await?;
    views.notices(id).await?;
    views.notices_open(9).await?;
    views.checkouts(id, 9).await?;
    views.checkouts_named("s").await?;
    views.checkouts_waiting(app, CheckoutState::Pending, 9).await?;
    views.checkouts_expired(Timestamp(0), 9).await?;
    views.log(None, partition, (1, 2), 9).await?;
    views.log(app, partition, (1, 2), 9).await?;
    views.log_newest(None, partition, 9).await?;
    views.log_newest(app, partition, 9).await?;
    views.log_at(Position { partition, sequence: 1, index: 0 }).await?;
    Ok(())
}

fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a short plain name")
}
