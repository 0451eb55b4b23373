//! The verbs about checkout sessions.

use ledger_core::account::Status;
use ledger_core::command::{CheckoutOutcome, OpenCheckout, SettleCheckout};
use ledger_core::event::Event;
use ledger_core::money::AMOUNT_MAX;
use ledger_core::upkeep::CheckoutStep;
use ledger_core::{AccountId, Code, Command, Key, LongText, SessionId, Timestamp, UserId};
use locus::pay::{NewSession, Session};
use projector::upkeep::{CheckoutRow, CheckoutState};

use crate::ask::{Answer, Ask, Call};
use crate::checkouts::{Checkouts, LookError};
use crate::edge::EdgeState;
use crate::edge::auth::Principal;
use crate::edge::dto::checkouts::{
    CheckedCheckout, CheckoutBody, CheckoutPage, CheckoutRequest, ResolveRequest,
};
use crate::edge::dto::convert::{amount, name};
use crate::edge::problem::{EdgeCode, Problem};
use crate::edge::time::to_rfc3339;

use super::writes::refusal;
use super::{check_app, deadline, from_views, reads};

/// How many sessions a list has at most.
const PAGE_MAX: u32 = 1_000;

/// Opens a session at the provider, and keeps it. A session that could not be kept was shown to nobody: it expires.
pub async fn open(
    state: &EdgeState,
    who: &Principal,
    body: CheckoutRequest,
) -> Result<CheckoutBody, Problem> {
    check_app(who, body.app.as_deref())?;
    let deadline = deadline(body.deadline.as_deref())?;
    let asked = body.check(who)?;
    let checkouts = configured(state)?;
    check(&asked)?;
    require_open(state, &asked.account, deadline).await?;
    if let Some(opened) = opened_before(state, &asked, deadline).await? {
        return Ok(opened);
    }
    let made = made(checkouts, &asked, deadline).await?;
    let command = keep(state, who, &asked, &made)?;
    let (session, expires_at) = (command.session.clone(), command.expires_at);
    let url = command.url.clone();
    let ask = Ask::Command(Command::OpenCheckout(command));
    match state.desk.ask(Call { ask, deadline }).await {
        Answer::Account(_) => Ok(CheckoutBody {
            id: session.to_string(),
            user_id: asked.account.user,
            amount: asked.amount,
            url: url.to_string(),
            state: CheckoutState::Pending,
            reason: None,
            paid: None,
            expires_at: to_rfc3339(expires_at),
            opened_at: None,
        }),
        // The key was used before: this is the session of then.
        Answer::Done(receipt) => known(state, &asked.account, &receipt.event, deadline).await,
        other => Err(refusal(other)),
    }
}

/// The session of the same key, as far as the views know it: the provider makes no second one that nobody is shown. The
/// ledger decides of what they do not know yet.
async fn opened_before(
    state: &EdgeState,
    asked: &CheckedCheckout,
    deadline: Timestamp,
) -> Result<Option<CheckoutBody>, Problem> {
    let Some(key) = asked.key.as_ref().map(ToString::to_string) else { return Ok(None) };
    let last = reads::require_account(state, &asked.account, deadline).await?;
    super::wait_for(state, last, deadline).await?;
    let rows = from_views(deadline, state.views.checkouts(&asked.account, PAGE_MAX)).await?;
    match rows.into_iter().find(|row| row.key.as_ref() == Some(&key)) {
        Some(row) if row.amount != asked.amount => Err(Problem::from(Code::KeyReused).at("key")),
        row => Ok(row.map(CheckoutBody::of)),
    }
}

/// What the ledger would not take is not asked for.
fn check(asked: &CheckedCheckout) -> Result<(), Problem> {
    let refused = |code: Code, field| Err(Problem::from(code).at(field));
    if asked.key.as_ref().is_some_and(Key::is_own) {
        return refused(Code::KeyReserved, "key");
    }
    match asked.amount {
        amount if !amount.is_positive() => refused(Code::AmountNotPositive, "amount"),
        amount if amount > AMOUNT_MAX => refused(Code::AmountTooLarge, "amount"),
        _ => Ok(()),
    }
}

/// Nobody is sent to pay for an account that is not there, or is closed.
async fn require_open(state: &EdgeState, id: &AccountId, deadline: Timestamp) -> Result<(), Problem> {
    let answer = super::writes::ask_account(state, Ask::Get(id.clone()), deadline).await?;
    if answer.account.status == Status::Closed { Err(Code::AccountClosed.into()) } else { Ok(()) }
}

/// The session, from the provider. Who asks has left at the deadline: nobody would be shown one that comes later.
async fn made(
    checkouts: &Checkouts,
    asked: &CheckedCheckout,
    deadline: Timestamp,
) -> Result<Session, Problem> {
    let session = new_session(checkouts, asked);
    let made = tokio::time::timeout_at(super::instant(deadline), checkouts.pay.create_session(&session));
    let late = |_| {
        Problem::new(EdgeCode::UpstreamFailed, "The provider of checkout sessions did not answer in time.")
    };
    made.await.map_err(late)?.map_err(|error| upstream(&error))
}

