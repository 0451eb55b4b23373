//! The first bytes of every commit, frozen for ever: who it belongs to, before anything else is believed.

use crate::ids::{LogId, PartitionId, Sequence};

/// The length of the prefix in bytes.
pub const PREFIX_LEN: usize = 32;

/// The version of the commit format that this program writes.
pub const VERSION: u16 = 1;

/// What this program reads: commits name the oldest reader that understands all of their events.
///
/// 1: all but what follows. 2: `HorizonRaised`. 3: what people and workers tell of the upkeep of accounts.
pub const READER: u16 = 3;

const MAGIC: [u8; 4] = *b"DRIP";

/// `DRIP`, log id (16), partition (u16), sequence (u64), version (u16); integers big-endian.
///
/// The same bytes, as 64 hex digits, are the message's `Drip-Prefix` header on JetStream: a reader tells a
/// foreign message from a damaged one of ours by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// The log this commit belongs to.
    pub log: LogId,
    /// The partition.
    pub partition: PartitionId,
    /// The commit's own sequence in the partition, from 1.
    pub sequence: Sequence,
    /// The version of the body that follows.
    pub version: u16,
}

impl Prefix {
    /// The frozen bytes.
    pub fn to_bytes(self) -> [u8; PREFIX_LEN] {
        let mut bytes = [0; PREFIX_LEN];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..20].copy_from_slice(&self.log.0);
        bytes[20..22].copy_from_slice(&self.partition.0.to_be_bytes());
        bytes[22..30].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[30..].copy_from_slice(&self.version.to_be_bytes());
        bytes
    }

    /// Reads the prefix from the beginning of `bytes`; `None` when they do not begin with one.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; PREFIX_LEN] = bytes.first_chunk()?;
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (log, rest) = rest.split_first_chunk::<16>()?;
        let (partition, rest) = rest.split_first_chunk::<2>()?;
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let (version, _) = rest.split_first_chunk::<2>()?;
        (*magic == MAGIC).then(|| Self {
            log: LogId(*log),
            partition: PartitionId(u16::from_be_bytes(*partition)),
            sequence: u64::from_be_bytes(*sequence),
            version: u16::from_be_bytes(*version),
        })
    }

    /// The text of the message header.
    pub fn to_hex(self) -> String {
        hex::encode(self.to_bytes())
    }

    /// Reads the text of the message header; `None` when it is not one.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; PREFIX_LEN];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Self::read(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_frozen() {
        let prefix = Prefix { log: LogId([7; 16]), partition: PartitionId(3), sequence: 258, version: 1 };
        let hex = "4452495007070707070707070707070707070707000300000000000001020001";
        assert_eq!(prefix.to_hex(), hex);
        assert_eq!(Prefix::from_hex(hex), Some(prefix));
        assert_eq!(Prefix::read(b"DRIP"), None);
        assert_eq!(Prefix::from_hex(&hex.replace("4452", "4453")), None);
    }
}
