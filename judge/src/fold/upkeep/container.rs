//! Containers: which step may follow which, and whose turn it is.

use super::{CLAIM_MAX, Teller};
use crate::fold::Account;
use crate::violation::{Check, Rule, equal, holds};
use crate::wire::{Level, LifecycleTold, Operation, Phase};

/// What an account wants of its container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Running,
    Asleep,
    Absent,
}

/// A container as its steps tell.
#[derive(Debug)]
pub(super) struct Container {
    /// All of it is known: its first settings were seen. Else only what the steps since then say.
    known: bool,
    /// The last step. None: not known.
    steps: Option<u32>,
    pub(super) phase: Phase,
    /// It has run since it was made.
    ran: bool,
    /// It was deployed with the settings in force; and its service has their variables.
    deployed: bool,
    has_variables: bool,
    /// What the provider has of it.
    has_project: bool,
    has_environment: bool,
    has_service: bool,
    doing: Option<Doing>,
    held: Option<Held>,
}

/// What was claimed last, until it is done.
#[derive(Debug, Clone, Copy)]
struct Doing {
    operation: Operation,
    attempts: u16,
    /// It failed, and waits until then.
    retry_at: Option<i64>,
}

/// Who is at it, and until when nobody else is.
#[derive(Debug)]
struct Held {
    worker: String,
    until: i64,
}

impl Container {
    pub(super) fn new(known: bool) -> Self {
        Self {
            known,
            steps: known.then_some(0),
            phase: Phase::Absent,
            ran: false,
            deployed: false,
            has_variables: false,
            has_project: false,
            has_environment: false,
            has_service: false,
            doing: None,
            held: None,
        }
    }

    /// Other settings: what runs goes on until it is deployed anew.
    pub(super) fn set(&mut self) {
        (self.deployed, self.has_variables) = (false, false);
        self.start_afresh();
    }

    /// What failed before does not count any more.
    pub(super) fn start_afresh(&mut self) {
        self.doing = None;
    }

    /// The next step.
    pub(super) fn step(
        &mut self,
        account: &Account,
        teller: Teller<'_>,
        told: &LifecycleTold<'_>,
        phase: Phase,
    ) -> Check {
        let number = self.steps.map_or(teller.number, |steps| steps.saturating_add(1));
        equal(Rule::Containers, "step number", &number, &teller.number)?;
        self.steps = Some(teller.number);
        self.is_free(teller)?;
        match told {
            LifecycleTold::Claimed { operation, until, attempts } => {
                self.claimed(account, teller, *operation, *until, *attempts)?;
                // Older programs left the phase to the steps behind the claim.
                if phase == self.departed(*operation) {
                    self.phase = phase;
                }
            }
            LifecycleTold::Failed { attempts, retry_at, .. } => self.failed(*attempts, *retry_at)?,
            other => self.done(other, phase)?,
        }
        if self.known {
            holds(
                Rule::Containers,
                self.phase == phase,
                format_args!("the phase {}", self.phase.word()),
                || phase.word().to_owned(),
            )?;
        }
        self.phase = phase;
        Ok(())
    }

    fn claimed(
        &mut self,
        account: &Account,
        teller: Teller<'_>,
        operation: Operation,
        until: i64,
        attempts: u16,
    ) -> Check {
        if self.known {
            let due = self.due(wanted(account)).map_or("nothing", Operation::word);
            holds(Rule::Containers, due == operation.word(), format_args!("a claim for {due}"), || {
                format!("one for {}", operation.word())
            })?;
        }
        let before = self.doing.filter(|doing| doing.operation == operation);
        let waits = before.and_then(|doing| doing.retry_at).filter(|retry_at| *retry_at > teller.time);
        holds(Rule::Containers, waits.is_none(), "no attempt before its time", || {
            format!("one at {}, before {} (µs since 1970)", teller.time, waits.unwrap_or_default())
        })?;
        check_hold(Rule::Containers, teller.time, until)?;
        if self.known {
            let failed = before.map_or(0, |doing| doing.attempts);
            equal(Rule::Containers, "failed attempts before this:", &failed, &attempts)?;
        }
        self.doing = Some(Doing { operation, attempts, retry_at: None });
        self.held = Some(Held { worker: teller.worker.to_owned(), until });
        Ok(())
    }

    /// How it stands when something is done about it, of which nobody may hear.
    fn departed(&self, operation: Operation) -> Phase {
        match (operation, self.phase) {
            (Operation::Provision | Operation::Restore, Phase::Absent) => Phase::Creating,
            (Operation::Provision | Operation::Restore, Phase::Asleep) => Phase::Starting,
            (Operation::Hibernate, Phase::Running | Phase::Starting) => Phase::Stopping,
            (_, phase) => phase,
        }
    }

    /// Nobody else is at it: who is thought dead neither claims over its successor nor tells anything.
    fn is_free(&self, teller: Teller<'_>) -> Check {
        let held = self.held.as_ref().filter(|held| held.worker != teller.worker && held.until > teller.time);
        holds(Rule::Containers, held.is_none(), "no step while another worker is at it", || {
            let (worker, until) = held.map(|held| (held.worker.as_str(), held.until)).unwrap_or_default();
            format!("one at {}, {worker} being at it until {until} (µs since 1970)", teller.time)
        })
    }

    fn failed(&mut self, attempts: u16, retry_at: i64) -> Check {
        self.held = None;
        let Some(doing) = &mut self.doing else {
            return holds(Rule::Containers, !self.known, "no failure of what nobody began", || {
                "one".to_owned()
            });
        };
        let number = doing.attempts.saturating_add(1);
        (doing.attempts, doing.retry_at) = (attempts, Some(retry_at));
        equal(Rule::Containers, "failed attempts:", &number, &attempts)
    }

