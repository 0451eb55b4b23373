//! Paying a session, and the webhooks that tell of it, with every way they can go wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use ledger_core::Usdc;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::agent::Payment;
use super::sessions::{Session, SessionStatus};
use crate::error::Refused;
use crate::record::{Effect, Service};
use crate::store::Turn;
use crate::timers::Timer;
use crate::webhooks::{Delivery, checkout_signature};

/// How a session is paid. The default is as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PayOptions {
    /// Another amount than asked for is paid: the session is `PAID` and shows this one.
    pub amount: Option<Usdc>,
    /// Without the confirmation delay.
    pub at_once: bool,
    /// What is wrong with the webhook.
    pub webhook: WebhookTricks,
}

/// What is wrong with the webhook of a payment, in `docs` mode. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookTricks {
    /// It is never sent.
    pub none: bool,
    /// Its body names this amount. The signature fits the body.
    pub amount: Option<String>,
    /// Its metadata has these values over the session's: another user's id, for instance. The signature fits the body.
    pub metadata: BTreeMap<String, String>,
    /// It comes twice at once.
    pub duplicate: bool,
    /// It comes so many seconds of the sandbox's time late.
    pub delay_s: u64,
    /// It comes again so many seconds of the sandbox's time after the first.
    pub replay_after_s: Option<u64>,
    /// `checkout.session.expired` follows it.
    pub then_expired: bool,
    /// Its signature is that of another secret.
    pub wrong_signature: bool,
    /// The header `X-Signature-256` is missing.
    pub missing_header: bool,
    /// The signature is in this header instead, in bare hex: "X-Locus-Signature".
    pub other_header: Option<String>,
    /// The second half of its body is missing. The signature is that of the whole.
    pub truncated: bool,
}

