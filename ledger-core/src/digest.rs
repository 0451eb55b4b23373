//! Digests of content: the same request gives the same digest, whichever way it came.

use std::borrow::Cow;

use crate::charge::Charge;
use crate::command::Command;
use crate::commit::Hash;
use crate::event::{ContainerSettings, MoneyIn, Usage};
use crate::ids::{AccountId, Key};
use crate::money::Usdc;
use crate::sealed::Sealed;

/// 64 bits over the content of a keyed command: all that stands in its event, except who acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentDigest(pub(crate) u64);

impl ContentDigest {
    #[cfg(test)]
    pub(crate) const TEST: Self = Self(7);
}

/// 128 bits over account and key. It stands in memory and in snapshots, never in the log.
///
/// By BLAKE3, as [`ContentDigest`] is: nobody can make two keys meet, and on processors without instructions for SHA-256
/// it costs a third.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyFingerprint(pub(crate) [u64; 2]);

impl KeyFingerprint {
    /// The fingerprint of this key in this account.
    ///
    /// Lengths are one byte each and a UUID is its 16 bytes, so that most fingerprints are one block of the hash: every
    /// debit asks for one.
    pub fn of(account: &AccountId, key: &Key) -> Self {
        let mut feed = Feed::empty();
        feed.short_text(account.app.as_str());
        feed.short_text(account.user.as_str());
        match key.uuid() {
            // No text has the length 0.
            Some(uuid) => {
                feed.raw(&[0]);
                feed.raw(uuid);
            }
            None => feed.short_text(&key.text()),
        }
        let hash = blake3::hash(&feed.bytes());
        let half = |at: usize| u64::from_be_bytes(std::array::from_fn(|byte| hash.as_bytes()[at + byte]));
        Self([half(0), half(8)])
    }
}

impl ContentDigest {
    /// Of any command.
    pub fn of(command: &Command) -> Self {
        match command {
            Command::Open(_) => Self::of_open(),
            Command::Grant(command) => Self::of_grant(command.amount, command.metadata.as_ref()),
            Command::Deposit(command) => Self::of_deposit(command.amount, command.metadata.as_ref()),
            Command::Debit(command) => Self::of_debit(&command.usage),
            Command::Close(_) => Self::of_close(),
            Command::SetContainer(command) => Self::of_container(&command.settings),
            Command::Hibernate(_) => Self::of_hibernate(),
            Command::Restore(_) => Self::of_restore(),
            Command::OpenCheckout(command) => Self::of_checkout(command.amount),
            // What workers tell has no keys: it is held to what they know of.
            Command::ClaimLifecycle(_) | Command::RecordStep(_) => Feed::new("lifecycle").content(),
            Command::RecordNotice(_) => Feed::new("notice").content(),
            Command::SettleCheckout(_) => Feed::new("settle").content(),
        }
    }

    /// Of the settings of a container.
    pub fn of_container(settings: &ContainerSettings) -> Self {
        let mut feed = Feed::new("container");
        feed.text(settings.image.as_str());
        feed.text(settings.health_path.as_str());
        // Encryption gives other bytes each time: variables are told apart by who set them, not by the key.
        feed.content()
    }

    /// Of a hibernation by a person.
    pub fn of_hibernate() -> Self {
        Feed::new("hibernate").content()
    }

    /// Of a restore by a person, forced or not: whether force was needed is the account's matter.
    pub fn of_restore() -> Self {
        Feed::new("restore").content()
    }

    /// Of the opening of a checkout session: each attempt makes another, so the session itself does not count.
    pub fn of_checkout(amount: Usdc) -> Self {
        Self::of_money("checkout", amount, None)
    }

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
        feed.optional(metadata, |feed, sealed| feed.field(&sealed.bytes));
        feed.content()
    }
}

/// The digest over a source's items after one more of them. It stands in the log for ever, in marks: what is fed and
/// in which order is frozen. A field that usage gets later is fed only when it is present.
pub fn source_digest(before: Hash, number: u64, usage: &Usage) -> Hash {
    let mut feed = Feed::new("item");
    feed.field(&before.0);
    feed.raw(&number.to_be_bytes());
    feed.text(usage.account.user.as_str());
    feed.optional(usage.key.as_ref(), |feed, key| feed.text(&key.text()));
    feed.usage(usage);
    Hash::of(&feed.bytes())
}

/// Gathers fields, for a hash, so that no two different lists of fields give the same bytes.
struct Feed {
    gathered: [u8; GATHERED_MAX],
    len: usize,
    /// What came before, of what did not fit.
    overflown: Vec<u8>,
}

/// What most commands need, without an allocation.
const GATHERED_MAX: usize = 256;

impl Feed {
    fn empty() -> Self {
        Self { gathered: [0; GATHERED_MAX], len: 0, overflown: Vec::new() }
    }

    fn new(domain: &str) -> Self {
        let mut feed = Self::empty();
        feed.text(domain);
        feed
    }

