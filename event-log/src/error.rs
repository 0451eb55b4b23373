//! What can go wrong when a log is opened or read. Every message says what to do.

use std::path::PathBuf;

use ledger_core::{PartitionId, Sequence};

use crate::Anchor;

/// A cause whose type is the backend's own business.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The log can not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// What stands in the log is not what was once stored there.
    #[error(
        "partition {partition} of the log is damaged at sequence {sequence}: {reason}. \
         Stop writing to it and restore the log from a backup"
    )]
    Damaged {
        /// The partition.
        partition: PartitionId,
        /// The first sequence that is wrong.
        sequence: Sequence,
        /// What is wrong with it.
        reason: String,
    },
    /// No answer for now; trying again can help.
    #[error(
        "the log can not be read now: {doing} failed. Check that its storage is up; it can be tried again"
    )]
    Unavailable {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        source: Cause,
    },
    /// An anchor beside the log that nobody of ours has kept, or that is another one than it was.
    #[error(
        "the anchor {key} in the bucket DRIP-ANCHORS can not be used: {reason}. Find out who else may write there; \
         `nats kv del DRIP-ANCHORS {key}` removes it"
    )]
    Anchor {
        /// Its key in the bucket.
        key: String,
        /// Why.
        reason: String,
    },
    /// A partition number beyond the log's.
    #[error("there is no partition {partition}: the log has {partitions}, numbered from 0")]
    NoSuchPartition {
        /// What was asked for.
        partition: PartitionId,
        /// How many there are.
        partitions: u16,
    },
}

/// The log can not be created or opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A number of partitions that no log can have.
    #[error("a log has 1 to 100 partitions, not {count}")]
    Partitions {
        /// What was asked for.
        count: u16,
    },
    /// The log exists with another number of partitions.
    #[error("the log exists with {found} partitions, {wanted} were asked for: the number can not be changed")]
    OtherPartitions {
        /// What it has.
        found: u16,
        /// What was asked for.
        wanted: u16,
    },
    /// Nothing there yet.
    #[error("there is no log {place} yet. Create it with `drip init`")]
    NotCreated {
        /// Where, beginning with "in" or "on".
        place: String,
    },
    /// A log from before there were anchors, or a creation that was cut off.
    #[error("there is no bucket DRIP-ANCHORS at {url} yet. Create it with `drip init`")]
    NoAnchors {
        /// The address, without a password.
        url: String,
    },
    /// The streams are gone, and somebody remembers them.
    #[error(
        "the stream {stream} is gone: {} since {} that commit {} of partition {} of log {} stood there. Nothing \
         was created. Restore the log's storage; or, if that log is lost for good, remove what remembers it \
         (`nats kv del DRIP-ANCHORS`, the views, and the folder `snapshots`) to begin another",
        anchor.kept_by.knows(), anchor.kept_at_text(), anchor.sequence, anchor.partition, anchor.log
    )]
    LogGone {
        /// The stream's name.
        stream: String,
        /// What is remembered.
        anchor: Anchor,
    },
    /// Another process writes to this folder.
    #[error("another Drip already runs on the folder {}: stop it or choose another --data-dir", dir.display())]
    AlreadyRunning {
        /// The data folder.
        dir: PathBuf,
    },
    /// The data folder can not be used.
    #[error(
        "can not use the data folder {}: {source}. Make it writable for this user or choose another --data-dir",
        dir.display()
    )]
    Folder {
        /// The data folder.
        dir: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is there, and is not what was written.
    #[error("the log {} is damaged. Keep it as it is, and restore it from a backup", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What SQLite says.
        source: Cause,
    },
    /// This user may not open it as it is.
    #[error(
        "can not open the log {}: this user may not read it, or may not make files in its folder, which reading takes \
         while it is written and when it was not closed in order",
        file.display()
    )]
    NoRights {
        /// The file.
        file: PathBuf,
        /// Why.
        source: Cause,
    },
    /// The file is there and is no log, or not one this program can use.
    #[error("can not open the log {}. Restore the file from a backup or choose another --data-dir", file.display())]
    Database {
        /// The file.
        file: PathBuf,
        /// Why.
        source: Cause,
    },
    /// No connection, or no answer on it.
    #[error("can not reach NATS at {url}: {reason}. Start it or correct --nats")]
    Unreachable {
        /// The address, without a password.
        url: String,
        /// Why.
        reason: String,
    },
    /// The credentials file can not be read.
    #[error("can not read the NATS credentials {}: {source}. Correct the path or the file", file.display())]
    Credentials {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Too old a server: it has bugs that lose or double commits.
    #[error("nats-server {found} at {url} is too old: it has known faults. Install 2.14.4 or later")]
    ServerTooOld {
        /// Its version.
        found: String,
        /// The address, without a password.
        url: String,
    },
    /// Large commits would not fit into a message.
    #[error(
        "the NATS server takes messages up to {found} bytes, and commits need {wanted}: set max_payload: 1MB in its configuration"
    )]
    Payload {
        /// What it takes.
        found: usize,
        /// What is needed.
        wanted: usize,
    },
    /// JetStream refused a request about a stream.
    #[error(
        "NATS refused to {doing} the stream {stream}: {reason}. \
         Check that JetStream is enabled, and that this user may use it"
    )]
    Refused {
        /// A verb: create, inspect.
        doing: &'static str,
        /// The stream's name.
        stream: String,
        /// The server's words.
        reason: String,
    },
    /// A stream is not configured as it must be.
    #[error(
        "the stream {stream} is not configured as the ledger needs it: {}. \
         Correct it with `nats stream edit`, or create the log anew in an empty account",
        differences.join("; ")
    )]
    Configuration {
        /// The stream's name.
        stream: String,
        /// Each as "field is this, must be that".
        differences: Vec<String>,
    },
    /// Acknowledged commits could be lost with the machine, or nobody can tell.
    #[error(
        "acknowledged commits could be lost in a power cut: {reason}. The server needs `sync_interval: always` in \
         its jetstream block and a monitoring address (`http: 127.0.0.1:8222`, said by --nats-monitor); for \
         development, --allow-unsafe-durability goes without"
    )]
    Durability {
        /// What is wrong or could not be found out.
        reason: String,
    },
}
