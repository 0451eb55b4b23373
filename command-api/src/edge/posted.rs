//! Debits that are asked for one at a time over NATS: most of what is ever asked. They are taken and answered by the
//! task that listens, without a task, a timer and a channel for each; what a commit answers together is written together.

use std::time::Duration;

use async_nats::service::Request;
use ledger_core::Timestamp;
use ledger_core::map::Map;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::ask::{Answer, Call, Failure};
use crate::desk::Desk;
use crate::edge::dto::answers::ReceiptBody;
use crate::edge::dto::format::Format;
use crate::edge::problem::Problem;
use crate::edge::verbs::AskedDebit;
use crate::letters::{Mail, Mailbox};

/// How often it is looked for debits whose deadline has passed.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is asked and not answered.
pub(super) struct Posted {
    /// Each with its deadline.
    open: Map<u64, (Timestamp, Open)>,
    next: u64,
    mailbox: Mailbox,
    mail: mpsc::UnboundedReceiver<Vec<Mail>>,
    look: Interval,
}

/// One debit that waits for its answer.
pub(super) struct Open {
    pub(super) request: Request,
    pub(super) format: Format,
    pub(super) asked: AskedDebit,
    /// Given back with the answer.
    pub(super) permit: OwnedSemaphorePermit,
}

/// A debit that can be answered.
pub(super) struct Answered {
    pub(super) request: Request,
    pub(super) format: Format,
    pub(super) receipt: Result<ReceiptBody, Problem>,
}

impl Posted {
    pub(super) fn new() -> Self {
        let (mailbox, mail) = mpsc::unbounded_channel();
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { open: Map::default(), next: 0, mailbox, mail, look }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Asks for a debit. Its answer, when nothing was asked.
    pub(super) fn ask(&mut self, desk: &Desk, call: Call, open: Open) -> Option<Answered> {
        let deadline = call.deadline;
        self.next += 1;
        match desk.post(call, &self.mailbox, self.next) {
            Ok(()) => drop(self.open.insert(self.next, (deadline, open))),
            Err(failure) => return Some(open.answered(Answer::Failed(failure))),
        }
        None
    }

    /// Waits for what can be answered: because it was decided, or because its deadline has passed.
    ///
    /// Dropping the future loses nothing.
    pub(super) async fn answered(&mut self) -> Vec<Answered> {
        tokio::select! {
            Some(mail) = self.mail.recv() => self.decided(mail),
            _ = self.look.tick() => self.overdue(Timestamp(service_kit::clock::now())),
        }
    }

    /// An answer to what was overdue comes to nobody.
    fn decided(&mut self, mail: Vec<Mail>) -> Vec<Answered> {
        let answered = |(token, answer)| Some(self.open.remove(&token)?.1.answered(answer));
        mail.into_iter().filter_map(answered).collect()
    }

    fn overdue(&mut self, now: Timestamp) -> Vec<Answered> {
        let overdue = self.open.extract_if(|_, (deadline, _)| *deadline < now);
        overdue.map(|(_, (_, open))| open.answered(Answer::Failed(Failure::OutcomeUnknown))).collect()
    }
}

impl Open {
    fn answered(self, answer: Answer) -> Answered {
        let Self { request, format, asked, permit } = self;
        drop(permit);
        Answered { request, format, receipt: asked.receipt(answer) }
    }
}
