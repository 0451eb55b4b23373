//! What workers ask and tell. They work for every app, so they name the account; and nobody else is let in here.

use ledger_core::command::{ClaimLifecycle, RecordNotice, RecordStep};
use ledger_core::event::{ContainerSettings, Event, Solvency, SolvencyChecked};
use ledger_core::rejection::Code;
use ledger_core::sealed::Sealed;
use ledger_core::upkeep::{Container, Notice, NoticeKind, NoticeStep, Operation, Step, Wanted};
use ledger_core::{AccountId, Command, Label, Level, LongText, Sequence, Timestamp, Usdc};
use projector::upkeep::ContainerRow;
use serde::{Deserialize, Serialize};

use crate::ask::{AccountView, Answer, Ask, Call};
use crate::edge::EdgeState;
use crate::edge::problem::{EdgeCode, Problem};

use super::writes::{ask_account, refusal};
use super::{event_at, from_views};

/// How long a worker's question may take, in microseconds.
const DEADLINE: i64 = 10_000_000;
/// How many rows a list of work has at most.
const PAGE_MAX: u32 = 1_000;
/// How many sleepers are listed at once: each is a call to the provider.
const SLEEPERS_MAX: u32 = 100;

fn soon() -> Timestamp {
    Timestamp(service_kit::clock::now()).plus(DEADLINE)
}

/// A worker wants to be the only one at a container.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimRequest {
    #[serde(flatten)]
    account: AccountId,
    worker: Label,
    hold_ms: u32,
}

/// A worker tells of a container.
#[derive(Debug, Deserialize)]
pub struct StepRequest {
    #[serde(flatten)]
    account: AccountId,
    worker: Label,
    after: u32,
    #[serde(flatten)]
    step: Step,
}

/// A container as workers see it.
#[derive(Debug, Serialize)]
pub struct ContainerWork {
    #[serde(flatten)]
    account: AccountId,
    wanted: Wanted,
    due: Option<Operation>,
    level: Level,
    container: Option<Container>,
    /// With a claim alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Settings>,
}

/// What a container is made of, in clear.
#[derive(Debug, Serialize)]
pub struct Settings {
    image: LongText,
    health_path: LongText,
    variables: serde_json::Map<String, serde_json::Value>,
}

impl ContainerWork {
    fn of(view: AccountView) -> Self {
        let container = view.upkeep.and_then(|upkeep| upkeep.container).map(|container| *container);
        Self {
            account: view.id,
            wanted: view.wanted,
            due: view.due,
            level: view.level,
            container,
            settings: None,
        }
    }
}

/// Claims what is due for a container; with its settings.
pub async fn claim(state: &EdgeState, asked: ClaimRequest) -> Result<ContainerWork, Problem> {
    let ClaimRequest { account, worker, hold_ms } = asked;
    // Settings that can not be opened lead nowhere: then nothing is claimed, and the log does not grow by that.
    let before = ContainerWork::of(ask_account(state, Ask::Get(account.clone()), soon()).await?.account);
    let due = before.container.filter(|_| before.due.is_some());
    let opened = match due.map(|container| container.settings) {
        Some(position) => Some((position, settings_at(state, &account, position).await?)),
        None => None,
    };
    let hold = i64::from(hold_ms) * 1_000;
    let command = Command::ClaimLifecycle(ClaimLifecycle { account, worker, hold });
    let answer = ask_account(state, Ask::Command(command), soon()).await?;
    let mut work = ContainerWork::of(answer.account);
    work.settings = match (work.container.as_ref().map(|container| container.settings), opened) {
        (Some(position), Some((known, settings))) if known == position => Some(settings),
        // Others were set in between.
        (Some(position), _) => Some(settings_at(state, &work.account, position).await?),
        (None, _) => None,
    };
    Ok(work)
}

/// Tells what was done or seen.
pub async fn step(state: &EdgeState, told: StepRequest) -> Result<ContainerWork, Problem> {
    let StepRequest { account, worker, after, step } = told;
    let command = Command::RecordStep(RecordStep { account, worker, after, step });
    let answer = ask_account(state, Ask::Command(command), soon()).await?;
    Ok(ContainerWork::of(answer.account))
}

