//! The verbs that read the views.

use ledger_core::{AccountId, Key, Level, Meter, Position, SourceName, Timestamp, UserId};
use projector::{JournalFilter, JournalKind, JournalRow, Order};

use crate::ask::{Answer, Ask, Call};
use crate::edge::EdgeState;
use crate::edge::auth::Principal;
use crate::edge::cursor::{self, List};
use crate::edge::dto::answers::{
    AccountBody, AccountPage, JournalBody, JournalPage, KeyRows, RoutingBody, SourceBody,
};
use crate::edge::dto::convert::name;
use crate::edge::dto::requests::RoutingRequest;
use crate::edge::problem::{EdgeCode, Problem};

use super::{check_app, from_views, wait_for, wait_for_all};

/// How many rows a page has when the caller does not say.
const PAGE_DEFAULT: u32 = 50;
/// The largest page.
const PAGE_MAX: u32 = 1_000;

/// How a list of accounts is asked for.
#[derive(Debug, Default)]
pub struct AccountsQuery {
    /// How many at most.
    pub limit: Option<String>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// Only accounts that stand so.
    pub level: Option<String>,
    /// Only when the views hold what stands there.
    pub wait_for: Option<String>,
}

/// How an account's journal is asked for.
#[derive(Debug, Default)]
pub struct JournalQuery {
    /// How many at most.
    pub limit: Option<String>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// `desc` (newest first) or `asc`.
    pub order: Option<String>,
    /// Only events of this kind.
    pub kind: Option<String>,
    /// Only usage of this meter.
    pub meter: Option<String>,
    /// Only when the views hold what stands there.
    pub wait_for: Option<String>,
}

/// How the declines of a source are asked for.
#[derive(Debug, Default)]
pub struct SourceQuery {
    /// How many at most.
    pub limit: Option<String>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// Which partition decides for which account, for callers that hash.
pub fn routing(state: &EdgeState, who: &Principal, body: &RoutingRequest) -> Result<RoutingBody, Problem> {
    check_app(who, body.app.as_deref())?;
    Ok(RoutingBody { partitions: state.desk.partitions().count(), slots: state.desk.slots().clone() })
}

/// The accounts of an app, by user id.
pub async fn accounts(
    state: &EdgeState,
    who: &Principal,
    query: AccountsQuery,
    deadline: Timestamp,
) -> Result<AccountPage, Problem> {
    let limit = limit(query.limit.as_deref())?;
    let level = query.level.as_deref().map(level).transpose()?;
    let after = query.cursor.as_deref().map(user_of).transpose()?;
    wait_if_asked(state, query.wait_for.as_deref(), deadline).await?;
    let rows = state.views.accounts(&who.app, level, after.as_ref().map(UserId::as_str), limit + 1);
    let (rows, last) = page(from_views(deadline, rows).await?, limit);
    let next_cursor = last.map(|row| cursor::encode(List::Accounts, row.account.user.as_str()));
    Ok(AccountPage { data: rows.into_iter().map(AccountBody::of_row).collect(), next_cursor })
}

/// The events of an account.
pub async fn journal(
    state: &EdgeState,
    who: &Principal,
    user_id: &str,
    query: JournalQuery,
    deadline: Timestamp,
) -> Result<JournalPage, Problem> {
    let id = account_id(who, user_id)?;
    let limit = limit(query.limit.as_deref())?;
    let (order, list) = order(query.order.as_deref())?;
    let filter = JournalFilter {
        kind: query.kind.as_deref().map(kind).transpose()?,
        meter: query.meter.as_deref().map(|text| name("meter", text, Meter::new)).transpose()?,
        key: None,
        order,
        after: query.cursor.as_deref().map(|text| position_of(list, text)).transpose()?,
    };
    wait_if_asked(state, query.wait_for.as_deref(), deadline).await?;
    let rows = from_views(deadline, state.views.journal(&id, &filter, limit + 1)).await?;
    if rows.is_empty() {
        require_account(state, &id, deadline).await?;
    }
    let (rows, last) = page(rows, limit);
    let next_cursor = last.map(|row| cursor::encode(list, &row.position.to_string()));
    Ok(JournalPage { data: bodies(rows), next_cursor })
}

/// The debit that was paid under this key and the declines of it that were recorded, newest first.
pub async fn debits_by_key(
    state: &EdgeState,
    who: &Principal,
    user_id: &str,
    key: Option<&str>,
    deadline: Timestamp,
) -> Result<KeyRows, Problem> {
    let id = account_id(who, user_id)?;
    let key = name("key", key.ok_or_else(|| Problem::missing("key"))?, Key::new)?;
    let last = require_account(state, &id, deadline).await?;
    wait_for(state, last, deadline).await?;
    let filter = JournalFilter { key: Some(key), ..JournalFilter::default() };
    let mut rows = from_views(deadline, state.views.journal(&id, &filter, PAGE_MAX)).await?;
    rows.retain(|row| matches!(row.kind, JournalKind::Debited | JournalKind::Declined));
    Ok(KeyRows { data: bodies(rows) })
}

/// What is known of a source, with all that was acknowledged so far.
pub async fn source(
    state: &EdgeState,
    who: &Principal,
    source: &str,
    deadline: Timestamp,
) -> Result<SourceBody, Problem> {
    let source = name("source", source, SourceName::new)?;
    wait_for_all(state, deadline).await?;
    let report = from_views(deadline, state.views.source(&who.app, &source)).await?;
    let unknown = || Problem::new(EdgeCode::NotFound, "The app has no source of this name.");
    report.as_ref().map(SourceBody::of).ok_or_else(unknown)
}

/// The declined items of a source by number, with all that was acknowledged so far.
pub async fn source_declines(
    state: &EdgeState,
    who: &Principal,
    source: &str,
    query: SourceQuery,
    deadline: Timestamp,
) -> Result<JournalPage, Problem> {
    let source = name("source", source, SourceName::new)?;
    let limit = limit(query.limit.as_deref())?;
    let after = query.cursor.as_deref().map(|text| cursor::decode(List::Declines, text)).transpose()?;
    let after = after.map_or(Ok(0), |text| text.parse().map_err(|_| cursor::invalid()))?;
    wait_for_all(state, deadline).await?;
    let rows = state.views.source_declines(&who.app, &source, after, limit + 1);
    let (rows, last) = page(from_views(deadline, rows).await?, limit);
    let number = |row: &JournalRow| row.item.as_ref().map_or(0, |item| item.number).to_string();
    let next_cursor = last.map(|row| cursor::encode(List::Declines, &number(&row)));
    Ok(JournalPage { data: bodies(rows), next_cursor })
}

fn bodies(rows: Vec<JournalRow>) -> Vec<JournalBody> {
    rows.into_iter().map(JournalBody::of).collect()
}

/// Cuts what was read to the page; with its last row when there is more behind it.
fn page<T: Clone>(mut rows: Vec<T>, limit: u32) -> (Vec<T>, Option<T>) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = more.then(|| rows.last().cloned()).flatten();
    (rows, last)
}

