//! The tables of the views, as they are read whole: what `drip verify` compares, and a rebuild replaces.

/// A table of the views, as it is read.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in order.
    pub columns: &'static [Column],
    /// How many of them, from the first on, are its key and its order.
    pub key: usize,
}

/// A column: its name, and what it holds.
pub type Column = (&'static str, Kind);

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// A truth.
    Flag,
    /// A moment.
    Time,
}

use Kind::{Flag, Number, Text, Time};

/// The tables, in the order of their names. What the migrations call a key comes first in each.
pub const TABLES: [Table; 11] = [
    ACCOUNTS,
    AGENT_LOG,
    CHAIN_POSITIONS,
    CHECKOUTS,
    CONTAINERS,
    JOURNAL,
    LOTS,
    NOTICES,
    SOLVENCY,
    SOURCES,
    USAGE_HOURS,
];

/// One row an account.
pub const ACCOUNTS: Table = Table {
    name: "accounts",
    key: 2,
    columns: &[
        ("app", Text),
        ("user_id", Text),
        ("balance", Number),
        ("baseline", Number),
        ("level", Text),
        ("epoch", Number),
        ("dusted", Flag),
        ("closed", Flag),
        ("carry", Number),
        ("deposited", Number),
        ("granted", Number),
        ("charged", Number),
        ("fees", Number),
        ("email", Text),
        ("metadata", Text),
        ("opened_at", Time),
        ("opened_partition", Number),
        ("opened_sequence", Number),
        ("opened_idx", Number),
        ("last_partition", Number),
        ("last_sequence", Number),
        ("last_idx", Number),
        ("paused", Flag),
        ("forced", Flag),
    ],
};

/// How far each partition is folded.
pub const CHAIN_POSITIONS: Table = Table {
    name: "chain_positions",
    key: 2,
    columns: &[
        ("log", Text),
        ("partition", Number),
        ("read", Number),
        ("sequence", Number),
        ("hash", Text),
        ("time", Time),
        ("term", Text),
        ("foreign_count", Number),
    ],
};

/// One row an event of an account.
pub const JOURNAL: Table = Table {
    name: "journal",
    key: 3,
    columns: &[
        ("partition", Number),
        ("sequence", Number),
        ("idx", Number),
        ("app", Text),
        ("user_id", Text),
        ("kind", Text),
        ("recorded_at", Time),
        ("occurred_at", Time),
        ("amount", Number),
        ("balance", Number),
        ("level", Text),
        ("fee", Number),
        ("meter", Text),
        ("scope", Text),
        ("key", Text),
        ("source", Text),
        ("number", Number),
        ("items", Text),
        ("asked", Number),
        ("code", Text),
        ("line", Text),
        ("lots", Text),
        ("actor", Text),
        ("metadata", Text),
    ],
};

/// What each deposit or grant brought in.
pub const LOTS: Table = Table {
    name: "lots",
    key: 3,
    columns: &[
        ("app", Text),
        ("user_id", Text),
        ("lot", Number),
        ("kind", Text),
        ("priority", Number),
        ("partition", Number),
        ("sequence", Number),
        ("idx", Number),
        ("amount", Number),
        ("left", Number),
    ],
};

/// How far each source is done with.
pub const SOURCES: Table = Table {
    name: "sources",
    key: 3,
    columns: &[
        ("app", Text),
        ("source", Text),
        ("partition", Number),
        ("upto", Number),
        ("digest", Text),
        ("debits", Number),
        ("charged", Number),
        ("declined", Number),
    ],
};

/// Paid usage by the hour.
pub const USAGE_HOURS: Table = Table {
    name: "usage_hours",
    key: 4,
    columns: &[
        ("app", Text),
        ("user_id", Text),
        ("meter", Text),
        ("hour", Time),
        ("count", Number),
        ("charged", Number),
        ("fees", Number),
    ],
};

/// One row an account that was given a container.
pub const CONTAINERS: Table = Table {
    name: "containers",
    key: 2,
    columns: &[
        ("app", Text),
        ("user_id", Text),
        ("image", Text),
        ("health_path", Text),
        ("set_partition", Number),
        ("set_sequence", Number),
        ("set_idx", Number),
        ("set_at", Time),
        ("phase", Text),
        ("steps", Number),
        ("ran", Flag),
        ("deployed", Flag),
        ("project", Text),
        ("environment", Text),
        ("service", Text),
        ("deployment", Text),
        ("url", Text),
        ("strategy", Text),
        ("operation", Text),
        ("worker", Text),
        ("until", Time),
        ("attempts", Number),
        ("retry_at", Time),
        ("gave_up", Flag),
        ("reason", Text),
        ("stepped_at", Time),
    ],
};

/// One row a mail.
pub const NOTICES: Table = Table {
    name: "notices",
    key: 4,
    columns: &[
        ("app", Text),
        ("user_id", Text),
        ("kind", Text),
        ("epoch", Number),
        ("state", Text),
        ("steps", Number),
        ("attempts", Number),
        ("not_before", Time),
        ("worker", Text),
        ("message_id", Text),
        ("reason", Text),
        ("due_at", Time),
        ("due_partition", Number),
        ("due_sequence", Number),
        ("due_idx", Number),
        ("mail_partition", Number),
        ("mail_sequence", Number),
        ("mail_idx", Number),
        ("stepped_at", Time),
    ],
};

/// One row a checkout session.
pub const CHECKOUTS: Table = Table {
    name: "checkouts",
    key: 3,
    columns: &[
        ("app", Text),
        ("user_id", Text),
        ("session", Text),
        ("amount", Number),
        ("url", Text),
        ("state", Text),
        ("reason", Text),
        ("paid", Number),
        ("payment", Text),
        ("key", Text),
        ("actor", Text),
        ("expires_at", Time),
        ("opened_at", Time),
        ("opened_partition", Number),
        ("opened_sequence", Number),
        ("opened_idx", Number),
        ("stepped_at", Time),
    ],
};

/// One row a comparison of what users hold with what there is for them.
pub const SOLVENCY: Table = Table {
    name: "solvency",
    key: 3,
    columns: &[
        ("partition", Number),
        ("sequence", Number),
        ("idx", Number),
        ("recorded_at", Time),
        ("balances", Number),
        ("positions", Text),
        ("wallet", Number),
        ("promo", Number),
        ("wallet_level", Text),
        ("build_credits", Number),
        ("build_monthly", Number),
        ("build_level", Text),
        ("worker", Text),
    ],
};

/// One row a signal, for people to read.
pub const AGENT_LOG: Table = Table {
    name: "agent_log",
    key: 3,
    columns: &[
        ("partition", Number),
        ("sequence", Number),
        ("idx", Number),
        ("recorded_at", Time),
        ("app", Text),
        ("user_id", Text),
        ("kind", Text),
        ("step", Text),
        ("subject", Text),
        ("amount", Number),
        ("balance", Number),
        ("text", Text),
        ("actor", Text),
    ],
};
