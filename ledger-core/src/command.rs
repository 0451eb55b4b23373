//! Commands: what a caller may ask, already parsed.

use crate::event::{ContainerSettings, Usage};
use crate::ids::{AccountId, Key, Label, LongText, SessionId};
use crate::money::Usdc;
use crate::sealed::Sealed;
use crate::time::Timestamp;
use crate::upkeep::{NoticeKind, NoticeStep, ParkReason, Step};

/// One thing asked of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Open the account. When it exists, nothing changes.
    Open(Open),
    /// Give money.
    Grant(AddMoney),
    /// Record money that was paid.
    Deposit(AddMoney),
    /// Pay for usage.
    Debit(Debit),
    /// Close the account. When it is closed, nothing changes.
    Close(Close),
    /// Say what the account's container is to be: it is deployed with that.
    SetContainer(SetContainer),
    /// Put the account to sleep. When a person did so before, nothing changes.
    Hibernate(Hibernate),
    /// Wake the account. When it is awake, nothing changes.
    Restore(Restore),
    /// A worker asks to be the only one at the container.
    ClaimLifecycle(ClaimLifecycle),
    /// A worker tells of the container.
    RecordStep(RecordStep),
    /// A worker tells of a mail, or asks to be the only one to send it.
    RecordNotice(RecordNotice),
    /// Keep a checkout session that was just made.
    OpenCheckout(OpenCheckout),
    /// Take in what became of a session.
    SettleCheckout(SettleCheckout),
}

/// Open an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The account.
    pub account: AccountId,
    /// The caller's key, if it chose one: an opening needs none, the account itself is enough.
    pub key: Option<Key>,
    /// What to grant at once; zero for nothing.
    pub initial_balance: Usdc,
    /// Who asks.
    pub actor: Label,
    /// `{"email": …, "metadata": …}`.
    pub profile: Option<Sealed>,
}

/// Grant or deposit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddMoney {
    /// The account.
    pub account: AccountId,
    /// The caller's key.
    pub key: Key,
    /// How much.
    pub amount: Usdc,
    /// Who asks.
    pub actor: Label,
    /// The caller's own data.
    pub metadata: Option<Sealed>,
}

/// Debit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debit {
    /// What is to be paid for.
    pub usage: Usage,
    /// Only tell what would happen.
    pub dry_run: bool,
}

/// Close an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The account.
    pub account: AccountId,
    /// The caller's key, if it chose one.
    pub key: Option<Key>,
    /// Who asks.
    pub actor: Label,
}

/// Say what the account's container is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetContainer {
    /// The account.
    pub account: AccountId,
    /// The caller's key, if it chose one.
    pub key: Option<Key>,
    /// What it is to be.
    pub settings: ContainerSettings,
    /// Who asks.
    pub actor: Label,
}

/// Put the account to sleep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hibernate {
    /// The account.
    pub account: AccountId,
    /// The caller's key, if it chose one.
    pub key: Option<Key>,
    /// Who asks.
    pub actor: Label,
}

/// Wake the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// The account.
    pub account: AccountId,
    /// The caller's key, if it chose one.
    pub key: Option<Key>,
    /// Also without credit.
    pub force: bool,
    /// Who asks.
    pub actor: Label,
}

/// A worker asks to be the only one at the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimLifecycle {
    /// The account.
    pub account: AccountId,
    /// The worker.
    pub worker: Label,
    /// For so many microseconds.
    pub hold: i64,
}

/// A worker tells of the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordStep {
    /// The account.
    pub account: AccountId,
    /// The worker.
    pub worker: Label,
    /// How many steps it knows of: if there are others, it must look again.
    pub after: u32,
    /// What it tells; nothing of claims.
    pub step: Step,
}

/// A worker tells of a mail, or asks to be the only one to send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordNotice {
    /// The account.
    pub account: AccountId,
    /// The worker.
    pub worker: Label,
    /// What the mail is about.
    pub kind: NoticeKind,
    /// The epoch it belongs to.
    pub epoch: u32,
    /// How many steps of it the worker knows of.
    pub after: u32,
    /// At least so many microseconds lie between two mails of a kind. Matters to claims alone.
    pub cooldown: i64,
    /// What it tells.
    pub step: NoticeStep,
}

/// Keep a checkout session that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCheckout {
    /// The account that it will pay.
    pub account: AccountId,
    /// The session.
    pub session: SessionId,
    /// How much it asks for.
    pub amount: Usdc,
    /// Where the user pays.
    pub url: LongText,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The caller's key, if it chose one.
    pub key: Option<Key>,
    /// What its webhooks are signed with, encrypted.
    pub secret: Option<Sealed>,
    /// Who asks.
    pub actor: Label,
}

/// Take in what became of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettleCheckout {
    /// The account that opened it.
    pub account: AccountId,
    /// The session.
    pub session: SessionId,
    /// What became of it.
    pub outcome: CheckoutOutcome,
    /// Who says so.
    pub actor: Label,
}

/// What became of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckoutOutcome {
    /// The provider says that it was paid.
    Paid {
        /// How much, as far as the provider tells; `None` is not known, and no zero.
        amount: Option<Usdc>,
        /// The payment's transaction.
        transaction: Option<LongText>,
    },
    /// It ended without money.
    Ended(ParkReason),
    /// A person lets it bring this, whatever was asked for.
    Credited(Usdc),
    /// A person decides that nothing comes of it.
    Dismissed,
}

impl Command {
    /// The account it is about.
    pub fn account(&self) -> &AccountId {
        match self {
            Self::Open(command) => &command.account,
            Self::Grant(command) | Self::Deposit(command) => &command.account,
            Self::Debit(command) => &command.usage.account,
            Self::Close(command) => &command.account,
            Self::SetContainer(command) => &command.account,
            Self::Hibernate(command) => &command.account,
            Self::Restore(command) => &command.account,
            Self::ClaimLifecycle(command) => &command.account,
            Self::RecordStep(command) => &command.account,
            Self::RecordNotice(command) => &command.account,
            Self::OpenCheckout(command) => &command.account,
            Self::SettleCheckout(command) => &command.account,
        }
    }

    /// The caller's key.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::Open(command) => command.key.as_ref(),
            Self::Grant(command) | Self::Deposit(command) => Some(&command.key),
            Self::Debit(command) => command.usage.key.as_ref(),
            Self::Close(command) => command.key.as_ref(),
            Self::SetContainer(command) => command.key.as_ref(),
            Self::Hibernate(command) => command.key.as_ref(),
            Self::Restore(command) => command.key.as_ref(),
            Self::OpenCheckout(command) => command.key.as_ref(),
            Self::ClaimLifecycle(_) | Self::RecordStep(_) | Self::RecordNotice(_) => None,
            Self::SettleCheckout(_) => None,
        }
    }
}
