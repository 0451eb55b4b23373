//! What is asked of the ledger, and told to it, in the name of one worker.

use std::collections::BTreeMap;

use async_trait::async_trait;
use ledger_core::upkeep::{Container, Operation, Step};
use ledger_core::{AccountId, Timestamp, Usdc};
use serde::{Deserialize, Serialize};

/// The container of an account, as the ledger knows it now.
#[derive(Debug, Clone, Deserialize)]
pub struct Work {
    /// What is to be done.
    pub due: Option<Operation>,
    /// How it stands; none: the account has none.
    pub container: Option<Container>,
    /// With a claim alone.
    pub settings: Option<Settings>,
}

/// What a container is made of. Its variables are secret: nothing of them is shown.
#[derive(Clone, Deserialize)]
pub struct Settings {
    /// A public image with its tag.
    pub image: String,
    /// Where it answers that it is well.
    pub health_path: String,
    /// By their names.
    pub variables: BTreeMap<String, String>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("image", &self.image).finish_non_exhaustive()
    }
}

/// An account whose container is not as it is wanted.
#[derive(Debug, Clone, Deserialize)]
pub struct Due {
    /// Whose.
    #[serde(flatten)]
    pub account: AccountId,
    /// Not before then.
    pub retry_at: Option<Timestamp>,
}

/// What the ledger did not take.
#[derive(Debug)]
pub enum Refused {
    /// Nothing is to be done.
    Nothing,
    /// Another worker is at it, or it is too early.
    Later,
    /// Something happened that this worker does not know of.
    Moved,
    /// It can not be asked now, or says no for a reason that is none of these.
    Trouble(String),
}

impl Refused {
    /// By the code of the refusal, and what was said.
    pub fn of(code: &str, said: String) -> Self {
        match code {
            "nothing_due" | "container_unknown" | "account_unknown" | "app_unknown" => Self::Nothing,
            "claimed" | "too_early" => Self::Later,
            "moved" | "step_out_of_place" => Self::Moved,
            _ => Self::Trouble(said),
        }
    }
}

/// Some of them, by app and user.
#[derive(Debug, Deserialize)]
pub struct DuePage {
    /// These.
    pub data: Vec<Due>,
    /// There may be others behind the last one.
    pub more: bool,
}

/// A container that sleeps, and has a service that could run.
#[derive(Debug, Clone, Deserialize)]
pub struct Sleeper {
    /// Whose.
    #[serde(flatten)]
    pub account: AccountId,
    /// As the provider calls it.
    pub service: String,
    /// How many steps are known of it.
    pub steps: u32,
}

/// Some of them, by app and user.
#[derive(Debug, Deserialize)]
pub struct SleeperPage {
    /// These.
    pub data: Vec<Sleeper>,
    /// There may be others behind the last one.
    pub more: bool,
}

/// What was found at the providers.
#[derive(Debug, Serialize)]
pub struct Found {
    /// In the wallet.
    pub wallet: Option<Usdc>,
    /// Beside it, as a gift.
    pub promo: Option<Usdc>,
    /// Credits for containers.
    pub build_credits: Option<Usdc>,
    /// What containers cost a month.
    pub build_monthly: Option<Usdc>,
    /// Below this it is critical.
    pub floor: Usdc,
}

/// How it compares.
#[derive(Debug, Deserialize)]
pub struct Compared {
    /// `ok`, `warn`, `critical` or `unknown`.
    pub wallet_level: String,
    /// The same.
    pub build_level: String,
    /// What users hold.
    pub balances: Usdc,
}

/// The ledger's door for one worker.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Wants to be the only one at a container.
    async fn claim(&self, account: &AccountId) -> Result<Work, Refused>;
    /// Tells what was done or seen, and how many steps are known.
    async fn tell(&self, account: &AccountId, after: u32, step: &Step) -> Result<Work, Refused>;
    /// How things stand now.
    async fn show(&self, account: &AccountId) -> Result<Work, Refused>;
    /// Accounts whose container is not as it is wanted, behind one of them.
    async fn due(&self, after: Option<&AccountId>) -> Result<DuePage, Refused>;
    /// Containers that sleep, behind one of the accounts.
    async fn sleepers(&self, after: Option<&AccountId>) -> Result<SleeperPage, Refused>;
    /// Hands in what was found, to be compared with what users hold.
    async fn compare(&self, found: &Found) -> Result<Compared, Refused>;
}
