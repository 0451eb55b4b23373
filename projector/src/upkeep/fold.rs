//! The fold of the events of upkeep. Pure: events carry their outcomes.

use ledger_core::event::{
    CheckoutStepped, ContainerSet, Crossed, Event, LifecycleStepped, MoneyIn, NoticeStepped, Resumed,
    SolvencyChecked,
};
use ledger_core::level::Line;
use ledger_core::upkeep::{CheckoutStep, NoticeKind, NoticeState, NoticeStep, Phase, Step};
use ledger_core::{AccountId, Position, Timestamp};

use super::changes::{self, CheckoutChange, ContainerChange, NoticeChange, Trouble, UpkeepChanges};
use super::log;
use super::rows::{CheckoutRow, CheckoutState, SolvencyRow};
use crate::store::storable;

impl UpkeepChanges {
    /// Takes in one event. `epoch`: the one that the event's account is in then, where the event says so.
    pub(crate) fn event(&mut self, position: Position, time: Timestamp, event: &Event) {
        match event {
            Event::Crossed(event) => self.crossed(position, time, event),
            Event::Granted(event) | Event::Deposited(event) => self.money_in(position, time, event),
            Event::ContainerSet(event) => self.container_set(position, time, event),
            Event::Resumed(event) => self.resumed(event),
            Event::LifecycleStepped(event) => self.container(&event.account).step(time, event),
            Event::NoticeStepped(event) => self.notice_stepped(position, time, event),
            Event::CheckoutStepped(event) => self.checkout_stepped(position, time, event),
            Event::SolvencyChecked(event) => self.solvency.push(solvency(position, time, event)),
            _ => {}
        }
        self.log.extend(log::row(position, time, event));
    }

    fn container(&mut self, account: &AccountId) -> &mut ContainerChange {
        self.containers.entry(account.clone()).or_default()
    }

    fn notice(&mut self, account: &AccountId, kind: NoticeKind, epoch: u32) -> &mut NoticeChange {
        self.notices.entry((account.clone(), kind, epoch)).or_default()
    }

    fn crossed(&mut self, position: Position, time: Timestamp, event: &Crossed) {
        let kind = match event.line {
            Line::Low => NoticeKind::LowCredit,
            Line::Exhausted => NoticeKind::Paused,
        };
        self.notice(&event.account, kind, event.epoch).due.get_or_insert((position, time));
    }

    fn money_in(&mut self, position: Position, time: Timestamp, event: &MoneyIn) {
        // What wakes raises the level, so that it begins an epoch.
        if let Some(epoch) = event.epoch_started.filter(|_| event.wakes) {
            self.notice(&event.account, NoticeKind::Restored, epoch).due.get_or_insert((position, time));
        }
    }

    fn container_set(&mut self, position: Position, time: Timestamp, event: &ContainerSet) {
        let change = self.container(&event.account);
        change.set = Some((event.settings.clone(), position, time));
        change.deployed = Some(false);
        change.calm();
    }

    fn resumed(&mut self, event: &Resumed) {
        self.container(&event.account).calm();
    }

    fn notice_stepped(&mut self, position: Position, time: Timestamp, event: &NoticeStepped) {
        let change = self.notice(&event.account, event.kind, event.epoch);
        let before = change.stepped.take();
        change.stepped = Some(notice_step(position, time, event).after(before));
    }

    fn checkout_stepped(&mut self, position: Position, time: Timestamp, event: &CheckoutStepped) {
        let key = (event.account.clone(), event.session.clone());
        self.checkouts.entry(key).or_default().step(position, time, event);
    }
}

impl ContainerChange {
    /// What is under way begins anew.
    fn calm(&mut self) {
        (self.operation, self.trouble, self.reason) = (Some(None), Some(Trouble::default()), Some(None));
    }

    /// What was wanted stands.
    fn arrive(&mut self) {
        self.calm();
        (self.holder, self.strategy) = (Some(None), Some(None));
    }

    fn step(&mut self, time: Timestamp, event: &LifecycleStepped) {
        self.stepped = Some((event.phase, event.number, time));
        match &event.step {
            Step::Claimed { operation, until, attempts } => {
                self.operation = Some(Some(*operation));
                self.holder = Some(Some((event.worker.to_string(), storable(*until))));
                self.trouble = Some(Trouble { attempts: *attempts, ..Trouble::default() });
            }
            Step::ProjectCreated { id } => self.project = Some(Some(id.to_string())),
            Step::EnvironmentCreated { id } => self.environment = Some(Some(id.to_string())),
            Step::ServiceCreated { id, url } => {
                (self.service, self.url) = (Some(Some(id.to_string())), Some(Some(url.to_string())));
            }
            Step::DeploymentStarted { id } => {
                self.deployment = Some(Some(id.to_string()));
                self.deployed = if event.phase == Phase::Stopping { self.deployed } else { Some(true) };
            }
            Step::ScaledDown { strategy } => self.strategy = Some(Some(*strategy)),
            Step::VariablesSet | Step::ScaledUp => {}
            Step::Running => {
                self.arrive();
                self.ran = Some(true);
            }
            Step::Asleep => self.arrive(),
            Step::ServiceDeleted => self.service_deleted(event.phase),
            Step::ProjectDeleted => self.project_deleted(),
            Step::Failed { reason, attempts, retry_at, gave_up } => {
                self.holder = Some(None);
                self.reason = Some(Some(reason.to_string()));
                let retry_at = Some(storable(*retry_at));
                self.trouble = Some(Trouble { attempts: *attempts, retry_at, gave_up: *gave_up });
            }
        }
    }

