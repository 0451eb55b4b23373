//! What becomes of mails after they were sent, mails that come in, and the webhooks that tell of both.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::messages::{Letter, Message};
use super::sending::is_for;
use super::{Answer, Caller, Refusal, done, is_plain_id, read_body};
use crate::error::Refused;
use crate::record::{Effect, Service};
use crate::store::{Shared, Turn};
use crate::timers::Timer;
use crate::webhooks::{Delivery, Svix};

const EVENTS: &[&str] = &[
    "message.received",
    "message.received.spam",
    "message.received.blocked",
    "message.received.unauthenticated",
    "message.sent",
    "message.delivered",
    "message.bounced",
    "message.complained",
    "message.rejected",
    "domain.verified",
];

/// A registered webhook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Webhook {
    #[serde(default)]
    webhook_id: String,
    url: String,
    event_types: Vec<String>,
    #[serde(default)]
    inbox_ids: Vec<String>,
    client_id: Option<String>,
    #[serde(default)]
    secret: String,
}

/// A mail that comes in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InboundMail {
    /// The inbox it comes to.
    pub inbox: String,
    /// Who sends it.
    pub from: String,
    /// Its subject; that of the mail it answers, if not given.
    #[serde(default)]
    pub subject: Option<String>,
    /// Its text.
    pub text: String,
    /// The message it answers: it joins its thread.
    #[serde(default)]
    pub in_reply_to: Option<String>,
    /// Nobody can tell whether the sender is who it says.
    #[serde(default)]
    pub unauthenticated: bool,
}

pub(super) async fn register(State(shared): State<Arc<Shared>>, _: Caller, body: Bytes) -> Answer {
    let webhook: Webhook = read_body(&body)?;
    if webhook.event_types.iter().any(|event| !EVENTS.contains(&event.as_str())) {
        return Err(Refusal::invalid("event_types", "Unknown event type"));
    }
    if webhook.client_id.as_ref().is_some_and(|id| !is_plain_id(id)) {
        return Err(Refusal::invalid("client_id", "Invalid"));
    }
    Ok(done(&shared.turn(|turn| turn.register_webhook(webhook))))
}

pub(super) async fn list(State(shared): State<Arc<Shared>>, _: Caller) -> Response {
    let webhooks = shared.look(|turn| turn.store.mail.webhooks.iter().map(Webhook::wire).collect::<Vec<_>>());
    done(&json!({"count": webhooks.len(), "webhooks": webhooks}))
}

impl Webhook {
    fn wire(&self) -> Value {
        json!({
            "webhook_id": self.webhook_id, "url": self.url, "event_types": self.event_types,
            "inbox_ids": self.inbox_ids, "client_id": self.client_id, "secret": self.secret, "enabled": true,
        })
    }

    fn wants(&self, inbox: &str, event: &str) -> bool {
        let ours = self.inbox_ids.is_empty() || self.inbox_ids.iter().any(|id| id == inbox);
        ours && self.event_types.iter().any(|wanted| wanted == event)
    }
}

/// The address in `Anna <anna@example.com>`.
pub(super) fn bare(address: &str) -> &str {
    let inner = address.split_once('<').and_then(|(_, rest)| rest.strip_suffix('>'));
    inner.unwrap_or(address).trim()
}

