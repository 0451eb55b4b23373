//! Requests and answers about the upkeep of accounts.

use std::collections::BTreeMap;

use ledger_core::command::{Hibernate, Restore, SetContainer};
use ledger_core::event::ContainerSettings;
use ledger_core::upkeep::{Container, NoticeKind, NoticeState, Operation, Phase};
use ledger_core::{Key, LongText, Position, Usdc, UserId};
use projector::upkeep::{LogRow, NoticeRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::edge::agent_log::sentence;
use crate::edge::auth::Principal;
use crate::edge::dto::convert::{account, name, optional, required};
use crate::edge::dto::variables;
use crate::edge::problem::Problem;
use crate::edge::time::to_rfc3339;
use crate::vault::Vault;

/// Where a container answers that it is well, when nothing else is said.
const HEALTH_PATH: &str = "/health";
/// How long an image and a health path may be, in bytes.
const IMAGE_MAX: usize = 500;
const HEALTH_PATH_MAX: usize = 200;

/// What an account's container is to be.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerRequest {
    /// Must be the caller's own.
    pub app: Option<String>,
    /// The user (over HTTP the path names it).
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    pub user_id: Option<String>,
    /// A public image with its tag, for linux/arm64, that answers on port 8080.
    #[schema(required, value_type = String, min_length = 1, max_length = 500, pattern = "^[^\\u0000-\\u0020\\u007f-\\u009f]+$")]
    pub image: Option<String>,
    /// Where it answers 200 when it is well: `/health` when not said.
    #[schema(min_length = 1, max_length = 200, pattern = "^/[!-~]*$")]
    pub health_path: Option<String>,
    /// Its environment: up to 100 variables. Those that begin with `DRIP_` are Drip's own.
    #[schema(schema_with = variables::schema)]
    pub variables: Option<BTreeMap<String, String>>,
    /// The caller's idempotency key.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    pub key: Option<String>,
    /// RFC 3339; at most 30 seconds ahead. After it nothing is decided.
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
}

/// The container that a new user gets.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenContainer {
    /// A public image with its tag, for linux/arm64, that answers on port 8080.
    #[schema(required, value_type = String, min_length = 1, max_length = 500, pattern = "^[^\\u0000-\\u0020\\u007f-\\u009f]+$")]
    pub image: Option<String>,
    /// Where it answers 200 when it is well: `/health` when not said.
    #[schema(min_length = 1, max_length = 200, pattern = "^/[!-~]*$")]
    pub health_path: Option<String>,
    /// Its environment: up to 100 variables. Those that begin with `DRIP_` are Drip's own.
    #[schema(schema_with = variables::schema)]
    pub variables: Option<BTreeMap<String, String>>,
}

impl OpenContainer {
    /// The same, of this user.
    pub(crate) fn of_user(self, user_id: Option<String>) -> ContainerRequest {
        let Self { image, health_path, variables } = self;
        ContainerRequest { user_id, image, health_path, variables, ..ContainerRequest::default() }
    }
}

/// Put an account to sleep: its container hibernates, and debits are refused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HibernateRequest {
    /// Must be the caller's own.
    pub app: Option<String>,
    /// The user (over HTTP the path names it).
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    pub user_id: Option<String>,
    /// The caller's idempotency key. It needs none: to put to sleep again changes nothing.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    pub key: Option<String>,
    /// RFC 3339; at most 30 seconds ahead. After it nothing is decided.
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
}

/// Wake an account.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreRequest {
    /// Must be the caller's own.
    pub app: Option<String>,
    /// The user (over HTTP the path names it).
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    pub user_id: Option<String>,
    /// Also without credit: it runs until money comes in, or until it is put to sleep again.
    #[serde(default)]
    pub force: bool,
    /// The caller's idempotency key. It needs none: to wake what is awake changes nothing.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    pub key: Option<String>,
    /// RFC 3339; at most 30 seconds ahead. After it nothing is decided.
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
}

impl ContainerRequest {
    /// The command. Problem: the first field that can not be what it should.
    pub(crate) fn into_command(
        self,
        who: &Principal,
        vault: Option<&Vault>,
    ) -> Result<SetContainer, Problem> {
        let account = account(who, &required("user_id", self.user_id)?)?;
        let image = checked_image(&required("image", self.image)?)?;
        let health_path = checked_path(self.health_path.as_deref().unwrap_or(HEALTH_PATH))?;
        let variables = match self.variables.filter(|variables| !variables.is_empty()) {
            Some(variables) => Some(variables::seal(&account, &variables, vault)?),
            None => None,
        };
        let settings = ContainerSettings { image, health_path, variables };
        let key = optional("key", self.key, Key::new)?;
        Ok(SetContainer { account, key, settings, actor: who.actor.clone() })
    }
}

fn checked_image(text: &str) -> Result<LongText, Problem> {
    if text.len() > IMAGE_MAX {
        return Err(Problem::invalid("image", format_args!("must be at most {IMAGE_MAX} bytes")));
    }
    if text.contains(' ') {
        return Err(Problem::invalid("image", "must not contain spaces"));
    }
    name("image", text, LongText::new)
}

fn checked_path(text: &str) -> Result<LongText, Problem> {
    if text.len() > HEALTH_PATH_MAX {
        return Err(Problem::invalid("health_path", format_args!("must be at most {HEALTH_PATH_MAX} bytes")));
    }
    if !text.starts_with('/') || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Problem::invalid("health_path", "must begin with '/', and be ASCII without spaces"));
    }
    name("health_path", text, LongText::new)
}

