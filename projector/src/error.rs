//! What can go wrong with the views. Every message says what to do.

use std::path::PathBuf;

use ledger_core::PartitionId;

/// The views can not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection, no space, too busy: it may work again later.
    #[error("the views can not be reached now: {doing} failed")]
    Unavailable {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The user of the database may not do it.
    #[error(
        "the user of the database may not do what is needed: {doing} failed. Grant it the rights, or name another user \
         in --database-url"
    )]
    Forbidden {
        /// What was tried.
        doing: &'static str,
        /// The store's words.
        source: sqlx::Error,
    },
    /// The store answered that this can never work: its tables are not as they were made, or a bug of ours.
    #[error(
        "the views refused to work: {doing} failed. Their tables were changed or are damaged: drop the views \
         (docs/replay.md), run `drip init`, and they are filled again from the log"
    )]
    Refused {
        /// What was tried.
        doing: &'static str,
        /// The store's words.
        source: sqlx::Error,
    },
    /// A row that the fold does not write.
    #[error(
        "a row of the views holds an impossible {0}: they were changed by hand or are damaged. Drop the views \
         (docs/replay.md), run `drip init`, and they are filled again from the log"
    )]
    Impossible(&'static str),
    /// Somebody else folds into the same new tables.
    #[error(
        "another rebuild of these views is under way. Wait until it is done; if it was killed a moment ago, try again"
    )]
    TwoRebuilds,
    /// No tables there.
    #[error("there are no views {place} yet. Create them with `drip init`")]
    NotCreated {
        /// Where, beginning with "in" or "on".
        place: String,
    },
    /// Tables of an older program.
    #[error(
        "the views {place} are of an older version ({found}, not {wanted}). Bring them up with `drip init`"
    )]
    Older {
        /// Where, beginning with "in" or "on".
        place: String,
        /// Their version.
        found: i64,
        /// The version this program works with.
        wanted: i64,
    },
    /// Tables of a newer program.
    #[error("the views {place} were made by a newer Drip (version {found}, not {wanted}). Upgrade this one")]
    Newer {
        /// Where, beginning with "in" or "on".
        place: String,
        /// Their version.
        found: i64,
        /// The version this program works with.
        wanted: i64,
    },
    /// The tables could not be made.
    #[error("the views {place} could not be created or brought up to date")]
    Migration {
        /// Where, beginning with "in" or "on".
        place: String,
        /// Why.
        source: sqlx::migrate::MigrateError,
    },
    /// No connection at the start.
    #[error("can not reach Postgres at {url}: {reason}. Start it or correct --database-url")]
    Unreachable {
        /// The address, without a password.
        url: String,
        /// Why.
        reason: String,
    },
    /// The data folder can not be used.
    #[error(
        "can not use {}: {reason}. Make it writable for this user or choose another --data-dir",
        file.display()
    )]
    File {
        /// The database file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
}

impl Error {
    /// Sorts a failure of a running store: can it work again by itself?
    pub(crate) fn of(doing: &'static str, source: sqlx::Error) -> Self {
        match is_final(&source) {
            true if is_forbidden(&source) => Self::Forbidden { doing, source },
            true => Self::Refused { doing, source },
            false => Self::Unavailable { doing, source: source.into() },
        }
    }

    /// It may work again later, without anybody's help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// Whatever is not known to be final is tried again. Final are, by SQLSTATE: 22 (a value that can not be held),
/// 23 (a broken constraint), 42 (unknown tables and columns, permissions); and their like of SQLite.
fn is_final(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            let postgres = code.len() == 5 && ["22", "23", "42"].iter().any(|class| code.starts_with(class));
            let sqlite = code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 1 | 11 | 19 | 20 | 26));
            postgres || (code.len() < 5 && sqlite)
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) | sqlx::Error::Encode(_) => true,
        _ => false,
    }
}

/// 42501: insufficient privilege.
fn is_forbidden(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().is_some_and(|code| code == "42501"))
}

/// The projector can not go on.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    /// The views can not be used.
    #[error(transparent)]
    Views(#[from] Error),
    /// The log can not be read, and that will not change by itself.
    #[error("the projector can not read the log")]
    Log(#[source] event_log::ReadError),
    /// A commit that can not be decoded.
    #[error("partition {partition}, commit {sequence} of the log can not be read")]
    Commit {
        /// The partition.
        partition: PartitionId,
        /// Its sequence.
        sequence: u64,
        /// Why.
        source: ledger_core::commit::DecodeError,
    },
    /// A commit that does not continue the chain.
    #[error("the log is damaged. Stop writing to it and restore it from a backup")]
    Broken(#[from] ledger_core::chain::Broken),
    /// The log does not hold what the views were folded from.
    #[error(
        "the log is behind the views or differs from them: partition {partition} was folded up to commit {folded}, \
         but {found}. The log was cut or replaced; nothing was changed. Restore the log; or, if what it lost is lost \
         for good, give that up: `drip anchors forget` where the log is on NATS, then drop the views and run \
         `drip init` (docs/using.md, \"What if the log lost its tail\")"
    )]
    LogDiffers {
        /// The partition.
        partition: PartitionId,
        /// What the views hold.
        folded: u64,
        /// What the log holds.
        found: String,
    },
    /// The log is not what it was.
    #[error(transparent)]
    Differs(event_log::Alarm),
    /// The views are those of another log.
    #[error(
        "the views belong to log {views}, and this is log {log}; the views were not changed. If it took the place of \
         the other one, restore that; else give each log its own views"
    )]
    OtherLog {
        /// The views' log.
        views: ledger_core::LogId,
        /// The log.
        log: ledger_core::LogId,
    },
}

impl ProjectorError {
    /// It may work again later, without anybody's help.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Views(error) => error.is_transient(),
            Self::Log(error) => matches!(error, event_log::ReadError::Unavailable { .. }),
            _ => false,
        }
    }
}
