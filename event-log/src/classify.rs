//! Ours, foreign, or damaged: what a message in a stream is, told from its headers and its bytes alone.

use bytes::Bytes;
use ledger_core::commit::{Hash, Prefix};
use ledger_core::{LogId, PartitionId, Sequence, Timestamp};

use crate::{Entry, ReadError, StoredCommit};

/// Where something was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) log: LogId,
    pub(crate) partition: PartitionId,
    pub(crate) sequence: Sequence,
}

impl Place {
    /// The error for what can not be explained by a stray publisher.
    pub(crate) fn damaged(self, reason: impl Into<String>) -> ReadError {
        ReadError::Damaged { partition: self.partition, sequence: self.sequence, reason: reason.into() }
    }

    /// Why a commit with this prefix does not belong here, if so.
    pub(crate) fn rejects(self, prefix: &Prefix) -> Option<String> {
        if prefix.log != self.log {
            return Some(format!("it belongs to log {}", prefix.log));
        }
        if prefix.partition != self.partition {
            return Some(format!("it belongs to partition {}", prefix.partition));
        }
        (prefix.sequence != self.sequence).then(|| format!("it was meant for sequence {}", prefix.sequence))
    }
}

/// A message as it was found, its two headers as text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found<'a> {
    /// `Drip-Prefix`.
    pub(crate) prefix: Option<&'a str>,
    /// `Nats-Msg-Id`.
    pub(crate) id: Option<&'a str>,
    pub(crate) body: Bytes,
    pub(crate) stored_at: Option<Timestamp>,
}

/// Foreign is what does not claim to be the commit of this place: anybody with a connection may have put it
/// there, and it must not stop the partition. What claims it and does not hold is damage.
pub(crate) fn classify(place: Place, found: Found<'_>) -> Result<Entry, ReadError> {
    let foreign = |reason: String| Ok(Entry::Foreign { sequence: place.sequence, reason });
    let Some(text) = found.prefix else {
        return foreign("it has no Drip-Prefix header".to_owned());
    };
    let Some(prefix) = Prefix::from_hex(text) else {
        return foreign("its Drip-Prefix header can not be read".to_owned());
    };
    if let Some(reason) = place.rejects(&prefix) {
        return foreign(reason);
    }
    let commit = verify(place, prefix, found.body, found.stored_at)?;
    if found.id != Some(commit.hash.to_string().as_str()) {
        return Err(place.damaged("its bytes do not hash to its id"));
    }
    Ok(Entry::Commit(commit))
}

/// Takes the bytes for a commit with this prefix. Error: they begin with another one.
pub(crate) fn verify(
    place: Place,
    prefix: Prefix,
    bytes: Bytes,
    stored_at: Option<Timestamp>,
) -> Result<StoredCommit, ReadError> {
    if Prefix::read(&bytes) != Some(prefix) {
        return Err(place.damaged("its bytes do not begin with its prefix"));
    }
    Ok(StoredCommit { prefix, hash: Hash::of(&bytes), bytes, stored_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { log: LogId([7; 16]), partition: PartitionId(3), sequence: 5 };

    fn prefix() -> Prefix {
        Prefix { log: PLACE.log, partition: PLACE.partition, sequence: PLACE.sequence, version: 1 }
    }

    fn body(prefix: Prefix) -> Vec<u8> {
        [&prefix.to_bytes()[..], b"payload"].concat()
    }

    /// Header, id, body, and what comes out.
    type Case<'a> = (Option<&'a str>, Option<&'a str>, &'a [u8], &'a str);

    fn judge(header: Option<&str>, id: Option<&str>, body: &[u8]) -> String {
        let body = Bytes::copy_from_slice(body);
        match classify(PLACE, Found { prefix: header, id, body, stored_at: None }) {
            Ok(Entry::Commit(commit)) => format!("commit {}", commit.prefix.sequence),
            Ok(Entry::Foreign { reason, .. }) => format!("foreign: {reason}"),
            Err(ReadError::Damaged { reason, .. }) => format!("damaged: {reason}"),
            Err(other) => panic!("classify answered {other:?}"),
        }
    }

    #[test]
    fn a_message_is_ours_foreign_or_damaged() {
        let ours = body(prefix());
        let header = prefix().to_hex();
        let id = Hash::of(&ours).to_string();
        let other_log = Prefix { log: LogId([8; 16]), ..prefix() };
        let other_partition = Prefix { partition: PartitionId(4), ..prefix() };
        let other_sequence = Prefix { sequence: 6, ..prefix() };
        let other_version = Prefix { version: 2, ..prefix() };
        let hash = |bytes: &[u8]| Hash::of(bytes).to_string();
        let text = "not hex";
        let no_prefix = "damaged: its bytes do not begin with its prefix";
        let no_hash = "damaged: its bytes do not hash to its id";
        let flipped = [&ours[..ours.len() - 1], b"D"].concat();
        let cases: [Case<'_>; 14] = [
            (Some(&header), Some(&id), &ours, "commit 5"),
            (None, Some(&id), &ours, "foreign: it has no Drip-Prefix header"),
            (None, None, b"", "foreign: it has no Drip-Prefix header"),
            (Some(text), Some(&id), &ours, "foreign: its Drip-Prefix header can not be read"),
            (Some(&header[1..]), Some(&id), &ours, "foreign: its Drip-Prefix header can not be read"),
            (
                Some(&other_log.to_hex()),
                Some(&hash(&body(other_log))),
                &body(other_log),
                "foreign: it belongs to log 08080808080808080808080808080808",
            ),
            (Some(&other_partition.to_hex()), Some(&id), &ours, "foreign: it belongs to partition 4"),
            (Some(&other_sequence.to_hex()), Some(&id), &ours, "foreign: it was meant for sequence 6"),
            (Some(&header), Some(&hash(&body(other_version))), &body(other_version), no_prefix),
            (Some(&header), Some(&hash(b"")), b"", no_prefix),
            (Some(&header), Some(&hash(&ours[..20])), &ours[..20], no_prefix),
            (Some(&header), Some(&id), &flipped, no_hash),
            (Some(&header), Some(text), &ours, no_hash),
            (Some(&header), None, &ours, no_hash),
        ];
        for (header, id, body, expected) in cases {
            assert_eq!(judge(header, id, body), expected, "header {header:?}, id {id:?}");
        }
    }
}
