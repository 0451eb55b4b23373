//! Sending and replying, each mail once.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::idempotency::{fingerprint, key_of};
use super::messages::{Letter, Message};
use super::{Answer, Caller, Refusal, done, read_body};
use crate::faults::Fault;
use crate::record::{Effect, Service};
use crate::store::{Shared, Turn};
use crate::timers::Timer;

const RECIPIENTS_MAX: usize = 50;

/// A mail that is to be sent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Send {
    inbox: String,
    letter: Letter,
    key: Option<String>,
    /// What it is a reply to.
    reply_to: Option<String>,
}

/// The answer to a send.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) message_id: String,
    pub(crate) thread_id: String,
}

/// What becomes of a send at first.
enum Begun {
    Done(Sent),
    /// It goes on by itself; nobody has to wait for it.
    Slow(u64),
}

pub(super) async fn send(
    state: State<Arc<Shared>>,
    _: Caller,
    uri: OriginalUri,
    Path(inbox): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    begin(state, &uri, inbox, None, &headers, &body).await
}

pub(super) async fn reply(
    state: State<Arc<Shared>>,
    _: Caller,
    uri: OriginalUri,
    Path((inbox, message)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    begin(state, &uri, inbox, Some(message), &headers, &body).await
}

async fn begin(
    State(shared): State<Arc<Shared>>,
    OriginalUri(uri): &OriginalUri,
    inbox: String,
    reply_to: Option<String>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Answer {
    let key = key_of(headers)?;
    let body: Value = read_body(body)?;
    let print = fingerprint(uri.path(), &body);
    let letter =
        serde_json::from_value(body).map_err(|error| Refusal::invalid("body", &error.to_string()))?;
    let send = Send { inbox, letter, key, reply_to };
    match shared.turn(|turn| turn.send(send, print))? {
        Begun::Done(sent) => Ok(done(&sent)),
        Begun::Slow(number) => Ok(done(&shared.slow_sent(number).await)),
    }
}

impl Shared {
    /// Waits until a slow send is done.
    async fn slow_sent(&self, number: u64) -> Sent {
        let mut changes = self.changes();
        loop {
            if let Some(sent) = self.look(|turn| turn.store.mail.slow_done.remove(&number)) {
                return sent;
            }
            changes.changed().await.expect("we hold the other end");
        }
    }
}

impl Turn<'_> {
    fn send(&mut self, mut send: Send, fingerprint: String) -> Result<Begun, Refusal> {
        if let Some(key) = &send.key
            && let Some(sent) = self.seen_before(key, &fingerprint)?
        {
            return Ok(Begun::Done(sent));
        }
        self.mail_inbox(&send.inbox)?;
        self.complete_reply(&mut send)?;
        self.may_be_sent(&send.letter)?;
        if let Some(key) = &send.key {
            self.begin_key(key, fingerprint);
        }
        let slow = send.letter.recipients().any(|address| is_for(address, "slow"));
        match slow {
            true => Ok(Begun::Slow(self.begin_slow_send(send))),
            false => Ok(Begun::Done(self.complete_send(send))),
        }
    }

    /// A reply goes to whoever the mail came from, or went to.
    fn complete_reply(&self, send: &mut Send) -> Result<(), Refusal> {
        let Some(id) = &send.reply_to else { return Ok(()) };
        let message = self.message(&send.inbox, id)?;
        let letter = &mut send.letter;
        if letter.recipients().next().is_none() {
            let received = message.from != message.inbox_id;
            letter.to = if received { vec![message.from.clone()] } else { message.letter.to.clone() };
        }
        let subject = message.letter.subject.as_deref().unwrap_or_default();
        let subject = format!("Re: {}", subject.trim_start_matches("Re: "));
        letter.subject.get_or_insert(subject);
        Ok(())
    }

    /// Whether the service takes such a letter.
    pub(crate) fn may_be_sent(&mut self, letter: &Letter) -> Result<(), Refusal> {
        let all: Vec<&String> = letter.recipients().collect();
        if all.is_empty() {
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", "No recipient"));
        }
        if all.len() > RECIPIENTS_MAX {
            return Err(Refusal::invalid("to", "At most 50 recipients"));
        }
        if let Some(address) = all.iter().find(|address| !is_address(address)) {
            return Err(Refusal::invalid("to", &format!("{address} is not an address")));
        }
        if let Some(address) = all.iter().find(|address| self.store.mail.suppressed.contains(address)) {
            return Err(Refusal::rejected(format!("{address} is suppressed")));
        }
        let text: String = all.iter().map(|address| format!("{address} ")).collect();
        let ordered = self.fault_of_deed(Service::Mail, &text, |fault| *fault == Fault::MailRefused);
        ordered.map_or(Ok(()), |_| Err(Refusal::rejected("The message was rejected")))
    }

    fn begin_slow_send(&mut self, send: Send) -> u64 {
        let mail = &mut self.store.mail;
        mail.slow_made += 1;
        let number = mail.slow_made;
        mail.slow.insert(number, send);
        self.schedule(self.config().timings.slow_mail, Timer::MailDone { send: number });
        number
    }

    pub(crate) fn complete_slow_send(&mut self, number: u64) {
        let Some(send) = self.store.mail.slow.remove(&number) else { return };
        let sent = self.complete_send(send);
        self.store.mail.slow_done.insert(number, sent);
    }

    fn complete_send(&mut self, send: Send) -> Sent {
        let sent = self.post_letter(&send.inbox, send.letter, send.key.clone(), send.reply_to);
        if let Some(key) = &send.key {
            self.complete_key(key, &sent);
        }
        sent
    }

    /// The moment a mail is sent.
    pub(crate) fn post_letter(
        &mut self,
        inbox: &str,
        letter: Letter,
        key: Option<String>,
        reply_to: Option<String>,
    ) -> Sent {
        let message_id = format!("<{}@agentmail.to>", self.store.ids.hex("message", 24));
        let thread = reply_to.as_ref().and_then(|id| self.message(inbox, id).ok());
        let thread = thread.map(|message| message.thread_id.clone());
        let thread_id = thread.unwrap_or_else(|| self.store.ids.uuid("thread"));
        let labels = ["sent".to_owned()].into_iter().chain(letter.labels.clone()).collect();
        let (to, subject) =
            (letter.recipients().cloned().collect(), letter.subject.clone().unwrap_or_default());
        let reference = letter.text.as_deref().and_then(reference_of);
        let sent = Sent { message_id: message_id.clone(), thread_id: thread_id.clone() };
        self.store.mail.messages.push(Message {
            inbox_id: inbox.to_owned(),
            message_id: message_id.clone(),
            thread_id,
            labels,
            at: self.now,
            from: inbox.to_owned(),
            letter,
            in_reply_to: reply_to,
            idempotency_key: key.clone(),
        });
        self.note(
            Service::Mail,
            Effect::MailSent { to, subject, idempotency_key: key, reference, message_id: message_id.clone() },
        );
        self.tell_of(inbox, &message_id, "message.sent");
        let fate = Timer::MailFate { inbox: inbox.to_owned(), message: message_id };
        self.schedule(self.config().timings.mail_fate, fate);
        sent
    }
}

/// What a text ends with behind `Reference: `.
fn reference_of(text: &str) -> Option<String> {
    let last = text.trim_end().lines().next_back()?;
    let reference = last.strip_prefix("Reference: ")?.trim();
    (!reference.is_empty()).then(|| reference.to_owned())
}

fn is_address(text: &str) -> bool {
    let bare = super::news::bare(text);
    bare.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'))
}

/// Whether the address asks for this treatment: `bounce@…` or `bounce+anyone@…`.
pub(super) fn is_for(address: &str, treatment: &str) -> bool {
    let local = super::news::bare(address).split('@').next().unwrap_or_default();
    local.split('+').next() == Some(treatment)
}
