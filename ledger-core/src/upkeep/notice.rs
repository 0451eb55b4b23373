//! Mails to the user of an account: one a kind and epoch, whatever fails on the way.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::ids::{Label, LongText, Position};
use crate::level::Level;
use crate::sealed::Sealed;
use crate::time::Timestamp;
use crate::upkeep::container::{Phase, Wanted};

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Little credit is left.
    LowCredit,
    /// No credit is left: the container sleeps.
    Paused,
    /// There is credit again: the container runs.
    Restored,
    /// Another plan would be cheaper.
    PlanSuggestion,
}

/// How far a mail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeState {
    /// It is to be sent.
    Due,
    /// A worker is at it.
    Sending,
    /// An attempt failed; there will be another.
    Retrying,
    /// The provider took it.
    Sent,
    /// It will not be sent.
    Abandoned,
    /// What it would say was not true any more.
    Superseded,
}

impl NoticeState {
    /// Nothing will happen to it any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Sent | Self::Abandoned | Self::Superseded)
    }
}

/// What a worker tells of a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum NoticeStep {
    /// A worker will send it. Until that time, in microseconds since 1970, no other one will.
    Claimed {
        /// How long.
        until: Timestamp,
        /// `{"to", "subject", "text", "html"}`, with the first attempt: later ones send the same bytes.
        #[serde(skip_serializing_if = "Option::is_none")]
        mail: Option<Sealed>,
    },
    /// The provider took it.
    Sent {
        /// As the provider calls it.
        message_id: LongText,
    },
    /// The attempt failed.
    Failed {
        /// What was seen.
        reason: LongText,
        /// Not before then. Microseconds since 1970.
        retry_at: Timestamp,
    },
    /// It will not be sent.
    Abandoned {
        /// Why.
        reason: LongText,
    },
    /// What it would say is not true any more.
    Superseded,
}

/// The newest mail of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is about.
    pub kind: NoticeKind,
    /// The epoch it belongs to.
    pub epoch: u32,
    /// The event that made it due.
    pub cause: Position,
    /// How far it is.
    pub state: NoticeState,
    /// Counts its steps, from 1: who tells the next must know the last.
    pub steps: u32,
    /// How often a worker began to send it.
    pub attempts: u16,
    /// Until when no other worker sends it, or before when it is not tried again.
    pub not_before: Timestamp,
    /// Who is at it.
    pub worker: Option<Label>,
    /// The event that holds its text.
    pub mail: Option<Position>,
    /// When one of this kind was last sent, in this epoch or before.
    pub last_sent: Option<Timestamp>,
}

impl Notice {
    fn due(kind: NoticeKind, epoch: u32, cause: Position, last_sent: Option<Timestamp>) -> Self {
        Self {
            kind,
            epoch,
            cause,
            state: NoticeState::Due,
            steps: 0,
            attempts: 0,
            not_before: Timestamp::default(),
            worker: None,
            mail: None,
            last_sent,
        }
    }

    /// A worker has begun with it, and it is not done with.
    fn is_begun(&self) -> bool {
        self.attempts > 0 && !self.state.is_final()
    }

    /// Takes in what a worker tells.
    pub(crate) fn take(&mut self, time: Timestamp, position: Position, worker: &Label, step: &NoticeStep) {
        self.steps += 1;
        self.worker = None;
        match step {
            NoticeStep::Claimed { until, mail } => {
                (self.state, self.not_before) = (NoticeState::Sending, *until);
                self.attempts = self.attempts.saturating_add(1);
                self.worker = Some(worker.clone());
                self.mail = if mail.is_some() { Some(position) } else { self.mail };
            }
            NoticeStep::Sent { .. } => {
                (self.state, self.last_sent) = (NoticeState::Sent, Some(time));
            }
            NoticeStep::Failed { retry_at, .. } => {
                (self.state, self.not_before) = (NoticeState::Retrying, *retry_at);
            }
            NoticeStep::Abandoned { .. } => self.state = NoticeState::Abandoned,
            NoticeStep::Superseded => self.state = NoticeState::Superseded,
        }
    }
}

impl Account {
    /// Whether what a mail says is true of the account now.
    pub fn holds(&self, notice: &Notice) -> bool {
        let now = !self.closed && notice.epoch == self.epoch;
        now && match notice.kind {
            NoticeKind::LowCredit => self.level == Level::Low,
            NoticeKind::Paused => self.level == Level::Exhausted,
            NoticeKind::Restored => self.level > Level::Exhausted && !self.paused,
            NoticeKind::PlanSuggestion => true,
        }
    }

    /// Whether it is time for a mail: the one that tells of a wake waits for the container.
    pub fn is_time_for(&self, notice: &Notice) -> bool {
        let runs = self.container().is_none_or(|container| container.phase == Phase::Running);
        notice.kind != NoticeKind::Restored || (self.wanted() == Wanted::Running && runs)
    }

    /// A mail of this kind belongs to the epoch from now on.
    pub(crate) fn notice_due(&mut self, cause: Position, kind: NoticeKind) {
        let epoch = self.epoch;
        let notices = &mut self.upkeep_mut().notices;
        let same = |notice: &&Notice| notice.kind == kind;
        if notices.iter().filter(same).any(|notice| notice.epoch == epoch) {
            return;
        }
        let last_sent = notices.iter().filter(same).filter_map(|notice| notice.last_sent).max();
        // What was never begun is not true any more; what a provider may have is seen to its end.
        notices.retain(|notice| notice.kind != kind || notice.is_begun());
        notices.push(Notice::due(kind, epoch, cause, last_sent));
    }

    /// A worker told of a mail: one that is done with makes room for the newest of its kind, which hears when it was
    /// sent.
    pub(crate) fn notice_told(&mut self, kind: NoticeKind, sent: Option<Timestamp>) {
        let notices = &mut self.upkeep_mut().notices;
        let newest = notices.iter().filter(|notice| notice.kind == kind).map(|notice| notice.epoch).max();
        notices
            .retain(|notice| notice.kind != kind || Some(notice.epoch) == newest || !notice.state.is_final());
        let of_kind = notices.iter_mut().filter(|notice| notice.kind == kind);
        of_kind.for_each(|notice| notice.last_sent = notice.last_sent.max(sent));
    }

    /// Whether a rise to this level ends a sleep that the user was to hear of.
    pub(crate) fn wakes_at(&self, level: Level) -> bool {
        let slept = self.upkeep().is_some_and(|upkeep| upkeep.notice(NoticeKind::Paused).is_some());
        self.level == Level::Exhausted && level > Level::Exhausted && slept && !self.closed
    }
}
