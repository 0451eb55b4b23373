//! Inboxes.

use serde::{Deserialize, Serialize};

use super::{IdempotencyKey, Mail};
use crate::error::Error;
use crate::lenient;

/// An inbox to be created: `POST /inboxes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewInbox {
    /// What stands before the '@'; chosen by the service when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// What stands after it; AgentMail's own when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The name of the sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Under this name it is created once, for ever: the same again gives the inbox that is there (documented).
    pub client_id: IdempotencyKey,
}

/// An inbox.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Inbox {
    /// Its id, which is its address.
    pub inbox_id: String,
    /// Its address.
    #[serde(default, deserialize_with = "lenient::option")]
    pub email: Option<String>,
    /// The name of the sender.
    #[serde(default, deserialize_with = "lenient::option")]
    pub display_name: Option<String>,
    /// The name it was created under.
    #[serde(default, deserialize_with = "lenient::option")]
    pub client_id: Option<String>,
    /// Since when it is, RFC 3339.
    #[serde(default, deserialize_with = "lenient::option")]
    pub created_at: Option<String>,
}

impl Mail {
    /// Creates an inbox. It is sent once; the caller may send it again under the same `client_id`, whatever came of it.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind); [`Conflict`](crate::ErrorKind::Conflict) for a name that is taken,
    /// [`Policy`](crate::ErrorKind::Policy) with `limit_exceeded` when the plan has no more.
    pub async fn create_inbox(&self, inbox: &NewInbox) -> Result<Inbox, Error> {
        self.ask(&self.post(&["inboxes"], inbox)?).await
    }
}