/// Shows a container as its owner knows it.
pub async fn container(state: &EdgeState, account: AccountId) -> Result<ContainerWork, Problem> {
    let answer = ask_account(state, Ask::Get(account), soon()).await?;
    Ok(ContainerWork::of(answer.account))
}

async fn settings_at(
    state: &EdgeState,
    account: &AccountId,
    position: ledger_core::Position,
) -> Result<Settings, Problem> {
    let Event::ContainerSet(event) = event_at(state, position).await? else {
        return Err(Problem::internal());
    };
    let ContainerSettings { image, health_path, variables } = event.settings;
    let mut variables = match variables {
        Some(sealed) => opened(state, account, &sealed)?,
        None => serde_json::Map::new(),
    };
    let mut own = |name: &str, value: String| variables.insert(name.to_owned(), value.into());
    own("DRIP_APP", account.app.to_string());
    own("DRIP_USER_ID", account.user.to_string());
    // A token that can debit this account and nothing else: never a key of the house.
    if let Some(vault) = &state.house.vault {
        own("DRIP_API_KEY", vault.token(account));
    }
    if let Some(url) = &state.house.public_url {
        own("DRIP_URL", url.clone());
    }
    Ok(Settings { image, health_path, variables })
}

fn opened(
    state: &EdgeState,
    account: &AccountId,
    sealed: &Sealed,
) -> Result<serde_json::Map<String, serde_json::Value>, Problem> {
    let text = state.house.vault.as_ref().and_then(|vault| vault.open(account, sealed));
    let map = text.and_then(|text| serde_json::from_str(&text).ok());
    let lost = "The container's variables can not be opened: is DRIP_SECRET_KEY another one?";
    map.ok_or_else(|| Problem::new(EdgeCode::NotConfigured, lost))
}

/// Accounts whose container is not as it is wanted.
#[derive(Debug, Serialize)]
pub struct DuePage {
    data: Vec<DueContainer>,
    /// The page is full: there may be others behind it.
    more: bool,
}

