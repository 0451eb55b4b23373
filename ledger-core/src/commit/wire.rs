//! The bytes of a commit's body, version 1: MessagePack maps with one-letter names, frozen for ever.
//!
//! Names are explained in `schemas/wire.md`. A field may be added when it is optional and means nothing to a reader
//! that does not know it; everything else is a new version. Accounts, meters, scopes and other repeated texts
//! stand once a commit, in `s` and `u`; events point at them by index.

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::{ByteBuf, Bytes as ByteSlice};

use super::wire_upkeep::{
    CheckoutStepped, ContainerSet, LifecycleStepped, NoticeStepped, Paused, Resumed, SolvencyChecked,
};

/// Everything of the body before its events. They follow as field `e`.
#[derive(Debug, Deserialize)]
pub(super) struct Body {
    /// The oldest reader that understands all of this.
    #[serde(rename = "r")]
    pub(super) min_reader: u16,
    #[serde(rename = "q")]
    pub(super) previous: u64,
    #[serde(rename = "h")]
    pub(super) previous_hash: serde_bytes::ByteArray<32>,
    #[serde(rename = "t")]
    pub(super) time: i64,
    #[serde(rename = "n")]
    pub(super) term: serde_bytes::ByteArray<16>,
    #[serde(rename = "s")]
    pub(super) texts: Vec<String>,
    /// App (a text's index) and user id.
    #[serde(rename = "u")]
    pub(super) accounts: Vec<(u32, String)>,
    #[serde(rename = "e")]
    pub(super) events: Vec<Event>,
}

/// The one field of a body that every version has, for ever.
#[derive(Debug, Deserialize)]
pub(super) struct OldestReader {
    #[serde(rename = "r")]
    pub(super) min_reader: u16,
}

