//! Where an event stands in the log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where an event stands, for ever: written `partition-sequence-index`, as in `0-1234-7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Position {
    /// The partition, from 0.
    pub partition: u16,
    /// The commit's sequence in the partition, from 1.
    pub sequence: u64,
    /// The event's index in the commit, from 0.
    pub index: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.partition, self.sequence, self.index)
    }
}

/// A text that is no position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no position; one looks like 0-1234-7")]
pub struct InvalidPosition(String);

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let mut parts = text.split('-');
        let mut read = || {
            let (partition, sequence, index) = (parts.next()?, parts.next()?, parts.next()?);
            let position = Self {
                partition: partition.parse().ok()?,
                sequence: sequence.parse().ok()?,
                index: index.parse().ok()?,
            };
            parts.next().is_none().then_some(position)
        };
        read().ok_or_else(|| InvalidPosition(text.to_owned()))
    }
}

impl TryFrom<String> for Position {
    type Error = InvalidPosition;

    fn try_from(text: String) -> Result<Self, InvalidPosition> {
        text.parse()
    }
}

impl From<Position> for String {
    fn from(position: Position) -> Self {
        position.to_string()
    }
}
