//! The events of accounts and their money, and those of the log itself.

use serde::Deserialize;

use super::values::{Bytes, Item, Key, Level, Line, OnDecline, Reason, Sealed};

map! {
    /// The beginning of a partition.
    Genesis<'a> {
        "i" (borrow) => log: Bytes<'a, 16>,
        "f" => format: u16,
        "p" => partitions: u16,
        "s" => slots: Vec<(u16, u16)>,
    }
}
map! {
    /// A writer's first act.
    TermOpened<'a> {
        "n" (borrow) => nonce: Bytes<'a, 16>,
        "h" => head: u64,
        "g" => program: &'a str,
    }
}
map! {
    /// An app's rules.
    PolicySet {
        "a" => app: usize,
        "n" => number: u64,
        "f" => fee_bps: i64,
        "l" => low_percent: i64,
        "d" => on_decline: OnDecline,
        "w" => key_window_hours: i64,
    }
}
map! {
    /// An app's keys, forgotten before their window is over because there were too many.
    HorizonRaised {
        "a" => app: usize,
        "t" => horizon: i64,
    }
}
map! {
    /// A new account.
    AccountOpened<'a> {
        "a" => account: usize,
        "k" (borrow) => key: Option<Key<'a>>,
        "c" (default) => initial_balance: i64,
        "v" (default = "Level::absent") => level: Level,
        "w" => actor: usize,
        "x" (borrow) => profile: Option<Sealed<'a>>,
    }
}
map! {
    /// A deposit or a grant.
    MoneyIn<'a> {
        "a" => account: usize,
        "k" (borrow) => key: Key<'a>,
        "c" => amount: i64,
        "l" => lot: u32,
        "y" => priority: u8,
        "b" => balance: i64,
        "z" => baseline: i64,
        "v" (default = "Level::absent") => level: Level,
        "j" => epoch_started: Option<u32>,
        "o" (default) => wakes: bool,
        "w" => actor: usize,
        "x" (borrow) => metadata: Option<Sealed<'a>>,
    }
}
map! {
    /// A paid debit.
    Debited<'a> {
        "a" => account: usize,
        "k" (borrow) => key: Option<Key<'a>>,
        "n" => item: Option<(usize, u64)>,
        "i" => items: Option<Vec<Item>>,
        "m" => meter: usize,
        "p" => scope: Option<usize>,
        "o" => occurred_at: Option<i64>,
        "x" (borrow) => metadata: Option<Sealed<'a>>,
        "c" => charged: i64,
        "f" (default) => fee: i64,
        "l" => lot: Option<u32>,
        "g" (default) => slices: Vec<(u32, i64)>,
        "b" => balance: i64,
        "v" (default = "Level::absent") => level: Level,
        "j" => epoch_started: Option<u32>,
    }
}
map! {
    /// A refused debit that was kept.
    Declined<'a> {
        "a" => account: usize,
        "k" (borrow) => key: Option<Key<'a>>,
        "n" => item: Option<(usize, u64)>,
        "c" => amount: Option<i64>,
        "i" => items: Option<Vec<Item>>,
        "m" => meter: usize,
        "p" => scope: Option<usize>,
        "o" => occurred_at: Option<i64>,
        "x" (borrow) => metadata: Option<Sealed<'a>>,
        "e" => code: &'a str,
        "d" (default) => dusted: bool,
        "b" => balance: i64,
    }
}
map! {
    /// A line that was passed.
    Crossed {
        "a" => account: usize,
        "l" => line: Line,
        "b" => balance: i64,
        "z" => baseline: i64,
        "j" => epoch: u32,
        "r" => reason: Reason,
    }
}
map! {
    /// A closed account.
    AccountClosed<'a> {
        "a" => account: usize,
        "k" (borrow) => key: Option<Key<'a>>,
        "b" => balance: i64,
        "w" => actor: usize,
    }
}
map! {
    /// How far a source is done with.
    SourceMarked<'a> {
        "a" => app: usize,
        "s" => source: usize,
        "n" => to: u64,
        "d" (borrow) => digest: Bytes<'a, 32>,
    }
}
