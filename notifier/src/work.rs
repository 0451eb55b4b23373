//! Drip's door for workers, as far as mails are concerned.

use drip_client::{Client, Error, Problem};
use ledger_core::upkeep::{Notice, NoticeKind};
use ledger_core::{AccountId, Label, Timestamp, Usdc};
use serde::{Deserialize, Serialize};

use crate::letter::Letter;

/// A mail that is not done with, and what is needed to write it.
#[derive(Clone, Deserialize)]
pub(crate) struct OpenMail {
    #[serde(flatten)]
    pub(crate) notice: Notice,
    pub(crate) email: Option<String>,
    pub(crate) balance: Usdc,
    pub(crate) baseline: Usdc,
    #[serde(default)]
    written: Option<serde_json::Value>,
    pub(crate) due_at: Timestamp,
}

impl OpenMail {
    /// The mail of the first attempt; `None` before it, and when another program wrote something else.
    pub(crate) fn letter(&self) -> Option<Letter> {
        serde_json::from_value(self.written.clone()?).ok()
    }
}

/// What is told of a mail.
#[derive(Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(crate) enum Told<'a> {
    Claimed {
        hold_ms: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        mail: Option<&'a Letter>,
    },
    Sent {
        message_id: String,
    },
    Failed {
        reason: String,
        retry_at: Timestamp,
    },
    Abandoned {
        reason: String,
    },
}

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

/// Why the door did not do what was asked.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The ledger knows better: somebody else is at it, or was, or it is not due any more.
    Settled,
    /// Another is at it, or the last step was another one.
    LookAgain,
    /// It is not time yet.
    TooEarly,
    /// Drip is not to be reached, or too busy.
    Away,
    /// A refusal that only people can end. The code, or what was wrong with the answer.
    Broken(String),
}

/// The door of one Drip, for one worker.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) client: Client,
    pub(crate) worker: Label,
    pub(crate) cooldown_ms: u32,
}

impl Door {
    /// The accounts with open mails, as the views know them, and before when there is nothing to do.
    pub(crate) async fn open(&self) -> Result<Vec<(AccountId, Option<Timestamp>)>, Refused> {
        let page: Page = self.client.work("notices", &()).await.map_err(refused)?;
        Ok(page.data.into_iter().map(|row| (row.account, row.not_before)).collect())
    }

    /// The open mails of an account, as the ledger knows them.
    pub(crate) async fn mails(&self, account: &AccountId) -> Result<Vec<OpenMail>, Refused> {
        self.client.work("mails", account).await.map_err(refused)
    }

    /// Tells the next step of a mail. How it stands then; `None` when it makes place for one of a newer epoch.
    pub(crate) async fn tell(
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
        Error::Rejected(problem) => of(&problem),
        Error::Unavailable { .. } | Error::OutcomeUnknown { .. } => Refused::Away,
        // Their words may repeat what was asked.
        Error::Protocol { .. } => Refused::Broken("an answer that can not be read".to_owned()),
        _ => Refused::Broken("a request that can not be sent".to_owned()),
    }
}

fn of(problem: &Problem) -> Refused {
    match problem.code.as_str() {
        "nothing_due" => Refused::Settled,
        "claimed" | "moved" => Refused::LookAgain,
        "too_early" => Refused::TooEarly,
        code => Refused::Broken(code.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use command_api::edge::verbs::work::ORDINARY;

    use super::*;

    #[test]
    fn what_the_ledger_refuses_in_its_ordinary_course_is_no_breakdown() {
        for code in ORDINARY {
            let problem = Problem { code: code.to_string(), ..Problem::default() };
            assert!(!matches!(of(&problem), Refused::Broken(_) | Refused::Away), "{code}");
        }
        let problem = Problem { code: "unauthorized".into(), ..Problem::default() };
        assert!(matches!(of(&problem), Refused::Broken(_)));
    }
}
