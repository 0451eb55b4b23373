//! One look at the provider, and what the ledger is told of it.

use ledger_core::command::{CheckoutOutcome, SettleCheckout};
use ledger_core::upkeep::ParkReason;
use ledger_core::{AccountId, Command, LongText, Rejection, SessionId, Timestamp};
use locus::pay::{Session, SessionStatus};

use super::{Checkouts, provider};
use crate::ask::{Answer, Ask, Call, Failure};
use crate::desk::Desk;

/// How long the ledger may take to be told, in microseconds.
const DEADLINE: i64 = 10_000_000;

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
    Another,
    /// It was paid, and how much is not known: that is no zero.
    #[error("the provider says that the session was paid, but not how much of USDC")]
    AmountUnknown,
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
        let found = self.pay.session(session.as_str()).await.map_err(LookError::Provider)?;
        if !is_of(&found, account, session) {
            return Err(LookError::Another);
        }
        let grace = i64::try_from(self.config.grace.as_micros()).unwrap_or(i64::MAX);
        let over = now > expires_at.plus(grace);
        let Some(outcome) = outcome(&found, over)? else { return Ok(Looked::Pending) };
        let paid = matches!(outcome, CheckoutOutcome::Paid { .. });
        let (account, session, actor) = (account.clone(), session.clone(), provider());
        let command = SettleCheckout { account, session: session.clone(), outcome, actor };
        let waits = settle(desk, command).await?;
        Ok(if paid && !waits { Looked::Paid } else { Looked::Parked })
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
///
/// Errors: it was paid, but how much is not told so that it can be understood.
fn outcome(found: &Session, over: bool) -> Result<Option<CheckoutOutcome>, LookError> {
    Ok(match &found.status {
        SessionStatus::Paid => {
            let usdc = found.currency.as_deref().is_none_or(|currency| currency == "USDC");
            let amount = found.amount.filter(|_| usdc).ok_or(LookError::AmountUnknown)?;
            let transaction = found.payment_tx_hash.as_deref().and_then(|hash| LongText::new(hash).ok());
            Some(CheckoutOutcome::Paid { amount, transaction })
        }
        SessionStatus::Expired if over => Some(CheckoutOutcome::Ended(ParkReason::Expired)),
        SessionStatus::Cancelled => Some(CheckoutOutcome::Ended(ParkReason::Cancelled)),
        SessionStatus::Pending | SessionStatus::Other(_) if over => {
            Some(CheckoutOutcome::Ended(ParkReason::Expired))
        }
        // A payment may be confirmed after the end.
        SessionStatus::Pending | SessionStatus::Expired | SessionStatus::Other(_) => None,
    })
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
