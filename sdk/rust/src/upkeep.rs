//! What goes out and comes in about the upkeep of accounts: containers, checkout sessions, mails, the agent log, the
//! wallet. Words that a newer server adds are kept as they are.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::decimal::Amount;

/// Words of the server, of which a newer one may have more: whoever is older keeps them, and can show them.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* })*) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)*
            /// A word of a newer server.
            #[serde(untagged)]
            Other(String),
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                })
            }
        })*
    };
}

words! {
    /// How a container stands.
    Phase {
        /// Nothing of it is there.
        Absent = "absent",
        /// Parts of it are there; nothing runs.
        Creating = "creating",
        /// It was told to run, and has not answered yet.
        Starting = "starting",
        /// It runs and answers.
        Running = "running",
        /// It was told to sleep, and was not yet seen asleep.
        Stopping = "stopping",
        /// It sleeps.
        Asleep = "asleep",
    }
    /// How far a checkout session is.
    CheckoutState {
        /// It waits to be paid.
        Pending = "pending",
        /// Its money is in the account.
        Paid = "paid",
        /// It waits for a person.
        Parked = "parked",
        /// A person decided that nothing comes of it.
        Dismissed = "dismissed",
    }
    /// How far a mail is.
    NoticeState {
        /// It is to be sent.
        Due = "due",
        /// It is being sent.
        Sending = "sending",
        /// An attempt failed; there will be another.
        Retrying = "retrying",
        /// The provider took it.
        Sent = "sent",
        /// It will not be sent.
        Abandoned = "abandoned",
        /// What it would say was not true any more.
        Superseded = "superseded",
    }
    /// What there is, against what is owed.
    Solvency {
        /// There is enough.
        Ok = "ok",
        /// It gets short.
        Warn = "warn",
        /// There is too little.
        Critical = "critical",
        /// It could not be read.
        Unknown = "unknown",
    }
}

/// What an account's container is to be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ContainerSettings {
    /// A public image with its tag, for linux/arm64, that answers on port 8080.
    pub image: String,
    /// Where it answers 200 when it is well; the server says `/health` when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_path: Option<String>,
    /// Its environment. Names that begin with `DRIP_` are Drip's own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

impl ContainerSettings {
    /// Of this image, with nothing else said.
    pub fn new(image: impl Into<String>) -> Self {
        Self { image: image.into(), ..Self::default() }
    }

    /// Adds a variable to its environment.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }
}

/// The container of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// How it stands.
    pub phase: Phase,
    /// What is under way: "provision", "hibernate", "restore", "deprovision".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Where it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How often what is under way has failed.
    #[serde(default)]
    pub attempts: u32,
    /// When it is tried again, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<DateTime<Utc>>,
}

/// Ask for a checkout session: a page on which the user pays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewCheckout {
    /// What the user pays, above zero.
    pub amount: Amount,
    /// What the payer reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where the page leads after a payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_url: Option<String>,
    /// Where it leads when the payer turns back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_url: Option<String>,
    /// The idempotency key: the same one again answers the same session. The client makes one when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl NewCheckout {
    /// Over this much, with nothing else said.
    pub fn new(amount: Amount) -> Self {
        Self { amount, description: None, success_url: None, cancel_url: None, key: None }
    }

    /// Sets the idempotency key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

/// A checkout session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckoutSession {
    /// Its id.
    pub id: String,
    /// The user that it pays.
    pub user_id: String,
    /// What it asks for.
    pub amount: Amount,
    /// Where the user pays.
    pub url: String,
    /// How far it is.
    pub state: CheckoutState,
    /// Why it is parked: "expired", "cancelled", "amount_differs", "refused".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was paid, where it is parked and that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<Amount>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// When it was opened; absent while the views do not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<DateTime<Utc>>,
}

/// What a person decides about a session that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// It brings this much, whatever was asked for.
    Credit(Amount),
    /// Nothing comes of it.
    Dismiss,
}

/// A mail to the user of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is about: "low_credit", "paused", "restored", "plan_suggestion".
    pub kind: String,
    /// The account's epoch that it belongs to: there is one mail a kind and epoch.
    pub epoch: u64,
    /// How far it is.
    pub state: NoticeState,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed, or will not be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// As the provider calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// When it became due.
    pub due_at: DateTime<Utc>,
    /// The event that made it due.
    pub due: String,
}

/// A page of the agent log, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    /// The lines.
    pub data: Vec<LogLine>,
    /// Asks for what comes behind this page, also when there is nothing more yet.
    pub last_id: String,
}

/// One line of the agent log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When.
    pub at: DateTime<Utc>,
    /// Whose account; absent when it is of no account alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// A sentence.
    pub message: String,
    /// The event that it tells of.
    pub position: String,
    /// What kind of signal it is: "crossed", "lifecycle", "notice", "checkout".
    pub kind: String,
}

/// What users hold, and what there is for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wallet {
    /// The wallet against what users hold.
    pub level: Solvency,
    /// The sum of the balances of all users.
    pub balances: Amount,
    /// What is in the wallet; `None`: it could not be read.
    pub wallet: Option<Amount>,
    /// Promotional credit beside it.
    pub promo: Option<Amount>,
    /// The credits for containers against what they cost a month.
    pub build_level: Solvency,
    /// Credits for containers, in USD; `None`: they could not be read.
    pub build_credits: Option<Amount>,
    /// What the containers cost a month, in USD.
    pub build_monthly: Option<Amount>,
    /// When it was compared.
    pub checked_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_newer_server_are_kept() {
        for (json, state) in [
            (r#""parked""#, CheckoutState::Parked),
            (r#""refunded""#, CheckoutState::Other("refunded".to_owned())),
        ] {
            let read: CheckoutState = serde_json::from_str(json).unwrap();
            assert_eq!(read, state);
            assert_eq!(serde_json::to_string(&read).unwrap(), json);
            assert_eq!(format!("\"{read}\""), json);
        }
        let container: Container = serde_json::from_str(r#"{"phase":"melting","attempts":0,"a":1}"#).unwrap();
        assert_eq!(container.phase, Phase::Other("melting".to_owned()));
    }
}
