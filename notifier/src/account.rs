//! The work on one account: its open mails, one after the other.

use std::sync::Arc;

use ledger_core::upkeep::{Notice, NoticeKind, NoticeState};
use ledger_core::{AccountId, Timestamp};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, micros};
use crate::error::Error;
use crate::letter::{Desk, Letter, key, reference};
use crate::plan::{Again, Plan, Rules, UNKNOWN, plan};
use crate::templates::word;
use crate::transport;
use crate::verdict::{Case, Outcome};
use crate::warnings::Warnings;
use crate::work::{OpenMail, Refused, Told};

/// What the work on accounts needs.
pub(crate) struct Notifier {
    pub(crate) config: Config,
    desk: Desk,
    warnings: Warnings,
    stopping: CancellationToken,
}

/// When there is something to do again, if anything is known of that.
type Next = Option<Timestamp>;

impl Notifier {
    /// Errors: a template or the address for topping up is not usable.
    pub(crate) fn new(config: Config, stopping: CancellationToken) -> Result<Arc<Self>, Error> {
        let desk = Desk::new(&config)?;
        Ok(Arc::new(Self { config, desk, warnings: Warnings::default(), stopping }))
    }

    /// Does what is to be done for the account now.
    pub(crate) async fn look(&self, account: &AccountId) -> Next {
        let mails = match self.config.door.mails(account).await {
            Ok(mails) => mails,
            Err(refused) => return self.refused(&refused),
        };
        let mut next = None;
        for mail in mails {
            if self.stopping.is_cancelled() {
                break;
            }
            next = earlier(next, self.see_to(account, &mail).await);
        }
        next
    }

    async fn see_to(&self, account: &AccountId, mail: &OpenMail) -> Next {
        let timing = &self.config.timing;
        let has_keys = self.config.transport.has_keys();
        let rules = Rules { worker: &self.config.worker, has_keys, timing };
        match plan(mail, now(), &rules) {
            Plan::Nothing => None,
            Plan::Later(at) => Some(at),
            Plan::Abandon(reason) => self.abandon(account, &mail.notice, reason).await,
            Plan::Write(to) => match self.desk.write(&self.config, account, mail, &to, now()) {
                Some(letter) => self.attempt(account, &mail.notice, &letter, None).await,
                None => self.unwritable(),
            },
            Plan::Attempt(letter, again) => self.attempt(account, &mail.notice, &letter, Some(again)).await,
        }
    }

    /// Of a claim its holder alone tells: one that somebody left behind is taken over first.
    async fn abandon(&self, account: &AccountId, notice: &Notice, reason: &str) -> Next {
        let told = Told::Abandoned { reason: reason.to_owned() };
        if notice.worker.as_ref().is_none_or(|holder| *holder == self.config.worker) {
            return self.tell(account, notice, told, None).await;
        }
        let claim = Told::Claimed { hold_ms: self.config.timing.hold_ms(), mail: None };
        match self.config.door.tell(account, notice, claim).await {
            Ok(claimed) => self.tell(account, &claimed?, told, None).await,
            Err(Refused::TooEarly) => self.after_a_sweep(),
            Err(refused) => self.refused(&refused),
        }
    }

    async fn attempt(
        &self,
        account: &AccountId,
        notice: &Notice,
        letter: &Letter,
        again: Option<Again>,
    ) -> Next {
        // Counted from before the claim, so that the claim outlives the attempt.
        let end = Instant::now() + self.config.timing.attempt();
        let claimed = match self.claim(account, notice, letter, again).await {
            Ok(claimed) => claimed.filter(|claimed| claimed.state == NoticeState::Sending)?,
            Err(refused) => return self.unclaimed(account, notice, &refused, again).await,
        };
        let sending = self.send(account, &claimed, letter, again);
        let outcome = timeout_at(end, sending).await.unwrap_or(Outcome::NoAnswer);
        self.settle(account, &claimed, outcome, again == Some(Again::Look)).await
    }

    async fn claim(
        &self,
        account: &AccountId,
        notice: &Notice,
        letter: &Letter,
        again: Option<Again>,
    ) -> Result<Option<Notice>, Refused> {
        let mail = again.is_none().then_some(letter);
        let claim = Told::Claimed { hold_ms: self.config.timing.hold_ms(), mail };
        self.config.door.tell(account, notice, claim).await
    }

