//! The ledger's door for workers, as far as mails are concerned.

use async_trait::async_trait;
use ledger_core::upkeep::Notice;
use ledger_core::{AccountId, Timestamp, Usdc};
use serde::{Deserialize, Serialize};

use crate::letter::Letter;

/// A mail that is not done with, and what is needed to write it.
#[derive(Clone, Deserialize)]
pub struct OpenMail {
    /// How it stands.
    #[serde(flatten)]
    pub notice: Notice,
    /// Where the user can be written to.
    pub email: Option<String>,
    /// Now.
    pub balance: Usdc,
    /// What counts as 100 %.
    pub baseline: Usdc,
    /// What was told with the first attempt.
    #[serde(default)]
    pub written: Option<serde_json::Value>,
    /// When it became due.
    pub due_at: Timestamp,
}

impl OpenMail {
    /// The mail of the first attempt; `None` before it, and when another program wrote something else.
    pub fn letter(&self) -> Option<Letter> {
        serde_json::from_value(self.written.clone()?).ok()
    }
}

/// What is told of a mail.
#[derive(Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Told<'a> {
    /// This worker will send it.
    Claimed {
        /// For so long.
        hold_ms: u32,
        /// The mail, with the first attempt.
        #[serde(skip_serializing_if = "Option::is_none")]
        mail: Option<&'a Letter>,
    },
    /// The provider took it.
    Sent {
        /// As the provider calls it.
        message_id: String,
    },
    /// The attempt failed.
    Failed {
        /// What was seen.
        reason: String,
        /// Not before then.
        retry_at: Timestamp,
    },
    /// It will not be sent.
    Abandoned {
        /// Why.
        reason: String,
    },
}

/// Why the door did not do what was asked.
#[derive(Debug)]
pub enum Refused {
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

impl Refused {
    /// By the code of the refusal.
    pub fn of(code: &str) -> Self {
        match code {
            "nothing_due" => Self::Settled,
            "claimed" | "moved" => Self::LookAgain,
            "too_early" => Self::TooEarly,
            code => Self::Broken(code.to_owned()),
        }
    }
}

/// The door, for one worker.
#[async_trait]
pub trait Door: Send + Sync + 'static {
    /// The accounts with open mails, as the views know them, and before when there is nothing to do.
    async fn open(&self) -> Result<Vec<(AccountId, Option<Timestamp>)>, Refused>;
    /// The open mails of an account, as the ledger knows them.
    async fn mails(&self, account: &AccountId) -> Result<Vec<OpenMail>, Refused>;
    /// Tells the next step of a mail. How it stands then; `None` when it makes place for one of a newer epoch.
    async fn tell(
        &self,
        account: &AccountId,
        notice: &Notice,
        told: Told<'_>,
    ) -> Result<Option<Notice>, Refused>;
}

#[cfg(test)]
mod tests {
    use command_api::edge::verbs::work::ORDINARY;

    use super::*;

    #[test]
    fn what_the_ledger_refuses_in_its_ordinary_course_is_no_breakdown() {
        for code in ORDINARY {
            assert!(!matches!(Refused::of(&code.to_string()), Refused::Broken(_) | Refused::Away), "{code}");
        }
        assert!(matches!(Refused::of("unauthorized"), Refused::Broken(_)));
    }
}
