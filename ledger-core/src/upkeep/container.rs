//! The container of an account: what is wanted, what stands, and what is due between the two.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::ids::{Label, LongText, Position};
use crate::level::Level;
use crate::time::Timestamp;

/// What the account wants of its container. Derived from the account, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// It runs.
    Running,
    /// It hibernates.
    Asleep,
    /// It is taken away.
    Absent,
}

/// One piece of work for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Make it, or deploy it anew with other settings.
    Provision,
    /// Let it sleep.
    Hibernate,
    /// Wake it.
    Restore,
    /// Take it away.
    Deprovision,
}

/// How the container stands, as far as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing of it is there.
    #[default]
    Absent,
    /// Parts of it are there, or may be; nothing runs.
    Creating,
    /// It was told to run, or may have been, and has not answered yet.
    Starting,
    /// It runs and answers.
    Running,
    /// It was told to sleep, or may have been, and was not yet seen asleep.
    Stopping,
    /// It sleeps.
    Asleep,
}

/// How a container is put to sleep, in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The least number of instances is 0.
    MinZero,
    /// The least and the largest are.
    MinMaxZero,
    /// That, and a deployment, so that it takes effect.
    Redeploy,
    /// The service is deleted; what is above it stays.
    Delete,
}

impl Strategy {
    /// All, in the order in which they are tried.
    pub const ALL: [Self; 4] = [Self::MinZero, Self::MinMaxZero, Self::Redeploy, Self::Delete];

    /// What is tried when this one did not take.
    pub fn next(self) -> Option<Self> {
        Self::ALL.into_iter().find(|other| *other > self)
    }
}

/// What a worker tells: that it will act, or what was just done or seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// A worker is at it. Until that time, in microseconds since 1970, no other one is.
    Claimed {
        /// What for.
        operation: Operation,
        /// How long.
        until: Timestamp,
        /// How often this failed before.
        attempts: u16,
    },
    /// The provider has a project for the account.
    ProjectCreated {
        /// As the provider calls it.
        id: Label,
    },
    /// The project has an environment.
    EnvironmentCreated {
        /// As the provider calls it.
        id: Label,
    },
    /// The environment has a service.
    ServiceCreated {
        /// As the provider calls it.
        id: Label,
        /// Where it will answer.
        url: LongText,
    },
    /// The service has the variables of the settings in force.
    VariablesSet,
    /// The service is told to have one instance, or was seen with one while it was to sleep.
    ScaledUp,
    /// The service is told to have none.
    ScaledDown {
        /// How.
        strategy: Strategy,
    },
    /// A deployment is under way.
    DeploymentStarted {
        /// As the provider calls it.
        id: Label,
    },
    /// It was seen healthy, and it answered.
    Running,
    /// It was seen without an instance.
    Asleep,
    /// The service is gone.
    ServiceDeleted,
    /// The project is gone, with all that was in it.
    ProjectDeleted,
    /// It did not succeed, and is tried again.
    Failed {
        /// What was seen.
        reason: LongText,
        /// How often it has failed now.
        attempts: u16,
        /// Not before then. Microseconds since 1970.
        retry_at: Timestamp,
        /// The time that was set for it is over: people should look.
        gave_up: bool,
    },
}

/// What is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is done.
    pub operation: Operation,
    /// When it was first claimed.
    pub since: Timestamp,
    /// How often it failed.
    pub attempts: u16,
    /// Not before then; zero: at once.
    pub retry_at: Timestamp,
    /// The time that was set for it is over.
    pub gave_up: bool,
}

/// Who is at it, and until when no other one is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The worker.
    pub worker: Label,
    /// Microseconds since 1970.
    pub until: Timestamp,
}

/// The container of an account, as its steps tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// The event that holds the settings in force: image, health path, variables.
    pub settings: Position,
    /// How it stands.
    pub phase: Phase,
    /// Counts its steps, from 1: who tells the next must know the last.
    pub steps: u32,
    /// It has run before.
    pub ran: bool,
    /// It was deployed with the settings in force.
    pub deployed: bool,
    /// The last deployment is that of the start under way, or of the last one.
    pub started: bool,
    /// The service has the variables of the settings in force.
    pub variables_set: bool,
    /// As the provider calls them.
    pub project: Option<Label>,
    /// As the provider calls it.
    pub environment: Option<Label>,
    /// As the provider calls it.
    pub service: Option<Label>,
    /// The deployment under way, or the last one.
    pub deployment: Option<Label>,
    /// Where the service answers.
    pub url: Option<LongText>,
    /// How it was last put to sleep, as long as it was not seen asleep.
    pub strategy: Option<Strategy>,
    /// What is under way.
    pub progress: Option<Progress>,
    /// Who is at it.
    pub holder: Option<Holder>,
}

