//! What a log tells of what was done outside. Whether it may tell that is asked in [`crate::fold`], and not here.

use std::collections::BTreeMap;

use super::WireError;
use super::names;
use crate::position::Position;
use crate::wire::{
    CheckoutStepped, CheckoutTold, Commit, Event, Key, Level, LifecycleStepped, LifecycleTold, Line, Mail,
    MoneyIn, NoticeStepped, NoticeTold, Phase,
};

/// App, user.
pub(super) type Account = (String, String);

/// How the key of the deposit of a session begins.
const OWN_KEY: &str = "$checkout/";

/// What a log tells of what was done outside. It is kept in memory: some hundred bytes a step of a worker.
#[derive(Debug, Default)]
pub struct Told {
    pub(super) accounts: BTreeMap<Account, Standing>,
    pub(super) deposits: Vec<Deposit>,
    pub(super) sessions: BTreeMap<String, Session>,
}

/// An account, as far as somebody outside does something for it.
#[derive(Debug)]
pub(super) struct Standing {
    /// What its project is called.
    pub(super) project: String,
    level: Level,
    closed: bool,
    paused: bool,
    forced: bool,
    pub(super) container: Option<Container>,
    pub(super) mails: BTreeMap<(Mail, u32), Mailing>,
}

/// What an account wants of its container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Running,
    Asleep,
    Absent,
}

/// What workers told of a container.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) phase: Phase,
    pub(super) claims: Vec<Claim>,
    /// What was made, as the provider calls it, and where and when that is told.
    pub(super) made: Vec<(Made, String, Position, i64)>,
    /// The last one that started.
    pub(super) deployment: Option<String>,
    /// It was deployed with the settings in force.
    pub(super) deployed: bool,
}

/// What a worker makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    Project,
    Environment,
    Service,
    Deployment,
}

/// The right to be the only one at a container.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    /// The time of its commit.
    pub(super) from: i64,
    /// When it ends by itself, or by a step that ends what it was for.
    pub(super) until: i64,
}

/// A mail, known by the account, its kind and the epoch.
#[derive(Debug)]
pub(super) struct Mailing {
    /// The name it is sent under.
    pub(super) key: String,
    pub(super) state: State,
    /// When it was first claimed.
    pub(super) claimed: Option<i64>,
    /// As the provider calls it, and where that is told.
    pub(super) sent: Vec<(String, Position)>,
}

/// How far a mail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Due,
    Sending,
    Retrying,
    Ended,
}

/// Money that came by a checkout session.
#[derive(Debug)]
pub(super) struct Deposit {
    pub(super) account: Account,
    pub(super) session: String,
    pub(super) amount: i64,
    pub(super) at: Position,
    /// A person was asked about the session before, and may have credited something else.
    pub(super) by_hand: bool,
}

/// A checkout session.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) opened: bool,
    pub(super) parked: bool,
    pub(super) credited: bool,
    /// What a parking says that was paid, and where.
    pub(super) paid: Vec<(i64, Position)>,
}

/// Where an event stands, and whose it is.
struct Place {
    log: [u8; 16],
    account: Account,
    at: Position,
    time: i64,
}

