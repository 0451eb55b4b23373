//! The verbs that read the agent log and the wallet.

use std::collections::BTreeMap;

use ledger_core::{AppId, Sequence, Timestamp};
use projector::upkeep::{LogKind, LogRow};

use crate::edge::EdgeState;
use crate::edge::auth::Principal;
use crate::edge::cursor::{self, List};
use crate::edge::dto::upkeep::{LogBody, LogPage, WalletBody};
use crate::edge::problem::{EdgeCode, Problem};
use crate::edge::time::to_rfc3339;

use super::{from_views, reads};

/// How far a reader is: the last place of each partition.
type Places = BTreeMap<u16, (Sequence, u32)>;

/// The agent log behind a cursor, the oldest first; without one its last lines.
pub async fn agent_log(
    state: &EdgeState,
    who: &Principal,
    limit: Option<&str>,
    after_id: Option<&str>,
    deadline: Timestamp,
) -> Result<LogPage, Problem> {
    let limit = reads::limit(limit)?;
    let app = Some(&who.app);
    let (rows, places) = match after_id {
        Some(text) => after(state, app, places_of(text)?, limit, deadline).await?,
        None => newest(state, app, limit, deadline).await?,
    };
    let data = rows.iter().filter(|row| row.kind != LogKind::Solvency).map(LogBody::of).collect();
    let text = serde_json::to_string(&places).expect("numbers are always JSON");
    Ok(LogPage { data, last_id: cursor::encode(List::Log, &text) })
}

/// Rows of all partitions behind the places, in the order of time; and the places behind them.
async fn after(
    state: &EdgeState,
    app: Option<&AppId>,
    mut places: Places,
    limit: u32,
    deadline: Timestamp,
) -> Result<(Vec<LogRow>, Places), Problem> {
    let mut rows = Vec::new();
    for partition in state.desk.partitions() {
        let place = places.get(&partition.0).copied().unwrap_or((0, 0));
        rows.extend(from_views(deadline, state.views.log(app, partition, place, limit)).await?);
    }
    in_time(&mut rows);
    rows.truncate(limit as usize);
    for row in &rows {
        places.insert(row.position.partition.0, (row.position.sequence, row.position.index));
    }
    Ok((rows, places))
}

async fn newest(
    state: &EdgeState,
    app: Option<&AppId>,
    limit: u32,
    deadline: Timestamp,
) -> Result<(Vec<LogRow>, Places), Problem> {
    let (mut rows, mut places) = (Vec::new(), Places::new());
    for partition in state.desk.partitions() {
        let newest = from_views(deadline, state.views.log_newest(app, partition, limit)).await?;
        if let Some(last) = newest.first() {
            places.insert(partition.0, (last.position.sequence, last.position.index));
        }
        rows.extend(newest);
    }
    in_time(&mut rows);
    let more = rows.len().saturating_sub(limit as usize);
    rows.drain(..more);
    Ok((rows, places))
}

/// Rows of one partition stay in their order: its times never go back.
fn in_time(rows: &mut [LogRow]) {
    rows.sort_by_key(|row| (row.recorded_at, row.position));
}

fn places_of(text: &str) -> Result<Places, Problem> {
    let known = cursor::decode(List::Log, text).map_err(|problem| problem.at("after_id"))?;
    serde_json::from_str(&known).map_err(|_| cursor::invalid().at("after_id"))
}

/// The newest comparison of what users hold with what there is for them.
pub async fn wallet(state: &EdgeState, who: &Principal, deadline: Timestamp) -> Result<WalletBody, Problem> {
    // What all users hold together is no matter of one app among several.
    if state.keyring.only_app() != Some(&who.app) {
        return Err(Problem::new(
            EdgeCode::Forbidden,
            "There are several apps here: what all of them hold is not one app's.",
        ));
    }
    let row = from_views(deadline, state.views.solvency()).await?;
    let row = row.ok_or_else(|| Problem::new(EdgeCode::NotFound, "The wallet was not looked at yet."))?;
    Ok(WalletBody {
        level: row.wallet_level,
        balances: row.balances,
        wallet: row.wallet,
        promo: row.promo,
        build_level: row.build_level,
        build_credits: row.build_credits,
        build_monthly: row.build_monthly,
        checked_at: to_rfc3339(row.recorded_at),
    })
}