/// As much of a container as its status is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How it stands.
    pub phase: Phase,
    /// It has run before.
    pub ran: bool,
    /// The time that was set for what is under way is over.
    pub gave_up: bool,
}

impl Wanted {
    /// What an account wants that stands so.
    pub fn of(level: Level, closed: bool, paused: bool, forced: bool) -> Self {
        match level {
            _ if closed => Self::Absent,
            _ if paused => Self::Asleep,
            Level::Exhausted if !forced => Self::Asleep,
            _ => Self::Running,
        }
    }
}

impl Phase {
    /// Nothing is to be done for what is wanted.
    pub fn is_rest(self, wanted: Wanted) -> bool {
        match wanted {
            Wanted::Running => self == Self::Running,
            Wanted::Asleep => matches!(self, Self::Absent | Self::Creating | Self::Asleep),
            Wanted::Absent => self == Self::Absent,
        }
    }
}

impl Account {
    /// What it wants of its container, if it has one.
    pub fn wanted(&self) -> Wanted {
        Wanted::of(self.level, self.closed, self.paused, self.forced)
    }

    /// What is to be done for its container now; `None` when all is as wanted.
    pub fn due(&self) -> Option<Operation> {
        self.container()?.due(self.wanted())
    }

    /// Its container, if one was asked for.
    pub fn container(&self) -> Option<&Container> {
        self.upkeep.as_ref()?.container.as_deref()
    }
}

impl Container {
    /// Settings, and nothing else yet.
    pub fn of(settings: Position) -> Self {
        Self {
            settings,
            phase: Phase::Absent,
            steps: 0,
            ran: false,
            deployed: false,
            started: false,
            variables_set: false,
            project: None,
            environment: None,
            service: None,
            deployment: None,
            url: None,
            strategy: None,
            progress: None,
            holder: None,
        }
    }

    /// Other settings: what runs goes on until it is deployed anew.
    pub(crate) fn set(&mut self, settings: Position) {
        (self.settings, self.deployed, self.variables_set) = (settings, false, false);
        self.progress = None;
    }

    /// What lies between what stands and what is wanted.
    pub fn due(&self, wanted: Wanted) -> Option<Operation> {
        let start = if self.ran { Operation::Restore } else { Operation::Provision };
        match (wanted, self.phase) {
            (Wanted::Running, Phase::Running) => (!self.deployed).then_some(Operation::Provision),
            (Wanted::Running, Phase::Absent | Phase::Creating) => Some(Operation::Provision),
            (Wanted::Running, Phase::Starting | Phase::Stopping | Phase::Asleep) => Some(start),
            (Wanted::Asleep, Phase::Absent | Phase::Creating | Phase::Asleep) => None,
            (Wanted::Asleep, Phase::Starting | Phase::Running | Phase::Stopping) => {
                Some(Operation::Hibernate)
            }
            (Wanted::Absent, Phase::Absent) => None,
            (Wanted::Absent, _) => Some(Operation::Deprovision),
        }
    }

    /// What its status is made of.
    pub fn standing(&self) -> Standing {
        let gave_up = self.progress.is_some_and(|progress| progress.gave_up);
        Standing { phase: self.phase, ran: self.ran, gave_up }
    }

    /// Whether what a worker tells can have happened.
    pub(crate) fn can(&self, step: &Step) -> bool {
        match step {
            Step::Claimed { .. } | Step::Failed { .. } => true,
            Step::ProjectCreated { .. } => {
                self.project.is_none() && matches!(self.phase, Phase::Absent | Phase::Creating)
            }
            Step::EnvironmentCreated { .. } => self.project.is_some() && self.environment.is_none(),
            Step::ServiceCreated { .. } => self.environment.is_some() && self.service.is_none(),
            // Of the settings in force: other ones end what is under way, so whoever set older ones must claim anew.
            Step::VariablesSet => self.service.is_some() && self.progress.is_some(),
            Step::ScaledUp | Step::ScaledDown { .. } | Step::ServiceDeleted => self.service.is_some(),
            Step::DeploymentStarted { .. } => {
                self.service.is_some() && (self.variables_set || self.phase == Phase::Stopping)
            }
            Step::Running => self.phase == Phase::Starting,
            Step::Asleep => self.phase == Phase::Stopping,
            Step::ProjectDeleted => self.phase != Phase::Absent,
        }
    }