fn new_session(checkouts: &Checkouts, asked: &CheckedCheckout) -> NewSession {
    let minutes = checkouts.config.expires_after.as_secs().div_ceil(60).max(1);
    let mut session = NewSession::new(asked.amount);
    session.description.clone_from(&asked.description);
    session.success_url.clone_from(&asked.success_url);
    session.cancel_url.clone_from(&asked.cancel_url);
    session.webhook_url.clone_from(&checkouts.config.webhook_url);
    session.metadata.insert("user_id".to_owned(), asked.account.user.to_string());
    session.metadata.insert("app".to_owned(), asked.account.app.to_string());
    session.expires_in_minutes = u32::try_from(minutes).ok();
    session
}

fn keep(
    state: &EdgeState,
    who: &Principal,
    asked: &CheckedCheckout,
    made: &Session,
) -> Result<OpenCheckout, Problem> {
    let unusable = |_| Problem::new(EdgeCode::UpstreamFailed, "The provider's session can not be used.");
    let url = made.checkout_url.as_deref().unwrap_or_default();
    let expires_at = made.expires_at.as_deref().and_then(|text| crate::edge::time::from_rfc3339(text).ok());
    let after = i64::try_from(configured(state)?.config.expires_after.as_micros()).unwrap_or(i64::MAX);
    let default = Timestamp(service_kit::clock::now()).plus(after);
    let secret = made.webhook_secret.as_ref().zip(state.house.vault.as_ref());
    Ok(OpenCheckout {
        account: asked.account.clone(),
        session: SessionId::new(&made.id).map_err(unusable)?,
        amount: asked.amount,
        url: LongText::new(url).map_err(unusable)?,
        expires_at: expires_at.unwrap_or(default),
        key: asked.key.clone(),
        secret: secret.map(|(secret, vault)| vault.seal(&asked.account, secret.expose())),
        actor: who.actor.clone(),
    })
}

async fn known(
    state: &EdgeState,
    account: &AccountId,
    event: &Event,
    deadline: Timestamp,
) -> Result<CheckoutBody, Problem> {
    let Event::CheckoutStepped(event) = event else { return Err(Problem::internal()) };
    let last = reads::require_account(state, account, deadline).await?;
    super::wait_for(state, last, deadline).await?;
    let row = of_account(state, account, event.session.as_str(), deadline).await?;
    Ok(CheckoutBody::of(row))
}

/// The sessions of an account, the newest first.
pub async fn of_user(
    state: &EdgeState,
    who: &Principal,
    user_id: &str,
    deadline: Timestamp,
) -> Result<CheckoutPage, Problem> {
    let user = name("user_id", user_id, UserId::new)?;
    let id = AccountId { app: who.app.clone(), user };
    let last = reads::require_account(state, &id, deadline).await?;
    super::wait_for(state, last, deadline).await?;
    let rows = from_views(deadline, state.views.checkouts(&id, PAGE_MAX)).await?;
    Ok(CheckoutPage { data: rows.into_iter().map(CheckoutBody::of).collect() })
}

/// The sessions of an app that wait for money or for a person.
pub async fn waiting(
    state: &EdgeState,
    who: &Principal,
    wanted: Option<&str>,
    deadline: Timestamp,
) -> Result<CheckoutPage, Problem> {
    let wanted = match wanted {
        Some("pending") => CheckoutState::Pending,
        None | Some("parked") => CheckoutState::Parked,
        Some(_) => return Err(Problem::invalid("state", "must be pending or parked")),
    };
    super::wait_for_all(state, deadline).await?;
    let rows = state.views.checkouts_waiting(Some(&who.app), wanted, PAGE_MAX);
    let rows = from_views(deadline, rows).await?;
    Ok(CheckoutPage { data: rows.into_iter().map(CheckoutBody::of).collect() })
}

/// Looks at a session now, and shows it as it is then.
pub async fn refresh(
    state: &EdgeState,
    who: &Principal,
    session: &str,
    deadline: Timestamp,
) -> Result<CheckoutBody, Problem> {
    super::wait_for_all(state, deadline).await?;
    let row = of_app(state, who, session, deadline).await?;
    look(state, &row).await.map_err(|error| looked(&error))?;
    super::wait_for_all(state, deadline).await?;
    of_app(state, who, session, deadline).await.map(CheckoutBody::of)
}

