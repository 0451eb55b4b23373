//! What a row of commits does to the upkeep of accounts.

use std::collections::BTreeMap;

use ledger_core::event::ContainerSettings;
use ledger_core::upkeep::{NoticeKind, NoticeState, Operation, ParkReason, Phase, Strategy};
use ledger_core::{AccountId, Position, SessionId, Timestamp, Usdc};

use super::rows::{CheckoutRow, CheckoutState, LogRow, SolvencyRow};

/// The changes by consecutive commits of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpkeepChanges {
    /// One change a container.
    pub containers: BTreeMap<AccountId, ContainerChange>,
    /// One change a mail.
    pub notices: BTreeMap<(AccountId, NoticeKind, u32), NoticeChange>,
    /// One change a session.
    pub checkouts: BTreeMap<(AccountId, SessionId), CheckoutChange>,
    /// New comparisons.
    pub solvency: Vec<SolvencyRow>,
    /// New rows of the agent log.
    pub log: Vec<LogRow>,
}

/// A value that may be set or taken away; `None`: it stays.
pub type Change<T> = Option<Option<T>>;

/// What happens to a container. What is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContainerChange {
    /// The settings in force, where they stand, and since when.
    pub set: Option<(ContainerSettings, Position, Timestamp)>,
    /// How it stands after, how many steps it has then, and when the last was.
    pub stepped: Option<(Phase, u32, Timestamp)>,
    /// It has run since it was made.
    pub ran: Option<bool>,
    /// It was deployed with the settings in force.
    pub deployed: Option<bool>,
    /// As the provider calls it.
    pub project: Change<String>,
    /// As the provider calls it.
    pub environment: Change<String>,
    /// As the provider calls it.
    pub service: Change<String>,
    /// As the provider calls it.
    pub deployment: Change<String>,
    /// Where the service answers.
    pub url: Change<String>,
    /// How it was put to sleep.
    pub strategy: Change<Strategy>,
    /// What was claimed.
    pub operation: Change<Operation>,
    /// Who is at it, and until when.
    pub holder: Change<(String, Timestamp)>,
    /// How it fails.
    pub trouble: Option<Trouble>,
    /// Of the last failure.
    pub reason: Change<String>,
}

/// How often something failed, and what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trouble {
    /// How often.
    pub attempts: u16,
    /// Not before then.
    pub retry_at: Option<Timestamp>,
    /// The time that was set for it is over.
    pub gave_up: bool,
}

/// What happens to a mail.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NoticeChange {
    /// What made it due, and when.
    pub due: Option<(Position, Timestamp)>,
    /// What workers told.
    pub stepped: Option<NoticeStepped>,
}

/// What workers told of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeStepped {
    /// How far it is.
    pub state: NoticeState,
    /// How many steps it has.
    pub steps: u32,
    /// How many attempts more.
    pub attempts: i64,
    /// Until when no other worker sends it, or before when it is not tried again.
    pub not_before: Option<Timestamp>,
    /// Who is at it.
    pub worker: Option<String>,
    /// As the provider calls it; `None`: it stays.
    pub message_id: Option<String>,
    /// Why it failed.
    pub reason: Change<String>,
    /// The event that holds its text; `None`: it stays.
    pub mail: Option<Position>,
    /// When the last step was.
    pub at: Timestamp,
}

/// What happens to a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckoutChange {
    /// Its row, when it is new.
    pub opened: Option<CheckoutRow>,
    /// What happened afterwards.
    pub stepped: Option<CheckoutStepped>,
}

/// What happened to a session after its opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutStepped {
    /// How far it is.
    pub state: CheckoutState,
    /// Why it is parked, and what was paid; `None`: both stay.
    pub parked: Option<(Option<ParkReason>, Option<Usdc>)>,
    /// The transaction; `None`: it stays.
    pub payment: Option<String>,
    /// Who did it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}
