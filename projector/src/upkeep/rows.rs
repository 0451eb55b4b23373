//! Rows of the upkeep of accounts, as queries give them back.

use ledger_core::event::Solvency;
use ledger_core::upkeep::{NoticeKind, NoticeState, Operation, ParkReason, Phase, Strategy};
use ledger_core::{AccountId, Position, Sequence, Timestamp, Usdc};
use serde::{Deserialize, Serialize};

/// The container of an account after its last step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerRow {
    /// The account.
    pub account: AccountId,
    /// The image of the settings in force.
    pub image: String,
    /// Where it answers that it is well.
    pub health_path: String,
    /// The event that holds the settings in force.
    pub set: Position,
    /// Its time.
    pub set_at: Timestamp,
    /// How it stands.
    pub phase: Phase,
    /// Counts the steps of workers.
    pub steps: u32,
    /// It has run since it was made.
    pub ran: bool,
    /// It was deployed with the settings in force.
    pub deployed: bool,
    /// As the provider calls it.
    pub project: Option<String>,
    /// As the provider calls it.
    pub environment: Option<String>,
    /// As the provider calls it.
    pub service: Option<String>,
    /// As the provider calls it.
    pub deployment: Option<String>,
    /// Where the service answers.
    pub url: Option<String>,
    /// How it was last put to sleep, until it is seen asleep.
    pub strategy: Option<Strategy>,
    /// What was claimed last, until it is done.
    pub operation: Option<Operation>,
    /// Who is at it.
    pub worker: Option<String>,
    /// Until when no other worker is.
    pub until: Option<Timestamp>,
    /// How often the operation failed.
    pub attempts: u16,
    /// Not before then.
    pub retry_at: Option<Timestamp>,
    /// The time that was set for it is over.
    pub gave_up: bool,
    /// Of the last failure, until it is done.
    pub reason: Option<String>,
    /// When a worker last told something.
    pub stepped_at: Option<Timestamp>,
}

/// A mail: a kind and an epoch of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRow {
    /// The account.
    pub account: AccountId,
    /// What it is about.
    pub kind: NoticeKind,
    /// The epoch.
    pub epoch: u32,
    /// How far it is.
    pub state: NoticeState,
    /// Counts the steps of workers.
    pub steps: u32,
    /// How often a worker began to send it.
    pub attempts: u16,
    /// Until when no other worker sends it, or before when it is not tried again.
    pub not_before: Option<Timestamp>,
    /// Who is at it.
    pub worker: Option<String>,
    /// As the provider calls it.
    pub message_id: Option<String>,
    /// Why the last attempt failed, or why it will not be sent.
    pub reason: Option<String>,
    /// When it became due.
    pub due_at: Timestamp,
    /// The event that made it due.
    pub due: Position,
    /// The event that holds its text.
    pub mail: Option<Position>,
    /// When a worker last told something.
    pub stepped_at: Option<Timestamp>,
}

/// How far a checkout session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckoutState {
    /// It waits to be paid.
    Pending,
    /// Its money is in the account.
    Paid,
    /// It waits for a person.
    Parked,
    /// A person decided that nothing comes of it.
    Dismissed,
}

/// A checkout session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutRow {
    /// The account that it pays.
    pub account: AccountId,
    /// As the provider calls it.
    pub session: String,
    /// What it asks for.
    pub amount: Usdc,
    /// Where the user pays.
    pub url: String,
    /// How far it is.
    pub state: CheckoutState,
    /// Why it is parked.
    pub reason: Option<ParkReason>,
    /// What was paid, where it is parked and that is known.
    pub paid: Option<Usdc>,
    /// The transaction, when the provider told it.
    pub payment: Option<String>,
    /// The caller's idempotency key.
    pub key: Option<String>,
    /// Who did what was done last.
    pub actor: String,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// The event that opened it.
    pub opened: Position,
    /// When something last happened to it.
    pub stepped_at: Timestamp,
}

/// A comparison of the money that users hold with what there is for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SolvencyRow {
    /// Where it stands in the log.
    pub position: Position,
    /// The time of its commit.
    pub recorded_at: Timestamp,
    /// The sum of all balances.
    pub balances: Usdc,
    /// The commit of each partition up to which they were summed up.
    pub positions: Vec<Sequence>,
    /// USDC; `None`: it could not be read.
    pub wallet: Option<Usdc>,
    /// Promotional credit beside it.
    pub promo: Option<Usdc>,
    /// The wallet against the balances.
    pub wallet_level: Solvency,
    /// Credits for containers; `None`: they could not be read.
    pub build_credits: Option<Usdc>,
    /// What the containers cost a month.
    pub build_monthly: Option<Usdc>,
    /// The credits against a month.
    pub build_level: Solvency,
    /// Who compared.
    pub worker: String,
}

/// What a row of the agent log tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// An account was opened.
    Opened,
    /// Money was given.
    Granted,
    /// Money was paid in.
    Deposited,
    /// The level fell past a line.
    Crossed,
    /// An account was closed.
    Closed,
    /// What a container is to be.
    ContainerSet,
    /// A person put the account to sleep.
    Paused,
    /// A person woke the account.
    Resumed,
    /// A worker at a container.
    Lifecycle,
    /// A worker at a mail.
    Notice,
    /// A checkout session.
    Checkout,
    /// What users hold, and what there is for them.
    Solvency,
}

/// One signal, for people to read. What a column holds for which kind stands in `docs/auditing.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// Where it stands in the log.
    pub position: Position,
    /// The time of its commit.
    pub recorded_at: Timestamp,
    /// The account; `None`: it is of no account alone.
    pub account: Option<AccountId>,
    /// What it tells of.
    pub kind: LogKind,
    /// Which step of a container, a mail or a session.
    pub step: Option<String>,
    /// What it is about.
    pub subject: Option<String>,
    /// How much.
    pub amount: Option<Usdc>,
    /// The balance of the account after it.
    pub balance: Option<Usdc>,
    /// An image, an address, a reason.
    pub text: Option<String>,
    /// Who did it.
    pub actor: Option<String>,
}
