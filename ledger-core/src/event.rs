//! Events: what happened, with its outcome. Replay never decides again.
//!
//! The serde names here are the ones people see (`drip events`, `schemas/event.json`). The bytes of the log are
//! made in [`crate::commit`], whose short names are frozen.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use smallvec::SmallVec;

use crate::charge::Charge;
use crate::commit::Hash;
use crate::ids::{
    AccountId, AppId, Key, Label, LogId, LongText, Meter, Scope, Sequence, SessionId, SourceName, TermNonce,
};
use crate::level::{Level, Line};
use crate::money::Usdc;
use crate::policy::Policy;
use crate::rejection::Code;
use crate::sealed::Sealed;
use crate::slots::SlotMap;
use crate::time::Timestamp;
use crate::upkeep::{CheckoutStep, NoticeKind, NoticeStep, Phase, Step};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The log begins. The first event of every partition.
    Genesis(Genesis),
    /// An owner begins its term.
    TermOpened(TermOpened),
    /// An app's rules from here on.
    PolicySet(PolicySet),
    /// An account exists from here on.
    AccountOpened(AccountOpened),
    /// Money was given.
    Granted(MoneyIn),
    /// Money was paid in.
    Deposited(MoneyIn),
    /// Usage was paid for.
    Debited(Debited),
    /// Usage was refused, and this had to be kept: it dusted the account, or it is a source's item.
    Declined(Declined),
    /// The level fell past a line.
    Crossed(Crossed),
    /// The account is closed from here on.
    AccountClosed(AccountClosed),
    /// A source was applied up to here in this partition.
    SourceMarked(SourceMarked),
    /// Older keys of usage are forgotten from here on.
    HorizonRaised(HorizonRaised),
    /// What the account's container is to be.
    ContainerSet(ContainerSet),
    /// A person put the account to sleep.
    Paused(Paused),
    /// A person woke the account.
    Resumed(Resumed),
    /// A worker tells of the container.
    LifecycleStepped(LifecycleStepped),
    /// A worker tells of a mail.
    NoticeStepped(NoticeStepped),
    /// A checkout session was opened, paid, parked or dismissed.
    CheckoutStepped(CheckoutStepped),
    /// The money that users hold was compared with what there is for them.
    SolvencyChecked(SolvencyChecked),
}

/// The beginning of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Genesis {
    /// The log's identity.
    pub log: LogId,
    /// The format of everything that follows.
    pub format: u16,
    /// How many partitions the log has.
    pub partitions: u16,
    /// Who owns which slots.
    pub slots: SlotMap,
}

/// An owner's first act. That it could be appended proves that the owner had replayed all there was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TermOpened {
    /// The term's random number; every commit of the term names it.
    pub nonce: TermNonce,
    /// The sequence of the last valid commit the owner had replayed.
    pub head: Sequence,
    /// The program that opened it, "drip 0.1.0".
    pub program: Label,
}

/// An app's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PolicySet {
    /// The app.
    pub app: AppId,
    /// Counts the app's policies in this partition, from 1.
    pub number: u32,
    /// The rules.
    pub policy: Policy,
}

/// A new account, perhaps with a first grant that is part of the opening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AccountOpened {
    /// The account.
    #[serde(flatten)]
    pub account: AccountId,
    /// The caller's key, when it gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// What was granted at once: lot 1 when not zero. Also the balance and the baseline.
    pub initial_balance: Usdc,
    /// The level it opens at; no crossing, even at zero.
    pub level: Level,
    /// Who opened it.
    pub actor: Label,
    /// `{"email": …, "metadata": …}` as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Sealed>,
}

/// Money in: a deposit or a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MoneyIn {
    /// The account.
    #[serde(flatten)]
    pub account: AccountId,
    /// The caller's key: remembered for ever.
    pub key: Key,
    /// How much.
    pub amount: Usdc,
    /// The number of the lot it made, counted from 1 in each account.
    pub lot: u32,
    /// Lots of a lower priority are burned first.
    pub priority: u8,
    /// The balance after.
    pub balance: Usdc,
    /// The baseline after.
    pub baseline: Usdc,
    /// The level after.
    pub level: Level,
    /// The epoch that this began, when the level rose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch_started: Option<u32>,
    /// It ended a sleep that the user was to hear of: so is its end.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub wakes: bool,
    /// Who did it.
    pub actor: Label,
    /// The caller's own data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Sealed>,
}

