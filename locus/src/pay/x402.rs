//! AgentMail by way of Locus: mails paid from the wallet, without an account at AgentMail.
//!
//! The shapes are not documented; they are what public clients arrived at by trial. There is no idempotency: a mail is
//! sent once, and after an ambiguous failure [`Pay::x402_messages`] tells whether it went out.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Pay, data};
use crate::error::Error;

/// A mail to be sent from an inbox that is there already. Plain text is all that is known to work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct X402Mail {
    /// The inbox, which is an address: "drip@agentmail.to".
    pub inbox_id: String,
    /// Whom it goes to.
    pub to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The text.
    pub body: String,
}

/// A mail that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct X402Sent {
    /// Its id; `None` when the answer names none, and then it was sent all the same.
    pub message_id: Option<String>,
}

/// A mail in an inbox, as far as it can be read.
#[derive(Debug, Clone, PartialEq)]
pub struct X402Message {
    /// Its id.
    pub message_id: Option<String>,
    /// The subject.
    pub subject: Option<String>,
    /// Whom it went to.
    pub to: Vec<String>,
    /// Everything the service says of it.
    pub raw: Value,
}

/// An address as this service wants it: an object, not a text (its validation names `to.0.email`).
#[derive(Serialize)]
struct Address<'a> {
    email: &'a str,
}

impl Pay {
    /// Sends a mail: `POST /x402/agentmail-send-message`. About 0.01 USDC each, so it is sent once.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind).
    pub async fn x402_send(&self, mail: &X402Mail) -> Result<X402Sent, Error> {
        let to: Vec<_> = mail.to.iter().map(|email| Address { email }).collect();
        let X402Mail { inbox_id, subject, body, .. } = mail;
        let body = json!({ "inbox_id": inbox_id, "to": to, "subject": subject, "body": body });
        let call = self.post(&["x402", "agentmail-send-message"], &body)?.slow();
        let answer: Value = self.ask(&call).await?;
        Ok(X402Sent { message_id: id(&answer).or_else(|| id(answer.get("data")?)) })
    }

    /// The mails of an inbox: `POST /x402/agentmail-list-messages`. It may cost something, so it is sent once.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind); [`Decode`](crate::ErrorKind::Decode) when there is no list, which is not the
    /// same as an empty one.
    pub async fn x402_messages(&self, inbox_id: &str) -> Result<Vec<X402Message>, Error> {
        let body = json!({ "inbox_id": inbox_id });
        let call = self.post(&["x402", "agentmail-list-messages"], &body)?.slow();
        let answer = self.send(&call).await?;
        let data: Value = answer.decode(&call, data(&call, &answer)?)?;
        let list = list(&data).or_else(|| list(data.get("data")?));
        let none = || answer.unreadable(&call, "it holds no list of messages");
        Ok(list.ok_or_else(none)?.iter().map(message).collect())
    }
}

fn text(value: &Value, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| value.get(*name)?.as_str()).map(str::to_owned)
}

fn id(value: &Value) -> Option<String> {
    text(value, &["message_id", "messageId", "id"])
}

fn list(value: &Value) -> Option<&Vec<Value>> {
    value.as_array().or_else(|| value.get("messages")?.as_array())
}

fn message(value: &Value) -> X402Message {
    let address = |one: &Value| one.as_str().map(str::to_owned).or_else(|| text(one, &["email", "address"]));
    let to = match value.get("to") {
        Some(Value::Array(all)) => all.iter().filter_map(address).collect(),
        Some(one) => address(one).into_iter().collect(),
        None => Vec::new(),
    };
    X402Message { message_id: id(value), subject: text(value, &["subject"]), to, raw: value.clone() }
}