impl Turn<'_> {
    fn register_webhook(&mut self, mut webhook: Webhook) -> Value {
        let same = |one: &&Webhook| one.client_id.is_some() && one.client_id == webhook.client_id;
        if let Some(known) = self.store.mail.webhooks.iter().find(same) {
            return known.wire();
        }
        webhook.webhook_id = self.store.ids.named("ep");
        webhook.secret = format!("whsec_{}", BASE64.encode(self.store.ids.hex("svix secret", 24)));
        let wire = webhook.wire();
        self.store.mail.webhooks.push(webhook);
        wire
    }

    /// A while after a mail was sent: delivered, bounced or complained of.
    pub(crate) fn mail_fate(&mut self, inbox: &str, id: &str) {
        let Ok(message) = self.message(inbox, id) else { return };
        let recipients: Vec<String> = message.letter.recipients().cloned().collect();
        let first = |treatment| recipients.iter().find(|address| is_for(address, treatment)).cloned();
        let message_id = id.to_owned();
        match (first("bounce"), first("complain")) {
            (Some(address), _) => {
                self.suppress(inbox, id, &address, "bounced");
                self.note(Service::Mail, Effect::MailBounced { message_id, address });
            }
            (None, Some(address)) => {
                self.suppress(inbox, id, &address, "complained");
                self.note(Service::Mail, Effect::MailComplained { message_id, address });
            }
            (None, None) => self.tell_of(inbox, id, "message.delivered"),
        }
    }

    fn suppress(&mut self, inbox: &str, id: &str, address: &str, label: &str) {
        self.store.mail.suppressed.push(address.to_owned());
        let mut messages = self.store.mail.messages.iter_mut();
        if let Some(message) = messages.find(|message| message.inbox_id == inbox && message.message_id == id)
        {
            message.labels.push(label.to_owned());
        }
        self.tell_of(inbox, id, &format!("message.{label}"));
    }

    /// A mail comes in. Its id.
    pub(crate) fn receive(&mut self, mail: InboundMail) -> Result<String, Refused> {
        let inbox = mail.inbox.clone();
        self.mail_inbox(&inbox).map_err(|_| Refused::NotFound(format!("inbox {inbox}")))?;
        let answered = match &mail.in_reply_to {
            Some(id) => {
                Some(self.message(&inbox, id).map_err(|_| Refused::NotFound(format!("message {id}")))?)
            }
            None => None,
        };
        let thread = answered.map(|message| message.thread_id.clone());
        let subject =
            answered.and_then(|message| message.letter.subject.as_ref().map(|text| format!("Re: {text}")));
        let thread_id = thread.unwrap_or_else(|| self.store.ids.uuid("thread"));
        let message_id = format!("<{}@mail.example>", self.store.ids.hex("inbound", 24));
        let subject = mail.subject.or(subject).unwrap_or_default();
        let unauthenticated = mail.unauthenticated.then_some("unauthenticated");
        let labels = ["received", "unread"].into_iter().chain(unauthenticated).map(str::to_owned).collect();
        let (to, text) = (vec![inbox.clone()], Some(mail.text));
        let letter = Letter { to, subject: Some(subject.clone()), text, ..Letter::default() };
        self.store.mail.messages.push(Message {
            inbox_id: inbox.clone(),
            message_id: message_id.clone(),
            thread_id,
            labels,
            at: self.now,
            from: mail.from.clone(),
            letter,
            in_reply_to: mail.in_reply_to,
            idempotency_key: None,
        });
        let (from, id) = (mail.from, message_id.clone());
        self.note(
            Service::Mail,
            Effect::MailReceived { inbox: inbox.clone(), from, subject, message_id: id },
        );
        let event =
            if mail.unauthenticated { "message.received.unauthenticated" } else { "message.received" };
        self.tell_of(&inbox, &message_id, event);
        Ok(message_id)
    }

    /// Sends an event about a mail to all webhooks that want it.
    pub(super) fn tell_of(&mut self, inbox: &str, id: &str, event: &str) {
        let webhooks = self.store.mail.webhooks.iter().filter(|webhook| webhook.wants(inbox, event));
        let webhooks: Vec<Webhook> = webhooks.cloned().collect();
        for webhook in webhooks {
            let event_id = self.store.ids.named("evt");
            let Ok(message) = self.message(inbox, id) else { return };
            let body = event_body(message, event, &event_id, &self.now.text()).to_string();
            let svix = Some(Svix { secret: webhook.secret, id: event_id });
            let (about, event) = (id.to_owned(), event.to_owned());
            let (service, url, headers) = (Service::Mail, webhook.url, vec![]);
            let delivery = Delivery { service, url, headers, body, about, event, attempt: 1, svix };
            self.store.timers.add(self.now, Timer::Deliver(delivery));
        }
    }
}

fn event_body(message: &Message, event: &str, event_id: &str, at: &str) -> Value {
    let mut body = json!({"type": "event", "event_type": event, "event_id": event_id});
    let status = event.trim_start_matches("message.");
    if status.starts_with("received") {
        body["message"] = message.full_wire();
        body["thread"] = json!({"thread_id": message.thread_id, "inbox_id": message.inbox_id});
        return body;
    }
    let recipients = message.letter.recipients();
    let recipients: Vec<Value> = recipients.map(|to| json!({"address": to, "status": status})).collect();
    let mut news = json!({
        "inbox_id": message.inbox_id, "message_id": message.message_id, "thread_id": message.thread_id,
        "timestamp": at, "recipients": recipients,
    });
    let key = match status {
        "sent" => "send",
        "delivered" => "delivery",
        "bounced" => "bounce",
        _ => "complaint",
    };
    if key == "bounce" {
        (news["type"], news["sub_type"]) = (json!("Permanent"), json!("General"));
    }
    body[key] = news;
    body
}
