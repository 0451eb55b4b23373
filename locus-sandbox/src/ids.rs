//! Ids: the same ones in the same order under the same seed, in the shapes the real services use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Makes ids. Each kind counts on its own, so that what happens to mails does not change the ids of containers.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ids {
    seed: u64,
    made: BTreeMap<String, u64>,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, made: BTreeMap::new() }
    }

    /// So many hex digits, at most 64.
    pub(crate) fn hex(&mut self, kind: &str, digits: usize) -> String {
        let mut text = hex::encode(self.next(kind));
        text.truncate(digits);
        text
    }

    /// `proj_4be1…`, `svc_09ac…`.
    pub(crate) fn named(&mut self, prefix: &str) -> String {
        format!("{prefix}_{}", self.hex(prefix, 12))
    }

    /// In the shape of a random UUID.
    pub(crate) fn uuid(&mut self, kind: &str) -> String {
        let text = self.hex(kind, 32);
        let (a, b, c, d) = (&text[..8], &text[8..12], &text[13..16], &text[17..20]);
        format!("{a}-{b}-4{c}-8{d}-{}", &text[20..32])
    }

    fn next(&mut self, kind: &str) -> [u8; 32] {
        let made = self.made.entry(kind.to_owned()).or_default();
        *made += 1;
        Sha256::digest(format!("{}|{kind}|{made}", self.seed)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_and_no_id_comes_twice() {
        let (mut one, mut same, mut other) = (Ids::new(1), Ids::new(1), Ids::new(2));
        let first = one.uuid("session");
        assert_eq!(first, same.uuid("session"));
        assert_ne!(first, other.uuid("session"));
        assert_ne!(first, one.uuid("session"));
        assert_eq!((first.len(), &first[14..15]), (36, "4"));
        assert!(one.named("svc").starts_with("svc_"));
    }
}
