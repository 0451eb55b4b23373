//! Webhooks: signed, sent, tried again, written down.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::record::{Effect, Service};
use crate::store::{Shared, Turn};
use crate::timers::Timer;

/// A webhook on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) service: Service,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// The id of what it is about, for the record.
    pub(crate) about: String,
    pub(crate) event: String,
    /// Counts up from 1.
    pub(crate) attempt: u32,
    /// Signed at each attempt anew, as Svix does.
    pub(crate) svix: Option<Svix>,
}

/// What is needed to sign as Svix does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Svix {
    pub(crate) secret: String,
    /// The same at every attempt.
    pub(crate) id: String,
}

impl Delivery {
    /// The receiver compares the time of a Svix signature with its own clock: that is the world's, not the sandbox's.
    fn all_headers(&self) -> Vec<(String, String)> {
        let mut headers = self.headers.clone();
        if let Some(svix) = &self.svix {
            let seconds = service_kit::clock::now() / 1_000_000;
            let signature = svix_signature(&svix.secret, &svix.id, seconds, &self.body);
            headers.push(("svix-id".to_owned(), svix.id.clone()));
            headers.push(("svix-timestamp".to_owned(), seconds.to_string()));
            headers.push(("svix-signature".to_owned(), signature));
        }
        headers
    }
}

/// `sha256=<hex>` over the body, with the secret as it stands.
pub(crate) fn checkout_signature(secret: &str, body: &str) -> String {
    format!("sha256={}", hex::encode(mac(secret.as_bytes(), body)))
}

/// `v1,<base64>` over id, time and body, with the key after `whsec_`.
pub(crate) fn svix_signature(secret: &str, id: &str, seconds: i64, body: &str) -> String {
    let key = BASE64.decode(secret.trim_start_matches("whsec_")).unwrap_or_default();
    format!("v1,{}", BASE64.encode(mac(&key, &format!("{id}.{seconds}.{body}"))))
}

fn mac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

impl Shared {
    /// Sends it once. Its receiver's status, if there was an answer in time.
    pub(crate) async fn deliver(&self, delivery: Delivery) {
        let status = self.send(&delivery).await;
        self.turn(|turn| turn.delivered(delivery, status));
    }

    async fn send(&self, delivery: &Delivery) -> Option<u16> {
        let request = self.client.post(&delivery.url).timeout(self.config.timings.webhook_patience);
        let headers = delivery.all_headers();
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let answer =
            request.header("content-type", "application/json").body(delivery.body.clone()).send().await;
        answer.ok().map(|answer| answer.status().as_u16())
    }
}

impl Turn<'_> {
    /// What is to be sent now.
    pub(crate) fn take_deliveries(&mut self) -> Vec<Delivery> {
        let due = std::mem::take(&mut self.store.outbox);
        self.store.under_way.extend(due.iter().cloned());
        due
    }

    fn delivered(&mut self, mut delivery: Delivery, status: Option<u16>) {
        let under_way = &mut self.store.under_way;
        if let Some(place) = under_way.iter().position(|other| *other == delivery) {
            under_way.remove(place);
        }
        let (about, event, attempt) = (delivery.about.clone(), delivery.event.clone(), delivery.attempt);
        let effect = match delivery.service {
            Service::Mail => Effect::MailWebhookDelivered { message_id: about, event, attempt, status },
            Service::Build => {
                Effect::DeploymentWebhookDelivered { deployment: about, event, attempt, status }
            }
            Service::Pay => Effect::WebhookDelivered { session: about, event, attempt, status },
        };
        self.note(delivery.service, effect);
        let done = status.is_some_and(|status| (200..300).contains(&status));
        let pause = self.config().timings.webhook_retries.get(delivery.attempt as usize - 1).copied();
        if let Some(pause) = pause.filter(|_| !done) {
            delivery.attempt += 1;
            self.schedule(pause, Timer::Deliver(delivery));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_reference_hold() {
        let body = r#"{"event":"checkout.session.paid","data":{"sessionId":"s-1","amount":"5.00"}}"#;
        let signature = "sha256=52d3f86ebdfbe4710e0a81d435a3a96f89d4462d9cb8e092517db2baf6f27773";
        assert_eq!(checkout_signature("whsec_test_123", body), signature);
        let body = r#"{"event_type":"message.delivered"}"#;
        let signature = "v1,a2GOz3ngGvmL0UjkANhPHZqcM29mefR9mIb0GOMqG84=";
        assert_eq!(
            svix_signature("whsec_ZHJpcC10ZXN0LXNlY3JldC0wMDAx", "msg_1", 1_700_000_000, body),
            signature
        );
    }
}
