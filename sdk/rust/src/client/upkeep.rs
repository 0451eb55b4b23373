//! The verbs about the upkeep of accounts.

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Client, bytes};
use crate::answers::Account;
use crate::error::Error;
use crate::key::new_key;
use crate::upkeep::{
    CheckoutSession, CheckoutState, ContainerSettings, LogPage, NewCheckout, Notice, Resolution, Wallet,
};

/// A list that comes whole.
#[derive(Deserialize)]
struct Rows<T> {
    data: Vec<T>,
}

impl Client {
    /// Says what the account's container is to be: it is made, or deployed anew, when there is credit.
    ///
    /// # Errors
    ///
    /// See [`Error`]; `not_configured` for variables where the server has no key to encrypt them.
    pub async fn set_container(&self, user_id: &str, settings: &ContainerSettings) -> Result<Account, Error> {
        let (url, key) = (self.url(&["users", user_id, "container"])?, new_key());
        let keyed = Keyed { settings, key: &key };
        self.call(Method::PUT, url, Some(bytes(&keyed)), None, true).await
    }

    /// Puts an account to sleep: its container hibernates, and debits are refused until it is restored.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn hibernate(&self, user_id: &str) -> Result<Account, Error> {
        self.post(&["users", user_id, "hibernate"], &json!({}), None).await
    }

    /// Wakes an account; `force`: also without credit.
    ///
    /// # Errors
    ///
    /// See [`Error`]; `restore_without_credit` when there is none and it is not forced.
    pub async fn restore(&self, user_id: &str, force: bool) -> Result<Account, Error> {
        self.post(&["users", user_id, "restore"], &json!({ "force": force }), None).await
    }

    /// Opens a checkout session: send the user to its `url`. What is paid there is credited once.
    ///
    /// # Errors
    ///
    /// See [`Error`]; `not_configured` where nobody takes in money.
    pub async fn open_checkout(
        &self,
        user_id: &str,
        checkout: &NewCheckout,
    ) -> Result<CheckoutSession, Error> {
        let key = checkout.key.clone().unwrap_or_else(new_key);
        let keyed = NewCheckout { key: Some(key.clone()), ..checkout.clone() };
        self.post(&["users", user_id, "checkout-sessions"], &keyed, Some(key)).await
    }

    /// The checkout sessions of a user, the newest first.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn checkouts(&self, user_id: &str) -> Result<Vec<CheckoutSession>, Error> {
        self.rows(&["users", user_id, "checkout-sessions"], &()).await
    }

    /// The app's sessions that are `Parked` or `Pending`, the oldest first.
    ///
    /// # Errors
    ///
    /// See [`Error`]; other states are no waiting.
    pub async fn checkouts_waiting(&self, state: CheckoutState) -> Result<Vec<CheckoutSession>, Error> {
        self.rows(&["checkout-sessions"], &[("state", state)]).await
    }

    /// Looks at a session now, without waiting for the provider to tell.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn refresh_checkout(&self, session: &str) -> Result<CheckoutSession, Error> {
        let url = self.url(&["checkout-sessions", session, "refresh"])?;
        self.call(Method::POST, url, None, None, true).await
    }

    /// Decides about a session that waits.
    ///
    /// # Errors
    ///
    /// See [`Error`]; `checkout_unknown` when nothing can come of it any more.
    pub async fn resolve_checkout(
        &self,
        session: &str,
        resolution: Resolution,
    ) -> Result<CheckoutSession, Error> {
        let body = match resolution {
            Resolution::Credit(amount) => json!({ "credit": amount }),
            Resolution::Dismiss => json!({ "dismiss": true }),
        };
        self.post(&["checkout-sessions", session, "resolve"], &body, None).await
    }

    /// The mails of an account, the newest first.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn notices(&self, user_id: &str) -> Result<Vec<Notice>, Error> {
        self.rows(&["users", user_id, "notices"], &()).await
    }

    /// The agent log behind `after_id`, the [`LogPage::last_id`] of the page before; without it its last lines.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn log(&self, after_id: Option<&str>, limit: Option<u32>) -> Result<LogPage, Error> {
        self.get(&["log"], &LogQuery { after_id, limit }).await
    }

    /// What users hold, and what there is for them, as it was last compared.
    ///
    /// # Errors
    ///
    /// See [`Error`]; `not_found` before the first comparison.
    pub async fn wallet(&self) -> Result<Wallet, Error> {
        self.get(&["wallet"], &()).await
    }

    async fn rows<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &(impl Serialize + ?Sized),
    ) -> Result<Vec<T>, Error> {
        self.get(path, query).await.map(|Rows { data }| data)
    }
}

/// With a key, so that it is not deployed twice when an answer is lost. Said anew, it is another act: a variable may have
/// a new value under a name that stays.
#[derive(Serialize)]
struct Keyed<'a> {
    #[serde(flatten)]
    settings: &'a ContainerSettings,
    key: &'a str,
}

#[derive(Serialize)]
struct LogQuery<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    after_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
}
