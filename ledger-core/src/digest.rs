//! Digests of content: the same request gives the same digest, whichever way it came.

use sha2::{Digest as _, Sha256};

use crate::charge::Charge;
use crate::commit::Hash;
use crate::event::{MoneyIn, Usage};
use crate::ids::{AccountId, Key};
use crate::money::Usdc;
use crate::sealed::Sealed;

/// 64 bits over the content of a keyed command: all that stands in its event, except who acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentDigest(u64);

impl ContentDigest {
    #[cfg(test)]
    pub(crate) const TEST: Self = Self(7);
}

/// 128 bits over account and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyFingerprint(u128);

impl KeyFingerprint {
    /// The fingerprint of this key in this account.
    pub fn of(account: &AccountId, key: &Key) -> Self {
        let mut feed = Feed::new("key");
        feed.text(account.app.as_str());
        feed.text(account.user.as_str());
        feed.text(key.as_str());
        let Hash(bytes) = feed.finish();
        Self(u128::from_be_bytes(*bytes.first_chunk().expect("SHA-256 has 32 bytes")))
    }
}

impl ContentDigest {
    /// Of a debit.
    pub fn of_debit(usage: &Usage) -> Self {
        let mut feed = Feed::new("debit");
        feed.usage(usage);
        feed.content()
    }

    /// Of a deposit.
    pub fn of_deposit(amount: Usdc, metadata: Option<&Sealed>) -> Self {
        Self::of_money("deposit", amount, metadata)
    }

    /// Of a grant.
    pub fn of_grant(amount: Usdc, metadata: Option<&Sealed>) -> Self {
        Self::of_money("grant", amount, metadata)
    }

    /// Of an opening. All openings are alike: opening again changes nothing, whatever it says.
    pub fn of_open() -> Self {
        Feed::new("open").content()
    }

    /// Of a closing.
    pub fn of_close() -> Self {
        Feed::new("close").content()
    }

    pub(crate) fn of_money_in(verb: &str, event: &MoneyIn) -> Self {
        Self::of_money(verb, event.amount, event.metadata.as_ref())
    }

    fn of_money(verb: &str, amount: Usdc, metadata: Option<&Sealed>) -> Self {
        let mut feed = Feed::new(verb);
        feed.number(amount.credits());
        feed.optional(metadata, |feed, sealed| feed.bytes(&sealed.bytes));
        feed.content()
    }
}

/// The digest over a source's items after one more of them.
pub fn source_digest(before: Hash, number: u64, usage: &Usage) -> Hash {
    let mut feed = Feed::new("item");
    feed.bytes(&before.0);
    feed.0.update(number.to_be_bytes());
    feed.text(usage.account.user.as_str());
    feed.optional(usage.key.as_ref(), |feed, key| feed.text(key.as_str()));
    feed.usage(usage);
    feed.finish()
}

/// Feeds fields to a hash so that no two different lists of fields give the same bytes.
struct Feed(Sha256);

impl Feed {
    fn new(domain: &str) -> Self {
        let mut feed = Self(Sha256::new());
        feed.text(domain);
        feed
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn number(&mut self, number: i64) {
        self.0.update(number.to_be_bytes());
    }

    fn optional<T>(&mut self, value: Option<T>, feed: impl FnOnce(&mut Self, T)) {
        self.0.update([u8::from(value.is_some())]);
        if let Some(value) = value {
            feed(self, value);
        }
    }

    fn usage(&mut self, usage: &Usage) {
        self.charge(&usage.charge);
        self.text(usage.meter.as_str());
        self.optional(usage.scope.as_ref(), |feed, scope| feed.text(scope.as_str()));
        self.optional(usage.occurred_at, |feed, at| feed.number(at.0));
        self.optional(usage.metadata.as_ref(), |feed, sealed| feed.bytes(&sealed.bytes));
    }

    fn charge(&mut self, charge: &Charge) {
        match charge {
            Charge::Amount(amount) => {
                self.0.update([0]);
                self.number(amount.credits());
            }
            Charge::Items(items) => {
                self.0.update([1]);
                self.0.update((items.len() as u64).to_be_bytes());
                for item in items {
                    self.text(item.name.as_str());
                    self.0.update(item.quantity.units().to_be_bytes());
                    self.0.update(item.unit_price.units().to_be_bytes());
                }
            }
        }
    }

    fn finish(self) -> Hash {
        Hash(self.0.finalize().into())
    }

    fn content(self) -> ContentDigest {
        let Hash(bytes) = self.finish();
        ContentDigest(u64::from_be_bytes(*bytes.first_chunk().expect("SHA-256 has 32 bytes")))
    }
}
