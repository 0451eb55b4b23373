//! What stands in more than one kind of event.

use std::fmt;

use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer};

/// So many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes<'a, const N: usize>(pub &'a [u8; N]);

impl<'de: 'a, 'a, const N: usize> Deserialize<'de> for Bytes<'a, N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(from)?;
        bytes
            .try_into()
            .map(Bytes)
            .map_err(|_| D::Error::invalid_length(bytes.len(), &"another number of bytes"))
    }
}

/// A caller's idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// Any text.
    Text(&'a str),
    /// A UUID in its usual lower-case form.
    Uuid([u8; 16]),
}

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct TextOrBytes;
        impl<'de> Visitor<'de> for TextOrBytes {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key: text or 16 bytes")
            }
            fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key::Text(text))
            }
            fn visit_borrowed_bytes<E: serde::de::Error>(self, bytes: &'de [u8]) -> Result<Key<'de>, E> {
                bytes.try_into().map(Key::Uuid).map_err(|_| E::invalid_length(bytes.len(), &self))
            }
        }
        from.deserialize_any(TextOrBytes)
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Uuid(bytes) => {
                let hex = hex::encode(bytes);
                let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
                f.write_str(&parts.join("-"))
            }
        }
    }
}

/// The caller's own data: the id of the key it is encrypted with (0: not), and the bytes.
pub type Sealed<'a> = (u32, &'a [u8]);

/// Text index of the name, quantity in 10^-6, unit price in 10^-12 USDC.
pub type Item = (usize, u64, u64);

numbers! {
    /// How an account stands. A higher one is a worse one.
    Level { 0 = Healthy: "healthy", 1 = Low: "low", 2 = Exhausted: "exhausted" }
}
numbers! {
    /// A line that a falling level passes.
    Line { 1 = Low: "low", 2 = Exhausted: "exhausted" }
}
numbers! {
    /// What made a level fall.
    Reason { 1 = Debit: "a debit", 2 = Decline: "a declined debit", 3 = Policy: "money in, after the policy had changed" }
}
numbers! {
    /// What a refused debit does to the level.
    OnDecline { 1 = Dust: "dust", 2 = Exhaust: "exhaust", 3 = Ignore: "ignore" }
}

impl Level {
    /// What an absent level is.
    pub(super) fn absent() -> Self {
        Self::Healthy
    }
}