/// Decides about a session that waits.
pub async fn resolve(
    state: &EdgeState,
    who: &Principal,
    session: &str,
    body: ResolveRequest,
    deadline: Timestamp,
) -> Result<CheckoutBody, Problem> {
    let outcome = match (body.credit, body.dismiss) {
        (Some(credit), false) => CheckoutOutcome::Credited(amount("credit", &credit)?),
        (None, true) => CheckoutOutcome::Dismissed,
        _ => return Err(Problem::invalid("credit", "must be given, or dismiss be true, but not both")),
    };
    super::wait_for_all(state, deadline).await?;
    let row = of_app(state, who, session, deadline).await?;
    let session_id = name("session", session, SessionId::new)?;
    let (account, actor) = (row.account, who.actor.clone());
    let command = SettleCheckout { account, session: session_id, outcome, actor };
    let ask = Ask::Command(Command::SettleCheckout(command));
    super::writes::ask_account(state, ask, deadline).await.map_err(undecided)?;
    super::wait_for_all(state, deadline).await?;
    of_app(state, who, session, deadline).await.map(CheckoutBody::of)
}

/// Only what is parked is decided by hand.
fn undecided(refused: Problem) -> Problem {
    let pending = "The session is pending: it may still be paid. It is parked when something else was paid or its time is \
                   over; a refresh looks at once.";
    match refused.body().code == Code::StepOutOfPlace.as_str() {
        true => refused.explained(pending),
        false => refused,
    }
}

/// How long views may take to know a session that was opened just now, in microseconds.
const JUST_OPENED: i64 = 2_000_000;

/// The session of this name. Who was paid at once tells of it before the views know it: they are waited for.
pub(crate) async fn named(state: &EdgeState, session: &str) -> Result<Option<CheckoutRow>, Problem> {
    let deadline = Timestamp(service_kit::clock::now()).plus(JUST_OPENED);
    let look = async || from_views(deadline, state.views.checkouts_named(session)).await;
    if let Some(row) = look().await?.into_iter().next() {
        return Ok(Some(row));
    }
    super::wait_for_all(state, deadline).await?;
    Ok(look().await?.into_iter().next())
}

/// Looks at a session.
pub(crate) async fn look(
    state: &EdgeState,
    row: &CheckoutRow,
) -> Result<crate::checkouts::Looked, LookError> {
    let Some(checkouts) = &state.house.checkouts else { return Ok(crate::checkouts::Looked::Pending) };
    let Ok(session) = SessionId::new(&row.session) else { return Ok(crate::checkouts::Looked::Pending) };
    let now = Timestamp(service_kit::clock::now());
    checkouts.look(&state.desk, &row.account, &session, row.expires_at, now).await
}

async fn of_app(
    state: &EdgeState,
    who: &Principal,
    session: &str,
    deadline: Timestamp,
) -> Result<CheckoutRow, Problem> {
    let rows = from_views(deadline, state.views.checkouts_named(session)).await?;
    let own = rows.into_iter().find(|row| row.account.app == who.app);
    own.ok_or_else(|| Problem::new(EdgeCode::NotFound, "The app has no such checkout session."))
}

async fn of_account(
    state: &EdgeState,
    account: &AccountId,
    session: &str,
    deadline: Timestamp,
) -> Result<CheckoutRow, Problem> {
    let rows = from_views(deadline, state.views.checkouts_named(session)).await?;
    let own = rows.into_iter().find(|row| row.account == *account);
    own.ok_or_else(|| Problem::new(EdgeCode::NotFound, "The account has no such checkout session."))
}

fn configured(state: &EdgeState) -> Result<&Checkouts, Problem> {
    let detail =
        "There is nobody here who takes in money: set LOCUS_API_KEY, or run without keys for the sandbox.";
    state.house.checkouts.as_ref().ok_or_else(|| Problem::new(EdgeCode::NotConfigured, detail))
}

fn upstream(error: &locus::Error) -> Problem {
    tracing::warn!(error = error as &dyn std::error::Error, "the provider of checkout sessions failed");
    Problem::new(EdgeCode::UpstreamFailed, "The provider of checkout sessions did not do its part.")
}

fn looked(error: &LookError) -> Problem {
    match error {
        LookError::Provider(error) => upstream(error),
        LookError::Another { .. } => Problem::new(EdgeCode::UpstreamFailed, error.to_string()),
        LookError::Rejected(rejection) => rejection.clone().into(),
        LookError::Ledger(failure) => failure.clone().into(),
    }
}

/// What webhooks of a session are signed with: its own secret, else that of the account at the provider.
///
/// Errors: the log can not be read now.
pub(crate) async fn webhook_secret(
    state: &EdgeState,
    row: &CheckoutRow,
) -> Result<Option<locus::Secret>, Problem> {
    let fallback = || state.house.checkouts.as_ref().and_then(|known| known.config.account_secret.clone());
    let event = super::event_at(state, row.opened).await?;
    let Event::CheckoutStepped(event) = event else { return Err(Problem::internal()) };
    let CheckoutStep::Opened { secret: Some(sealed), .. } = event.step else { return Ok(fallback()) };
    let opened = state.house.vault.as_ref().and_then(|vault| vault.open(&row.account, &sealed));
    let lost = || {
        Problem::new(
            EdgeCode::Unavailable,
            "The session's secret can not be opened: is DRIP_SECRET_KEY another one?",
        )
    };
    opened.map(locus::Secret::new).map(Some).ok_or_else(lost)
}