/// One of them, as the views know it.
#[derive(Debug, Serialize)]
pub struct DueContainer {
    #[serde(flatten)]
    account: AccountId,
    phase: ledger_core::upkeep::Phase,
    retry_at: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// Lists what is due, behind an account.
pub async fn due(state: &EdgeState, after: Option<AccountId>) -> Result<DuePage, Problem> {
    let rows = from_views(soon(), state.views.containers_due(after.as_ref(), PAGE_MAX)).await?;
    let more = rows.len() == PAGE_MAX as usize;
    let data = rows.into_iter().map(|row| DueContainer {
        account: row.account,
        phase: row.phase,
        retry_at: row.retry_at,
        until: row.until,
    });
    Ok(DuePage { data: data.collect(), more })
}

/// Containers that sleep.
#[derive(Debug, Serialize)]
pub struct SleeperPage {
    data: Vec<Sleeper>,
    /// The page is full: there may be others behind it.
    more: bool,
}

/// One of them, as the views know it.
#[derive(Debug, Serialize)]
pub struct Sleeper {
    #[serde(flatten)]
    account: AccountId,
    service: String,
    steps: u32,
}

/// Lists what sleeps and can still run, behind an account.
pub async fn sleepers(state: &EdgeState, after: Option<AccountId>) -> Result<SleeperPage, Problem> {
    let rows = from_views(soon(), state.views.containers_asleep(after.as_ref(), SLEEPERS_MAX)).await?;
    let more = rows.len() == SLEEPERS_MAX as usize;
    let sleeper = |row: ContainerRow| {
        row.service.map(|service| Sleeper { account: row.account, service, steps: row.steps })
    };
    Ok(SleeperPage { data: rows.into_iter().filter_map(sleeper).collect(), more })
}

/// A mail, and what is needed to write it.
#[derive(Debug, Serialize)]
pub struct NoticeWork {
    #[serde(flatten)]
    account: AccountId,
    #[serde(flatten)]
    notice: Notice,
    /// Where the user can be written to.
    email: Option<String>,
    balance: Usdc,
    baseline: Usdc,
    /// The mail that was written with the first attempt.
    written: Option<serde_json::Value>,
    /// When it became due.
    due_at: Timestamp,
}

/// Mails that are not done with.
#[derive(Debug, Serialize)]
pub struct NoticesPage {
    data: Vec<OpenNotice>,
}

/// One of them, as the views know it.
#[derive(Debug, Serialize)]
pub struct OpenNotice {
    #[serde(flatten)]
    account: AccountId,
    kind: NoticeKind,
    epoch: u32,
    not_before: Option<Timestamp>,
}

/// Lists the mails that are not done with.
pub async fn notices(state: &EdgeState) -> Result<NoticesPage, Problem> {
    let rows = from_views(soon(), state.views.notices_open(PAGE_MAX)).await?;
    let data = rows.into_iter().map(|row| OpenNotice {
        account: row.account,
        kind: row.kind,
        epoch: row.epoch,
        not_before: row.not_before,
    });
    Ok(NoticesPage { data: data.collect() })
}

/// The newest mails of an account that are not done with, with what is needed to write them.
pub async fn notices_of(state: &EdgeState, account: AccountId) -> Result<Vec<NoticeWork>, Problem> {
    let view = ask_account(state, Ask::Get(account), soon()).await?.account;
    let notices = view.upkeep.as_ref().map(|upkeep| upkeep.notices.clone()).unwrap_or_default();
    let open: Vec<_> = notices.into_iter().filter(|notice| !notice.state.is_final()).collect();
    if open.is_empty() {
        return Ok(vec![]);
    }
    let email = email_of(state, &view).await?;
    let mut work = Vec::new();
    for notice in open {
        work.push(notice_work(state, &view, notice, email.clone()).await?);
    }
    Ok(work)
}

async fn notice_work(
    state: &EdgeState,
    view: &AccountView,
    notice: Notice,
    email: Option<String>,
) -> Result<NoticeWork, Problem> {
    let written = match notice.mail {
        Some(position) => written_at(state, position).await?,
        None => None,
    };
    let due_at = time_of(state, notice.cause).await?;
    let (balance, baseline) = (view.balance, view.baseline);
    Ok(NoticeWork { account: view.id.clone(), notice, email, balance, baseline, written, due_at })
}

async fn written_at(
    state: &EdgeState,
    position: ledger_core::Position,
) -> Result<Option<serde_json::Value>, Problem> {
    let Event::NoticeStepped(event) = event_at(state, position).await? else {
        return Err(Problem::internal());
    };
    let NoticeStep::Claimed { mail: Some(mail), .. } = event.step else { return Ok(None) };
    Ok(mail.plain_text().and_then(|text| serde_json::from_str(text).ok()))
}

/// When the commit of a position was written.
async fn time_of(state: &EdgeState, position: ledger_core::Position) -> Result<Timestamp, Problem> {
    let unreadable = || Problem::new(EdgeCode::Unavailable, "The log can not be read now.");
    let entry = state.log.read(position.partition, position.sequence).await.map_err(|_| unreadable())?;
    let Some(event_log::Entry::Commit(stored)) = entry else { return Err(unreadable()) };
    Ok(ledger_core::commit::Commit::decode(&stored.bytes).map_err(|_| unreadable())?.time)
}

/// As it was given at the opening; the log knows it, so that no view must have come so far.
async fn email_of(state: &EdgeState, view: &AccountView) -> Result<Option<String>, Problem> {
    #[derive(Deserialize)]
    struct Profile {
        email: Option<String>,
    }
    let Event::AccountOpened(event) = event_at(state, view.opened).await? else {
        return Err(Problem::internal());
    };
    let profile = event.profile.as_ref().and_then(Sealed::plain_text);
    Ok(profile.and_then(|text| serde_json::from_str::<Profile>(text).ok()).and_then(|known| known.email))
}

/// A worker tells of a mail, or claims it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeRequest {
    app: ledger_core::AppId,
    user_id: ledger_core::UserId,
    worker: Label,
    kind: NoticeKind,
    epoch: u32,
    after: u32,
    #[serde(default)]
    cooldown_ms: u32,
    told: ToldNotice,
}

/// What it tells.
#[derive(Debug, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
pub enum ToldNotice {
    /// It will send it.
    Claimed {
        /// For so long.
        hold_ms: u32,
        /// The mail, with the first attempt.
        mail: Option<serde_json::Value>,
    },
    /// The provider took it.
    Sent {
        /// As the provider calls it.
        message_id: LongText,
    },
    /// The attempt failed.
    Failed {
        /// What was seen.
        reason: LongText,
        /// Not before then.
        retry_at: Timestamp,
    },
    /// It will not be sent.
    Abandoned {
        /// Why.
        reason: LongText,
    },
    /// It is not true any more.
    Superseded,
}

