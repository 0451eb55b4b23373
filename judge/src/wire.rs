//! The bytes of a commit, read as `schemas/wire.md` says: the one-letter names here are the ones of that page.
//!
//! Texts are borrowed from the bytes; nothing is checked but the form. Whether it may have happened is asked in
//! [`crate::fold`].

use std::fmt;

use serde::de::{Error as _, IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};

/// The newest version of the format that this program knows.
pub const VERSION: u16 = 2;

/// A commit: its frozen prefix, its hash, and what it says.
#[derive(Debug)]
pub struct Commit<'a> {
    /// The log's id.
    pub log: [u8; 16],
    /// The partition.
    pub partition: u16,
    /// The commit's own sequence.
    pub sequence: u64,
    /// The SHA-256 of all its bytes.
    pub hash: [u8; 32],
    /// The rest.
    pub body: Body<'a>,
}

/// Bytes that are no commit this program can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// They do not begin with a prefix.
    #[error("the bytes do not begin with the 32 bytes that every commit begins with")]
    Prefix,
    /// Written by a newer program: what it means is not known here.
    #[error("it needs a reader of version {needs}, this one knows version {VERSION}: use a newer Drip")]
    TooNew {
        /// The version a reader must know.
        needs: u64,
    },
    /// Not as the format says.
    #[error("the bytes behind the prefix can not be decoded: {0}")]
    Body(String),
}

impl<'a> Commit<'a> {
    /// Reads a commit from all of these bytes.
    ///
    /// Errors: they are no commit, or one of a newer format.
    pub fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let (prefix, body) = bytes.split_at_checked(32).ok_or(WireError::Prefix)?;
        if !prefix.starts_with(b"DRIP") {
            return Err(WireError::Prefix);
        }
        let version = u16::from_be_bytes(part(prefix, 30));
        if version > VERSION {
            return Err(WireError::TooNew { needs: version.into() });
        }
        Ok(Self {
            log: part(prefix, 4),
            partition: u16::from_be_bytes(part(prefix, 20)),
            sequence: u64::from_be_bytes(part(prefix, 22)),
            hash: Sha256::digest(bytes).into(),
            body: Body::read(body)?,
        })
    }
}

fn part<const N: usize>(prefix: &[u8], at: usize) -> [u8; N] {
    prefix[at..at + N].try_into().expect("the prefix has 32 bytes")
}

/// What stands behind the prefix.
#[derive(Debug, Deserialize)]
pub struct Body<'a> {
    /// The oldest version a reader must know.
    #[serde(rename = "r")]
    pub min_reader: u64,
    /// The sequence of the last commit before this one; 0: none.
    #[serde(rename = "q")]
    pub previous: u64,
    /// And its hash.
    #[serde(rename = "h", borrow)]
    pub previous_hash: Bytes<'a, 32>,
    /// When it was written, in microseconds since 1970.
    #[serde(rename = "t")]
    pub time: i64,
    /// The random number of the writer's term.
    #[serde(rename = "n", borrow)]
    pub term: Bytes<'a, 16>,
    /// What text indexes point at.
    #[serde(rename = "s", borrow)]
    pub texts: Vec<&'a str>,
    /// What account indexes point at: text index of the app, and the user.
    #[serde(rename = "u", borrow)]
    pub accounts: Vec<(usize, &'a str)>,
    /// What happened, in order.
    #[serde(rename = "e", borrow)]
    pub events: Vec<Event<'a>>,
}

impl<'a> Body<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut from = rmp_serde::Deserializer::from_read_ref(bytes);
        let body = Self::deserialize(&mut from).map_err(|error| unreadable(bytes, &error))?;
        match IgnoredAny::deserialize(&mut from) {
            Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => {}
            _more => return Err(WireError::Body("something follows it".to_owned())),
        }
        match body.min_reader > VERSION.into() {
            true => Err(WireError::TooNew { needs: body.min_reader }),
            false => Ok(body),
        }
    }
}

/// What can not be read may be of a newer format, and then says so.
fn unreadable(bytes: &[u8], error: &rmp_serde::decode::Error) -> WireError {
    #[derive(Deserialize)]
    struct MinReader {
        r: u64,
    }
    match rmp_serde::from_slice(bytes) {
        Ok(MinReader { r }) if r > VERSION.into() => WireError::TooNew { needs: r },
        _ => WireError::Body(error.to_string()),
    }
}

/// So many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes<'a, const N: usize>(pub &'a [u8; N]);

impl<'de: 'a, 'a, const N: usize> Deserialize<'de> for Bytes<'a, N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(from)?;
        bytes
            .try_into()
            .map(Bytes)
            .map_err(|_| D::Error::invalid_length(bytes.len(), &"another number of bytes"))
    }
}

