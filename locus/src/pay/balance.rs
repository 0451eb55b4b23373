//! What a wallet holds.

use ledger_core::Usdc;
use serde::{Deserialize, Deserializer};

use super::Pay;
use crate::error::Error;
use crate::{decimal, lenient};

/// What a wallet holds, in USDC. Two shapes are known: a single `balance` (documented), and USDC and promo credits
/// apart (seen in beta). Whatever is missing or can not be read is unknown, not zero.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Balance {
    /// The pool of USDC (seen in beta).
    #[serde(rename = "usdc_balance", default, deserialize_with = "decimal::option")]
    pub usdc: Option<Usdc>,
    /// The pool of promo credits (seen in beta). Which pool pays for what is not documented.
    #[serde(rename = "promo_credit_balance", default, deserialize_with = "decimal::option")]
    pub promo: Option<Usdc>,
    /// The whole (documented).
    #[serde(rename = "balance", default, deserialize_with = "decimal::option")]
    pub single: Option<Usdc>,
    /// The address of the wallet.
    #[serde(default, deserialize_with = "lenient::option")]
    pub wallet_address: Option<String>,
    /// The workspace the wallet belongs to (seen in beta).
    #[serde(default, deserialize_with = "lenient::option")]
    pub workspace_id: Option<String>,
    /// What may still be spent (seen in beta).
    #[serde(default)]
    pub allowance: Limit,
    /// What one transaction may move (seen in beta).
    #[serde(default)]
    pub max_transaction_size: Limit,
}

impl Balance {
    /// USDC and promo credits together when both are known, else the single balance. `None` is *unknown*: the shape has
    /// changed, and that is no empty wallet.
    pub fn total(&self) -> Option<Usdc> {
        match (self.usdc, self.promo) {
            (Some(usdc), Some(promo)) => usdc.checked_add(promo),
            (None, None) => self.single,
            // Half of a shape says nothing of the other half.
            _ => None,
        }
    }
}

/// A limit the owner of the wallet has set, in USDC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Limit {
    /// The answer does not say.
    #[default]
    Unknown,
    /// There is none: `null` on the wire (seen in beta).
    Unlimited,
    /// At most this.
    AtMost(Usdc),
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&serde_json::value::RawValue>::deserialize(deserializer)?.get();
        Ok(match decimal::literal(raw) {
            _ if raw == "null" => Self::Unlimited,
            Some(limit) => Self::AtMost(limit),
            None => Self::Unknown,
        })
    }
}

impl Pay {
    /// What the wallet holds: `GET /pay/balance`.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind).
    pub async fn balance(&self) -> Result<Balance, Error> {
        self.ask(&self.get(&["pay", "balance"])?).await
    }
}
