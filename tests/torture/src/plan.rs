//! What a run is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use crate::nemesis::Fault;

/// Where log and views are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Engines {
    /// SQLite in a data folder, `drip up`.
    Embedded,
    /// One nats-server and Postgres; command-api and projector as processes of their own, two of each.
    R1,
    /// The same on three nats-servers that hold three copies.
    R3,
}

impl Engines {
    /// The word for it on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::R1 => "r1",
            Self::R3 => "r3",
        }
    }

    /// How many nats-servers there are.
    #[must_use]
    pub fn servers(self) -> usize {
        match self {
            Self::Embedded => 0,
            Self::R1 => 1,
            Self::R3 => 3,
        }
    }

    /// How many partitions the log gets.
    #[must_use]
    pub fn partitions(self) -> u16 {
        match self {
            Self::Embedded => 1,
            Self::R1 | Self::R3 => 4,
        }
    }
}

/// One campaign.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where log and views are kept.
    pub engines: Engines,
    /// How long there are load and faults. Healing and judging come after it.
    pub time: Duration,
    /// Decides what is asked for and what is broken, when.
    pub seed: u64,
    /// Requests a second.
    pub rate: u32,
    /// Pauses and outages last so long at most.
    pub longest_fault: Duration,
    /// What is broken first, in an order drawn from the seed. Empty: everything that these engines have, once each.
    pub first: Vec<Fault>,
    /// The bug on purpose that Drip's processes have, by its name; they must be built with such bugs.
    pub planted: Option<&'static str>,
    /// Some accounts have containers and addresses, workers look after them, and what they did is judged.
    pub workers: bool,
    /// A folder in which everything is left for a look; none: nothing is left.
    pub keep: Option<PathBuf>,
}

impl Plan {
    /// The usual plan for these engines.
    #[must_use]
    pub fn new(engines: Engines, time: Duration, seed: u64) -> Self {
        Self {
            engines,
            time,
            seed,
            rate: 150,
            longest_fault: Duration::from_secs(20),
            first: Vec::new(),
            planted: None,
            workers: true,
            keep: None,
        }
    }
}