/// One event: a map of one entry, whose name is its kind.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Event {
    #[serde(rename = "G")]
    Genesis(Genesis),
    #[serde(rename = "T")]
    TermOpened(TermOpened),
    #[serde(rename = "P")]
    PolicySet(PolicySet),
    #[serde(rename = "O")]
    AccountOpened(AccountOpened),
    #[serde(rename = "R")]
    Granted(MoneyIn),
    #[serde(rename = "I")]
    Deposited(MoneyIn),
    #[serde(rename = "D")]
    Debited(Debited),
    #[serde(rename = "N")]
    Declined(Declined),
    #[serde(rename = "X")]
    Crossed(Crossed),
    #[serde(rename = "C")]
    AccountClosed(AccountClosed),
    #[serde(rename = "M")]
    SourceMarked(SourceMarked),
    #[serde(rename = "H")]
    HorizonRaised(HorizonRaised),
    #[serde(rename = "K")]
    ContainerSet(ContainerSet),
    #[serde(rename = "Z")]
    Paused(Paused),
    #[serde(rename = "W")]
    Resumed(Resumed),
    #[serde(rename = "L")]
    LifecycleStepped(LifecycleStepped),
    #[serde(rename = "E")]
    NoticeStepped(NoticeStepped),
    #[serde(rename = "U")]
    CheckoutStepped(CheckoutStepped),
    #[serde(rename = "S")]
    SolvencyChecked(SolvencyChecked),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Genesis {
    #[serde(rename = "i")]
    pub(super) log: serde_bytes::ByteArray<16>,
    #[serde(rename = "f")]
    pub(super) format: u16,
    #[serde(rename = "p")]
    pub(super) partitions: u16,
    /// First slot and partition of each range.
    #[serde(rename = "s")]
    pub(super) slots: Vec<(u16, u16)>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TermOpened {
    #[serde(rename = "n")]
    pub(super) nonce: serde_bytes::ByteArray<16>,
    #[serde(rename = "h")]
    pub(super) head: u64,
    #[serde(rename = "g")]
    pub(super) program: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PolicySet {
    #[serde(rename = "a")]
    pub(super) app: u32,
    #[serde(rename = "n")]
    pub(super) number: u32,
    #[serde(rename = "f")]
    pub(super) fee_bps: u16,
    #[serde(rename = "l")]
    pub(super) low_percent: u8,
    #[serde(rename = "d")]
    pub(super) on_decline: u8,
    #[serde(rename = "w")]
    pub(super) key_window_hours: u16,
    /// Absent for the usual one.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub(super) key_budget: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AccountOpened {
    #[serde(rename = "a")]
    pub(super) account: u32,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Key>,
    #[serde(rename = "c", default, skip_serializing_if = "is_default")]
    pub(super) initial_balance: i64,
    #[serde(rename = "v", default, skip_serializing_if = "is_default")]
    pub(super) level: u8,
    #[serde(rename = "w")]
    pub(super) actor: u32,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub(super) profile: Option<Sealed>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MoneyIn {
    #[serde(rename = "a")]
    pub(super) account: u32,
    #[serde(rename = "k")]
    pub(super) key: Key,
    #[serde(rename = "c")]
    pub(super) amount: i64,
    #[serde(rename = "l")]
    pub(super) lot: u32,
    #[serde(rename = "y")]
    pub(super) priority: u8,
    #[serde(rename = "b")]
    pub(super) balance: i64,
    #[serde(rename = "z")]
    pub(super) baseline: i64,
    #[serde(rename = "v", default, skip_serializing_if = "is_default")]
    pub(super) level: u8,
    #[serde(rename = "j", default, skip_serializing_if = "Option::is_none")]
    pub(super) epoch_started: Option<u32>,
    #[serde(rename = "o", default, skip_serializing_if = "is_default")]
    pub(super) wakes: bool,
    #[serde(rename = "w")]
    pub(super) actor: u32,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<Sealed>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Debited {
    #[serde(rename = "a")]
    pub(super) account: u32,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Key>,
    /// Source (a text's index) and number.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub(super) item: Option<(u32, u64)>,
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<Vec<Item>>,
    #[serde(rename = "m")]
    pub(super) meter: u32,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<u32>,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub(super) occurred_at: Option<i64>,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<Sealed>,
    #[serde(rename = "c")]
    pub(super) charged: i64,
    #[serde(rename = "f", default, skip_serializing_if = "is_default")]
    pub(super) fee: i64,
    /// The lot, when one paid everything.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(super) lot: Option<u32>,
    /// Lots and amounts, when several paid.
    #[serde(rename = "g", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) slices: Vec<(u32, i64)>,
    #[serde(rename = "b")]
    pub(super) balance: i64,
    #[serde(rename = "v", default, skip_serializing_if = "is_default")]
    pub(super) level: u8,
    #[serde(rename = "j", default, skip_serializing_if = "Option::is_none")]
    pub(super) epoch_started: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Declined {
    #[serde(rename = "a")]
    pub(super) account: u32,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Key>,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub(super) item: Option<(u32, u64)>,
    /// What was asked as an amount; absent when it was items.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub(super) amount: Option<i64>,
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<Vec<Item>>,
    #[serde(rename = "m")]
    pub(super) meter: u32,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<u32>,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub(super) occurred_at: Option<i64>,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<Sealed>,
    /// The code's text.
    #[serde(rename = "e")]
    pub(super) code: String,
    #[serde(rename = "d", default, skip_serializing_if = "is_default")]
    pub(super) dusted: bool,
    #[serde(rename = "b")]
    pub(super) balance: i64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Crossed {
    #[serde(rename = "a")]
    pub(super) account: u32,
    #[serde(rename = "l")]
    pub(super) line: u8,
    #[serde(rename = "b")]
    pub(super) balance: i64,
    #[serde(rename = "z")]
    pub(super) baseline: i64,
    #[serde(rename = "j")]
    pub(super) epoch: u32,
    #[serde(rename = "r")]
    pub(super) reason: u8,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AccountClosed {
    #[serde(rename = "a")]
    pub(super) account: u32,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Key>,
    #[serde(rename = "b")]
    pub(super) balance: i64,
    #[serde(rename = "w")]
    pub(super) actor: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SourceMarked {
    #[serde(rename = "a")]
    pub(super) app: u32,
    #[serde(rename = "s")]
    pub(super) source: u32,
    #[serde(rename = "n")]
    pub(super) to: u64,
    #[serde(rename = "d")]
    pub(super) digest: serde_bytes::ByteArray<32>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HorizonRaised {
    #[serde(rename = "a")]
    pub(super) app: u32,
    #[serde(rename = "t")]
    pub(super) horizon: i64,
}

/// Name (a text's index), quantity in 10^-6, unit price in 10^-12 USDC.
pub(super) type Item = (u32, u64, u64);

/// Key id and bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Sealed(pub(super) u32, pub(super) ByteBuf);

/// A key's text; 16 bytes when it is a UUID in its usual lower-case form, as most are.
#[derive(Debug)]
pub(super) enum Key {
    Uuid([u8; 16]),
    Text(String),
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Uuid(bytes) => ByteSlice::new(bytes).serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Key;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a key: text, or the 16 bytes of a UUID")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Key, E> {
                Ok(Key::Text(text.to_owned()))
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Key, E> {
                let bytes = bytes.try_into().map_err(|_| E::custom("a key in bytes has 16 of them"))?;
                Ok(Key::Uuid(bytes))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How deep a body may be nested: far more than any version needs, far less than the stack can bear.
const DEPTH_MAX: usize = 32;

/// Reads a body. Bytes after its end are covered by the commit's hash like all others, and mean nothing.
pub(super) fn read<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, rmp_serde::decode::Error> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(body);
    deserializer.set_max_depth(DEPTH_MAX);
    T::deserialize(&mut deserializer)
}

/// How deep an event may be nested that is read alone: more than any has, and less than is left to it in a body.
const EVENT_DEPTH_MAX: usize = 16;

/// Reads the next event, and leaves what follows it.
pub(super) fn read_event(bytes: &mut &[u8]) -> Result<Event, rmp_serde::decode::Error> {
    let mut deserializer = rmp_serde::Deserializer::new(bytes);
    deserializer.set_max_depth(EVENT_DEPTH_MAX);
    Event::deserialize(&mut deserializer)
}
