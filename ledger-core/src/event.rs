//! Events: what happened, with its outcome. Replay never decides again.
//!
//! The serde names here are the ones people see (`drip events`, `schemas/event.json`). The bytes of the log are
//! made in [`crate::commit`], whose short names are frozen.

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use smallvec::SmallVec;

use crate::charge::Charge;
use crate::commit::Hash;
use crate::ids::{AccountId, AppId, Key, Label, LogId, Meter, Scope, Sequence, SourceName, TermNonce};
use crate::level::{Level, Line};
use crate::money::Usdc;
use crate::policy::Policy;
use crate::rejection::Code;
use crate::sealed::Sealed;
use crate::slots::SlotMap;
use crate::time::Timestamp;

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

impl Event {
    /// The account it belongs to, if it belongs to one.
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Genesis(_) | Self::TermOpened(_) | Self::PolicySet(_) => None,
            Self::SourceMarked(_) | Self::HorizonRaised(_) => None,
            Self::AccountOpened(event) => Some(&event.account),
            Self::Granted(event) | Self::Deposited(event) => Some(&event.account),
            Self::Debited(event) => Some(&event.usage.account),
            Self::Declined(event) => Some(&event.usage.account),
            Self::Crossed(event) => Some(&event.account),
            Self::AccountClosed(event) => Some(&event.account),
        }
    }

    /// A worker must act on it: opened, crossing, money in, close.
    pub fn is_signal(&self) -> bool {
        match self {
            Self::AccountOpened(_) | Self::Granted(_) | Self::Deposited(_) => true,
            Self::Crossed(_) | Self::AccountClosed(_) => true,
            Self::Genesis(_) | Self::TermOpened(_) | Self::PolicySet(_) => false,
            Self::Debited(_) | Self::Declined(_) | Self::SourceMarked(_) | Self::HorizonRaised(_) => false,
        }
    }
}