    async fn unclaimed(
        &self,
        account: &AccountId,
        notice: &Notice,
        refused: &Refused,
        again: Option<Again>,
    ) -> Next {
        match refused {
            // Nobody may look any more, so nobody will know.
            Refused::TooEarly if again == Some(Again::Look) => {
                let told = Told::Abandoned { reason: UNKNOWN.to_owned() };
                self.tell(account, notice, told, None).await.and_then(|_| self.after_a_sweep())
            }
            // It waits for the container, of which a signal will tell.
            Refused::TooEarly if notice.kind == NoticeKind::Restored => self.after_a_sweep(),
            refused => self.refused(refused),
        }
    }

    async fn send(
        &self,
        account: &AccountId,
        claimed: &Notice,
        letter: &Letter,
        again: Option<Again>,
    ) -> Outcome {
        let (by, key) = (&*self.config.transport, self.key(account, claimed));
        match again {
            None => transport::send(by, letter, &key).await,
            Some(again) => transport::go_on(by, letter, &key, again).await,
        }
    }

    fn key(&self, account: &AccountId, notice: &Notice) -> String {
        key(self.config.log.identity().log, account, notice.kind, notice.epoch)
    }

    async fn settle(&self, account: &AccountId, claimed: &Notice, outcome: Outcome, last: bool) -> Next {
        let timing = &self.config.timing;
        let has_keys = self.config.transport.has_keys();
        let (attempts, now) = (claimed.attempts, now());
        let case = Case { attempts, now, last, has_keys, timing, random: service_kit::chance::random() };
        let verdict = case.verdict(outcome);
        if let Some(reason) = verdict.person {
            self.warnings.say("mails are not sent until somebody acts", &reason);
        }
        let next = match verdict.told {
            Told::Failed { retry_at, .. } => Some(retry_at),
            _ => None,
        };
        self.tell(account, claimed, verdict.told, next).await
    }

    /// Tells it, and says so in the log; when to look again after that.
    async fn tell(&self, account: &AccountId, notice: &Notice, told: Told<'static>, next: Next) -> Next {
        self.trace(account, notice, &told);
        match self.config.door.tell(account, notice, told).await {
            Ok(_) => next,
            Err(refused) => self.refused(&refused),
        }
    }

    fn trace(&self, account: &AccountId, notice: &Notice, told: &Told<'_>) {
        let key = self.key(account, notice);
        let (app, kind, reference) = (&account.app, word(notice.kind), reference(&key));
        match told {
            Told::Claimed { .. } => {}
            Told::Sent { .. } => tracing::info!(%app, kind, reference, "a mail was sent"),
            Told::Failed { reason, .. } => {
                tracing::info!(%app, kind, reference, reason, "a mail was not sent; it is tried again");
            }
            Told::Abandoned { reason } => {
                tracing::warn!(%app, kind, reference, reason, "a mail will not be sent");
            }
        }
    }

    /// When to look again after a refusal of the door.
    pub(crate) fn refused(&self, refused: &Refused) -> Next {
        let timing = &self.config.timing;
        match refused {
            Refused::Settled => return None,
            Refused::LookAgain | Refused::TooEarly => {}
            Refused::Away => self.warnings.say("Drip does not answer its notifier; trying again", "away"),
            Refused::Broken(code) => {
                self.warnings.say("Drip refuses its notifier: is its key the one of the workers?", code);
                return self.after_a_sweep();
            }
        }
        Some(now().plus(micros(timing.first_pause)))
    }

    fn after_a_sweep(&self) -> Next {
        Some(now().plus(micros(self.config.timing.sweep)))
    }

    fn unwritable(&self) -> Next {
        self.warnings.say("a template of a mail fails on an account: correct it", "it can not be filled in");
        Some(now().plus(micros(self.config.timing.longest_pause)))
    }
}

fn earlier(one: Next, other: Next) -> Next {
    one.into_iter().chain(other).min()
}

pub(crate) fn now() -> Timestamp {
    Timestamp(service_kit::clock::now())
}