/// Which item of which source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SourceItem {
    /// The source.
    pub source: SourceName,
    /// The item's number in it, from 1.
    pub number: u64,
}

/// What a debit asks to be paid for: all that makes two debits the same or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Usage {
    /// The account.
    #[serde(flatten)]
    pub account: AccountId,
    /// The caller's key. None for a source's item: its number serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The source's item this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<SourceItem>,
    /// `amount` or `items`, as asked.
    #[serde(flatten)]
    pub charge: Charge,
    /// What was metered.
    pub meter: Meter,
    /// Where in the developer's product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// When the usage happened, if not when it was asked. Microseconds since 1970, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// The caller's own data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Sealed>,
}

/// What one debit took from one lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Slice {
    /// The lot's number in the account.
    pub lot: u32,
    /// How much.
    pub amount: Usdc,
}

/// What one debit took from which lots; nearly always from one.
pub type Slices = SmallVec<[Slice; 1]>;

fn as_slice<S: Serializer>(slices: &Slices, serializer: S) -> Result<S::Ok, S::Error> {
    slices.as_slice().serialize(serializer)
}

/// A paid debit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Debited {
    /// What was asked.
    #[serde(flatten)]
    pub usage: Usage,
    /// The whole credits taken.
    pub charged: Usdc,
    /// The part of `charged` that goes to `$fee`.
    pub fee: Usdc,
    /// The lots it was taken from; empty when no whole credit was due.
    #[serde(serialize_with = "as_slice")]
    #[schemars(with = "Vec<Slice>")]
    pub slices: Slices,
    /// The balance after.
    pub balance: Usdc,
    /// The level after.
    pub level: Level,
    /// The epoch that this began: only when a changed policy lifted the level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch_started: Option<u32>,
}

/// A refused debit that had to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Declined {
    /// What was asked.
    #[serde(flatten)]
    pub usage: Usage,
    /// Why it was refused.
    pub code: Code,
    /// It dusted the account: exhausted until money comes in.
    pub dusted: bool,
    /// The balance, unchanged; zero when there is no such account.
    pub balance: Usdc,
}

/// What made the level fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CrossingReason {
    /// A debit.
    Debit,
    /// A declined debit that dusted the account.
    Decline,
    /// Money in, after the policy had changed.
    Policy,
}

/// The level fell past one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Crossed {
    /// The account.
    #[serde(flatten)]
    pub account: AccountId,
    /// The line.
    pub line: Line,
    /// The balance at that moment.
    pub balance: Usdc,
    /// The baseline at that moment.
    pub baseline: Usdc,
    /// The epoch: a line is crossed at most once in each.
    pub epoch: u32,
    /// What made it fall.
    pub reason: CrossingReason,
}

/// A closed account. It keeps its balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AccountClosed {
    /// The account.
    #[serde(flatten)]
    pub account: AccountId,
    /// The caller's key, when it gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The balance it keeps.
    pub balance: Usdc,
    /// Who closed it.
    pub actor: Label,
}

/// How far a source is applied in this partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SourceMarked {
    /// The app.
    pub app: AppId,
    /// The source.
    pub source: SourceName,
    /// All items up to this number are done with.
    pub to: u64,
    /// The digest over all of them, of every partition.
    pub digest: Hash,
}

/// An app's keys of usage were more than its budget: the oldest are forgotten, and what could be one of them is
/// refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HorizonRaised {
    /// The app.
    pub app: AppId,
    /// Keys used before this are forgotten, and UUIDv7 keys whose own time is before it are refused as expired.
    /// Microseconds since 1970, UTC.
    pub horizon: Timestamp,
}

/// What the container of an account is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ContainerSet {
    /// The account.
    #[serde(flatten)]
    pub account: AccountId,
    /// The caller's key, when it gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The image and the settings.
    #[serde(flatten)]
    pub settings: ContainerSettings,
    /// Who set it.
    pub actor: Label,
}

/// What a container is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ContainerSettings {
    /// A public image with its tag.
    pub image: LongText,
    /// Where it answers that it is well: "/health".
    pub health_path: LongText,
    /// `{"NAME": "value"}`: its environment, encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variables: Option<Sealed>,
}

/// A person put the account to sleep: its container hibernates, and debits are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Paused {
    /// The account.
    #[serde(flatten)]
    pub account: AccountId,
    /// The caller's key, when it gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The balance, unchanged.
    pub balance: Usdc,
    /// Who did it.
    pub actor: Label,
}

