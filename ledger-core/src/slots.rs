//! Routing: which partition decides for an account. Frozen for ever; `schemas/routing.json` holds golden vectors.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ids::{AccountId, PartitionId, UserId};

/// How many slots there are.
pub const SLOTS: u16 = 4096;

/// The slot of an account: the first 8 bytes, big-endian, of SHA-256 over app and routing part, each after its
/// length as a big-endian u32, modulo [`SLOTS`].
pub fn slot(account: &AccountId) -> u16 {
    let mut hasher = Sha256::new();
    for part in [account.app.as_str(), routing_part(&account.user)] {
        let length = u32::try_from(part.len()).expect("names are at most 200 bytes");
        hasher.update(length.to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let digest = hasher.finalize();
    let head = digest.first_chunk::<8>().expect("SHA-256 has 32 bytes");
    u16::try_from(u64::from_be_bytes(*head) % u64::from(SLOTS)).expect("below 4096")
}

/// The text between the first `{` and the next `}` when there is some, else the whole id: `{acme}anna` and
/// `{acme}bob` live together.
pub fn routing_part(user: &UserId) -> &str {
    let whole = user.as_str();
    let braced = whole.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(inner, _)| inner);
    braced.filter(|inner| !inner.is_empty()).unwrap_or(whole)
}

/// Consecutive slots that belong to one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SlotRange {
    /// The first slot of the range; it ends before the next range's first.
    pub first: u16,
    /// Their partition.
    pub partition: PartitionId,
}

/// Which partition each slot belongs to: ranges in order, the first from slot 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SlotMap(Vec<SlotRange>);

impl SlotMap {
    /// Deals the slots evenly to so many partitions (1 to [`SLOTS`]).
    pub fn even(partitions: u16) -> Self {
        assert!((1..=SLOTS).contains(&partitions), "a log has 1 to {SLOTS} partitions");
        let first = |partition: u16| u32::from(partition) * u32::from(SLOTS) / u32::from(partitions);
        let range = |partition| SlotRange {
            first: u16::try_from(first(partition)).expect("below 4096"),
            partition: PartitionId(partition),
        };
        Self((0..partitions).map(range).collect())
    }

    /// Takes ranges as found in a log; `None` unless they cover every slot in order.
    pub fn from_ranges(ranges: Vec<SlotRange>) -> Option<Self> {
        let from_zero = ranges.first()?.first == 0;
        let in_order = ranges.is_sorted_by(|a, b| a.first < b.first);
        let in_range = ranges.last()?.first < SLOTS;
        (from_zero && in_order && in_range).then_some(Self(ranges))
    }

    /// The ranges.
    pub fn ranges(&self) -> &[SlotRange] {
        &self.0
    }

    /// The owner of a slot.
    pub fn partition_of(&self, slot: u16) -> PartitionId {
        let after = self.0.partition_point(|range| range.first <= slot);
        self.0[after - 1].partition
    }

    /// The partition that decides for an account.
    pub fn route(&self, account: &AccountId) -> PartitionId {
        self.partition_of(slot(account))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_routing_part_is_what_stands_in_the_first_braces() {
        for (id, part) in [
            ("anna", "anna"),
            ("{acme}anna", "acme"),
            ("x{acme}y{z}", "acme"),
            ("{}anna", "{}anna"),
            ("{anna", "{anna"),
            ("}{a}", "a"),
            ("{{a}}", "{a"),
        ] {
            assert_eq!(routing_part(&UserId::new(id).unwrap()), part, "{id}");
        }
    }

    #[test]
    fn an_even_map_gives_every_slot_to_one_partition() {
        for partitions in [1, 2, 3, 4, 7, 4096] {
            let map = SlotMap::even(partitions);
            let mut owned = vec![0_u32; usize::from(partitions)];
            for slot in 0..SLOTS {
                owned[usize::from(map.partition_of(slot).0)] += 1;
            }
            let (least, most) = (owned.iter().min().unwrap(), owned.iter().max().unwrap());
            assert!(most - least <= 1, "{partitions}: {owned:?}");
            assert_eq!(SlotMap::from_ranges(map.ranges().to_vec()), Some(map));
        }
    }

    #[test]
    fn a_map_with_a_hole_or_out_of_order_is_refused() {
        let range = |first| SlotRange { first, partition: PartitionId(0) };
        for ranges in [
            vec![],
            vec![range(1)],
            vec![range(0), range(0)],
            vec![range(0), range(9), range(5)],
            vec![range(0), range(4096)],
        ] {
            assert_eq!(SlotMap::from_ranges(ranges), None);
        }
    }
}