/// The account's last event, from its owner. Problem: there is no such account.
pub(super) async fn require_account(
    state: &EdgeState,
    id: &AccountId,
    deadline: Timestamp,
) -> Result<Position, Problem> {
    match state.desk.ask(Call { ask: Ask::Get(id.clone()), deadline }).await {
        Answer::Account(answer) => Ok(answer.account.last),
        Answer::Rejected(rejection) => Err(rejection.into()),
        _ => Err(Problem::new(EdgeCode::Unavailable, "The account's writer does not answer now.")),
    }
}

async fn wait_if_asked(state: &EdgeState, text: Option<&str>, deadline: Timestamp) -> Result<(), Problem> {
    let Some(text) = text else { return Ok(()) };
    let position: Position =
        text.parse().map_err(|rule| Problem::invalid("wait_for", format_args!("is no position: {rule}")))?;
    if position.partition.0 >= state.log.identity().partitions {
        return Err(Problem::invalid("wait_for", "names a partition that the log does not have"));
    }
    wait_for(state, position, deadline).await
}

fn account_id(who: &Principal, user_id: &str) -> Result<AccountId, Problem> {
    Ok(AccountId { app: who.app.clone(), user: name("user_id", user_id, UserId::new)? })
}

pub(super) fn limit(text: Option<&str>) -> Result<u32, Problem> {
    let Some(text) = text else { return Ok(PAGE_DEFAULT) };
    let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
    limit.ok_or_else(|| Problem::invalid("limit", format_args!("must be a number from 1 to {PAGE_MAX}")))
}

fn level(text: &str) -> Result<Level, Problem> {
    word(text).ok_or_else(|| Problem::invalid("level", "must be healthy, low or exhausted"))
}

fn kind(text: &str) -> Result<JournalKind, Problem> {
    word(text).ok_or_else(|| {
        let rule = "must be opened, granted, deposited, debited, declined, crossed or closed";
        Problem::invalid("kind", rule)
    })
}

/// One of the words that stand for a value in JSON.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(text.into()).ok()
}

fn order(text: Option<&str>) -> Result<(Order, List), Problem> {
    match text {
        None | Some("desc") => Ok((Order::NewestFirst, List::JournalNewest)),
        Some("asc") => Ok((Order::OldestFirst, List::JournalOldest)),
        Some(_) => Err(Problem::invalid("order", "must be desc or asc")),
    }
}

fn user_of(text: &str) -> Result<UserId, Problem> {
    UserId::new(&cursor::decode(List::Accounts, text)?).map_err(|_| cursor::invalid())
}

fn position_of(list: List, text: &str) -> Result<Position, Problem> {
    cursor::decode(list, text)?.parse().map_err(|_| cursor::invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_cut_and_say_whether_there_is_more() {
        assert_eq!(page(vec![1, 2, 3], 2), (vec![1, 2], Some(2)));
        assert_eq!(page(vec![1, 2], 2), (vec![1, 2], None));
        assert_eq!(page(Vec::<u8>::new(), 2), (vec![], None));
    }

    #[test]
    fn what_a_query_can_not_say_is_named() {
        for (problem, field) in [
            (limit(Some("0")).unwrap_err(), "limit"),
            (limit(Some("1001")).unwrap_err(), "limit"),
            (limit(Some("-1")).unwrap_err(), "limit"),
            (limit(Some("many")).unwrap_err(), "limit"),
            (level("rich").unwrap_err(), "level"),
            (kind("paid").unwrap_err(), "kind"),
            (order(Some("up")).unwrap_err(), "order"),
        ] {
            assert_eq!(
                (problem.body().code, problem.body().field.as_deref()),
                ("invalid_field", Some(field))
            );
        }
        assert_eq!(limit(None), Ok(50));
        assert_eq!(level("low"), Ok(Level::Low));
        assert_eq!(kind("crossed"), Ok(JournalKind::Crossed));
    }

    #[test]
    fn a_cursor_of_a_journal_holds_a_position() {
        let position: Position = "0-12-3".parse().unwrap();
        let text = cursor::encode(List::JournalNewest, "0-12-3");
        assert_eq!(position_of(List::JournalNewest, &text), Ok(position));
        assert_eq!(position_of(List::JournalOldest, &text), Err(cursor::invalid()));
        let forged = cursor::encode(List::JournalNewest, "0-12");
        assert_eq!(position_of(List::JournalNewest, &forged), Err(cursor::invalid()));
    }
}