    /// Inlined, because most pieces are numbers, whose length is then known.
    #[inline(always)]
    fn raw(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if end > GATHERED_MAX {
            return self.overflow(bytes);
        }
        self.gathered[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }

    #[cold]
    fn overflow(&mut self, bytes: &[u8]) {
        self.overflown.extend_from_slice(&self.gathered[..self.len]);
        self.overflown.extend_from_slice(bytes);
        self.len = 0;
    }

    fn field(&mut self, bytes: &[u8]) {
        self.raw(&(bytes.len() as u64).to_be_bytes());
        self.raw(bytes);
    }

    /// A name: at most 200 bytes.
    fn short_text(&mut self, text: &str) {
        self.raw(&[u8::try_from(text.len()).expect("names are at most 200 bytes")]);
        self.raw(text.as_bytes());
    }

    fn text(&mut self, text: &str) {
        self.field(text.as_bytes());
    }

    fn number(&mut self, number: i64) {
        self.raw(&number.to_be_bytes());
    }

    fn optional<T>(&mut self, value: Option<T>, feed: impl FnOnce(&mut Self, T)) {
        self.raw(&[u8::from(value.is_some())]);
        if let Some(value) = value {
            feed(self, value);
        }
    }

    fn usage(&mut self, usage: &Usage) {
        self.charge(&usage.charge);
        self.text(usage.meter.as_str());
        self.optional(usage.scope.as_ref(), |feed, scope| feed.text(scope.as_str()));
        self.optional(usage.occurred_at, |feed, at| feed.number(at.0));
        self.optional(usage.metadata.as_ref(), |feed, sealed| feed.field(&sealed.bytes));
    }

    fn charge(&mut self, charge: &Charge) {
        match charge {
            Charge::Amount(amount) => {
                self.raw(&[0]);
                self.number(amount.credits());
            }
            Charge::Items(items) => {
                self.raw(&[1]);
                self.raw(&(items.len() as u64).to_be_bytes());
                for item in items {
                    self.text(item.name.as_str());
                    self.raw(&item.quantity.units().to_be_bytes());
                    self.raw(&item.unit_price.units().to_be_bytes());
                }
            }
        }
    }

    /// All that was fed.
    fn bytes(&self) -> Cow<'_, [u8]> {
        let last = &self.gathered[..self.len];
        match self.overflown.is_empty() {
            true => last.into(),
            false => [&self.overflown, last].concat().into(),
        }
    }

    fn content(&self) -> ContentDigest {
        let hash = blake3::hash(&self.bytes());
        ContentDigest(u64::from_be_bytes(*hash.as_bytes().first_chunk().expect("it has 32 bytes")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charge::{Item, Quantity, UnitPrice};
    use crate::ids::{AppId, Label, Meter, Scope, UserId};
    use crate::sealed::Sealed;
    use crate::time::Timestamp;

    fn full(charge: Charge) -> Usage {
        Usage {
            account: AccountId { app: AppId::new("demo").unwrap(), user: UserId::new("anna").unwrap() },
            key: Some(Key::new("k").unwrap()),
            item: None,
            charge,
            meter: Meter::new("llm").unwrap(),
            scope: Some(Scope::new("agent:1").unwrap()),
            occurred_at: Some(Timestamp(1_700_000_000_000_000)),
            metadata: Some(Sealed::plain("{\"a\":1}")),
        }
    }

    fn plain(charge: Charge) -> Usage {
        Usage { key: None, scope: None, occurred_at: None, metadata: None, ..full(charge) }
    }

    #[test]
    fn whatever_was_gathered_is_there_in_order() {
        let bytes: Vec<u8> = (0..=255).cycle().take(600).collect();
        for length in 0..bytes.len() {
            let mut feed = Feed::empty();
            bytes[..length].chunks(7).for_each(|piece| feed.raw(piece));
            assert_eq!(*feed.bytes(), bytes[..length], "{length} bytes");
        }
    }

    /// With another formula restored keys would not be found, and their commands would be done again: it needs a new
    /// layout of snapshots.
    #[test]
    fn what_snapshots_keep_of_a_key_is_frozen() {
        let account = plain(Charge::Amount(Usdc::parse("1").unwrap())).account;
        let key = |text| format!("{:?}", KeyFingerprint::of(&account, &Key::new(text).unwrap()));
        let content = |charge| format!("{:?}", ContentDigest::of_debit(&full(charge)));
        let kept = [
            key("order-1"),
            key("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"),
            content(Charge::Amount(Usdc::parse("0.007").unwrap())),
        ];
        let golden = [
            "KeyFingerprint([17087394546674616244, 2945428522408884219])",
            "KeyFingerprint([554828753236502550, 6075616670651856513])",
            "ContentDigest(14212330403587491650)",
        ];
        assert_eq!(kept, golden);
    }

    /// Marks in every log hold these: a change makes every known source "another feed".
    #[test]
    fn the_digest_of_a_source_is_frozen() {
        let amount = || Charge::Amount(Usdc::parse("0.007").unwrap());
        let items = || {
            Charge::Items(vec![Item {
                name: Label::new("tokens").unwrap(),
                quantity: Quantity::parse("812").unwrap(),
                unit_price: UnitPrice::parse("0.0000025").unwrap(),
            }])
        };
        let chain = [full(amount()), plain(amount()), full(items()), plain(items())];
        let digests = (1..).zip(&chain).scan(Hash::ZERO, |digest, (number, usage)| {
            *digest = source_digest(*digest, number, usage);
            Some(digest.to_string())
        });
        assert_eq!(digests.collect::<Vec<_>>(), GOLDEN);
    }

    const GOLDEN: [&str; 4] = [
        "a8e98c1b888ebe2487e7672c5313e9797a357cdfd7f9ea8e911fc42be5981dd6",
        "9342e8fea479cb094a2c9f08c692e291f3579f400cbd3eebe5114f050cd044cd",
        "34cf9c676cef0306f31fda1dd1db8ed7a2264db948dc88750176fe843aeafdc9",
        "89474b5ae935c0ce272ffa90f90da4065a9768f202bdbbdd53d5b7ebd035573c",
    ];
}