/// A person woke the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Resumed {
    /// The account.
    #[serde(flatten)]
    pub account: AccountId,
    /// The caller's key, when it gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The container runs although there is no credit, until money comes in or it is put to sleep again.
    pub forced: bool,
    /// The balance, unchanged.
    pub balance: Usdc,
    /// Who did it.
    pub actor: Label,
}

/// What a worker tells of the container of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LifecycleStepped {
    /// The account.
    #[serde(flatten)]
    pub account: AccountId,
    /// Counts the steps of the account's container, from 1.
    pub number: u32,
    /// What it tells.
    #[serde(flatten)]
    pub step: Step,
    /// How the container stands after it.
    pub phase: Phase,
    /// The worker.
    pub worker: Label,
}

/// What a worker tells of a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NoticeStepped {
    /// The account.
    #[serde(flatten)]
    pub account: AccountId,
    /// What the mail is about.
    pub kind: NoticeKind,
    /// The epoch it belongs to.
    pub epoch: u32,
    /// Counts the steps of this mail, from 1.
    pub number: u32,
    /// What it tells.
    #[serde(flatten)]
    pub step: NoticeStep,
    /// The worker.
    pub worker: Label,
}

/// What happened to a checkout session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CheckoutStepped {
    /// The account that it pays.
    #[serde(flatten)]
    pub account: AccountId,
    /// The session, as the provider calls it.
    pub session: SessionId,
    /// What happened.
    #[serde(flatten)]
    pub step: CheckoutStep,
    /// Who did it.
    pub actor: Label,
}

/// How the money that users hold compares with what there is for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Solvency {
    /// There is enough.
    Ok,
    /// There is little more than enough.
    Warn,
    /// There is not enough.
    Critical,
    /// It could not be found out: this is no zero.
    Unknown,
}

/// The money that users hold, and what there is for them, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SolvencyChecked {
    /// The sum of the balances of all users.
    pub balances: Usdc,
    /// The commit of each partition up to which they were summed up, partition 0 first.
    pub positions: Vec<Sequence>,
    /// USDC in the wallet; absent when it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wallet: Option<Usdc>,
    /// Promotional credit beside it; absent when it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promo: Option<Usdc>,
    /// The wallet against the balances.
    pub wallet_level: Solvency,
    /// Credits at the provider of containers; absent when they could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_credits: Option<Usdc>,
    /// What the containers cost a month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_monthly: Option<Usdc>,
    /// The credits against a month.
    pub build_level: Solvency,
    /// The worker.
    pub worker: Label,
}

impl Event {
    /// The account it belongs to, if it belongs to one.
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Genesis(_) | Self::TermOpened(_) | Self::PolicySet(_) => None,
            Self::SourceMarked(_) | Self::HorizonRaised(_) | Self::SolvencyChecked(_) => None,
            Self::AccountOpened(event) => Some(&event.account),
            Self::Granted(event) | Self::Deposited(event) => Some(&event.account),
            Self::Debited(event) => Some(&event.usage.account),
            Self::Declined(event) => Some(&event.usage.account),
            Self::Crossed(event) => Some(&event.account),
            Self::AccountClosed(event) => Some(&event.account),
            Self::ContainerSet(event) => Some(&event.account),
            Self::Paused(event) => Some(&event.account),
            Self::Resumed(event) => Some(&event.account),
            Self::LifecycleStepped(event) => Some(&event.account),
            Self::NoticeStepped(event) => Some(&event.account),
            Self::CheckoutStepped(event) => Some(&event.account),
        }
    }

    /// A worker must act on it, or people want to see it at once: opened, crossing, money in, pause, resume, close,
    /// lifecycle, mails, sessions.
    pub fn is_signal(&self) -> bool {
        match self {
            Self::AccountOpened(_) | Self::Granted(_) | Self::Deposited(_) => true,
            Self::Crossed(_) | Self::AccountClosed(_) => true,
            Self::ContainerSet(_) | Self::Paused(_) | Self::Resumed(_) => true,
            Self::LifecycleStepped(_) | Self::NoticeStepped(_) | Self::CheckoutStepped(_) => true,
            Self::SolvencyChecked(_) => true,
            Self::Genesis(_) | Self::TermOpened(_) | Self::PolicySet(_) => false,
            Self::Debited(_) | Self::Declined(_) | Self::SourceMarked(_) | Self::HorizonRaised(_) => false,
        }
    }
}
