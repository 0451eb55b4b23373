//! Checkout sessions: made, read, cancelled, expired.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ledger_core::Usdc;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::balance::WALLET;
use super::orders::WebhookTricks;
use super::{Answer, Caller, Refusal, minutes_after, read_body, success};
use crate::clock::Time;
use crate::config::Mode;
use crate::record::{Effect, Service};
use crate::store::{Shared, Turn};
use crate::timers::Timer;

/// How far a session is. All but `PENDING` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the service's own names")]
pub enum SessionStatus {
    Pending,
    Paid,
    Expired,
    Cancelled,
}

/// A checkout session, as the sandbox keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the service's own")]
#[non_exhaustive]
pub struct Session {
    pub id: String,
    /// What is to be paid; when it is paid, what was paid.
    pub amount: Usdc,
    /// As it was written in the request: webhooks repeat that, other answers do not.
    pub amount_text: String,
    pub currency: String,
    pub description: Option<String>,
    pub webhook_url: Option<String>,
    pub webhook_secret: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub created_at: Time,
    pub expires_at: Time,
    pub status: SessionStatus,
    /// A payment is on its way: the session does not expire any more.
    pub paying: bool,
    pub tx_hash: Option<String>,
    pub payer: Option<String>,
    pub paid_at: Option<Time>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    amount: Option<Value>,
    currency: Option<String>,
    description: Option<String>,
    webhook_url: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    expires_in_minutes: Option<u32>,
}

pub(super) async fn create(State(shared): State<Arc<Shared>>, _: Caller, body: Bytes) -> Answer {
    let create: Create = read_body(&body)?;
    let text = create.amount.as_ref().and_then(Value::as_str);
    let text = text.ok_or_else(|| Refusal::bad("amount is required and must be a string"))?.to_owned();
    let amount = Usdc::parse(&text).map_err(|error| Refusal::bad(format!("amount {error}")))?;
    if !amount.is_positive() {
        return Err(Refusal::bad("amount must be above zero"));
    }
    shared.turn(|turn| turn.create_session(create, amount, text)).map(|data| success(&data))
}

pub(super) async fn read(State(shared): State<Arc<Shared>>, _: Caller, Path(id): Path<String>) -> Answer {
    shared.look(|turn| turn.session(&id).map(|session| success(&session.wire())))
}

pub(super) async fn cancel(State(shared): State<Arc<Shared>>, _: Caller, Path(id): Path<String>) -> Answer {
    shared.turn(|turn| {
        if turn.session(&id)?.status != SessionStatus::Pending {
            return Err(Refusal::bad("Only a pending session can be cancelled"));
        }
        turn.end_session(&id, SessionStatus::Cancelled);
        turn.session(&id).map(|session| success(&session.wire()))
    })
}

impl Session {
    fn wire(&self) -> Value {
        let mut wire = json!({
            "id": self.id, "amount": self.amount, "currency": self.currency, "description": self.description,
            "status": self.status, "expiresAt": self.expires_at, "createdAt": self.created_at,
            "sellerWalletAddress": WALLET, "metadata": self.metadata,
        });
        if self.status == SessionStatus::Paid {
            wire["paymentTxHash"] = json!(self.tx_hash);
            wire["payerAddress"] = json!(self.payer);
            wire["paidAt"] = json!(self.paid_at);
        }
        wire
    }

    fn created_wire(&self, public_url: &str) -> Value {
        let mut wire = json!({
            "id": self.id, "checkoutUrl": format!("{public_url}/checkout/{}", self.id), "amount": self.amount,
            "currency": self.currency, "status": self.status, "expiresAt": self.expires_at,
        });
        if let Some(secret) = &self.webhook_secret {
            wire["webhookSecret"] = json!(secret);
        }
        wire
    }
}

impl Turn<'_> {
    pub(super) fn session(&self, id: &str) -> Result<&Session, Refusal> {
        self.store.pay.sessions.get(id).ok_or_else(|| Refusal::not_found("Session"))
    }

    fn create_session(
        &mut self,
        create: Create,
        amount: Usdc,
        amount_text: String,
    ) -> Result<Value, Refusal> {
        let webhook_url = self.acceptable(create.webhook_url)?;
        let ids = &mut self.store.ids;
        let id = ids.uuid("session");
        let webhook_secret = webhook_url.is_some().then(|| format!("whsec_{}", ids.hex("secret", 32)));
        let life = self.config().timings.session_life;
        let minutes = create.expires_in_minutes;
        let expires_at = minutes.map_or(self.now.plus(life), |minutes| minutes_after(self.now, minutes));
        let session = Session {
            id: id.clone(),
            amount,
            amount_text,
            currency: create.currency.unwrap_or_else(|| "USDC".to_owned()),
            description: create.description,
            webhook_url,
            webhook_secret,
            metadata: create.metadata,
            created_at: self.now,
            expires_at,
            status: SessionStatus::Pending,
            paying: false,
            tx_hash: None,
            payer: None,
            paid_at: None,
        };
        let wire = session.created_wire(&self.shared.public_url);
        self.store.pay.sessions.insert(id.clone(), session);
        self.store.timers.add(expires_at, Timer::Expire { session: id.clone() });
        self.note(Service::Pay, Effect::SessionCreated { session: id, amount });
        Ok(wire)
    }

    /// The URL that webhooks will go to, if any. Beta takes only public https, and then forgets it.
    fn acceptable(&self, url: Option<String>) -> Result<Option<String>, Refusal> {
        let Some(text) = url else { return Ok(None) };
        let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        match self.store.switches.mode {
            Mode::Docs if url.is_some() => Ok(Some(text)),
            Mode::Docs => Err(Refusal::bad("webhookUrl must be a valid URL")),
            Mode::Beta if url.is_some_and(|url| is_public(&url)) => Ok(None),
            Mode::Beta => {
                Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "Failed to create checkout session"))
            }
        }
    }

    /// The clock's part: a session that nobody is paying ends.
    pub(crate) fn expire_when_unpaid(&mut self, id: &str) {
        let session = self.store.pay.sessions.get(id);
        if session.is_some_and(|session| session.status == SessionStatus::Pending && !session.paying) {
            self.end_session(id, SessionStatus::Expired);
        }
    }

    /// Ends a pending session without a payment.
    pub(super) fn end_session(&mut self, id: &str, status: SessionStatus) {
        let Some(session) = self.store.pay.sessions.get_mut(id) else { return };
        session.status = status;
        let session = id.to_owned();
        if status == SessionStatus::Cancelled {
            return self.note(Service::Pay, Effect::SessionCancelled { session });
        }
        self.note(Service::Pay, Effect::SessionExpired { session });
        self.send_checkout_webhook(id, "checkout.session.expired", &WebhookTricks::default());
    }
}

fn is_public(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let private = match address {
        Some(IpAddr::V4(ip)) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
        }
        Some(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local(),
        None => !host.contains('.') || host.ends_with(".local") || host.ends_with(".localhost"),
    };
    url.scheme() == "https" && !private
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laptops_are_not_public() {
        let public = |text: &str| is_public(&Url::parse(text).unwrap());
        assert!(public("https://drip.example/webhook"));
        for url in [
            "http://drip.example/webhook",
            "https://localhost:8377/",
            "https://127.0.0.1/",
            "https://10.1.2.3/",
            "https://[::1]/",
            "https://laptop.local/",
        ] {
            assert!(!public(url), "{url}");
        }
    }
}
