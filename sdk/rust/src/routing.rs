//! Which partition decides for an account: for programs that ask a partition straight, over NATS.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How many slots there are, for ever.
pub const SLOTS: u16 = 4096;

/// The slot of an account: the first 8 bytes, big-endian, of SHA-256 over app and routing part, each after its length
/// as a big-endian u32, modulo [`SLOTS`]. The routing part of a user id is what stands in its first braces
/// (`{acme}anna`), else all of it.
#[must_use]
pub fn slot(app: &str, user_id: &str) -> u16 {
    let mut hasher = Sha256::new();
    for part in [app, routing_part(user_id)] {
        // What is longer is no name, and whoever asks with it is told so.
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        hasher.update(length.to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let digest = hasher.finalize();
    let head = digest.first_chunk::<8>().expect("SHA-256 has 32 bytes");
    u16::try_from(u64::from_be_bytes(*head) % u64::from(SLOTS)).expect("below 4096")
}

fn routing_part(user_id: &str) -> &str {
    let braced = user_id.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    braced.map(|(inner, _)| inner).filter(|inner| !inner.is_empty()).unwrap_or(user_id)
}

/// How a log deals its slots to partitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routing {
    /// How many partitions there are, numbered from 0.
    pub partitions: u32,
    /// Ranges of slots in order, the first from slot 0.
    pub slots: Vec<SlotRange>,
}

/// Consecutive slots of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotRange {
    /// The first slot of the range; it ends before the next range's first.
    pub first: u16,
    /// The partition.
    pub partition: u16,
}

impl Routing {
    /// The partition that decides for an account; in a subject it is written with two digits, `00`. `None` when the
    /// ranges do not begin at slot 0, which no Drip answers.
    #[must_use]
    pub fn partition_of(&self, app: &str, user_id: &str) -> Option<u16> {
        let slot = slot(app, user_id);
        let after = self.slots.partition_point(|range| range.first <= slot);
        self.slots.get(after.checked_sub(1)?).map(|range| range.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        accounts: Vec<Vector>,
        slots: u16,
    }

    #[derive(Deserialize)]
    struct Vector {
        app: String,
        user_id: String,
        routing_part: String,
        slot: u16,
        partition_of_1: u16,
        partition_of_4: u16,
    }

    fn even(partitions: u16) -> Routing {
        let first = |partition| partition * (SLOTS / partitions);
        let slots = (0..partitions).map(|partition| SlotRange { first: first(partition), partition });
        Routing { partitions: partitions.into(), slots: slots.collect() }
    }

    #[test]
    fn accounts_are_found_where_the_golden_vectors_have_them() {
        let golden: Golden = serde_json::from_str(include_str!("../../../schemas/routing.json")).unwrap();
        assert_eq!(golden.slots, SLOTS);
        assert!(!golden.accounts.is_empty());
        for Vector { app, user_id, routing_part: part, slot: expected, partition_of_1, partition_of_4 } in
            &golden.accounts
        {
            assert_eq!((routing_part(user_id), slot(app, user_id)), (part.as_str(), *expected), "{user_id}");
            assert_eq!(even(1).partition_of(app, user_id), Some(*partition_of_1), "{user_id}");
            assert_eq!(even(4).partition_of(app, user_id), Some(*partition_of_4), "{user_id}");
        }
        assert_eq!(Routing { partitions: 0, slots: vec![] }.partition_of("demo", "anna"), None);
    }
}
