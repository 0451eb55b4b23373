//! Reading the views. Every list has an order that two rows never share, so that pages neither skip nor repeat.

use std::sync::Arc;
use std::time::Duration;

use ledger_core::{
    AccountId, AppId, Key, Level, Meter, PartitionId, Position, Sequence, SourceName, Timestamp, Usdc,
};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use crate::error::Error;
use crate::positions::Positions;
use crate::record::{self, ACCOUNT, JOURNAL, LOT, POSITION, SOURCE, USAGE};
use crate::rows::{
    AccountRow, ChainPosition, JournalKind, JournalRow, LotRow, SourceReport, SourceRow, UsageRow,
};
use crate::store::{Record, Select, ViewStore};
use crate::words::{kind_text, level_text};

/// How often the store is asked how far it is, when no projector in this process tells and somebody waits.
const POLL: Duration = Duration::from_millis(20);

/// The views, for reading. Cheap to clone.
#[derive(Clone)]
pub struct Views {
    store: Arc<dyn ViewStore>,
    positions: Option<watch::Receiver<Positions>>,
    told: Arc<Mutex<Told>>,
}

/// How far the store last said it is: all who wait share it, so that many of them ask no more often than one.
#[derive(Default)]
struct Told {
    asked: Option<Instant>,
    positions: Positions,
}

/// The views have not come as far as was asked, in the time that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the views lag: partition {} is folded up to commit {reached}, not yet to {}", wanted.partition, wanted.sequence)]
pub struct Lagging {
    /// What was waited for.
    pub wanted: Position,
    /// How far the views were last seen; 0 also when they could not be asked.
    pub reached: Sequence,
}

/// Which way a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Newest first.
    #[default]
    NewestFirst,
    /// Oldest first.
    OldestFirst,
}

/// Which rows of an account's journal are wanted.
#[derive(Debug, Clone, Default)]
pub struct JournalFilter {
    /// Only events of this kind.
    pub kind: Option<JournalKind>,
    /// Only usage of this meter.
    pub meter: Option<Meter>,
    /// Only commands with this key.
    pub key: Option<Key>,
    /// Which way.
    pub order: Order,
    /// Only rows behind this one: the last of the page before.
    pub after: Option<Position>,
}

impl Views {
    /// Reads a store. `positions` is what a projector in this process publishes; without it the store is asked.
    pub fn new(store: Arc<dyn ViewStore>, positions: Option<watch::Receiver<Positions>>) -> Self {
        Self { store, positions, told: Arc::default() }
    }

    /// Waits until the views hold the event at this position: who has written it reads it.
    ///
    /// Errors: the deadline passed before.
    pub async fn wait_for(&self, position: Position, deadline: Instant) -> Result<(), Lagging> {
        let mut reached = 0;
        let arrival = async {
            match self.positions.clone() {
                Some(positions) => watched(positions, position, &mut reached).await,
                None => self.polled(position, &mut reached).await,
            }
        };
        let arrived = tokio::time::timeout_at(deadline, arrival).await;
        arrived.map_err(|_| Lagging { wanted: position, reached })
    }

