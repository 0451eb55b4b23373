//! The verbs about containers: what people ask for.

use ledger_core::{Command, UserId};

use crate::ask::Ask;
use crate::edge::EdgeState;
use crate::edge::auth::Principal;
use crate::edge::dto::answers::AccountBody;
use crate::edge::dto::convert::name;
use crate::edge::dto::upkeep::{ContainerRequest, HibernateRequest, NoticeBody, NoticePage, RestoreRequest};
use crate::edge::problem::Problem;

use super::writes::{ask_account, with_profile};
use super::{check_app, deadline, from_views, reads};

/// Says what the account's container is to be.
pub async fn set_container(
    state: &EdgeState,
    who: &Principal,
    body: ContainerRequest,
) -> Result<AccountBody, Problem> {
    check_app(who, body.app.as_deref())?;
    let deadline = deadline(body.deadline.as_deref())?;
    let command = body.into_command(who, state.house.vault.as_ref())?;
    act(state, Command::SetContainer(command), deadline).await
}

/// Puts an account to sleep.
pub async fn hibernate(
    state: &EdgeState,
    who: &Principal,
    body: HibernateRequest,
) -> Result<AccountBody, Problem> {
    check_app(who, body.app.as_deref())?;
    let deadline = deadline(body.deadline.as_deref())?;
    act(state, Command::Hibernate(body.into_command(who)?), deadline).await
}

/// Wakes an account.
pub async fn restore(
    state: &EdgeState,
    who: &Principal,
    body: RestoreRequest,
) -> Result<AccountBody, Problem> {
    check_app(who, body.app.as_deref())?;
    let deadline = deadline(body.deadline.as_deref())?;
    act(state, Command::Restore(body.into_command(who)?), deadline).await
}

async fn act(
    state: &EdgeState,
    command: Command,
    deadline: ledger_core::Timestamp,
) -> Result<AccountBody, Problem> {
    let answer = ask_account(state, Ask::Command(command), deadline).await?;
    Ok(AccountBody { changed: Some(answer.changed), ..with_profile(state, answer.account, false).await })
}

/// The mails of an account, the newest first.
pub async fn notices(
    state: &EdgeState,
    who: &Principal,
    user_id: &str,
    deadline: ledger_core::Timestamp,
) -> Result<NoticePage, Problem> {
    let user = name("user_id", user_id, UserId::new)?;
    let id = ledger_core::AccountId { app: who.app.clone(), user };
    let last = reads::require_account(state, &id, deadline).await?;
    super::wait_for(state, last, deadline).await?;
    let rows = from_views(deadline, state.views.notices(&id)).await?;
    Ok(NoticePage { data: rows.into_iter().map(NoticeBody::of).collect() })
}
