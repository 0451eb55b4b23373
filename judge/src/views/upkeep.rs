//! Containers, mails, checkout sessions and comparisons, as the events of one partition leave them. Each event changes
//! its row by what it says alone: whether it may is asked by the fold.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::line::Line;
use crate::position::Position;
use crate::wire::{
    CheckoutStepped, CheckoutTold, Commit, ContainerSet, Event, Level, LifecycleStepped, LifecycleTold, Mail,
    MoneyIn, NoticeStepped, NoticeTold, Operation, Park, Phase, SolvencyChecked, Strategy,
};

type Rows<K, R> = HashMap<K, R, RandomState>;

/// The rows, by the number of their account and what else names them.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    pub(super) containers: Rows<u32, Container>,
    pub(super) notices: Rows<(u32, Mail, u32), Notice>,
    /// The epoch of the newest mail of each kind.
    newest: Rows<(u32, Mail), u32>,
    pub(super) checkouts: Rows<(u32, Box<str>), Checkout>,
    /// Lines, in the order of the log.
    pub(super) solvency: Vec<String>,
}

/// A row of `containers`.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) image: String,
    pub(super) health_path: String,
    pub(super) set: Position,
    pub(super) set_at: i64,
    pub(super) phase: Phase,
    pub(super) steps: u32,
    pub(super) ran: bool,
    pub(super) deployed: bool,
    pub(super) project: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) service: Option<String>,
    pub(super) deployment: Option<String>,
    pub(super) url: Option<String>,
    pub(super) strategy: Option<Strategy>,
    pub(super) doing: Doing,
    pub(super) worker: Option<String>,
    pub(super) until: Option<i64>,
    pub(super) stepped_at: Option<i64>,
}

/// What was claimed last, until it is done.
#[derive(Debug, Default)]
pub(super) struct Doing {
    pub(super) operation: Option<Operation>,
    pub(super) attempts: u16,
    pub(super) retry_at: Option<i64>,
    pub(super) gave_up: bool,
    pub(super) reason: Option<String>,
}

/// A row of `notices`.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) state: &'static str,
    pub(super) steps: u32,
    pub(super) attempts: u32,
    pub(super) not_before: Option<i64>,
    pub(super) worker: Option<String>,
    pub(super) message_id: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) due_at: i64,
    pub(super) due: Position,
    pub(super) mail: Option<Position>,
    pub(super) stepped_at: Option<i64>,
}

/// A row of `checkouts`.
#[derive(Debug)]
pub(super) struct Checkout {
    pub(super) amount: i64,
    pub(super) url: String,
    pub(super) state: &'static str,
    pub(super) reason: Option<Park>,
    pub(super) paid: Option<i64>,
    pub(super) payment: Option<String>,
    pub(super) key: Option<String>,
    pub(super) actor: String,
    pub(super) expires_at: i64,
    pub(super) opened_at: i64,
    pub(super) opened: Position,
    pub(super) stepped_at: i64,
}

/// When and where an event stands.
#[derive(Debug, Clone, Copy)]
struct Moment {
    time: i64,
    position: Position,
}

impl Upkeep {
    /// Takes in an event. Its text and account indexes must have been checked.
    pub(super) fn take(
        &mut self,
        commit: &Commit<'_>,
        position: Position,
        numbers: &[Option<u32>],
        event: &Event<'_>,
    ) {
        let at = Moment { time: commit.body.time, position };
        let text = |index: usize| commit.body.texts[index];
        match event {
            Event::SolvencyChecked(event) => self.solvency.push(solvency_line(at, text(event.worker), event)),
            Event::Granted(event) | Event::Deposited(event) => {
                self.money_in(at, numbers[event.account], event)
            }
            Event::Crossed(event) => {
                let kind = crate::fold::mail_of(event.line);
                self.due(at, numbers[event.account], kind, event.epoch);
            }
            Event::ContainerSet(event) => self.set(at, numbers[event.account], event),
            Event::Resumed(event) => {
                let row = numbers[event.account].and_then(|account| self.containers.get_mut(&account));
                row.into_iter().for_each(|row| row.doing = Doing::default());
            }
            Event::LifecycleStepped(event) => self.lifecycle(at, numbers, text(event.worker), event),
            Event::NoticeStepped(event) => self.notice(at, numbers, text(event.worker), event),
            Event::CheckoutStepped(event) => self.checkout(at, numbers, text(event.actor), event),
            _ => {}
        }
    }