    /// Takes in what a worker tells.
    pub fn apply(&mut self, time: Timestamp, worker: &Label, step: &Step) {
        self.steps += 1;
        match step {
            Step::Claimed { operation, until, .. } => self.claim(time, worker, *operation, *until),
            Step::ProjectCreated { id } => (self.project, self.phase) = (Some(id.clone()), Phase::Creating),
            Step::EnvironmentCreated { id } => self.environment = Some(id.clone()),
            Step::ServiceCreated { id, url } => {
                (self.service, self.url) = (Some(id.clone()), Some(url.clone()));
                (self.phase, self.variables_set) = (Phase::Creating, false);
            }
            Step::VariablesSet => self.variables_set = true,
            Step::ScaledUp => (self.phase, self.started) = (Phase::Starting, false),
            Step::ScaledDown { strategy } => {
                (self.phase, self.strategy) = (Phase::Stopping, Some(*strategy));
            }
            Step::DeploymentStarted { id } => {
                self.deployment = Some(id.clone());
                // A deployment that puts it to sleep does not start it.
                if self.phase != Phase::Stopping {
                    (self.phase, self.deployed, self.started) = (Phase::Starting, true, true);
                }
            }
            Step::Running => {
                self.arrived(Phase::Running);
                self.ran = true;
            }
            Step::Asleep => self.arrived(Phase::Asleep),
            Step::ServiceDeleted => self.on_service_deleted(),
            Step::ProjectDeleted => self.on_project_deleted(),
            Step::Failed { attempts, retry_at, gave_up, .. } => {
                self.on_failed(*attempts, *retry_at, *gave_up);
            }
        }
    }

    fn claim(&mut self, time: Timestamp, worker: &Label, operation: Operation, until: Timestamp) {
        self.depart(operation);
        self.holder = Some(Holder { worker: worker.clone(), until });
        let known = self.progress.filter(|progress| progress.operation == operation);
        let (since, attempts) = known.map_or((time, 0), |known| (known.since, known.attempts));
        let retry_at = Timestamp::default();
        self.progress = Some(Progress { operation, since, attempts, retry_at, gave_up: false });
    }

    /// From a claim on what it is for may be done, also when nobody lives to hear of it. So it does not stand where it
    /// stood any more, and something is due whichever way things turn.
    fn depart(&mut self, operation: Operation) {
        match (operation, self.phase) {
            (Operation::Provision | Operation::Restore, Phase::Absent) => self.phase = Phase::Creating,
            (Operation::Provision | Operation::Restore, Phase::Asleep) => {
                (self.phase, self.started) = (Phase::Starting, false);
            }
            (Operation::Hibernate, Phase::Running | Phase::Starting) => {
                (self.phase, self.strategy) = (Phase::Stopping, None);
            }
            // It may be woken in the middle of falling asleep: then it is to be told to sleep again.
            (Operation::Provision | Operation::Restore, Phase::Stopping) => self.strategy = None,
            _ => {}
        }
    }

    /// Takes in a claim of an older program, from before [`depart`](Self::depart).
    pub(crate) fn stay(&mut self, before: &Self) {
        (self.phase, self.strategy, self.started) = (before.phase, before.strategy, before.started);
    }

    /// What was wanted stands.
    fn arrived(&mut self, phase: Phase) {
        self.phase = phase;
        (self.progress, self.holder, self.strategy) = (None, None, None);
    }

    fn on_service_deleted(&mut self) {
        (self.service, self.url, self.deployment) = (None, None, None);
        (self.deployed, self.variables_set, self.started) = (false, false, false);
        match self.phase {
            Phase::Stopping => self.arrived(Phase::Asleep),
            Phase::Asleep => {}
            _ => self.phase = Phase::Creating,
        }
    }

    fn on_project_deleted(&mut self) {
        *self = Self { steps: self.steps, ..Self::of(self.settings) };
    }

    fn on_failed(&mut self, attempts: u16, retry_at: Timestamp, gave_up: bool) {
        self.holder = None;
        if let Some(progress) = &mut self.progress {
            (progress.attempts, progress.retry_at, progress.gave_up) = (attempts, retry_at, gave_up);
        }
    }

    /// How often an operation has failed.
    pub fn attempts(&self, operation: Operation) -> u16 {
        let known = self.progress.filter(|progress| progress.operation == operation);
        known.map_or(0, |progress| progress.attempts)
    }
}
