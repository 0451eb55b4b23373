//! What was really done: effects in the order in which they took effect, each once, whatever became of the answer.
//!
//! A request that is refused, repeated under the same idempotency key, or changes nothing leaves no entry.

use ledger_core::Usdc;
use serde::{Deserialize, Serialize};

use crate::clock::Time;

/// One of the three services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// PayWithLocus and CheckoutWithLocus.
    Pay,
    /// BuildWithLocus, with the URLs of its services.
    Build,
    /// AgentMail.
    Mail,
}

/// One line of the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts up from 1 without gaps.
    pub n: u64,
    /// When it took effect, by the sandbox's time.
    pub at: Time,
    /// The same by the world's clock, in microseconds since 1970: what a log can be held against. None: it was written
    /// down by a sandbox that did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall: Option<i64>,
    /// Where.
    pub service: Service,
    /// What.
    pub effect: Effect,
}

/// Something that was done. As JSON its name is in `kind`, beside its fields: `{"kind": "project_created", "id": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "the fields are those of the services, and the names of the effects say the rest"
)]
#[non_exhaustive]
pub enum Effect {
    ProjectCreated {
        id: String,
        name: String,
    },
    ProjectDeleted {
        id: String,
        name: String,
    },
    EnvironmentCreated {
        id: String,
        project: String,
        name: String,
    },
    EnvironmentDeleted {
        id: String,
        project: String,
    },
    ServiceCreated {
        id: String,
        project: String,
        name: String,
    },
    ServiceDeleted {
        id: String,
        project: String,
        name: String,
    },
    /// The names of all variables the service has now, and a hash over names and values: values may be secrets.
    VariablesSet {
        service: String,
        names: Vec<String>,
        hash: String,
    },
    /// The runtime of a service is another one now. Whether that scales it, [`Self::Scaled`] says.
    RuntimePatched {
        service: String,
        min: u32,
        max: u32,
    },
    /// The desired count of a service changed.
    Scaled {
        service: String,
        min: u32,
        max: u32,
        desired: u32,
    },
    DeploymentStarted {
        id: String,
        service: String,
        version: u32,
    },
    DeploymentHealthy {
        id: String,
        service: String,
    },
    DeploymentFailed {
        id: String,
        service: String,
    },
    DeploymentCancelled {
        id: String,
        service: String,
    },
    DeploymentRolledBack {
        id: String,
        service: String,
    },
    SessionCreated {
        session: String,
        amount: Usdc,
    },
    SessionPaid {
        session: String,
        amount: Usdc,
    },
    SessionExpired {
        session: String,
    },
    SessionCancelled {
        session: String,
    },
    /// An attempt to deliver a webhook, with the status of its receiver's answer, if there was one.
    WebhookDelivered {
        session: String,
        event: String,
        attempt: u32,
        status: Option<u16>,
    },
    /// The same for a webhook about a deployment.
    DeploymentWebhookDelivered {
        deployment: String,
        event: String,
        attempt: u32,
        status: Option<u16>,
    },
    /// The same for a webhook about a mail.
    MailWebhookDelivered {
        message_id: String,
        event: String,
        attempt: u32,
        status: Option<u16>,
    },
    WrappedCalled {
        endpoint: String,
        cost: Usdc,
    },
    InboxCreated {
        inbox: String,
    },
    MailSent {
        to: Vec<String>,
        subject: String,
        idempotency_key: Option<String>,
        /// What the text ends with behind `Reference: `: the name that Drip gives to a mail, in short.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        message_id: String,
    },
    MailBounced {
        message_id: String,
        address: String,
    },
    MailComplained {
        message_id: String,
        address: String,
    },
    MailReceived {
        inbox: String,
        from: String,
        subject: String,
        message_id: String,
    },
}

/// The entries, and how often a request was turned down.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    entries: Vec<Entry>,
    pub(crate) refused: u64,
}

impl Record {
    pub(crate) fn add(&mut self, at: Time, service: Service, effect: Effect) {
        let n = self.last() + 1;
        tracing::debug!(n, ?effect, "took effect in the sandbox");
        let wall = Some(service_kit::clock::now());
        self.entries.push(Entry { n, at, wall, service, effect });
    }

    pub(crate) fn last(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.n)
    }

    /// The entries after number `n`.
    pub(crate) fn after(&self, n: u64) -> &[Entry] {
        let start = usize::try_from(n).unwrap_or(usize::MAX).min(self.entries.len());
        &self.entries[start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_numbered_and_read_from_any_point() {
        let mut record = Record::default();
        for name in ["a", "b"] {
            let effect = Effect::ProjectCreated { id: name.into(), name: name.into() };
            record.add(Time::default(), Service::Build, effect);
        }
        assert_eq!((record.last(), record.after(1).len(), record.after(9).len()), (2, 1, 0));
        let entry = serde_json::to_value(&record.after(1)[0]).unwrap();
        let effect = serde_json::json!({"kind": "project_created", "id": "b", "name": "b"});
        assert_eq!((&entry["n"], &entry["service"], &entry["effect"]), (&2.into(), &"build".into(), &effect));
        assert_eq!(serde_json::from_value::<Entry>(entry).unwrap(), record.after(1)[0]);
    }

    #[test]
    fn entries_of_a_sandbox_that_did_not_look_at_the_clock_are_read() {
        let old = r#"{"n": 1, "at": "2026-05-01T10:30:00.000Z", "service": "mail", "effect":
            {"kind": "mail_sent", "to": [], "subject": "", "idempotency_key": null, "message_id": "<1>"}}"#;
        let entry: Entry = serde_json::from_str(old).unwrap();
        assert_eq!(entry.wall, None);
        assert!(matches!(entry.effect, Effect::MailSent { reference: None, .. }));
    }
}