/// What became of a mail.
#[derive(Debug, Serialize)]
pub struct NoticeTold {
    notice: Option<Notice>,
}

/// Takes in what a worker tells of a mail.
pub async fn tell_notice(state: &EdgeState, request: NoticeRequest) -> Result<NoticeTold, Problem> {
    let NoticeRequest { app, user_id, worker, kind, epoch, after, cooldown_ms, told } = request;
    let now = Timestamp(service_kit::clock::now());
    let step = match told {
        ToldNotice::Claimed { hold_ms, mail } => NoticeStep::Claimed {
            until: now.plus(i64::from(hold_ms) * 1_000),
            mail: mail.map(|mail| Sealed::plain(mail.to_string())),
        },
        ToldNotice::Sent { message_id } => NoticeStep::Sent { message_id },
        ToldNotice::Failed { reason, retry_at } => NoticeStep::Failed { reason, retry_at },
        ToldNotice::Abandoned { reason } => NoticeStep::Abandoned { reason },
        ToldNotice::Superseded => NoticeStep::Superseded,
    };
    let account = AccountId { app, user: user_id };
    let cooldown = i64::from(cooldown_ms) * 1_000;
    let command = RecordNotice { account, worker, kind, epoch, after, cooldown, step };
    let answer = ask_account(state, Ask::Command(Command::RecordNotice(command)), soon()).await?;
    let notice = answer.account.upkeep.as_ref().and_then(|upkeep| upkeep.notice_of(kind, epoch).cloned());
    Ok(NoticeTold { notice })
}

/// What was found at the providers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolvencyRequest {
    worker: Label,
    wallet: Option<Usdc>,
    promo: Option<Usdc>,
    build_credits: Option<Usdc>,
    build_monthly: Option<Usdc>,
    /// Below this, or the balances, it is critical.
    floor: Usdc,
}

/// How it compares.
#[derive(Debug, Serialize)]
pub struct SolvencyTold {
    wallet_level: Solvency,
    build_level: Solvency,
    balances: Usdc,
}

/// Compares what users hold with what there is for them, and writes it down.
pub async fn solvency(state: &EdgeState, found: SolvencyRequest) -> Result<SolvencyTold, Problem> {
    let (balances, positions) = from_views(soon(), state.views.balances()).await?;
    let read = |partition| positions.iter().find(|known| known.partition == partition);
    let positions: Vec<Sequence> =
        state.desk.partitions().map(|partition| read(partition).map_or(0, |known| known.sequence)).collect();
    let there = found.wallet.and_then(|wallet| wallet.checked_add(found.promo.unwrap_or(Usdc::ZERO)));
    let wallet_level = level(there, balances.max(found.floor));
    let build_level = match (found.build_credits, found.build_monthly) {
        (Some(credits), Some(monthly)) => level(Some(credits), monthly),
        _ => Solvency::Unknown,
    };
    let checked = SolvencyChecked {
        balances,
        positions,
        wallet: found.wallet,
        promo: found.promo,
        wallet_level,
        build_credits: found.build_credits,
        build_monthly: found.build_monthly,
        build_level,
        worker: found.worker,
    };
    match state.desk.ask(Call { ask: Ask::Solvency(Box::new(checked)), deadline: soon() }).await {
        Answer::Recorded(_) => Ok(SolvencyTold { wallet_level, build_level, balances }),
        other => Err(refusal(other)),
    }
}

/// Less than is needed is critical, less than a fifth more a warning. What is not known is no zero.
fn level(there: Option<Usdc>, needed: Usdc) -> Solvency {
    let Some(there) = there else { return Solvency::Unknown };
    let comfortable = i128::from(needed.credits()) * 6 / 5;
    if there < needed {
        Solvency::Critical
    } else if i128::from(there.credits()) < comfortable {
        Solvency::Warn
    } else {
        Solvency::Ok
    }
}

/// The codes that tell a worker to look again or to go on to the next, and no more.
pub const ORDINARY: &[Code] = &[Code::NothingDue, Code::Claimed, Code::TooEarly, Code::Moved];
