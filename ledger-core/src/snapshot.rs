//! Snapshots: the state of a partition at one commit as bytes, so that a start need not replay the whole log.
//!
//! A snapshot is a cache. It names the commit it stands at by its hash, and holds a digest of itself; a program that
//! does not know its layout, or finds it damaged, replays instead. Closed generations of keys never change, so they
//! are bytes of their own that a snapshot names by their hash: each is written once, however many snapshots need it.
//!
//! The layout, integers little-endian: [`MAGIC`], the state ([`write`] and [`read`] are twins, field by field), the
//! hashes of the generations in the order in which the state counts them, SHA-256 over all of that.

mod read;
mod write;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::chain::Chain;
use crate::commit::Hash;
use crate::keys::Generation;
use crate::ledger::Ledger;

pub(crate) use write::generation as write_generation;

/// The first bytes of a snapshot; the last is the number of its layout. A changed layout is a new number: what was
/// written before is passed over then.
const MAGIC: &[u8; 12] = b"DRIPSNAP\0\0\0\x04";
/// The first bytes of a generation of keys.
const KEYS_MAGIC: &[u8; 12] = b"DRIPKEYS\0\0\0\x02";

/// The state of a partition at one commit.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Where it stands.
    pub chain: Chain,
    state: Vec<u8>,
    generations: Vec<Arc<Generation>>,
}

/// Bytes that are no snapshot this program can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Another layout, or no snapshot at all.
    #[error("it was not written as this program writes snapshots")]
    Layout,
    /// The digest at its end is not that of its bytes.
    #[error("its bytes are not those that were written")]
    Damaged,
    /// A generation of keys that it names is not there, or damaged.
    #[error("the generation of keys {0} that it names is missing or damaged")]
    Generation(Hash),
}

/// Without the state, which is large.
impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = Hash::of(&self.state);
        write!(f, "{} bytes {state} at {:?}, {:?}", self.state.len(), self.chain, self.generations)
    }
}

impl Snapshot {
    /// The state of `ledger`, which must be that at the commit where `chain` stands.
    pub fn take(chain: &Chain, ledger: &Ledger) -> Self {
        let (state, generations) = write::state(chain, ledger);
        Self { chain: *chain, state, generations }
    }

    /// About how large it is, in bytes, without the generations of keys.
    pub fn size(&self) -> usize {
        self.state.len()
    }

    /// The closed generations of keys, by the hash of their bytes.
    pub fn generations(&self) -> impl Iterator<Item = (Hash, &Generation)> {
        self.generations.iter().map(|generation| (generation.hash(), &**generation))
    }

    /// The bytes to keep. Hashes what may be large: not for a thread that others wait for.
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes =
            Vec::with_capacity(MAGIC.len() + self.state.len() + 32 * (self.generations.len() + 1));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.state);
        self.generations().for_each(|(hash, _)| bytes.extend_from_slice(&hash.0));
        let digest = Sha256::digest(&bytes);
        bytes.extend_from_slice(&digest);
        bytes.into()
    }

    /// The state again, and where it stands. `generation` gives the bytes of a generation by their hash.
    pub fn restore(
        bytes: &[u8],
        generation: impl FnMut(Hash) -> Option<Bytes>,
    ) -> Result<(Chain, Ledger), SnapshotError> {
        let (whole, digest) = bytes.split_last_chunk::<32>().ok_or(SnapshotError::Layout)?;
        let state = whole.strip_prefix(MAGIC).ok_or(SnapshotError::Layout)?;
        if Sha256::digest(whole)[..] != digest[..] {
            return Err(SnapshotError::Damaged);
        }
        read::state(state, generation)
    }
}