impl Turn<'_> {
    /// Somebody pays: after the confirmation delay the session is `PAID`.
    pub(crate) fn pay_session(&mut self, id: &str, options: PayOptions) -> Result<String, Refused> {
        self.payable(id)?;
        Ok(self.begin_payment(id, options, None))
    }

    pub(crate) fn expire_session(&mut self, id: &str) -> Result<(), Refused> {
        self.payable(id)?;
        self.end_session(id, SessionStatus::Expired);
        Ok(())
    }

    pub(crate) fn cancel_session(&mut self, id: &str) -> Result<(), Refused> {
        self.payable(id)?;
        self.end_session(id, SessionStatus::Cancelled);
        Ok(())
    }

    fn payable(&self, id: &str) -> Result<(), Refused> {
        let session = self.store.pay.sessions.get(id);
        let session = session.ok_or_else(|| Refused::NotFound(format!("session {id}")))?;
        match session.status {
            SessionStatus::Pending => Ok(()),
            status => Err(Refused::Conflict(format!("the session is {status:?} already"))),
        }
    }

    /// The id of the payment that was begun.
    pub(super) fn begin_payment(&mut self, id: &str, options: PayOptions, agent: Option<&str>) -> String {
        let ids = &mut self.store.ids;
        let (payment, job) = (ids.uuid("payment"), ids.uuid("job"));
        let pause = if options.at_once { Duration::ZERO } else { self.config().timings.confirmation };
        if let Some(session) = self.store.pay.sessions.get_mut(id) {
            session.paying = true;
            session.metadata.insert("pendingTransactionId".to_owned(), payment.clone());
            session.metadata.extend(agent.map(|agent| ("payerAgentId".to_owned(), agent.to_owned())));
        }
        let begun = Payment::begun(id, job, self.now, options);
        self.store.pay.payments.insert(payment.clone(), begun);
        match pause.is_zero() {
            true => self.confirm_payment(&payment),
            false => self.schedule(pause, Timer::Confirm { payment: payment.clone() }),
        }
        payment
    }

    /// The chain's part: the first payment of a session that is still pending makes it `PAID`.
    pub(crate) fn confirm_payment(&mut self, payment: &str) {
        let hash = format!("0x{}", self.store.ids.hex("transaction hash", 64));
        let payer = format!("0x{}", self.store.ids.hex("payer", 40));
        let now = self.now;
        let Some(payment) = self.store.pay.payments.get_mut(payment) else { return };
        let Some(session) = self.store.pay.sessions.get_mut(&payment.session) else { return };
        payment.confirmed = Some(session.status == SessionStatus::Pending);
        if payment.confirmed == Some(false) {
            return;
        }
        let options = payment.options.clone();
        session.status = SessionStatus::Paid;
        session.metadata.insert("payerWalletAddress".to_owned(), payer.clone());
        (session.tx_hash, session.payer, session.paid_at) = (Some(hash), Some(payer), Some(now));
        if let Some(amount) = options.amount {
            (session.amount, session.amount_text) = (amount, amount.to_string());
        }
        let (id, amount) = (session.id.clone(), session.amount);
        self.note(Service::Pay, Effect::SessionPaid { session: id.clone(), amount });
        self.send_checkout_webhook(&id, "checkout.session.paid", &options.webhook);
    }

    /// Sends it, if the session has where to, as often and as late as the tricks say.
    pub(super) fn send_checkout_webhook(&mut self, id: &str, event: &str, tricks: &WebhookTricks) {
        let Some(session) = self.store.pay.sessions.get(id) else { return };
        let (Some(url), Some(secret)) = (session.webhook_url.clone(), session.webhook_secret.clone()) else {
            return;
        };
        if tricks.none {
            return;
        }
        let body = self.webhook_body(session, event, tricks).to_string();
        let headers = headers(id, event, &secret, &body, tricks);
        let body = if tricks.truncated { body[..body.len() / 2].to_owned() } else { body };
        let (about, event) = (id.to_owned(), event.to_owned());
        let delivery =
            Delivery { service: Service::Pay, url, headers, body, about, event, attempt: 1, svix: None };
        let delay = Duration::from_secs(tricks.delay_s);
        let again = tricks.replay_after_s.map(|seconds| delay + Duration::from_secs(seconds));
        let twice = tricks.duplicate.then_some(delay);
        for pause in [Some(delay), twice, again].into_iter().flatten() {
            self.schedule(pause, Timer::Deliver(delivery.clone()));
        }
        if tricks.then_expired {
            let late = WebhookTricks { delay_s: tricks.delay_s + 1, ..WebhookTricks::default() };
            self.send_checkout_webhook(id, "checkout.session.expired", &late);
        }
    }

    fn webhook_body(&self, session: &Session, event: &str, tricks: &WebhookTricks) -> Value {
        let mut metadata = session.metadata.clone();
        metadata.extend(tricks.metadata.clone());
        let amount = tricks.amount.as_ref().unwrap_or(&session.amount_text);
        let mut data = json!({
            "sessionId": session.id, "amount": amount, "currency": session.currency, "metadata": metadata,
        });
        if event == "checkout.session.paid" {
            data["paymentTxHash"] = json!(session.tx_hash);
            data["payerAddress"] = json!(session.payer);
            data["paidAt"] = json!(session.paid_at);
        }
        json!({"event": event, "data": data, "timestamp": self.now})
    }
}

fn headers(id: &str, event: &str, secret: &str, body: &str, tricks: &WebhookTricks) -> Vec<(String, String)> {
    let wrong = format!("{secret}, but not quite");
    let signature = checkout_signature(if tricks.wrong_signature { &wrong } else { secret }, body);
    let bare = signature.trim_start_matches("sha256=").to_owned();
    let signature = match &tricks.other_header {
        Some(name) => Some((name.clone(), bare)),
        None => (!tricks.missing_header).then(|| ("X-Signature-256".to_owned(), signature)),
    };
    let named = [("X-Webhook-Event", event), ("X-Session-Id", id)];
    let named = named.map(|(name, value)| (name.to_owned(), value.to_owned()));
    named.into_iter().chain(signature).collect()
}