impl Told {
    /// Takes in a commit; those of one partition in their order.
    ///
    /// Errors: it can not be read.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.take_commit(&Commit::read(bytes)?);
        Ok(())
    }

    /// The same of one that was read.
    pub fn take_commit(&mut self, commit: &Commit<'_>) {
        for (index, event) in (0..).zip(&commit.body.events) {
            self.event(commit, index, event);
        }
    }

    fn event(&mut self, commit: &Commit<'_>, index: u32, event: &Event<'_>) {
        let Some(place) = account(event).and_then(|account| Place::of(commit, index, account)) else {
            return;
        };
        match event {
            Event::AccountOpened(event) => self.standing(&place).level = event.level,
            Event::Granted(event) => self.money_in(&place, event),
            Event::Deposited(event) => {
                self.deposit(&place, event);
                self.money_in(&place, event);
            }
            Event::Debited(event) => self.standing(&place).rises_to(event.level, event.epoch_started),
            Event::Crossed(event) => {
                let (kind, level) = match event.line {
                    Line::Low => (Mail::LowCredit, Level::Low),
                    Line::Exhausted => (Mail::Paused, Level::Exhausted),
                };
                self.standing(&place).level = level;
                self.mail_due(&place, kind, event.epoch);
            }
            Event::AccountClosed(_) => self.standing(&place).closed = true,
            Event::Paused(_) => {
                let standing = self.standing(&place);
                (standing.paused, standing.forced) = (true, false);
            }
            Event::Resumed(event) => {
                let standing = self.standing(&place);
                (standing.paused, standing.forced) = (false, event.forced);
            }
            Event::ContainerSet(_) => self.container(&place).deployed = false,
            Event::LifecycleStepped(event) => self.container(&place).step(&place, event),
            Event::NoticeStepped(event) => self.notice(&place, event),
            Event::CheckoutStepped(event) => self.checkout(&place, event),
            _ => {}
        }
    }

    fn standing(&mut self, place: &Place) -> &mut Standing {
        let new = || Standing::new(names::project(place.log, &place.account));
        self.accounts.entry(place.account.clone()).or_insert_with(new)
    }

    fn container(&mut self, place: &Place) -> &mut Container {
        self.standing(place).container.get_or_insert_with(Container::new)
    }

    fn money_in(&mut self, place: &Place, event: &MoneyIn<'_>) {
        self.standing(place).rises_to(event.level, event.epoch_started);
        if let Some(epoch) = event.epoch_started.filter(|_| event.wakes) {
            self.mail_due(place, Mail::Restored, epoch);
        }
    }

    fn deposit(&mut self, place: &Place, event: &MoneyIn<'_>) {
        let Key::Text(key) = event.key else { return };
        let Some(name) = key.strip_prefix(OWN_KEY) else { return };
        let session = self.sessions.entry(name.to_owned()).or_default();
        session.credited = true;
        self.deposits.push(Deposit {
            account: place.account.clone(),
            session: name.to_owned(),
            amount: event.amount,
            at: place.at,
            by_hand: session.parked,
        });
    }

    /// A newer mail of a kind ends an older one that nobody began to send.
    fn mail_due(&mut self, place: &Place, kind: Mail, epoch: u32) {
        let mails = &mut self.standing(place).mails;
        let older = mails.iter_mut().filter(|((other, of), _)| *other == kind && *of < epoch);
        older.filter(|(_, mail)| mail.state == State::Due).for_each(|(_, mail)| mail.state = State::Ended);
        self.mail(place, kind, epoch);
    }

    fn mail(&mut self, place: &Place, kind: Mail, epoch: u32) -> &mut Mailing {
        let key = names::mail(place.log, &place.account, kind, epoch);
        let new = || Mailing { key, state: State::Due, claimed: None, sent: Vec::new() };
        self.standing(place).mails.entry((kind, epoch)).or_insert_with(new)
    }

    fn notice(&mut self, place: &Place, event: &NoticeStepped<'_>) {
        let mail = self.mail(place, event.kind, event.epoch);
        mail.state = match event.told() {
            Some(NoticeTold::Claimed { .. }) => {
                mail.claimed.get_or_insert(place.time);
                State::Sending
            }
            Some(NoticeTold::Sent { message_id }) => {
                mail.sent.push((message_id.to_owned(), place.at));
                State::Ended
            }
            Some(NoticeTold::Failed { .. }) => State::Retrying,
            Some(NoticeTold::Abandoned { .. } | NoticeTold::Superseded) | None => State::Ended,
        };
    }

    fn checkout(&mut self, place: &Place, event: &CheckoutStepped<'_>) {
        let session = self.sessions.entry(event.session.to_owned()).or_default();
        match event.told() {
            Some(CheckoutTold::Opened { .. }) => session.opened = true,
            Some(CheckoutTold::Parked { paid, .. }) => {
                session.parked = true;
                session.paid.extend(paid.map(|paid| (paid, place.at)));
            }
            Some(CheckoutTold::Paid { .. } | CheckoutTold::Dismissed) | None => {}
        }
    }
}

