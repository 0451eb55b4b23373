//! The bytes of a commit, read as `schemas/wire.md` says: the one-letter names here are the ones of that page.
//!
//! Texts are borrowed from the bytes; nothing is checked but the form. Whether it may have happened is asked in
//! [`crate::fold`].

#[macro_use]
mod macros;
mod money;
mod upkeep;
mod values;

use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};

pub use money::{
    AccountClosed, AccountOpened, Crossed, Debited, Declined, Genesis, HorizonRaised, MoneyIn, PolicySet,
    SourceMarked, TermOpened,
};
pub use upkeep::{
    CheckoutStep, CheckoutStepped, CheckoutTold, ContainerSet, LifecycleStepped, LifecycleTold, Mail,
    NoticeStep, NoticeStepped, NoticeTold, Operation, Park, Paused, Phase, Resumed, Solvency,
    SolvencyChecked, Step, Strategy,
};
pub use values::{Bytes, Item, Key, Level, Line, OnDecline, Reason, Sealed};

/// The newest version of the format that this program knows.
pub const VERSION: u16 = 3;

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
    /// What the account's container is to be.
    #[serde(rename = "K", borrow)]
    ContainerSet(ContainerSet<'a>),
    /// A person put the account to sleep.
    #[serde(rename = "Z", borrow)]
    Paused(Paused<'a>),
    /// A person woke the account.
    #[serde(rename = "W", borrow)]
    Resumed(Resumed<'a>),
    /// A worker tells of the container.
    #[serde(rename = "L", borrow)]
    LifecycleStepped(LifecycleStepped<'a>),
    /// A worker tells of a mail.
    #[serde(rename = "E", borrow)]
    NoticeStepped(NoticeStepped<'a>),
    /// A checkout session was opened, paid, parked or dismissed.
    #[serde(rename = "U", borrow)]
    CheckoutStepped(CheckoutStepped<'a>),
    /// The money that users hold was compared with what there is for them.
    #[serde(rename = "S")]
    SolvencyChecked(SolvencyChecked),
}
