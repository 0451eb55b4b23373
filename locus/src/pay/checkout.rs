//! Checkout sessions: a page on which somebody pays once.

use std::collections::BTreeMap;

use ledger_core::Usdc;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Pay;
use crate::error::Error;
use crate::secret::Secret;
use crate::{decimal, lenient};

/// A session to be created: `POST /checkout/sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewSession {
    /// What is to be paid, in USDC; goes out as a decimal string.
    pub amount: Usdc,
    /// "USDC".
    pub currency: String,
    /// What the payer reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where the page leads after a payment; https is wanted (seen in beta).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_url: Option<String>,
    /// Where the page leads when the payer turns back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_url: Option<String>,
    /// Where the payment is to be reported. It must be public https: beta answers anything else with a bare 500, and
    /// otherwise ignores it (seen in beta).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
    /// Comes back when the session is read and in its webhook.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// How long it may be paid, in minutes; 30 when nothing is said (documented).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in_minutes: Option<u32>,
    /// What stands on the receipt, in the vendor's shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt_config: Option<Value>,
}

impl NewSession {
    /// A session over so many USDC, with nothing else said.
    pub fn new(amount: Usdc) -> Self {
        let (description, success_url, cancel_url, webhook_url) = (None, None, None, None);
        let (metadata, expires_in_minutes, receipt_config) = (BTreeMap::new(), None, None);
        let currency = "USDC".to_owned();
        Self {
            amount,
            currency,
            description,
            success_url,
            cancel_url,
            webhook_url,
            metadata,
            expires_in_minutes,
            receipt_config,
        }
    }
}

open_enum! {
    /// How far a session is. Anything but `Pending` is final (documented).
    SessionStatus {
        /// It may be paid.
        Pending = "PENDING",
        /// It was paid.
        Paid = "PAID",
        /// Nobody paid in time. It may lag behind the clock, and a payment can confirm late.
        Expired = "EXPIRED",
        /// It was called off.
        Cancelled = "CANCELLED",
    }
}

/// A checkout session, as it is created, read or cancelled.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its id.
    pub id: String,
    /// How far it is.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub status: SessionStatus,
    /// What is to be paid. The service writes it its own way ("5.00" comes back as "5"), which makes no difference here.
    /// Unknown when it is missing or no decimal.
    #[serde(default, deserialize_with = "decimal::option")]
    pub amount: Option<Usdc>,
    /// In what: "USDC".
    #[serde(default, deserialize_with = "lenient::option")]
    pub currency: Option<String>,
    /// What the payer reads.
    #[serde(default, deserialize_with = "lenient::option")]
    pub description: Option<String>,
    /// The page to pay on, to be used as it is: its host differs by environment. Only the answer to a creation has it.
    #[serde(default, deserialize_with = "lenient::option")]
    pub checkout_url: Option<String>,
    /// What its webhooks are signed with. Only the answer to a creation may have it: documented, but absent in beta.
    #[serde(default, deserialize_with = "lenient::option")]
    pub webhook_secret: Option<Secret>,
    /// Until when it may be paid, RFC 3339.
    #[serde(default, deserialize_with = "lenient::option")]
    pub expires_at: Option<String>,
    /// Since when it is, RFC 3339.
    #[serde(default, deserialize_with = "lenient::option")]
    pub created_at: Option<String>,
    /// When it was paid, RFC 3339; only when it was.
    #[serde(default, deserialize_with = "lenient::option")]
    pub paid_at: Option<String>,
    /// The transaction that paid it; only when it was.
    #[serde(default, deserialize_with = "lenient::option")]
    pub payment_tx_hash: Option<String>,
    /// Who paid it; only when it was.
    #[serde(default, deserialize_with = "lenient::option")]
    pub payer_address: Option<String>,
    /// Who is paid.
    #[serde(default, deserialize_with = "lenient::option")]
    pub seller_wallet_address: Option<String>,
    /// What was handed in, with additions by the service once it is paid (seen in beta): not to be compared as a whole,
    /// and not to be trusted for amounts.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub metadata: Map<String, Value>,
}

impl Pay {
    /// Creates a session. It is sent once: after an ambiguous failure there may be a session nobody knows, which expires
    /// unpaid.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind); [`Upstream`](crate::ErrorKind::Upstream) also for a webhook URL that beta
    /// does not like.
    pub async fn create_session(&self, session: &NewSession) -> Result<Session, Error> {
        self.ask(&self.post(&["checkout", "sessions"], session)?).await
    }

    /// Reads a session. This is the one confirmation of a payment that works everywhere.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind); [`NotFound`](crate::ErrorKind::NotFound) for an id of another environment too.
    pub async fn session(&self, id: &str) -> Result<Session, Error> {
        self.ask(&self.get(&["checkout", "sessions", id])?).await
    }

    /// Calls a session off (seen in clients, not documented).
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind); [`Rejected`](crate::ErrorKind::Rejected) with 400 when it is not pending.
    pub async fn cancel_session(&self, id: &str) -> Result<Session, Error> {
        let call = self.post(&["checkout", "sessions", id, "cancel"], &Map::new())?;
        self.ask(&call).await
    }
}
