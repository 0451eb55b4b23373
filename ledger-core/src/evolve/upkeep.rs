//! What the events of people and workers do to the upkeep of an account.

use super::{must, touch};
use crate::account::Account;
use crate::digest::ContentDigest;
use crate::event::{CheckoutStepped, ContainerSet, LifecycleStepped, NoticeStepped, Paused, Resumed};
use crate::ids::Position;
use crate::ledger::Ledger;
use crate::level::{Level, Line};
use crate::money::Usdc;
use crate::time::Timestamp;
use crate::upkeep::{
    Checkout, CheckoutStep, Container, NoticeKind, NoticeStep, ParkReason, Step, opened_key,
};

impl Ledger {
    pub(super) fn on_container_set(
        &mut self,
        position: Position,
        event: &ContainerSet,
    ) -> Result<(), &'static str> {
        let app = self.app_mut(&event.account.app)?;
        let account = touch(&mut app.accounts, &event.account, position)?;
        must(!account.closed, "a closed account gets no container")?;
        let upkeep = account.upkeep_mut();
        match &mut upkeep.container {
            Some(container) => container.set(position),
            None => upkeep.container = Some(Box::new(Container::of(position))),
        }
        if let Some(key) = &event.key {
            app.keep_key(&event.account, key, ContentDigest::of_container(&event.settings), position);
        }
        Ok(())
    }

    pub(super) fn on_paused(&mut self, position: Position, event: &Paused) -> Result<(), &'static str> {
        let app = self.app_mut(&event.account.app)?;
        let account = touch(&mut app.accounts, &event.account, position)?;
        must(!account.paused && !account.closed, "what is awake is put to sleep")?;
        must(account.balance == event.balance, "sleep leaves the balance")?;
        (account.paused, account.forced) = (true, false);
        if let Some(key) = &event.key {
            app.keep_key(&event.account, key, ContentDigest::of_hibernate(), position);
        }
        Ok(())
    }

    pub(super) fn on_resumed(&mut self, position: Position, event: &Resumed) -> Result<(), &'static str> {
        let app = self.app_mut(&event.account.app)?;
        let account = touch(&mut app.accounts, &event.account, position)?;
        must(!account.closed, "a closed account does not wake")?;
        must(account.balance == event.balance, "waking leaves the balance")?;
        let exhausted = account.level == Level::Exhausted;
        must(event.forced == exhausted, "without credit an account wakes only by force")?;
        (account.paused, account.forced) = (false, event.forced);
        if let Some(container) = account.container_mut() {
            container.progress = None;
        }
        if let Some(key) = &event.key {
            app.keep_key(&event.account, key, ContentDigest::of_restore(), position);
        }
        Ok(())
    }

    pub(super) fn on_lifecycle_stepped(
        &mut self,
        position: Position,
        event: &LifecycleStepped,
    ) -> Result<(), &'static str> {
        let time = self.time;
        let app = self.app_mut(&event.account.app)?;
        let account = touch(&mut app.accounts, &event.account, position)?;
        let container = account.container_mut().ok_or("a worker tells of a container that was asked for")?;
        must(container.steps + 1 == event.number, "steps are counted without a gap")?;
        must(container.can(&event.step), "a step follows from those before it")?;
        let claims = matches!(event.step, Step::Claimed { .. });
        let before = claims.then(|| container.clone()).filter(|before| before.phase == event.phase);
        container.apply(time, &event.worker, &event.step);
        if let Some(before) = before.filter(|before| before.phase != container.phase) {
            container.stay(&before);
        }
        must(container.phase == event.phase, "the phase follows from the step")
    }

    pub(super) fn on_notice_stepped(
        &mut self,
        position: Position,
        event: &NoticeStepped,
    ) -> Result<(), &'static str> {
        let time = self.time;
        let app = self.app_mut(&event.account.app)?;
        let account = touch(&mut app.accounts, &event.account, position)?;
        let notices = account.upkeep.as_deref_mut().map(|upkeep| &mut upkeep.notices);
        let named = |notice: &&mut _| is_named(event, notice);
        let notice = notices.and_then(|notices| notices.iter_mut().find(named));
        let notice = notice.ok_or("a mail belongs to a crossing or a wake")?;
        must(!notice.state.is_final(), "a mail ends once")?;
        must(notice.steps + 1 == event.number, "steps are counted without a gap")?;
        notice.take(time, position, &event.worker, &event.step);
        let sent = matches!(event.step, NoticeStep::Sent { .. }).then_some(time);
        account.notice_told(event.kind, sent);
        Ok(())
    }

    pub(super) fn on_checkout_stepped(
        &mut self,
        position: Position,
        event: &CheckoutStepped,
    ) -> Result<(), &'static str> {
        let app = self.app_mut(&event.account.app)?;
        let account = touch(&mut app.accounts, &event.account, position)?;
        account.step_checkout(position, event)?;
        if let CheckoutStep::Opened { key, amount, .. } = &event.step {
            let (id, content) = (&event.account, ContentDigest::of_checkout(*amount));
            app.keep_key(id, &opened_key(&event.session), content, position);
            if let Some(key) = key {
                app.keep_key(id, key, content, position);
            }
        }
        Ok(())
    }
}

fn is_named(event: &NoticeStepped, notice: &crate::upkeep::Notice) -> bool {
    (notice.kind, notice.epoch) == (event.kind, event.epoch)
}

impl Account {
    fn container_mut(&mut self) -> Option<&mut Container> {
        self.upkeep.as_deref_mut()?.container.as_deref_mut()
    }

    fn step_checkout(&mut self, position: Position, event: &CheckoutStepped) -> Result<(), &'static str> {
        let checkouts = &mut self.upkeep_mut().checkouts;
        let place = checkouts.iter().position(|known| known.session == event.session);
        match (&event.step, place) {
            (CheckoutStep::Opened { amount, expires_at, .. }, None) => {
                let (session, amount, expires_at) = (event.session.clone(), *amount, *expires_at);
                checkouts.push(Checkout {
                    session,
                    amount,
                    opened: position,
                    expires_at,
                    parked: None,
                    paid: None,
                });
                self.upkeep_mut().forget_ended_checkouts();
            }
            (CheckoutStep::Opened { .. }, Some(_)) => return Err("a session is opened once"),
            (CheckoutStep::Parked { reason, paid }, Some(place)) => {
                (checkouts[place].parked, checkouts[place].paid) = (Some(*reason), *paid);
            }
            (CheckoutStep::Parked { reason: ParkReason::Late, paid }, None) => {
                let (session, amount) = (event.session.clone(), paid.unwrap_or(Usdc::ZERO));
                let (expires_at, parked) = (Timestamp::default(), Some(ParkReason::Late));
                checkouts.push(Checkout {
                    session,
                    amount,
                    opened: position,
                    expires_at,
                    parked,
                    paid: *paid,
                });
            }
            (CheckoutStep::Paid { .. } | CheckoutStep::Dismissed, Some(place)) => {
                checkouts.remove(place);
            }
            (_, None) => return Err("what happens to a session happens after its opening"),
        }
        Ok(())
    }

    /// The mails that follow from a fall past a line.
    pub(super) fn crossed(&mut self, position: Position, line: Line) {
        let kind = match line {
            Line::Low => NoticeKind::LowCredit,
            Line::Exhausted => NoticeKind::Paused,
        };
        self.notice_due(position, kind);
    }
}