    async fn polled(&self, position: Position, reached: &mut Sequence) {
        loop {
            *reached = self.told(position.partition).await;
            if *reached >= position.sequence {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// How far a partition is, a moment ago at most. One of those who wait asks for all.
    async fn told(&self, partition: PartitionId) -> Sequence {
        let mut told = self.told.lock().await;
        if told.asked.is_none_or(|asked| asked.elapsed() >= POLL) {
            if let Ok(positions) = self.store.positions().await {
                told.positions = Positions::of(&positions);
            }
            told.asked = Some(Instant::now());
        }
        told.positions.get(partition)
    }

    /// How far each partition is folded, in order.
    pub async fn positions(&self) -> Result<Vec<ChainPosition>, Error> {
        self.store.positions().await
    }

    /// One account; `None` when the views know of none.
    pub async fn account(&self, id: &AccountId) -> Result<Option<AccountRow>, Error> {
        let select = of_account(select(ACCOUNT, "accounts"), id);
        self.one(select, record::account).await
    }

    /// The accounts of an app, by user id (in the order of its bytes), behind `after`.
    pub async fn accounts(
        &self,
        app: &AppId,
        level: Option<Level>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<AccountRow>, Error> {
        let select = select(ACCOUNT, "accounts")
            .then(" WHERE app = ")
            .value(app.as_str())
            .filter(" AND level = ", level.map(level_text))
            .filter(" AND user_id > ", after)
            .then(" ORDER BY user_id");
        self.many(limited(select, limit), record::account).await
    }

    /// All lots of an account, the empty ones too, in the order they were made.
    pub async fn lots(&self, id: &AccountId) -> Result<Vec<LotRow>, Error> {
        let select = of_account(select(LOT, "lots"), id).then(" ORDER BY lot");
        self.many(select, record::lot).await
    }

    /// The events of an account, in the order of the log.
    pub async fn journal(
        &self,
        id: &AccountId,
        filter: &JournalFilter,
        limit: u32,
    ) -> Result<Vec<JournalRow>, Error> {
        let select = of_account(select(JOURNAL, "journal"), id)
            .filter(" AND kind = ", filter.kind.map(kind_text))
            .filter(" AND meter = ", filter.meter.as_ref().map(Meter::as_str))
            .filter(" AND key = ", filter.key.as_ref().map(Key::text).as_deref());
        let select = limited(in_order(select, filter.order, filter.after), limit);
        self.many(select, record::journal).await
    }

    /// The newest debit that was paid under this key.
    pub async fn debit_by_key(&self, id: &AccountId, key: &Key) -> Result<Option<JournalRow>, Error> {
        let (kind, key) = (Some(JournalKind::Debited), Some(key.clone()));
        let rows = self.journal(id, &JournalFilter { kind, key, ..JournalFilter::default() }, 1).await?;
        Ok(rows.into_iter().next())
    }

    /// The event at this position, if it belongs to an account.
    pub async fn event(&self, position: Position) -> Result<Option<JournalRow>, Error> {
        let select = select(JOURNAL, "journal")
            .then(" WHERE partition = ")
            .value(i64::from(position.partition.0))
            .then(" AND sequence = ")
            .value(position.sequence)
            .then(" AND idx = ")
            .value(i64::from(position.index));
        self.one(select, record::journal).await
    }

    /// Paid usage of an app, or of one of its accounts, in the hours that begin in `[from, to)`.
    pub async fn usage(
        &self,
        app: &AppId,
        user: Option<&str>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<UsageRow>, Error> {
        let select = select(USAGE, "usage_hours")
            .then(" WHERE app = ")
            .value(app.as_str())
            .filter(" AND user_id = ", user)
            .then(" AND hour >= ")
            .value(from)
            .then(" AND hour < ")
            .value(to)
            .then(" ORDER BY hour, user_id, meter");
        self.many(select, record::usage).await
    }

    /// What is known of a source; `None` when no partition has heard of it.
    pub async fn source(&self, app: &AppId, source: &SourceName) -> Result<Option<SourceReport>, Error> {
        let select = of_source(select(SOURCE, "sources"), app, source).then(" ORDER BY partition");
        let partitions = self.many(select, record::source).await?;
        Ok((!partitions.is_empty()).then(|| report(source.clone(), partitions)))
    }

    /// The declined items of a source with numbers above `after`, by number.
    pub async fn source_declines(
        &self,
        app: &AppId,
        source: &SourceName,
        after: u64,
        limit: u32,
    ) -> Result<Vec<JournalRow>, Error> {
        let select = of_source(select(JOURNAL, "journal"), app, source)
            .then(" AND number > ")
            .value(after)
            // In words, so that it is seen to be what the index holds.
            .then(" AND kind = 'declined' ORDER BY number");
        self.many(limited(select, limit), record::journal).await
    }

    pub(crate) async fn many<T>(
        &self,
        select: Select,
        row: impl Fn(Record) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.store.select(&select).await?.into_iter().map(row).collect()
    }

    pub(crate) async fn one<T>(
        &self,
        select: Select,
        row: impl Fn(Record) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.store.select(&select).await?.into_iter().next().map(row).transpose()
    }
}

/// How far each partition is folded, read from a store.
pub(crate) async fn positions(store: &dyn ViewStore) -> Result<Vec<ChainPosition>, Error> {
    let select = select(POSITION, "chain_positions").then(" ORDER BY log, partition");
    store.select(&select).await?.into_iter().map(record::chain_position).collect()
}

/// Waits for what a projector publishes; for ever, when it has ended.
async fn watched(mut positions: watch::Receiver<Positions>, wanted: Position, reached: &mut Sequence) {
    loop {
        *reached = positions.borrow_and_update().get(wanted.partition);
        if *reached >= wanted.sequence {
            return;
        }
        if positions.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

pub(crate) fn select(columns: &str, table: &str) -> Select {
    Select::new("SELECT ").then(columns).then(" FROM ").then(table)
}

pub(crate) fn of_account(select: Select, id: &AccountId) -> Select {
    let select = select.then(" WHERE app = ").value(id.app.as_str());
    select.then(" AND user_id = ").value(id.user.as_str())
}

fn of_source(select: Select, app: &AppId, source: &SourceName) -> Select {
    select.then(" WHERE app = ").value(app.as_str()).then(" AND source = ").value(source.as_str())
}

/// Behind a position, in the order of the log.
fn in_order(select: Select, order: Order, after: Option<Position>) -> Select {
    let (than, way) = match order {
        Order::NewestFirst => ("<", "DESC"),
        Order::OldestFirst => (">", "ASC"),
    };
    let select = match after {
        Some(Position { partition: PartitionId(partition), sequence, index }) => select
            .then(&format!(" AND (partition, sequence, idx) {than} ("))
            .value(i64::from(partition))
            .then(", ")
            .value(sequence)
            .then(", ")
            .value(i64::from(index))
            .then(")"),
        None => select,
    };
    select.then(&format!(" ORDER BY partition {way}, sequence {way}, idx {way}"))
}

pub(crate) fn limited(select: Select, limit: u32) -> Select {
    select.then(" LIMIT ").value(i64::from(limit))
}

fn report(source: SourceName, partitions: Vec<SourceRow>) -> SourceReport {
    let charged = partitions.iter().map(|row| row.charged.credits()).fold(0_i64, i64::saturating_add);
    SourceReport {
        source,
        debits: partitions.iter().map(|row| row.debits).sum(),
        charged: Usdc::from_credits(charged),
        declined: partitions.iter().map(|row| row.declined).sum(),
        partitions,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::delta::Delta;
    use crate::store::Applied;

    /// Views that stay empty, and how often they were asked how far they are.
    #[derive(Default)]
    struct Empty(AtomicU64);

    #[async_trait]
    impl ViewStore for Empty {
        async fn apply(&self, _: &Delta) -> Result<Applied, Error> {
            Ok(Applied::Elsewhere)
        }

        async fn positions(&self) -> Result<Vec<ChainPosition>, Error> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Vec::new())
        }

        async fn select(&self, _: &Select) -> Result<Vec<Record>, Error> {
            Ok(Vec::new())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_who_wait_ask_the_store_no_more_often_than_one() {
        let store = Arc::new(Empty::default());
        let views = Views::new(store.clone(), None);
        let wanted = Position { partition: PartitionId(0), sequence: 1, index: 0 };
        let deadline = Instant::now() + POLL * 50;
        let waiting = (0..100).map(|_| views.wait_for(wanted, deadline));
        let waited = futures::future::join_all(waiting).await;
        assert!(waited.iter().all(|result| *result == Err(Lagging { wanted, reached: 0 })));
        assert!((25..=51).contains(&store.0.load(Ordering::Relaxed)), "{:?}", store.0);
    }
}
