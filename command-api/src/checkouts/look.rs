//! One look at the provider, and what the ledger is told of it.

use ledger_core::command::{CheckoutOutcome, SettleCheckout};
use ledger_core::time::MINUTE;
use ledger_core::upkeep::ParkReason;
use ledger_core::{AccountId, Command, LongText, Rejection, SessionId, Timestamp};
use locus::ErrorKind;
use locus::pay::{Session, SessionStatus};

use super::{Checkouts, provider};
use crate::ask::{Answer, Ask, Call, Failure};
use crate::desk::Desk;

/// How long the ledger may take to be told, in microseconds.
const DEADLINE: i64 = 10_000_000;

/// For how long behind its grace a session must be unknown to the provider, in microseconds: a wrong key, or an address of
/// another environment, makes all of them unknown for a while.
const ABSENCE: i64 = 24 * 60 * MINUTE;

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// It still waits to be paid.
    Pending,
    /// Its money is in the account, since now or before.
    Paid,
    /// It waits for a person.
    Parked,
}

/// A look that led to nothing.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The provider did not answer, or not so that it could be understood.
    #[error("the provider could not be asked about the session")]
    Provider(#[source] locus::Error),
    /// The provider told of another session, or of one that was opened for another account.
    #[error("the provider tells of a session that was opened for somebody else")]
    Another {
        /// It says that it was paid.
        paid: bool,
    },
    /// The ledger says no.
    #[error("the ledger does not take it: {}", .0.code.title())]
    Rejected(Rejection),
    /// The ledger can not be told now.
    #[error("the ledger can not be told now")]
    Ledger(Failure),
}