    fn service_deleted(&mut self, phase: Phase) {
        (self.service, self.url, self.deployment) = (Some(None), Some(None), Some(None));
        self.deployed = Some(false);
        if phase == Phase::Asleep {
            self.arrive();
        }
    }

    fn project_deleted(&mut self) {
        self.service_deleted(Phase::Absent);
        (self.project, self.environment, self.ran) = (Some(None), Some(None), Some(false));
        self.arrive();
    }
}

fn notice_step(position: Position, time: Timestamp, event: &NoticeStepped) -> changes::NoticeStepped {
    let mut step = changes::NoticeStepped {
        state: NoticeState::Superseded,
        steps: event.number,
        attempts: 0,
        not_before: None,
        worker: None,
        message_id: None,
        reason: Some(None),
        mail: None,
        at: time,
    };
    match &event.step {
        NoticeStep::Claimed { until, mail } => {
            (step.state, step.attempts, step.reason) = (NoticeState::Sending, 1, None);
            (step.not_before, step.worker) = (Some(storable(*until)), Some(event.worker.to_string()));
            step.mail = mail.is_some().then_some(position);
        }
        NoticeStep::Sent { message_id } => {
            (step.state, step.message_id) = (NoticeState::Sent, Some(message_id.to_string()));
        }
        NoticeStep::Failed { reason, retry_at } => {
            (step.state, step.reason) = (NoticeState::Retrying, Some(Some(reason.to_string())));
            step.not_before = Some(storable(*retry_at));
        }
        NoticeStep::Abandoned { reason } => {
            (step.state, step.reason) = (NoticeState::Abandoned, Some(Some(reason.to_string())));
        }
        NoticeStep::Superseded => {}
    }
    step
}

impl changes::NoticeStepped {
    /// Both, one after the other.
    fn after(self, before: Option<Self>) -> Self {
        let Some(before) = before else { return self };
        Self {
            attempts: before.attempts + self.attempts,
            message_id: self.message_id.or(before.message_id),
            reason: self.reason.or(before.reason),
            mail: self.mail.or(before.mail),
            ..self
        }
    }
}

impl CheckoutChange {
    fn step(&mut self, position: Position, time: Timestamp, event: &CheckoutStepped) {
        let actor = event.actor.to_string();
        let (state, parked, payment) = match &event.step {
            CheckoutStep::Opened { .. } => {
                self.opened = opened(position, time, event);
                return;
            }
            CheckoutStep::Paid { transaction } => {
                (CheckoutState::Paid, Some((None, None)), transaction.as_ref().map(ToString::to_string))
            }
            CheckoutStep::Parked { reason, paid } => {
                (CheckoutState::Parked, Some((Some(*reason), *paid)), None)
            }
            CheckoutStep::Dismissed => (CheckoutState::Dismissed, None, None),
        };
        let before = self.stepped.take();
        let parked = parked.or_else(|| before.as_ref().and_then(|before| before.parked));
        let payment = payment.or_else(|| before.and_then(|before| before.payment));
        self.stepped = Some(changes::CheckoutStepped { state, parked, payment, actor, at: time });
    }
}

fn opened(position: Position, time: Timestamp, event: &CheckoutStepped) -> Option<CheckoutRow> {
    let CheckoutStep::Opened { amount, url, expires_at, key, .. } = &event.step else { return None };
    Some(CheckoutRow {
        account: event.account.clone(),
        session: event.session.to_string(),
        amount: *amount,
        url: url.to_string(),
        state: CheckoutState::Pending,
        reason: None,
        paid: None,
        payment: None,
        key: key.as_ref().map(ToString::to_string),
        actor: event.actor.to_string(),
        expires_at: storable(*expires_at),
        opened_at: time,
        opened: position,
        stepped_at: time,
    })
}

fn solvency(position: Position, recorded_at: Timestamp, event: &SolvencyChecked) -> SolvencyRow {
    SolvencyRow {
        position,
        recorded_at,
        balances: event.balances,
        positions: event.positions.clone(),
        wallet: event.wallet,
        promo: event.promo,
        wallet_level: event.wallet_level,
        build_credits: event.build_credits,
        build_monthly: event.build_monthly,
        build_level: event.build_level,
        worker: event.worker.to_string(),
    }
}
