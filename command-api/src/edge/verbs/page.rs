//! What the page shows of an app: its accounts, and the newest of one of them.

use ledger_core::{AccountId, Timestamp, UserId};
use projector::{AccountRow, JournalFilter, JournalRow};

use crate::edge::EdgeState;
use crate::edge::auth::Principal;
use crate::edge::problem::Problem;

use super::from_views;

/// How many accounts are shown at once.
const ACCOUNTS_MAX: u32 = 100;
/// How many rows of a journal are.
const JOURNAL_MAX: u32 = 20;

/// Some accounts by user id, and the last of them when there are more.
#[derive(Debug)]
pub struct Accounts {
    /// The accounts.
    pub rows: Vec<AccountRow>,
    /// Behind whom the next ones are.
    pub next: Option<String>,
}

/// The account that was chosen.
#[derive(Debug)]
pub struct Chosen {
    /// Whose.
    pub user: String,
    /// Its newest rows, the newest first.
    pub rows: Vec<JournalRow>,
}

/// The accounts behind a user id, from the views.
pub async fn accounts(
    state: &EdgeState,
    who: &Principal,
    after: Option<&str>,
    deadline: Timestamp,
) -> Result<Accounts, Problem> {
    let rows = state.views.accounts(&who.app, None, after, ACCOUNTS_MAX + 1);
    let mut rows = from_views(deadline, rows).await?;
    let more = rows.len() > ACCOUNTS_MAX as usize;
    rows.truncate(ACCOUNTS_MAX as usize);
    let last = rows.last().map(|row| row.account.user.to_string());
    Ok(Accounts { rows, next: last.filter(|_| more) })
}

/// The newest of a user's journal, from the views; no rows when they know of no such user.
pub async fn chosen(
    state: &EdgeState,
    who: &Principal,
    user_id: &str,
    deadline: Timestamp,
) -> Result<Chosen, Problem> {
    let shown = user_id.to_owned();
    let Ok(user) = UserId::new(user_id) else { return Ok(Chosen { user: shown, rows: vec![] }) };
    let id = AccountId { app: who.app.clone(), user };
    let filter = JournalFilter::default();
    let rows = from_views(deadline, state.views.journal(&id, &filter, JOURNAL_MAX)).await?;
    Ok(Chosen { user: shown, rows })
}