impl Checkouts {
    /// Looks at a session, and tells the ledger. `expires_at`: as our record has it; `now`: a session without an end is
    /// parked when its grace is over.
    pub(crate) async fn look(
        &self,
        desk: &Desk,
        account: &AccountId,
        session: &SessionId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Looked, LookError> {
        let grace = i64::try_from(self.config.grace.as_micros()).unwrap_or(i64::MAX);
        let since = now.since(expires_at.plus(grace));
        let outcome = match self.found(account, session).await {
            Ok(found) => outcome(&found, since > 0),
            Err(error) => Some(without_session(error, since)?),
        };
        let Some(outcome) = outcome else { return Ok(Looked::Pending) };
        let paid = matches!(outcome, CheckoutOutcome::Paid { .. });
        let (account, session, actor) = (account.clone(), session.clone(), provider());
        let command = SettleCheckout { account, session: session.clone(), outcome, actor };
        let waits = settle(desk, command).await?;
        Ok(if paid && !waits { Looked::Paid } else { Looked::Parked })
    }

    /// The session as the provider has it.
    async fn found(&self, account: &AccountId, session: &SessionId) -> Result<Session, LookError> {
        let found = self.pay.session(session.as_str()).await.map_err(LookError::Provider)?;
        match is_of(&found, account, session) {
            true => Ok(found),
            false => Err(LookError::Another { paid: found.status == SessionStatus::Paid }),
        }
    }
}

/// What the provider tells is of this session, and of the account that it was opened for as far as it says so: a
/// provider whose ids came again must not pay two accounts at once.
fn is_of(found: &Session, account: &AccountId, session: &SessionId) -> bool {
    let says = |name: &str, ours: &str| found.metadata.get(name).is_none_or(|theirs| *theirs == ours);
    let own = says("user_id", account.user.as_str()) && says("app", account.app.as_str());
    own && found.id == session.as_str()
}

/// What became of it, in the words of the ledger; `None`: nothing yet.
fn outcome(found: &Session, over: bool) -> Option<CheckoutOutcome> {
    match &found.status {
        SessionStatus::Paid => {
            let usdc = found.currency.as_deref().is_none_or(|currency| currency == "USDC");
            let amount = found.amount.filter(|_| usdc);
            // It may be told with the next look.
            if amount.is_none() && !over {
                return None;
            }
            let transaction = found.payment_tx_hash.as_deref().and_then(|hash| LongText::new(hash).ok());
            Some(CheckoutOutcome::Paid { amount, transaction })
        }
        // A payment that is confirmed after that is found all the same: it is looked at again.
        SessionStatus::Expired => Some(CheckoutOutcome::Ended(ParkReason::Expired)),
        SessionStatus::Cancelled => Some(CheckoutOutcome::Ended(ParkReason::Cancelled)),
        SessionStatus::Pending | SessionStatus::Other(_) if over => {
            Some(CheckoutOutcome::Ended(ParkReason::Expired))
        }
        SessionStatus::Pending | SessionStatus::Other(_) => None,
    }
}

/// It could wait for ever for what the provider has forgotten, or never had: a person should know. `since`: for how long
/// its grace has been over, in microseconds; none yet when negative.
///
/// Errors: the look led to nothing, and there is time for another one.
fn without_session(error: LookError, since: i64) -> Result<CheckoutOutcome, LookError> {
    let outcome = match &error {
        LookError::Provider(failed)
            if since > ABSENCE && matches!(failed.kind(), ErrorKind::NotFound | ErrorKind::Gone) =>
        {
            CheckoutOutcome::Ended(ParkReason::Expired)
        }
        LookError::Another { paid: true } if since > 0 => {
            CheckoutOutcome::Paid { amount: None, transaction: None }
        }
        LookError::Another { paid: false } if since > ABSENCE => CheckoutOutcome::Ended(ParkReason::Expired),
        _ => return Err(error),
    };
    tracing::debug!(error = &error as &dyn std::error::Error, ?outcome, "nobody can pay the session");
    Ok(outcome)
}

/// Tells the ledger. Whether the session is still there, and so waits for a person.
async fn settle(desk: &Desk, command: SettleCheckout) -> Result<bool, LookError> {
    let session = command.session.clone();
    let ask = Ask::Command(Command::SettleCheckout(command));
    // The provider may have taken its time: the ledger's begins now.
    let deadline = Timestamp(service_kit::clock::now()).plus(DEADLINE);
    match desk.ask(Call { ask, deadline }).await {
        Answer::Account(answer) => {
            let upkeep = answer.account.upkeep.as_ref();
            Ok(upkeep.is_some_and(|upkeep| upkeep.checkout(session.as_str()).is_some()))
        }
        Answer::Rejected(rejection) => Err(LookError::Rejected(rejection)),
        Answer::Failed(failure) => Err(LookError::Ledger(failure)),
        other => unreachable!("a session is settled with an account, not with {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use ledger_core::{AppId, Usdc, UserId};
    use serde_json::{Value, json};

    use super::*;

    fn session(fields: &Value) -> Session {
        let mut session = json!({ "id": "s-1", "status": "PAID", "amount": "5", "currency": "USDC" });
        session.as_object_mut().unwrap().append(&mut fields.as_object().unwrap().clone());
        serde_json::from_value(session).unwrap()
    }

    #[test]
    fn what_is_told_of_another_session_or_account_is_not_believed() {
        let account = AccountId { app: AppId::new("demo").unwrap(), user: UserId::new("anna").unwrap() };
        let ours = SessionId::new("s-1").unwrap();
        for (fields, is_ours) in [
            (json!({}), true),
            (json!({ "metadata": { "user_id": "anna", "app": "demo", "more": 1 } }), true),
            (json!({ "metadata": { "user_id": "bert" } }), false),
            (json!({ "metadata": { "user_id": "anna", "app": "other" } }), false),
            (json!({ "id": "s-2" }), false),
        ] {
            assert_eq!(is_of(&session(&fields), &account, &ours), is_ours, "{fields}");
        }
    }

    #[test]
    fn what_the_provider_does_not_have_is_waited_for_until_its_time_is_over() {
        let failed = |kind| LookError::Provider(locus::Error::new(kind, "GET /checkout/sessions/s-1", "no"));
        let expired = CheckoutOutcome::Ended(ParkReason::Expired);
        let none = LookError::Another { paid: false };
        for error in [failed(ErrorKind::NotFound), failed(ErrorKind::Gone), none] {
            let early = without_session(error, ABSENCE).unwrap_err();
            assert_eq!(without_session(early, ABSENCE + 1).unwrap(), expired);
        }
        // Money that came for whomever is no session that nobody paid.
        let early = without_session(LookError::Another { paid: true }, 0).unwrap_err();
        let unclear = CheckoutOutcome::Paid { amount: None, transaction: None };
        assert_eq!(without_session(early, 1).unwrap(), unclear);
        // Who does not answer may have it, and its money.
        for kind in
            [ErrorKind::Upstream { status: 503 }, ErrorKind::Auth, ErrorKind::Transport { ambiguous: true }]
        {
            assert!(without_session(failed(kind), i64::MAX).is_err());
        }
    }

    #[test]
    fn what_became_of_a_session_is_told_as_far_as_it_is_known() {
        let paid = |amount: Option<i64>| {
            Some(CheckoutOutcome::Paid { amount: amount.map(Usdc::from_credits), transaction: None })
        };
        let ended = |reason| Some(CheckoutOutcome::Ended(reason));
        for (fields, over, told) in [
            (json!({}), false, paid(Some(5_000_000))),
            (json!({}), true, paid(Some(5_000_000))),
            (json!({ "currency": null }), false, paid(Some(5_000_000))),
            // How much is not known, which is no zero; and other money is none of ours.
            (json!({ "amount": "five" }), true, paid(None)),
            (json!({ "amount": null }), true, paid(None)),
            (json!({ "currency": "EUR" }), true, paid(None)),
            // It may be told with the next look.
            (json!({ "amount": null }), false, None),
            (json!({ "currency": "EUR" }), false, None),
            (json!({ "status": "PENDING" }), false, None),
            (json!({ "status": "PENDING" }), true, ended(ParkReason::Expired)),
            (json!({ "status": "EXPIRED" }), false, ended(ParkReason::Expired)),
            (json!({ "status": "EXPIRED" }), true, ended(ParkReason::Expired)),
            (json!({ "status": "CANCELLED" }), false, ended(ParkReason::Cancelled)),
            (json!({ "status": "SOMETHING" }), false, None),
            (json!({ "status": "SOMETHING" }), true, ended(ParkReason::Expired)),
        ] {
            assert_eq!(outcome(&session(&fields), over), told, "{fields} {over}");
        }
    }
}
