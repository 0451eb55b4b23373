//! Which partition an account belongs to.

use sha2::{Digest as _, Sha256};

/// Who owns which of the 4096 slots: first slot and partition, in order.
#[derive(Debug, Default)]
pub(super) struct Slots(Vec<(u16, u16)>);

impl Slots {
    /// Takes ranges that cover all slots in order. None: they do not.
    pub(super) fn new(ranges: &[(u16, u16)], partitions: u16) -> Option<Self> {
        let covers = ranges.first()?.0 == 0 && ranges.is_sorted_by(|a, b| a.0 < b.0);
        let fits = ranges.iter().all(|(first, partition)| *first < 4096 && *partition < partitions);
        (covers && fits).then(|| Self(ranges.to_vec()))
    }

    /// The owner of an account. None: the map was not seen.
    pub(super) fn owner(&self, app: &str, user: &str) -> Option<u16> {
        let slot = slot(app, user);
        self.0.iter().rev().find(|(first, _)| *first <= slot).map(|(_, partition)| *partition)
    }
}

fn slot(app: &str, user: &str) -> u16 {
    let mut hasher = Sha256::new();
    for part in [app, routing_part(user)] {
        hasher.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let head = digest.iter().take(8).fold(0_u64, |head, byte| head << 8 | u64::from(*byte));
    u16::try_from(head % 4096).expect("below 4096")
}

/// What stands between the first `{` and the next `}`, when that is something; else the whole id.
fn routing_part(user: &str) -> &str {
    let inner = || {
        let (_, rest) = user.split_once('{')?;
        let (inner, _) = rest.split_once('}')?;
        (!inner.is_empty()).then_some(inner)
    };
    inner().unwrap_or(user)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_vector_has_its_slot() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../schemas/routing.json")).unwrap();
        let vectors = vectors["accounts"].as_array().unwrap();
        for vector in vectors {
            let text = |name: &str| vector[name].as_str().unwrap();
            assert_eq!(
                u64::from(super::slot(text("app"), text("user_id"))),
                vector["slot"].as_u64().unwrap(),
                "{vector}"
            );
        }
        assert!(vectors.len() > 10);
    }
}