impl Place {
    fn of(commit: &Commit<'_>, index: u32, account: usize) -> Option<Self> {
        let (app, user) = commit.body.accounts.get(account)?;
        let app = commit.body.texts.get(*app)?;
        let at = Position { partition: commit.partition, sequence: commit.sequence, index };
        let account = ((*app).to_owned(), (*user).to_owned());
        Some(Self { log: commit.log, account, at, time: commit.body.time })
    }
}

impl Standing {
    fn new(project: String) -> Self {
        Self {
            project,
            level: Level::Healthy,
            closed: false,
            paused: false,
            forced: false,
            container: None,
            mails: BTreeMap::new(),
        }
    }

    /// A rise begins an epoch, and that ends what a person forced.
    fn rises_to(&mut self, level: Level, epoch: Option<u32>) {
        self.level = level;
        self.forced &= epoch.is_none();
    }

    pub(super) fn wanted(&self) -> Wanted {
        match self.level {
            _ if self.closed => Wanted::Absent,
            _ if self.paused => Wanted::Asleep,
            Level::Exhausted if !self.forced => Wanted::Asleep,
            _ => Wanted::Running,
        }
    }
}

impl Container {
    fn new() -> Self {
        Self { phase: Phase::Absent, claims: Vec::new(), made: Vec::new(), deployment: None, deployed: false }
    }

    fn step(&mut self, place: &Place, event: &LifecycleStepped<'_>) {
        let mut made = |what, id: &str| self.made.push((what, id.to_owned(), place.at, place.time));
        match event.told() {
            Some(LifecycleTold::Claimed { until, .. }) => {
                // Whoever claims anew has done with what it did before.
                self.free(place.time);
                self.claims.push(Claim { from: place.time, until });
            }
            Some(LifecycleTold::ProjectCreated { id }) => made(Made::Project, id),
            Some(LifecycleTold::EnvironmentCreated { id }) => made(Made::Environment, id),
            Some(LifecycleTold::ServiceCreated { id, .. }) => made(Made::Service, id),
            Some(LifecycleTold::DeploymentStarted { id }) => {
                made(Made::Deployment, id);
                self.deployment = Some(id.to_owned());
                // One that puts it to sleep does not start it.
                self.deployed |= self.phase != Phase::Stopping;
            }
            Some(LifecycleTold::ServiceDeleted) => {
                self.deployed = false;
                if self.phase == Phase::Stopping {
                    self.free(place.time);
                }
            }
            Some(
                LifecycleTold::Running
                | LifecycleTold::Asleep
                | LifecycleTold::ProjectDeleted
                | LifecycleTold::Failed { .. },
            ) => self.free(place.time),
            _ => {}
        }
        self.phase = event.phase;
    }

    /// Nobody is at it any more.
    fn free(&mut self, time: i64) {
        self.claims.iter_mut().for_each(|claim| claim.until = claim.until.min(time));
    }
}

/// The account of an event of one.
fn account(event: &Event<'_>) -> Option<usize> {
    Some(match event {
        Event::AccountOpened(event) => event.account,
        Event::Granted(event) | Event::Deposited(event) => event.account,
        Event::Debited(event) => event.account,
        Event::Crossed(event) => event.account,
        Event::AccountClosed(event) => event.account,
        Event::Paused(event) => event.account,
        Event::Resumed(event) => event.account,
        Event::ContainerSet(event) => event.account,
        Event::LifecycleStepped(event) => event.account,
        Event::NoticeStepped(event) => event.account,
        Event::CheckoutStepped(event) => event.account,
        _ => return None,
    })
}
