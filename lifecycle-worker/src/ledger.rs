//! What is asked of Drip, and told to it.

use std::collections::BTreeMap;
use std::time::Duration;

use drip_client::{Client, Error};
use ledger_core::upkeep::{Container, Operation, Step};
use ledger_core::{AccountId, Label, Timestamp, Usdc};
use serde::{Deserialize, Serialize};

/// The container of an account, as the ledger knows it now.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Work {
    /// What is to be done.
    pub(crate) due: Option<Operation>,
    pub(crate) container: Option<Container>,
    /// With a claim alone.
    pub(crate) settings: Option<Settings>,
}

/// What a container is made of. Its variables are secret: nothing of them is shown.
#[derive(Clone, Deserialize)]
pub(crate) struct Settings {
    pub(crate) image: String,
    pub(crate) health_path: String,
    pub(crate) variables: BTreeMap<String, String>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("image", &self.image).finish_non_exhaustive()
    }
}

/// An account whose container is not as it is wanted.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Due {
    #[serde(flatten)]
    pub(crate) account: AccountId,
    /// Not before then.
    pub(crate) retry_at: Option<Timestamp>,
}

/// What the ledger did not take.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Nothing is to be done.
    Nothing,
    /// Another worker is at it, or it is too early.
    Later,
    /// Something happened that this worker does not know of.
    Moved,
    /// It can not be asked now, or says no for a reason that is none of these.
    Trouble(String),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Rejected(problem) => problem.code.as_str(),
            _ => "",
        };
        match code {
            "nothing_due" | "container_unknown" | "account_unknown" | "app_unknown" => Self::Nothing,
            "claimed" | "too_early" => Self::Later,
            "moved" | "step_out_of_place" => Self::Moved,
            _ => Self::Trouble(error.to_string()),
        }
    }
}

/// Drip, for one worker.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    client: Client,
    worker: Label,
    hold: Duration,
}

#[derive(Serialize)]
struct Claim<'a> {
    #[serde(flatten)]
    account: &'a AccountId,
    worker: &'a Label,
    hold_ms: u64,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    account: &'a AccountId,
    worker: &'a Label,
    after: u32,
    #[serde(flatten)]
    step: &'a Step,
}

#[derive(Deserialize)]
struct DuePage {
    data: Vec<Due>,
}

/// What was found at the providers.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    pub(crate) wallet: Option<Usdc>,
    pub(crate) promo: Option<Usdc>,
    pub(crate) build_credits: Option<Usdc>,
    pub(crate) build_monthly: Option<Usdc>,
    pub(crate) floor: Usdc,
}

/// How it compares.
#[derive(Debug, Deserialize)]
pub(crate) struct Compared {
    pub(crate) wallet_level: String,
    pub(crate) build_level: String,
    pub(crate) balances: Usdc,
}

impl Ledger {
    pub(crate) fn new(client: Client, worker: Label, hold: Duration) -> Self {
        Self { client, worker, hold }
    }

    /// Wants to be the only one at a container.
    pub(crate) async fn claim(&self, account: &AccountId) -> Result<Work, Refused> {
        let hold_ms = u64::try_from(self.hold.as_millis()).unwrap_or(u64::MAX);
        let claim = Claim { account, worker: &self.worker, hold_ms };
        Ok(self.client.tell_work("claims", &claim).await?)
    }

    /// Tells what was done or seen.
    pub(crate) async fn tell(&self, account: &AccountId, after: u32, step: &Step) -> Result<Work, Refused> {
        let told = Told { account, worker: &self.worker, after, step };
        Ok(self.client.tell_work("steps", &told).await?)
    }

    /// How things stand now.
    pub(crate) async fn show(&self, account: &AccountId) -> Result<Work, Refused> {
        Ok(self.client.work("container", account).await?)
    }

    /// Accounts whose container is not as it is wanted, behind one of them.
    pub(crate) async fn due(&self, after: Option<&AccountId>) -> Result<Vec<Due>, Refused> {
        let page: DuePage = match after {
            Some(account) => self.client.work("containers", account).await?,
            None => self.client.work("containers", &()).await?,
        };
        Ok(page.data)
    }

    /// Hands in what was found, to be compared with what users hold.
    pub(crate) async fn compare(&self, found: &Found) -> Result<Compared, Refused> {
        #[derive(Serialize)]
        struct Handed<'a> {
            worker: &'a Label,
            #[serde(flatten)]
            found: &'a Found,
        }
        Ok(self.client.tell_work("solvency", &Handed { worker: &self.worker, found }).await?)
    }

    /// How long a claim lasts.
    pub(crate) fn hold(&self) -> Duration {
        self.hold
    }

    /// Whether this worker holds it.
    pub(crate) fn holds(&self, container: &Container) -> Option<Timestamp> {
        let holder = container.holder.as_ref()?;
        (holder.worker == self.worker).then_some(holder.until)
    }
}
