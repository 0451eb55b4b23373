//! What an auditor noted at an earlier check: a commit and its hash.

use std::str::FromStr;

use event_log::{EventLog, ReadError, anchors};
use ledger_core::PartitionId;
use ledger_core::commit::Hash;
use serde::Serialize;

use super::finding::Finding;
use crate::server::args::parse_commit;

/// A commit that the log must hold, as `0-812=SHA256`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Noted {
    pub(super) partition: u16,
    pub(super) commit: u64,
    pub(super) sha256: Hash,
}

impl FromStr for Noted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=');
        let (place, hash) =
            parts.ok_or_else(|| format!("'{text}' is not POSITION=SHA256, as in 0-812=d0934d..."))?;
        let place = parse_commit(place)?;
        let wrong =
            |_| format!("'{hash}' is not a SHA-256: 64 hexadecimal digits, as `drip verify` prints them");
        let sha256 = Hash::try_from(hash.to_owned()).map_err(wrong)?;
        if place.sequence == 0 {
            return Err("the first commit of a partition is number 1".to_owned());
        }
        Ok(Self { partition: place.partition, commit: place.sequence, sha256 })
    }
}

impl Noted {
    /// Whether the log holds it; a log that answers otherwise must do so for its patience.
    pub(super) async fn check(&self, log: &dyn EventLog) -> Result<(), Finding> {
        let differs = || anchors::difference_at(log, PartitionId(self.partition), self.commit, self.sha256);
        let found: Result<_, ReadError> = anchors::settled(log.patience(), differs, drop).await;
        match found.map_err(|error| Finding::unreadable(&error))? {
            None => Ok(()),
            Some(difference) => Err(Finding::not_as_noted(self, difference)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_a_place_and_a_hash() {
        let hash = "0123456789abcdef".repeat(4);
        let noted =
            Noted { partition: 3, commit: 812, sha256: Hash::try_from(hash.clone()).expect("64 digits") };
        for place in ["3-812", "3-812-0", "3-812-7"] {
            assert_eq!(format!("{place}={hash}").parse(), Ok(noted), "{place}");
        }
        assert_eq!(format!("3-812={}", hash.to_uppercase()).parse(), Ok(noted), "as some tools write it");
        for (text, words) in [
            ("0-812", "is not POSITION=SHA256"),
            ("812=00", "is not a place in the log"),
            (&format!("0-0={hash}"), "the first commit of a partition is number 1"),
            ("0-812=00", "'00' is not a SHA-256: 64 hexadecimal digits"),
        ] {
            let refused = text.parse::<Noted>().expect_err(text);
            assert!(refused.contains(words), "{text}: {refused}");
        }
    }
}