impl HibernateRequest {
    /// The command. Problem: the first field that can not be what it should.
    pub fn into_command(self, who: &Principal) -> Result<Hibernate, Problem> {
        let account = account(who, &required("user_id", self.user_id)?)?;
        Ok(Hibernate { account, key: optional("key", self.key, Key::new)?, actor: who.actor.clone() })
    }
}

impl RestoreRequest {
    /// The command. Problem: the first field that can not be what it should.
    pub fn into_command(self, who: &Principal) -> Result<Restore, Problem> {
        let account = account(who, &required("user_id", self.user_id)?)?;
        let (key, force) = (optional("key", self.key, Key::new)?, self.force);
        Ok(Restore { account, key, force, actor: who.actor.clone() })
    }
}

/// The container of an account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Container)]
pub struct ContainerBody {
    /// `absent`, `creating`, `starting`, `running`, `stopping` or `asleep`.
    #[schema(value_type = String, example = "running")]
    pub phase: Phase,
    /// What is under way: `provision`, `hibernate`, `restore` or `deprovision`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub operation: Option<Operation>,
    /// Where it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub url: Option<LongText>,
    /// How often what is under way has failed.
    pub attempts: u16,
    /// When it is tried again, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<String>,
}

impl ContainerBody {
    /// As its owner knows it.
    pub fn of(container: &Container) -> Self {
        let progress = container.progress;
        let retry_at = progress.map(|progress| progress.retry_at).filter(|at| at.0 > 0);
        Self {
            phase: container.phase,
            operation: progress.map(|progress| progress.operation),
            url: container.url.clone(),
            attempts: progress.map_or(0, |progress| progress.attempts),
            retry_at: retry_at.map(to_rfc3339),
        }
    }
}

/// A mail to the user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notice)]
pub struct NoticeBody {
    /// `low_credit`, `paused`, `restored` or `plan_suggestion`.
    #[schema(value_type = String, example = "low_credit")]
    pub kind: NoticeKind,
    /// The account's epoch that it belongs to: there is one mail a kind and epoch.
    pub epoch: u32,
    /// `due`, `sending`, `retrying`, `sent`, `abandoned` or `superseded`.
    #[schema(value_type = String, example = "sent")]
    pub state: NoticeState,
    /// How often it was tried.
    pub attempts: u16,
    /// Why it failed, or will not be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// As the provider calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// When it became due.
    pub due_at: String,
    /// The event that made it due.
    #[schema(value_type = String)]
    pub due: Position,
}

impl NoticeBody {
    /// As the views know it.
    pub fn of(row: NoticeRow) -> Self {
        Self {
            kind: row.kind,
            epoch: row.epoch,
            state: row.state,
            attempts: row.attempts,
            reason: row.reason,
            message_id: row.message_id,
            due_at: to_rfc3339(row.due_at),
            due: row.due,
        }
    }
}

/// The mails of an account, the newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notices)]
pub struct NoticePage {
    /// The mails.
    pub data: Vec<NoticeBody>,
}

/// One line of the agent log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogLine)]
pub struct LogBody {
    /// When.
    pub at: String,
    /// Whose account; absent: of no account alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub user_id: Option<UserId>,
    /// A sentence.
    #[schema(example = "balance depleted: 0 USDC of 1 USDC left")]
    pub message: String,
    /// The event that it tells of.
    #[schema(value_type = String)]
    pub position: Position,
    /// What kind of signal it is.
    #[schema(example = "crossed")]
    pub kind: String,
}

impl LogBody {
    /// As the views know it.
    pub fn of(row: &LogRow) -> Self {
        let kind = serde_json::to_value(row.kind).ok();
        Self {
            at: to_rfc3339(row.recorded_at),
            user_id: row.account.as_ref().map(|id| id.user.clone()),
            message: sentence(row),
            position: row.position,
            kind: kind.and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default(),
        }
    }
}

/// A page of the agent log, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogPage)]
pub struct LogPage {
    /// The lines.
    pub data: Vec<LogBody>,
    /// Hand it in as `after_id` to read on; also when there is nothing more yet.
    pub last_id: String,
}

/// What users hold, and what there is for them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Wallet)]
pub struct WalletBody {
    /// `ok`, `warn`, `critical` or `unknown`: the wallet against what users hold.
    #[schema(value_type = String, example = "ok")]
    pub level: ledger_core::event::Solvency,
    /// The sum of the balances of all users, in USDC.
    #[schema(value_type = String)]
    pub balances: Usdc,
    /// USDC in the wallet; `null`: it could not be read.
    #[schema(value_type = Option<String>, required)]
    pub wallet: Option<Usdc>,
    /// Promotional credit beside it.
    #[schema(value_type = Option<String>, required)]
    pub promo: Option<Usdc>,
    /// The credits for containers against what they cost a month.
    #[schema(value_type = String, example = "ok")]
    pub build_level: ledger_core::event::Solvency,
    /// Credits for containers, in USD; `null`: they could not be read.
    #[schema(value_type = Option<String>, required)]
    pub build_credits: Option<Usdc>,
    /// What the containers cost a month, in USD.
    #[schema(value_type = Option<String>, required)]
    pub build_monthly: Option<Usdc>,
    /// When it was compared.
    pub checked_at: String,
}
