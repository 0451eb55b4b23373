//! A provider of mails: one that knows a mail by its key, or one where only a look at what was sent tells, a while later.

use std::collections::BTreeMap;

use event_log::sim::Rng;
use judge::outside::Effect;
use ledger_core::Timestamp;
use ledger_core::time::SECOND;
use locus::{Error, ErrorKind};
use notifier::Letter;
use notifier::transport::Found;

/// How long it may take until a mail can be seen in the list.
const SEEN: i64 = 40 * SECOND;

/// What goes wrong, in cases of a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    /// It does not work for now; nothing was done.
    pub(super) busy: u64,
    /// It failed, and may have sent it.
    pub(super) broken: u64,
    /// It does not send to this address.
    pub(super) refused: u64,
}

struct Sent {
    message_id: String,
    reference: String,
    seen_from: Timestamp,
}

pub(super) struct Post {
    /// It knows mails by their keys.
    pub(super) has_keys: bool,
    pub(super) faults: Faults,
    rng: Rng,
    sent: Vec<Sent>,
    by_key: BTreeMap<String, usize>,
    record: Vec<(Timestamp, Effect)>,
}

fn failed(kind: ErrorKind) -> Error {
    Error::new(kind, "POST /messages", "the provider of a simulation")
}

impl Post {
    pub(super) fn new(has_keys: bool, faults: Faults, seed: u64) -> Self {
        let (sent, by_key, record) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { has_keys, faults, rng: Rng::new(seed), sent, by_key, record }
    }

    /// The mail's id.
    pub(super) fn send(&mut self, now: Timestamp, letter: &Letter, key: &str) -> Result<String, Error> {
        if self.rng.chance(self.faults.busy) {
            return Err(failed(ErrorKind::RateLimited { after: None }));
        }
        if self.rng.chance(self.faults.refused) {
            return Err(failed(ErrorKind::Rejected { status: 400 }));
        }
        let broken = self.rng.chance(self.faults.broken);
        if broken && self.rng.chance(500) {
            return Err(failed(ErrorKind::Upstream { status: 502 }));
        }
        let id = self.take(now, letter, key);
        if broken { Err(failed(ErrorKind::Upstream { status: 502 })) } else { Ok(id) }
    }

    fn take(&mut self, now: Timestamp, letter: &Letter, key: &str) -> String {
        if let Some(known) = self.by_key.get(key).filter(|_| self.has_keys) {
            return self.sent[*known].message_id.clone();
        }
        let message_id = format!("<{}@example.org>", self.sent.len() + 1);
        let key = self.has_keys.then(|| key.to_owned());
        self.by_key.extend(key.iter().map(|key| (key.clone(), self.sent.len())));
        let reference = letter.reference.clone();
        self.record.push((
            now,
            Effect::MailSent {
                idempotency_key: key,
                reference: Some(reference.clone()),
                message_id: message_id.clone(),
                to: vec![letter.to.clone()],
            },
        ));
        let seen_from = now.plus(self.rng.micros(0, SEEN));
        self.sent.push(Sent { message_id: message_id.clone(), reference, seen_from });
        message_id
    }

    pub(super) fn find(&mut self, now: Timestamp, letter: &Letter) -> Result<Found, Error> {
        if self.rng.chance(self.faults.broken) {
            return Err(failed(ErrorKind::Upstream { status: 502 }));
        }
        let of_it = |sent: &&Sent| sent.reference == letter.reference && sent.seen_from <= now;
        let found = self.sent.iter().find(of_it);
        Ok(found.map_or(Found::No, |sent| Found::Yes(sent.message_id.clone())))
    }

    /// What was done, and when.
    pub(super) fn record(&self) -> &[(Timestamp, Effect)] {
        &self.record
    }
}