    fn money_in(&mut self, at: Moment, account: Option<u32>, event: &MoneyIn<'_>) {
        if let Some(epoch) = event.epoch_started.filter(|_| event.wakes) {
            debug_assert!(event.level < Level::Exhausted, "a wake was judged before");
            self.due(at, account, Mail::Restored, epoch);
        }
    }

    /// A mail of this kind belongs to the epoch. One that does already stays as it is; the one before it is superseded
    /// when nobody began to send it. Those before that one were then, or were begun.
    fn due(&mut self, at: Moment, account: Option<u32>, kind: Mail, epoch: u32) {
        let Some(account) = account else { return };
        let before = self.newest.insert((account, kind), epoch).filter(|before| *before != epoch);
        let before = before.and_then(|before| self.notices.get_mut(&(account, kind, before)));
        before.filter(|row| row.state == "due").into_iter().for_each(|row| row.state = "superseded");
        self.notices.entry((account, kind, epoch)).or_insert_with(|| Notice::due(at));
    }

    fn set(&mut self, at: Moment, account: Option<u32>, event: &ContainerSet<'_>) {
        let Some(account) = account else { return };
        let row = self.containers.entry(account).or_insert_with(|| Container::new(at));
        (row.image, row.health_path) = (event.image.to_owned(), event.health_path.to_owned());
        (row.set, row.set_at) = (at.position, at.time);
        (row.deployed, row.doing) = (false, Doing::default());
    }

    fn lifecycle(&mut self, at: Moment, numbers: &[Option<u32>], worker: &str, event: &LifecycleStepped<'_>) {
        let row = numbers[event.account].and_then(|account| self.containers.get_mut(&account));
        let (Some(row), Some(told)) = (row, event.told()) else { return };
        (row.steps, row.phase, row.stepped_at) = (event.number, event.phase, Some(at.time));
        row.take(worker, told);
    }

    fn notice(&mut self, at: Moment, numbers: &[Option<u32>], worker: &str, event: &NoticeStepped<'_>) {
        let name = numbers[event.account].map(|account| (account, event.kind, event.epoch));
        let row = name.and_then(|name| self.notices.get_mut(&name));
        let (Some(row), Some(told)) = (row, event.told()) else { return };
        (row.steps, row.stepped_at) = (event.number, Some(at.time));
        row.take(at, worker, told);
    }

    fn checkout(&mut self, at: Moment, numbers: &[Option<u32>], actor: &str, event: &CheckoutStepped<'_>) {
        let (Some(account), Some(told)) = (numbers[event.account], event.told()) else { return };
        let name = (account, event.session.into());
        if let CheckoutTold::Opened { .. } = told {
            self.checkouts.insert(name, Checkout::opened(at, actor, event));
        } else if let Some(row) = self.checkouts.get_mut(&name) {
            (row.stepped_at, row.actor) = (at.time, actor.to_owned());
            row.take(told);
        }
    }
}

impl Container {
    fn new(at: Moment) -> Self {
        Self {
            image: String::new(),
            health_path: String::new(),
            set: at.position,
            set_at: at.time,
            phase: Phase::Absent,
            steps: 0,
            ran: false,
            deployed: false,
            project: None,
            environment: None,
            service: None,
            deployment: None,
            url: None,
            strategy: None,
            doing: Doing::default(),
            worker: None,
            until: None,
            stepped_at: None,
        }
    }

    /// The phase is that after the step already.
    fn take(&mut self, worker: &str, told: LifecycleTold<'_>) {
        let some = |text: &str| Some(text.to_owned());
        match told {
            LifecycleTold::Claimed { operation, until, attempts } => {
                let (operation, reason) = (Some(operation), self.doing.reason.take());
                self.doing = Doing { operation, attempts, retry_at: None, gave_up: false, reason };
                (self.worker, self.until) = (some(worker), Some(until));
            }
            LifecycleTold::ProjectCreated { id } => self.project = some(id),
            LifecycleTold::EnvironmentCreated { id } => self.environment = some(id),
            LifecycleTold::ServiceCreated { id, url } => (self.service, self.url) = (some(id), some(url)),
            LifecycleTold::VariablesSet | LifecycleTold::ScaledUp => {}
            LifecycleTold::ScaledDown { strategy } => self.strategy = Some(strategy),
            LifecycleTold::DeploymentStarted { id } => {
                self.deployment = some(id);
                self.deployed |= self.phase != Phase::Stopping;
            }
            LifecycleTold::Running => {
                self.ran = true;
                self.arrive();
            }
            LifecycleTold::Asleep => self.arrive(),
            LifecycleTold::ServiceDeleted => self.service_deleted(),
            LifecycleTold::ProjectDeleted => self.project_deleted(),
            LifecycleTold::Failed { reason, retry_at, attempts, gave_up } => {
                let (retry_at, reason) = (Some(retry_at), some(reason));
                self.doing = Doing { operation: self.doing.operation, attempts, retry_at, gave_up, reason };
                (self.worker, self.until) = (None, None);
            }
        }
    }