/// A caller's idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// Any text.
    Text(&'a str),
    /// A UUID in its usual lower-case form.
    Uuid([u8; 16]),
}

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct TextOrBytes;
        impl<'de> Visitor<'de> for TextOrBytes {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key: text or 16 bytes")
            }
            fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key::Text(text))
            }
            fn visit_borrowed_bytes<E: serde::de::Error>(self, bytes: &'de [u8]) -> Result<Key<'de>, E> {
                bytes.try_into().map(Key::Uuid).map_err(|_| E::invalid_length(bytes.len(), &self))
            }
        }
        from.deserialize_any(TextOrBytes)
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Uuid(bytes) => {
                let hex = hex::encode(bytes);
                let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
                f.write_str(&parts.join("-"))
            }
        }
    }
}

/// The caller's own data: the id of the key it is encrypted with (0: not), and the bytes.
pub type Sealed<'a> = (u32, &'a [u8]);

/// Text index of the name, quantity in 10^-6, unit price in 10^-12 USDC.
pub type Item = (usize, u64, u64);

/// A number of one of the tables of numbers.
macro_rules! numbers {
    ($(#[$doc:meta])* $name:ident { $($number:literal = $variant:ident: $word:literal),* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
        #[serde(try_from = "u8")]
        pub enum $name { $(#[doc = $word] $variant = $number),* }

        impl $name {
            /// The word for it.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl TryFrom<u8> for $name {
            type Error = String;
            fn try_from(number: u8) -> Result<Self, String> {
                match number {
                    $($number => Ok(Self::$variant),)*
                    _ => Err(format!("{number} is no {}", stringify!($name))),
                }
            }
        }
    };
}

numbers! {
    /// How an account stands. A higher one is a worse one.
    Level { 0 = Healthy: "healthy", 1 = Low: "low", 2 = Exhausted: "exhausted" }
}
numbers! {
    /// A line that a falling level passes.
    Line { 1 = Low: "low", 2 = Exhausted: "exhausted" }
}
numbers! {
    /// What made a level fall.
    Reason { 1 = Debit: "a debit", 2 = Decline: "a declined debit", 3 = Policy: "money in, after the policy had changed" }
}
numbers! {
    /// What a refused debit does to the level.
    OnDecline { 1 = Dust: "dust", 2 = Exhaust: "exhaust", 3 = Ignore: "ignore" }
}

impl Level {
    /// What an absent level is.
    fn absent() -> Self {
        Self::Healthy
    }
}

/// One thing that happened.
#[derive(Debug, Deserialize)]
pub enum Event<'a> {
    /// The log begins.
    #[serde(rename = "G", borrow)]
    Genesis(Genesis<'a>),
    /// A writer begins its term.
    #[serde(rename = "T", borrow)]
    TermOpened(TermOpened<'a>),
    /// An app's rules from here on.
    #[serde(rename = "P")]
    PolicySet(PolicySet),
    /// An app's keys of usage from before a moment are forgotten from here on.
    #[serde(rename = "H")]
    HorizonRaised(HorizonRaised),
    /// An account exists from here on.
    #[serde(rename = "O", borrow)]
    AccountOpened(AccountOpened<'a>),
    /// Money was given.
    #[serde(rename = "R", borrow)]
    Granted(MoneyIn<'a>),
    /// Money was paid in.
    #[serde(rename = "I", borrow)]
    Deposited(MoneyIn<'a>),
    /// Usage was paid for.
    #[serde(rename = "D", borrow)]
    Debited(Debited<'a>),
    /// Usage was refused, and this had to be kept.
    #[serde(rename = "N", borrow)]
    Declined(Declined<'a>),
    /// The level fell past a line.
    #[serde(rename = "X")]
    Crossed(Crossed),
    /// The account is closed from here on.
    #[serde(rename = "C", borrow)]
    AccountClosed(AccountClosed<'a>),
    /// A source is done with up to here.
    #[serde(rename = "M", borrow)]
    SourceMarked(SourceMarked<'a>),
}

/// A map whose fields stand under one letter, with what serde must know besides.
macro_rules! map {
    ($(#[$doc:meta])* $name:ident $(<$life:lifetime>)? {
        $($letter:literal $(($($more:tt)*))? => $field:ident: $type:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[allow(missing_docs, reason = "schemas/wire.md explains each field beside its letter")]
        pub struct $name $(<$life>)? {
            $(#[serde(rename = $letter $(, $($more)*)?)] pub $field: $type,)*
        }
    };
}

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
