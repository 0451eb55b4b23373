//! Reading what stands in the views about the upkeep of accounts.

use std::collections::BTreeMap;

use ledger_core::{AccountId, AppId, PartitionId, Position, Sequence, Timestamp, Usdc};

use super::rows::{CheckoutRow, CheckoutState, ContainerRow, LogRow, NoticeRow, SolvencyRow};
use super::words::checkout_text;
use crate::error::Error;
use crate::query::{Views, limited, of_account, select};
use crate::record::{self, upkeep};
use crate::rows::ChainPosition;
use crate::store::Select;

/// How far a reader of the agent log is, partition by partition.
pub type LogAfter = BTreeMap<PartitionId, (Sequence, u32)>;

/// What is wanted differs from what stands: see `Container::due` in the ledger.
const DUE: &str = "\
    (CASE WHEN a.closed THEN c.phase <> 'absent' \
     WHEN a.paused OR (a.level = 'exhausted' AND NOT a.forced) \
     THEN c.phase IN ('starting', 'running', 'stopping') \
     ELSE c.phase <> 'running' OR NOT c.deployed END)";

/// Goes on with what stands behind an account, if there is one. `columns`: app and user.
fn behind(query: Select, columns: &str, after: Option<&AccountId>) -> Select {
    let Some(id) = after else { return query };
    let query = query.then(&format!(" AND {columns} > (")).value(id.app.as_str());
    query.then(", ").value(id.user.as_str()).then(")")
}

impl Views {
    /// The container of an account; `None` when it has none.
    pub async fn container(&self, id: &AccountId) -> Result<Option<ContainerRow>, Error> {
        let select = of_account(select(upkeep::CONTAINER, "containers"), id);
        self.one(select, upkeep::container).await
    }

