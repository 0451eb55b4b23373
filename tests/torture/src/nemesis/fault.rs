//! The faults there are, and who is hit by them.

use std::fmt;

use crate::world::proxy::Wire;

/// Who is hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A nats-server, by number.
    Nats(usize),
    /// The nats-server that leads the stream of this partition.
    StreamLeader(u16),
    /// The nats-server that leads the cluster.
    MetaLeader,
    /// The postmaster.
    Postgres,
    /// The command-api that clients ask, or the embedded Drip.
    Owner,
    /// A projector, by number.
    Projector(usize),
    /// A lifecycle-worker, by number.
    Lifecycle(usize),
    /// A notifier, by number.
    Notifier(usize),
    /// What stands in for the providers: it forgets nothing that it told anybody of.
    Sandbox,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// SIGKILL; started again after so many milliseconds.
    Kill(Target, u64),
    /// SIGTERM; started again after so many milliseconds.
    Terminate(Target, u64),
    /// SIGSTOP, and SIGCONT after so many milliseconds.
    Pause(Target, u64),
    /// Nothing that the owner sends to NATS arrives for so many milliseconds; then it is killed, and what it had sent is
    /// lost.
    KillUnheard(u64),
    /// SIGKILL to one process of Postgres that serves a client.
    KillBackend,
    /// Two of the three nats-servers are killed, or paused, for so many milliseconds.
    TwoOfThree {
        /// Paused and not killed.
        paused: bool,
        /// For how long.
        millis: u64,
    },
    /// The leader of a partition's stream, or of the cluster, hands over, so many times in a row.
    StepDown(Option<u16>, u32),
    /// A second owner is started beside the first.
    Takeover {
        /// The first one is paused meanwhile and wakes up with its old memory.
        asleep: bool,
    },
    /// Everything is stopped and started again, one after the other.
    RollingRestart,
    /// A wire, by number among those that matter, is so for so many milliseconds.
    BadWire {
        /// Which.
        wire: usize,
        /// How it is.
        how: Wire,
        /// For how long.
        millis: u64,
        /// It is cut before it is good again.
        reset: bool,
    },
    /// A message of nobody's in the stream of this partition.
    Foreign(u16),
    /// A caller who wants the answer to a request published into the stream of this partition.
    ReplyIntoLog(u16),
}

impl Fault {
    /// Its kind, for counting.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Kill(target, _) => format!("kill -9 {target}"),
            Self::Terminate(target, _) => format!("SIGTERM {target}"),
            Self::Pause(target, _) => format!("pause {target}"),
            Self::KillUnheard(_) => "kill -9 owner whose last words were lost".to_owned(),
            Self::KillBackend => "kill -9 Postgres backend".to_owned(),
            Self::TwoOfThree { paused: true, .. } => "pause two of three nats-servers".to_owned(),
            Self::TwoOfThree { paused: false, .. } => "kill -9 two of three nats-servers".to_owned(),
            Self::StepDown(Some(_), _) => "stepdown of a stream's leader".to_owned(),
            Self::StepDown(None, _) => "stepdown of the cluster's leader".to_owned(),
            Self::Takeover { asleep: false } => "second owner beside the first".to_owned(),
            Self::Takeover { asleep: true } => "second owner while the first is paused".to_owned(),
            Self::RollingRestart => "rolling restart".to_owned(),
            Self::BadWire { how, .. } => format!("wire {}", wire(*how)),
            Self::Foreign(_) => "foreign message".to_owned(),
            Self::ReplyIntoLog(_) => "reply wanted into the log".to_owned(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nats(_) => "nats-server",
            Self::StreamLeader(_) => "leader of a stream",
            Self::MetaLeader => "leader of the cluster",
            Self::Postgres => "Postgres",
            Self::Owner => "owner",
            Self::Projector(_) => "projector",
            Self::Lifecycle(_) => "lifecycle-worker",
            Self::Notifier(_) => "notifier",
            Self::Sandbox => "sandbox",
        })
    }
}

fn wire(how: Wire) -> &'static str {
    match how {
        Wire::Good => "good",
        Wire::Cut => "cut",
        Wire::StalledToServer => "stalled towards the server",
        Wire::StalledToClient => "stalled towards the client",
        Wire::Silent => "half-open",
        Wire::Slow(_) => "slow",
    }
}

impl Fault {
    /// Both at once would fight over the same process, or make it impossible to say what should work.
    pub(super) fn hinders(&self, other: &Self) -> bool {
        self.place() == other.place() || self.place() == Place::All || other.place() == Place::All
    }

    pub(super) fn place(&self) -> Place {
        match self {
            Self::Kill(target, _) | Self::Terminate(target, _) | Self::Pause(target, _) => match target {
                Target::Nats(_) | Target::StreamLeader(_) | Target::MetaLeader => Place::Log,
                Target::Postgres => Place::Views,
                Target::Owner => Place::Owner,
                Target::Projector(_) => Place::Projector,
                Target::Lifecycle(_) | Target::Notifier(_) | Target::Sandbox => Place::Outside,
            },
            Self::KillBackend => Place::Views,
            Self::TwoOfThree { .. } | Self::StepDown(..) | Self::Foreign(_) | Self::ReplyIntoLog(_) => {
                Place::Log
            }
            Self::Takeover { .. } | Self::RollingRestart | Self::KillUnheard(_) => Place::All,
            Self::BadWire { .. } => Place::Wires,
        }
    }
}

/// Where a fault is.
#[derive(PartialEq, Eq)]
pub(super) enum Place {
    Log,
    Views,
    Owner,
    Projector,
    Outside,
    Wires,
    All,
}
