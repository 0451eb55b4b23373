//! The ledger of a Drip that is asked over HTTP.

use std::time::Duration;

use async_trait::async_trait;
use drip_client::{Client, Error};
use ledger_core::upkeep::Step;
use ledger_core::{AccountId, Label};
use serde::Serialize;

use crate::config::Config;
use crate::ledger::{Compared, DuePage, Found, Ledger, Refused, SleeperPage, Work};

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Rejected(problem) => problem.code.clone(),
            _ => String::new(),
        };
        Self::of(&code, error.to_string())
    }
}

/// Drip, for one worker.
#[derive(Debug, Clone)]
pub struct Drip {
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

#[derive(Serialize)]
struct Handed<'a> {
    worker: &'a Label,
    #[serde(flatten)]
    found: &'a Found,
}

impl Drip {
    /// Asked with the key of workers.
    pub fn new(client: Client, config: &Config) -> Self {
        Self { client, worker: config.worker.clone(), hold: config.hold }
    }
}

#[async_trait]
impl Ledger for Drip {
    async fn claim(&self, account: &AccountId) -> Result<Work, Refused> {
        let hold_ms = u64::try_from(self.hold.as_millis()).unwrap_or(u64::MAX);
        let claim = Claim { account, worker: &self.worker, hold_ms };
        Ok(self.client.tell_work("claims", &claim).await?)
    }

    async fn tell(&self, account: &AccountId, after: u32, step: &Step) -> Result<Work, Refused> {
        let told = Told { account, worker: &self.worker, after, step };
        Ok(self.client.tell_work("steps", &told).await?)
    }

    async fn show(&self, account: &AccountId) -> Result<Work, Refused> {
        Ok(self.client.work("container", account).await?)
    }

    async fn due(&self, after: Option<&AccountId>) -> Result<DuePage, Refused> {
        Ok(match after {
            Some(account) => self.client.work("containers", account).await?,
            None => self.client.work("containers", &()).await?,
        })
    }

    async fn sleepers(&self, after: Option<&AccountId>) -> Result<SleeperPage, Refused> {
        Ok(match after {
            Some(account) => self.client.work("sleepers", account).await?,
            None => self.client.work("sleepers", &()).await?,
        })
    }

    async fn compare(&self, found: &Found) -> Result<Compared, Refused> {
        Ok(self.client.tell_work("solvency", &Handed { worker: &self.worker, found }).await?)
    }
}