    /// Accounts whose container is not as it is wanted, by app and user, behind `after`.
    pub async fn containers_due(
        &self,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<ContainerRow>, Error> {
        let columns = upkeep::CONTAINER.split(", ").map(|name| format!("c.{name}")).collect::<Vec<_>>();
        let from = "containers AS c JOIN accounts AS a ON a.app = c.app AND a.user_id = c.user_id";
        let query = select(&columns.join(", "), from).then(" WHERE ").then(DUE);
        let query = behind(query, "(c.app, c.user_id)", after);
        self.many(limited(query.then(" ORDER BY c.app, c.user_id"), limit), upkeep::container).await
    }

    /// Containers that sleep with nobody at them and still have a service, by app and user, behind `after`.
    pub async fn containers_asleep(
        &self,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<ContainerRow>, Error> {
        let query = select(upkeep::CONTAINER, "containers")
            .then(" WHERE phase = 'asleep' AND service IS NOT NULL AND worker IS NULL");
        let query = behind(query, "(app, user_id)", after);
        self.many(limited(query.then(" ORDER BY app, user_id"), limit), upkeep::container).await
    }

    /// The mails of an account, the newest first.
    pub async fn notices(&self, id: &AccountId) -> Result<Vec<NoticeRow>, Error> {
        let select = of_account(select(upkeep::NOTICE, "notices"), id)
            .then(" ORDER BY due_at DESC, epoch DESC, kind DESC");
        self.many(select, upkeep::notice).await
    }

    /// The mails that are not done with, those first whose time came first: what fails again and again stands behind what
    /// is new.
    pub async fn notices_open(&self, limit: u32) -> Result<Vec<NoticeRow>, Error> {
        let select = select(upkeep::NOTICE, "notices")
            .then(" WHERE state IN ('due', 'sending', 'retrying') ORDER BY COALESCE(not_before, due_at), app, user_id, kind, epoch");
        self.many(limited(select, limit), upkeep::notice).await
    }

    /// The checkout sessions of an account, the newest first.
    pub async fn checkouts(&self, id: &AccountId, limit: u32) -> Result<Vec<CheckoutRow>, Error> {
        let select =
            of_account(select(upkeep::CHECKOUT, "checkouts"), id).then(" ORDER BY opened_at DESC, session");
        self.many(limited(select, limit), upkeep::checkout).await
    }

    /// The sessions of this name: one, unless two providers name theirs alike.
    pub async fn checkouts_named(&self, session: &str) -> Result<Vec<CheckoutRow>, Error> {
        let select = select(upkeep::CHECKOUT, "checkouts").then(" WHERE session = ").value(session);
        self.many(select, upkeep::checkout).await
    }

    /// The sessions of all apps, or of one, that wait for money or for a person, the oldest first.
    pub async fn checkouts_waiting(
        &self,
        app: Option<&AppId>,
        state: CheckoutState,
        limit: u32,
    ) -> Result<Vec<CheckoutRow>, Error> {
        let select = select(upkeep::CHECKOUT, "checkouts")
            .then(" WHERE state IN ('pending', 'parked') AND state = ")
            .value(checkout_text(state))
            .filter(" AND app = ", app.map(AppId::as_str));
        self.many(limited(select.then(" ORDER BY opened_at, session"), limit), upkeep::checkout).await
    }

    /// The sessions of all apps that were opened since then and wait for a person because nobody had paid in time, the
    /// newest first.
    pub async fn checkouts_expired(&self, since: Timestamp, limit: u32) -> Result<Vec<CheckoutRow>, Error> {
        let select = select(upkeep::CHECKOUT, "checkouts")
            .then(" WHERE state IN ('pending', 'parked') AND state = 'parked' AND reason = 'expired' AND opened_at > ")
            .value(since)
            .then(" ORDER BY opened_at DESC, session");
        self.many(limited(select, limit), upkeep::checkout).await
    }

    /// The newest comparison of what users hold with what there is for them.
    pub async fn solvency(&self) -> Result<Option<SolvencyRow>, Error> {
        let select = select(upkeep::SOLVENCY, "solvency")
            .then(" ORDER BY recorded_at DESC, partition, sequence DESC, idx DESC");
        self.one(limited(select, 1), upkeep::solvency).await
    }

    /// The sum of all balances, and how far each partition was folded then: at one moment.
    pub async fn balances(&self) -> Result<(Usdc, Vec<ChainPosition>), Error> {
        let columns =
            format!("(SELECT CAST(COALESCE(SUM(balance), 0) AS BIGINT) FROM accounts), {}", record::POSITION);
        let select = select(&columns, "chain_positions").then(" ORDER BY log, partition");
        let rows = self.many(select, upkeep::balances).await?;
        let sum = rows.first().map_or(Usdc::ZERO, |(sum, _)| *sum);
        Ok((sum, rows.into_iter().map(|(_, position)| position).collect()))
    }

    /// The agent log of one partition behind a place, in order: of one app, or of all.
    pub async fn log(
        &self,
        app: Option<&AppId>,
        partition: PartitionId,
        after: (Sequence, u32),
        limit: u32,
    ) -> Result<Vec<LogRow>, Error> {
        let select = log_select(app, partition)
            .then(" AND (sequence, idx) > (")
            .value(after.0)
            .then(", ")
            .value(i64::from(after.1))
            .then(") ORDER BY partition, sequence, idx");
        self.many(limited(select, limit), upkeep::log).await
    }

    /// The last rows of the agent log of one partition, the newest first.
    pub async fn log_newest(
        &self,
        app: Option<&AppId>,
        partition: PartitionId,
        limit: u32,
    ) -> Result<Vec<LogRow>, Error> {
        let select = log_select(app, partition).then(" ORDER BY partition DESC, sequence DESC, idx DESC");
        self.many(limited(select, limit), upkeep::log).await
    }

    /// The place of an event in the log of its account, if the views hold it.
    pub async fn log_at(&self, position: Position) -> Result<Option<LogRow>, Error> {
        let select = log_select(None, position.partition)
            .then(" AND sequence = ")
            .value(position.sequence)
            .then(" AND idx = ")
            .value(i64::from(position.index));
        self.one(select, upkeep::log).await
    }
}

fn log_select(app: Option<&AppId>, partition: PartitionId) -> Select {
    let select = select(upkeep::LOG, "agent_log").then(" WHERE partition = ");
    select.value(i64::from(partition.0)).filter(" AND app = ", app.map(AppId::as_str))
}
