//! What workers do for an account, as the ledger knows it: its container, its mails, its checkout sessions.
//!
//! Workers keep nothing of their own. What is wanted follows from the account; what was done stands in events, each
//! written right after the step that it tells of. So whoever comes next goes on where the last one was stopped.

pub mod checkout;
pub mod container;
pub mod notice;

use serde::{Deserialize, Serialize};

use crate::ids::Position;

pub use checkout::{
    CHECKOUT_KEY, CHECKOUTS_MAX, Checkout, CheckoutStep, ParkReason, checkout_key, opened_key,
};
pub use container::{Container, Holder, Operation, Phase, Progress, Standing, Step, Strategy, Wanted};
pub use notice::{Notice, NoticeKind, NoticeState, NoticeStep};

/// Most accounts have none of it, so it stands apart from them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Upkeep {
    /// The container, when one was asked for.
    pub container: Option<Box<Container>>,
    /// The newest mail of each kind, and older ones that a worker has begun with.
    pub notices: Vec<Notice>,
    /// Sessions that may still bring money, the oldest first.
    pub checkouts: Vec<Checkout>,
}

impl Upkeep {
    /// The newest mail of a kind.
    pub fn notice(&self, kind: NoticeKind) -> Option<&Notice> {
        self.notices.iter().filter(|notice| notice.kind == kind).max_by_key(|notice| notice.epoch)
    }

    /// The mail of a kind and epoch, as long as it is known.
    pub fn notice_of(&self, kind: NoticeKind, epoch: u32) -> Option<&Notice> {
        self.notices.iter().find(|notice| (notice.kind, notice.epoch) == (kind, epoch))
    }

    /// A session that may still bring money.
    pub fn checkout(&self, session: &str) -> Option<&Checkout> {
        self.checkouts.iter().find(|checkout| checkout.session.as_str() == session)
    }

    /// No more sessions can be opened.
    pub(crate) fn is_full_of_checkouts(&self) -> bool {
        let waits = |checkout: &&Checkout| !checkout.ended();
        self.checkouts.iter().filter(waits).count() >= CHECKOUTS_MAX
    }

    /// Most sessions that end without money are never heard of again: the oldest of them make room.
    pub(crate) fn forget_ended_checkouts(&mut self) {
        while self.checkouts.len() > CHECKOUTS_MAX {
            let Some(oldest) = self.checkouts.iter().position(Checkout::ended) else { return };
            self.checkouts.remove(oldest);
        }
    }

    /// Every position it knows.
    pub fn positions_mut(&mut self) -> impl Iterator<Item = &mut Position> {
        let settings = self.container.as_deref_mut().map(|container| &mut container.settings).into_iter();
        let mails = self.notices.iter_mut();
        let mails = mails.flat_map(|notice| std::iter::once(&mut notice.cause).chain(notice.mail.as_mut()));
        settings.chain(mails).chain(self.checkouts.iter_mut().map(|checkout| &mut checkout.opened))
    }
}
