//! Mails in an inbox, sent and received.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Mail;
use crate::error::Error;
use crate::lenient;

/// A mail. What a list leaves out, such as the text, is there when the one mail is read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Message {
    /// Its id, "<…>".
    pub message_id: String,
    /// The conversation it belongs to.
    #[serde(default, deserialize_with = "lenient::option")]
    pub thread_id: Option<String>,
    /// The inbox it is in.
    #[serde(default, deserialize_with = "lenient::option")]
    pub inbox_id: Option<String>,
    /// Who sent it. A text in the schema, a list `from_` in an example: both are read.
    #[serde(alias = "from_", default, deserialize_with = "lenient::texts")]
    pub from: Vec<String>,
    /// Whom it went to.
    #[serde(default, deserialize_with = "lenient::texts")]
    pub to: Vec<String>,
    /// The subject.
    #[serde(default, deserialize_with = "lenient::option")]
    pub subject: Option<String>,
    /// The whole text.
    #[serde(default, deserialize_with = "lenient::option")]
    pub text: Option<String>,
    /// The text without what it quotes.
    #[serde(default, deserialize_with = "lenient::option")]
    pub extracted_text: Option<String>,
    /// The whole as HTML.
    #[serde(default, deserialize_with = "lenient::option")]
    pub html: Option<String>,
    /// Its labels.
    #[serde(default, deserialize_with = "lenient::texts")]
    pub labels: Vec<String>,
    /// When it was sent, RFC 3339.
    #[serde(default, deserialize_with = "lenient::option")]
    pub timestamp: Option<String>,
    /// Its headers.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub headers: BTreeMap<String, String>,
}

/// A page of mails.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MessagePage {
    /// The mails.
    pub messages: Vec<Message>,
    /// How many there are on this page.
    #[serde(default, deserialize_with = "lenient::option")]
    pub count: Option<u64>,
    /// Names the next page; `None` on the last.
    #[serde(default, deserialize_with = "lenient::option")]
    pub next_page_token: Option<String>,
}

/// Which mails of an inbox are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessagesQuery {
    /// At most so many.
    pub limit: Option<u32>,
    /// The page, as the last answer named it.
    pub page_token: Option<String>,
    /// Only those with all of these labels.
    pub labels: Vec<String>,
    /// Only those after this moment, RFC 3339.
    pub after: Option<String>,
    /// Only those before this moment, RFC 3339.
    pub before: Option<String>,
    /// The oldest first.
    pub ascending: bool,
}

impl MessagesQuery {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let one = |name, value: &Option<String>| value.clone().map(|value| (name, value));
        let limit = self.limit.map(|limit| ("limit", limit.to_string()));
        let ascending = self.ascending.then(|| ("ascending", "true".to_owned()));
        let single = [
            limit,
            one("page_token", &self.page_token),
            one("after", &self.after),
            one("before", &self.before),
            ascending,
        ];
        let labels = self.labels.iter().map(|label| ("labels", label.clone()));
        single.into_iter().flatten().chain(labels).collect()
    }
}

impl Mail {
    /// A page of an inbox's mails.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind).
    pub async fn messages(&self, inbox_id: &str, query: &MessagesQuery) -> Result<MessagePage, Error> {
        let call = self.get(&["inboxes", inbox_id, "messages"])?.query(&query.pairs());
        self.ask(&call).await
    }

    /// One mail, with its text.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind).
    pub async fn message(&self, inbox_id: &str, message_id: &str) -> Result<Message, Error> {
        self.ask(&self.get(&["inboxes", inbox_id, "messages", message_id])?).await
    }
}
