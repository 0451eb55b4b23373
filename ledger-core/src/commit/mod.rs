//! Commits: what a writer appends at once, and the bytes they are kept as.

mod builder;
mod decode;
mod plain;
mod prefix;
mod straight;
mod table;
mod upkeep;
mod wire;
mod wire_upkeep;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use builder::{CommitBuilder, Head};
pub use decode::{Commit, DecodeError};
pub use prefix::{PREFIX_LEN, Prefix, READER, VERSION};

/// SHA-256 over the exact bytes of a commit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What the first commit names as its predecessor.
    pub const ZERO: Self = Self([0; 32]);

    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Hash {
    type Error = hex::FromHexError;
    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> String {
        hash.to_string()
    }
}

/// What a commit is to the workers: they read only the signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Usage alone: nobody has to act.
    Usage,
    /// Holds an event that a worker must act on.
    Signal,
}

/// A commit ready to be appended: the bytes never change any more, whatever number of times they are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedCommit {
    /// The first bytes, decoded.
    pub prefix: Prefix,
    /// What it is to the workers.
    pub class: Class,
    /// SHA-256 of `bytes`: the commit's id.
    pub hash: Hash,
    /// The exact bytes, prefix included.
    pub bytes: Bytes,
}

impl EncodedCommit {
    /// Takes finished bytes that begin with `prefix`.
    pub fn new(prefix: Prefix, class: Class, bytes: Bytes) -> Self {
        debug_assert_eq!(Prefix::read(&bytes), Some(prefix), "a commit begins with its prefix");
        Self { prefix, class, hash: Hash::of(&bytes), bytes }
    }
}

/// The largest commit a writer makes, in bytes. One more command may go beyond it by its own size.
pub const COMMIT_BYTES_MAX: usize = 256 * 1024;