    fn service_deleted(&mut self) {
        (self.service, self.url, self.deployment, self.deployed) = (None, None, None, false);
        if self.phase == Phase::Asleep {
            self.arrive();
        }
    }

    fn project_deleted(&mut self) {
        (self.project, self.environment, self.service) = (None, None, None);
        (self.url, self.deployment) = (None, None);
        (self.ran, self.deployed) = (false, false);
        self.arrive();
    }

    /// What was wanted stands.
    fn arrive(&mut self) {
        self.doing = Doing::default();
        (self.worker, self.until, self.strategy) = (None, None, None);
    }
}

impl Notice {
    fn due(at: Moment) -> Self {
        Self {
            state: "due",
            steps: 0,
            attempts: 0,
            not_before: None,
            worker: None,
            message_id: None,
            reason: None,
            due_at: at.time,
            due: at.position,
            mail: None,
            stepped_at: None,
        }
    }

    fn take(&mut self, at: Moment, worker: &str, told: NoticeTold<'_>) {
        (self.not_before, self.worker) = (None, None);
        match told {
            NoticeTold::Claimed { until, has_mail } => {
                (self.state, self.attempts) = ("sending", self.attempts + 1);
                (self.not_before, self.worker) = (Some(until), Some(worker.to_owned()));
                self.mail = if has_mail { Some(at.position) } else { self.mail };
            }
            NoticeTold::Sent { message_id } => {
                (self.state, self.message_id, self.reason) = ("sent", Some(message_id.to_owned()), None);
            }
            NoticeTold::Failed { reason, retry_at } => {
                (self.state, self.not_before) = ("retrying", Some(retry_at));
                self.reason = Some(reason.to_owned());
            }
            NoticeTold::Abandoned { reason } => {
                (self.state, self.reason) = ("abandoned", Some(reason.to_owned()));
            }
            NoticeTold::Superseded => (self.state, self.reason) = ("superseded", None),
        }
    }
}

impl Checkout {
    fn opened(at: Moment, actor: &str, event: &CheckoutStepped<'_>) -> Self {
        Self {
            amount: event.amount.unwrap_or_default(),
            url: event.text.unwrap_or_default().to_owned(),
            state: "pending",
            reason: None,
            paid: None,
            payment: None,
            key: event.key.as_ref().map(ToString::to_string),
            actor: actor.to_owned(),
            expires_at: event.expires_at.unwrap_or_default(),
            opened_at: at.time,
            opened: at.position,
            stepped_at: at.time,
        }
    }

    fn take(&mut self, told: CheckoutTold<'_>) {
        match told {
            CheckoutTold::Opened { .. } => {}
            CheckoutTold::Paid { transaction } => {
                (self.state, self.payment) = ("paid", transaction.map(str::to_owned));
                (self.reason, self.paid) = (None, None);
            }
            CheckoutTold::Parked { reason, paid } => {
                (self.state, self.reason, self.paid) = ("parked", Some(reason), paid);
            }
            CheckoutTold::Dismissed => self.state = "dismissed",
        }
    }
}

fn solvency_line(at: Moment, worker: &str, event: &SolvencyChecked) -> String {
    let positions: Vec<String> = event.positions.iter().map(ToString::to_string).collect();
    Line::default()
        .place(at.position)
        .time(at.time)
        .number(event.balances)
        .text(&format!("[{}]", positions.join(",")))
        .opt_number(event.wallet)
        .opt_number(event.promo)
        .text(event.wallet_level.word())
        .opt_number(event.build_credits)
        .opt_number(event.build_monthly)
        .text(event.build_level.word())
        .text(worker)
        .done()
}
