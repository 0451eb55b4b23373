//! Checkout sessions: how users pay in. A session pays the account that opened it, once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{Key, LongText, Position, SessionId};
use crate::money::Usdc;
use crate::sealed::Sealed;
use crate::time::Timestamp;

/// How many sessions an account may have that wait for money or for a person.
pub const CHECKOUTS_MAX: usize = 100;

/// How the key of the deposit that a session brings begins. No caller's key does.
pub const CHECKOUT_KEY: &str = "$checkout/";

/// Why a session waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParkReason {
    /// Nobody paid in time.
    Expired,
    /// It was cancelled.
    Cancelled,
    /// Something else was paid than was asked for, or nobody can tell how much.
    AmountDiffers,
    /// What was paid can not be put into the account.
    Refused,
    /// It was paid although it had been dismissed or forgotten.
    Late,
}

/// What happens to a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum CheckoutStep {
    /// It waits to be paid.
    Opened {
        /// How much it asks for.
        amount: Usdc,
        /// Where the user pays.
        url: LongText,
        /// When it expires, in microseconds since 1970.
        expires_at: Timestamp,
        /// The caller's key.
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<Key>,
        /// What its webhooks are signed with, encrypted.
        #[serde(skip_serializing_if = "Option::is_none")]
        secret: Option<Sealed>,
    },
    /// It was paid: the deposit stands right before.
    Paid {
        /// The payment's transaction, when the provider tells it.
        #[serde(skip_serializing_if = "Option::is_none")]
        transaction: Option<LongText>,
    },
    /// It waits for a person.
    Parked {
        /// Why.
        reason: ParkReason,
        /// What was paid, when the provider tells it.
        #[serde(skip_serializing_if = "Option::is_none")]
        paid: Option<Usdc>,
    },
    /// A person decided that nothing comes of it.
    Dismissed,
}

/// A session that may still bring money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkout {
    /// As the provider calls it.
    pub session: SessionId,
    /// How much it asks for.
    pub amount: Usdc,
    /// The event that opened it.
    pub opened: Position,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Why it waits for a person.
    pub parked: Option<ParkReason>,
    /// What was paid, as far as the provider told when it was parked.
    pub paid: Option<Usdc>,
}

impl Checkout {
    /// It ended without money, and no money was seen.
    pub fn ended(&self) -> bool {
        self.parked.is_some_and(ParkReason::is_end)
    }
}

impl ParkReason {
    /// The session ended without money; with every other reason money was seen.
    pub(crate) fn is_end(self) -> bool {
        matches!(self, Self::Expired | Self::Cancelled)
    }
}

/// The key under which it is remembered that a session was opened: it can not be opened again, whatever became of it.
pub fn opened_key(session: &SessionId) -> Key {
    let text = format!("$opened/{session}");
    Key::new(&text).expect("a session's name leaves room for the beginning")
}

/// The key of the deposit that a session brings.
pub fn checkout_key(session: &SessionId) -> Key {
    let text = format!("{CHECKOUT_KEY}{session}");
    Key::new(&text).expect("a session's name leaves room for the beginning")
}
