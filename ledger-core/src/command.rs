//! Commands: what a caller may ask, already parsed.

use crate::event::Usage;
use crate::ids::{AccountId, Key, Label};
use crate::money::Usdc;
use crate::sealed::Sealed;

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

impl Command {
    /// The account it is about.
    pub fn account(&self) -> &AccountId {
        match self {
            Self::Open(command) => &command.account,
            Self::Grant(command) | Self::Deposit(command) => &command.account,
            Self::Debit(command) => &command.usage.account,
            Self::Close(command) => &command.account,
        }
    }

    /// The caller's key.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::Open(command) => command.key.as_ref(),
            Self::Grant(command) | Self::Deposit(command) => Some(&command.key),
            Self::Debit(command) => command.usage.key.as_ref(),
            Self::Close(command) => command.key.as_ref(),
        }
    }
}
