//! AgentMail, asked directly: mails that are sent once however often they are asked for.
//!
//! Errors are to be told apart by [`Error::code`], which is stable, and not by their text (documented).

mod inbox;
mod letter;
mod message;

use std::fmt;

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use inbox::{Inbox, NewInbox};
pub use letter::{Attachment, IdempotencyKey, InvalidIdempotencyKey, Letter, Sent};
pub use message::{Message, MessagePage, MessagesQuery};

use crate::error::Error;
use crate::http::{Call, Http, Service};
use crate::secret::MailKey;
use crate::timing::Timing;

/// The base URL (documented).
pub const PRODUCTION: &str = "https://api.agentmail.to/v0";
/// The base URL for data that stays in the EU (documented).
pub const EU: &str = "https://api.agentmail.eu/v0";

/// What a [`Mail`] is made of.
#[derive(Debug, Clone)]
pub struct Config {
    /// The base URL: [`PRODUCTION`], [`EU`], or a server of your own.
    pub base: String,
    /// The key.
    pub key: MailKey,
    /// How long calls may take.
    pub timing: Timing,
}

/// Speaks to AgentMail with one key. Cheap to clone: clones share their connections.
#[derive(Clone)]
pub struct Mail {
    http: Http,
    key: MailKey,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("base", &self.http.base().as_str()).field("key", &self.key).finish()
    }
}

impl Mail {
    /// For the service the configuration names. Connects only when called.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for a base that is no http URL.
    pub fn new(config: Config) -> Result<Self, Error> {
        Ok(Self { http: Http::new(Service::Mail, &config.base, config.timing)?, key: config.key })
    }

    fn get(&self, path: &[&str]) -> Result<Call, Error> {
        self.http.call(Method::GET, path)
    }

    fn post(&self, path: &[&str], body: &impl Serialize) -> Result<Call, Error> {
        self.http.call(Method::POST, path)?.json(body)
    }

    async fn ask<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Error> {
        let answer = self.http.send(call, Some(self.key.secret()), self.http.deadline()).await?;
        answer.decode(call, &answer.body)
    }
}
