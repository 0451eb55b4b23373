//! Chance. Services draw from it here and nowhere else, so that a simulation can draw the same again.

#[cfg(feature = "sim")]
use crate::sim;

/// Any number, each equally likely; not fit for secrets.
#[must_use]
pub fn random() -> u64 {
    #[cfg(feature = "sim")]
    if let Some(number) = sim::random() {
        return number;
    }
    rand::random()
}