    /// What was done, or seen.
    fn done(&mut self, told: &LifecycleTold<'_>, phase: Phase) -> Check {
        let may = !self.known || self.may(told);
        holds(Rule::Containers, may, "a step that can follow", || {
            format!("one that can not, while the container is {}", self.phase.word())
        })?;
        match told {
            LifecycleTold::ProjectCreated { .. } => {
                (self.has_project, self.phase) = (true, Phase::Creating);
            }
            LifecycleTold::EnvironmentCreated { .. } => self.has_environment = true,
            LifecycleTold::ServiceCreated { .. } => {
                (self.has_service, self.has_variables, self.phase) = (true, false, Phase::Creating);
            }
            LifecycleTold::VariablesSet => self.has_variables = true,
            LifecycleTold::ScaledUp => self.phase = Phase::Starting,
            LifecycleTold::ScaledDown { .. } => self.phase = Phase::Stopping,
            LifecycleTold::DeploymentStarted { .. } => self.deployment(phase),
            LifecycleTold::Running => {
                self.arrive(Phase::Running);
                self.ran = true;
            }
            LifecycleTold::Asleep => self.arrive(Phase::Asleep),
            LifecycleTold::ServiceDeleted => self.service_deleted(phase),
            LifecycleTold::ProjectDeleted => {
                *self = Self { steps: self.steps, ..Self::new(self.known) };
            }
            LifecycleTold::Claimed { .. } | LifecycleTold::Failed { .. } => {}
        }
        Ok(())
    }

    /// Whether this can have been done or seen.
    fn may(&self, told: &LifecycleTold<'_>) -> bool {
        match told {
            LifecycleTold::Claimed { .. } | LifecycleTold::Failed { .. } => true,
            LifecycleTold::ProjectCreated { .. } => {
                !self.has_project && matches!(self.phase, Phase::Absent | Phase::Creating)
            }
            LifecycleTold::EnvironmentCreated { .. } => self.has_project && !self.has_environment,
            LifecycleTold::ServiceCreated { .. } => self.has_environment && !self.has_service,
            LifecycleTold::DeploymentStarted { .. } => {
                self.has_service && (self.has_variables || self.phase == Phase::Stopping)
            }
            LifecycleTold::Running => self.phase == Phase::Starting,
            LifecycleTold::Asleep => self.phase == Phase::Stopping,
            LifecycleTold::ProjectDeleted => self.phase != Phase::Absent,
            // Of the settings in force: whoever set older ones did not claim since.
            LifecycleTold::VariablesSet => self.has_service && self.doing.is_some(),
            LifecycleTold::ScaledUp | LifecycleTold::ScaledDown { .. } | LifecycleTold::ServiceDeleted => {
                self.has_service
            }
        }
    }

    /// A deployment starts it, but for one that puts it to sleep. Of a container that is not known the event tells which.
    fn deployment(&mut self, phase: Phase) {
        let before = if self.known { self.phase } else { phase };
        if before != Phase::Stopping {
            (self.phase, self.deployed) = (Phase::Starting, true);
        }
    }

    /// What was to sleep sleeps without its service, and so does what slept; anything else is to be made again. Of a
    /// container that is not known the event tells the phase, and not whether somebody is still at it: nobody, then.
    fn service_deleted(&mut self, phase: Phase) {
        (self.has_service, self.deployed, self.has_variables) = (false, false, false);
        match self.phase {
            _ if !self.known && phase == Phase::Asleep => self.arrive(Phase::Asleep),
            Phase::Stopping => self.arrive(Phase::Asleep),
            Phase::Asleep => {}
            _ => self.phase = Phase::Creating,
        }
    }

    /// What was wanted stands: nobody is at it any more.
    fn arrive(&mut self, phase: Phase) {
        (self.phase, self.doing, self.held) = (phase, None, None);
    }

    /// What lies between what stands and what is wanted.
    fn due(&self, wanted: Wanted) -> Option<Operation> {
        let wake = if self.ran { Operation::Restore } else { Operation::Provision };
        match (self.phase, wanted) {
            (Phase::Absent, Wanted::Absent) => None,
            (_, Wanted::Absent) => Some(Operation::Deprovision),
            (Phase::Absent | Phase::Creating, Wanted::Running) => Some(Operation::Provision),
            (Phase::Running, Wanted::Running) => Some(Operation::Provision).filter(|_| !self.deployed),
            (_, Wanted::Running) => Some(wake),
            (Phase::Absent | Phase::Creating | Phase::Asleep, Wanted::Asleep) => None,
            (_, Wanted::Asleep) => Some(Operation::Hibernate),
        }
    }

    /// It runs, as far as anybody knows.
    pub(super) fn runs(&self) -> bool {
        self.phase == Phase::Running
    }

    pub(super) fn is_known(&self) -> bool {
        self.known
    }
}

/// A claim is over after ten minutes at the latest: a worker that died must be replaced.
pub(super) fn check_hold(rule: Rule, time: i64, until: i64) -> Check {
    holds(rule, until <= time.saturating_add(CLAIM_MAX), "a claim of at most 10 minutes", || {
        format!("one at {time} until {until} (µs since 1970)")
    })
}

/// It is to run: the account has credit, or a person lets it run without.
pub(super) fn is_to_run(account: &Account) -> bool {
    wanted(account) == Wanted::Running
}

fn wanted(account: &Account) -> Wanted {
    if account.closed {
        Wanted::Absent
    } else if account.paused || (account.level == Level::Exhausted && !account.forced) {
        Wanted::Asleep
    } else {
        Wanted::Running
    }
}
