//! What a workspace may still spend on services. Another purse than the wallet of PayWithLocus.

use ledger_core::Usdc;
use serde::Deserialize;

use super::Build;
use crate::error::Error;
use crate::{decimal, lenient};

open_enum! {
    /// How a workspace stands with its bill.
    BillingStatus {
        /// All is paid.
        Active = "active",
        /// A charge failed.
        Delinquent = "delinquent",
        /// Services are stopped.
        Suspended = "suspended",
    }
}

/// The credits of a workspace, `GET /billing/balance`. Amounts are JSON numbers there (documented); they are read from
/// their digits, to the nearest 10^-6. Unknown where they are missing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BillingBalance {
    /// What is left, in USD.
    #[serde(default, deserialize_with = "decimal::option")]
    pub credit_balance: Option<Usdc>,
    /// What all services cost a month, in USD. It is taken at once when the month turns.
    #[serde(default, deserialize_with = "decimal::option")]
    pub monthly_total: Option<Usdc>,
    /// How many services there are.
    #[serde(default, deserialize_with = "lenient::option")]
    pub total_services: Option<u64>,
    /// The day of the month on which it is taken.
    #[serde(default, deserialize_with = "lenient::option")]
    pub billing_cycle_day: Option<u8>,
    /// When it is taken next, "2026-06-15".
    #[serde(default, deserialize_with = "lenient::option")]
    pub next_billing_date: Option<String>,
    /// How it stands with its bill.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub status: BillingStatus,
    /// What the service warns of.
    #[serde(default, deserialize_with = "lenient::list")]
    pub warnings: Vec<BillingWarning>,
}

/// A warning that credits run out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BillingWarning {
    /// How bad it is: "low".
    #[serde(default, deserialize_with = "lenient::option")]
    pub level: Option<String>,
    /// What it says.
    #[serde(default, deserialize_with = "lenient::option")]
    pub message: Option<String>,
    /// For how many services the credits suffice.
    #[serde(default, deserialize_with = "lenient::option")]
    pub services_remaining: Option<u64>,
}

impl Build {
    /// What the workspace may still spend on services.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind).
    pub async fn billing_balance(&self) -> Result<BillingBalance, Error> {
        self.ask(&self.get(&["billing", "balance"])?).await
    }
}
