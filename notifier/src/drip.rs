//! The door of a Drip that is asked over HTTP.

use async_trait::async_trait;
use drip_client::{Client, Error};
use ledger_core::upkeep::{Notice, NoticeKind};
use ledger_core::{AccountId, Label, Timestamp};
use serde::{Deserialize, Serialize};

use crate::config::Timing;
use crate::work::{Door, OpenMail, Refused, Told};

#[derive(Serialize)]
struct Request<'a> {
    #[serde(flatten)]
    account: &'a AccountId,
    worker: &'a Label,
    kind: NoticeKind,
    epoch: u32,
    after: u32,
    cooldown_ms: u32,
    told: Told<'a>,
}

#[derive(Deserialize)]
struct Answer {
    notice: Option<Notice>,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(flatten)]
    account: AccountId,
    not_before: Option<Timestamp>,
}

/// The door of one Drip, for one worker.
#[derive(Debug, Clone)]
pub struct Drip {
    client: Client,
    worker: Label,
    cooldown_ms: u32,
}

impl Drip {
    /// Asked with the key of workers; `worker` is the name that mails are claimed under.
    pub fn new(client: Client, worker: Label, timing: &Timing) -> Self {
        Self { client, worker, cooldown_ms: timing.cooldown_ms() }
    }
}

#[async_trait]
impl Door for Drip {
    async fn open(&self) -> Result<Vec<(AccountId, Option<Timestamp>)>, Refused> {
        let page: Page = self.client.work("notices", &()).await.map_err(refused)?;
        Ok(page.data.into_iter().map(|row| (row.account, row.not_before)).collect())
    }

    async fn mails(&self, account: &AccountId) -> Result<Vec<OpenMail>, Refused> {
        self.client.work("mails", account).await.map_err(refused)
    }

    async fn tell(
        &self,
        account: &AccountId,
        notice: &Notice,
        told: Told<'_>,
    ) -> Result<Option<Notice>, Refused> {
        let Notice { kind, epoch, steps: after, .. } = *notice;
        let (worker, cooldown_ms) = (&self.worker, self.cooldown_ms);
        let request = Request { account, worker, kind, epoch, after, cooldown_ms, told };
        let answer: Answer = self.client.tell_work("notices", &request).await.map_err(refused)?;
        Ok(answer.notice)
    }
}

fn refused(error: Error) -> Refused {
    match error {
        Error::Rejected(problem) => Refused::of(&problem.code),
        Error::Unavailable { .. } | Error::OutcomeUnknown { .. } => Refused::Away,
        // Their words may repeat what was asked.
        Error::Protocol { .. } => Refused::Broken("an answer that can not be read".to_owned()),
        _ => Refused::Broken("a request that can not be sent".to_owned()),
    }
}
