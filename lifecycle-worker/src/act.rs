//! Doing one step. Whatever makes something first looks whether it is there: the answer to an earlier try may have been
//! lost, or the worker that got it.

use std::sync::Arc;
use std::time::Duration;

use ledger_core::upkeep::{Container, Phase, Step, Strategy};
use ledger_core::{AccountId, Label, LogId, LongText, Timestamp};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::bugs;
use crate::config::Config;
use crate::containers::{
    ContainerError, Containers, Deployment, DeploymentState, NewService, Scale, Service,
};
use crate::job::is_over;
use crate::ledger::Settings;
use crate::plan::{self, Act};

/// What came of a step.
#[derive(Debug)]
pub(crate) enum Did {
    /// This is to be told.
    Step(Step),
    /// It is not time yet: look again after this.
    Wait(Duration),
    /// Do this first.
    Instead(Act),
}

/// A step that did not succeed.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) reason: String,
    /// A person must act: there is no hurry.
    pub(crate) lasting: bool,
}

/// What one job knows besides the ledger.
pub(crate) struct Actor<'a> {
    pub(crate) config: &'a Config,
    pub(crate) containers: &'a Arc<dyn Containers>,
    pub(crate) log: LogId,
    pub(crate) account: &'a AccountId,
    pub(crate) settings: Settings,
    /// This job has let it have an instance.
    pub(crate) scaled: bool,
    /// When this job last started a deployment: one that failed is its own.
    pub(crate) deployed: Option<Instant>,
    /// The newest deployment when this job set the variables.
    pub(crate) older: Option<String>,
    /// When this job first waited for the sleep that was asked for last.
    pub(crate) waiting: Option<Instant>,
    /// Since when it has seen no deployment under way.
    pub(crate) quiet_since: Option<Instant>,
    /// It was told once that what the ledger knows of is gone.
    pub(crate) gone: bool,
}

impl Trouble {
    /// The claim was about to end.
    pub(crate) fn late() -> Self {
        trouble("the provider took longer than a claim lasts")
    }
}

impl From<ContainerError> for Trouble {
    fn from(error: ContainerError) -> Self {
        let lasting =
            matches!(error, ContainerError::Failed { lasting: true, .. } | ContainerError::Never { .. });
        Self { reason: error.to_string(), lasting }
    }
}

fn shown_again() -> Trouble {
    trouble("the provider says that it is gone, and shows it")
}

fn trouble(reason: &str) -> Trouble {
    Trouble { reason: reason.to_owned(), lasting: false }
}

fn id(text: &str) -> Result<Label, Trouble> {
    Label::new(text).map_err(|_| trouble("the provider gave an id that can not be kept"))
}

/// The name of an account's project: no two accounts of any log share it, and whoever knows account and log knows it.
pub(crate) fn project_name(log: LogId, account: &AccountId) -> String {
    let digest = Sha256::digest(format!("{log}/{account}"));
    format!("drip-{}", &hex::encode(digest)[..40])
}

impl<'a> Actor<'a> {
    /// At the beginning of its job.
    pub(crate) fn new(
        config: &'a Config,
        containers: &'a Arc<dyn Containers>,
        log: LogId,
        account: &'a AccountId,
        settings: Settings,
    ) -> Self {
        Self {
            config,
            containers,
            log,
            account,
            settings,
            scaled: false,
            deployed: None,
            older: None,
            waiting: None,
            quiet_since: None,
            gone: false,
        }
    }

    pub(crate) async fn act(&mut self, act: Act, container: &Container) -> Result<Did, Trouble> {
        let service = container.service.as_ref().map(Label::as_str).unwrap_or_default();
        let done = match act {
            Act::Project => self.project().await,
            Act::Environment => self.environment(container).await,
            Act::Service => self.service(container).await,
            Act::Variables => self.variables(service).await,
            Act::ScaleUp => self.scale_up(service, container).await,
            Act::ScaleDown(strategy) => self.scale_down(service, strategy).await,
            Act::Deploy => self.deploy(service, container).await,
            Act::AwaitRunning => self.await_running(container).await,
            Act::AwaitAsleep => self.await_asleep(service, container).await,
            Act::DeleteService => {
                let deleted = self.containers.delete_service(service).await;
                deleted.map(|()| Did::Step(Step::ServiceDeleted)).map_err(Ended::from)
            }
            Act::DeleteProject => self.delete_project(container).await,
        };
        match done {
            Ok(did) => Ok(did),
            Err(Ended::Trouble(trouble)) => Err(trouble),
            Err(Ended::Never(reason)) => Err(Trouble { reason, lasting: true }),
            Err(Ended::Gone) if std::mem::replace(&mut self.gone, true) => Err(shown_again()),
            Err(Ended::Gone) => self.taken_away(container).await,
        }
    }

    /// Somebody took it away at the provider: that is how things stand then. One answer that does not know it is no proof,
    /// for what runs on would be forgotten; a list without it is.
    async fn taken_away(&self, container: &Container) -> Result<Did, Trouble> {
        let Some(project) = &container.project else {
            return Err(trouble("the provider does not know what it was asked about"));
        };
        let project = project.as_str();
        let (shown, step) = match (&container.environment, &container.service) {
            (Some(environment), Some(service)) => {
                let found = match self.containers.service(environment.as_str()).await {
                    Err(ContainerError::Gone) => self.has_environment(project, environment).await?,
                    found => found?.is_some_and(|found| found.id == service.as_str()),
                };
                (found, Step::ServiceDeleted)
            }
            (Some(environment), None) => {
                (self.has_environment(project, environment).await?, Step::ProjectDeleted)
            }
            (None, _) => (self.has_project(project).await?, Step::ProjectDeleted),
        };
        if shown { Err(shown_again()) } else { Ok(Did::Step(step)) }
    }

    async fn has_environment(&self, project: &str, environment: &Label) -> Result<bool, Trouble> {
        match self.containers.environment(project).await {
            Err(ContainerError::Gone) => self.has_project(project).await,
            found => Ok(found?.is_some_and(|found| found == environment.as_str())),
        }
    }

    async fn has_project(&self, project: &str) -> Result<bool, Trouble> {
        let all = self.containers.projects(&project_name(self.log, self.account)).await?;
        Ok(all.iter().any(|id| id == project))
    }

    fn scale(&self, min: u32, max: u32) -> Scale {
        Scale { min, max, cpu: self.config.cpu, memory: self.config.memory }
    }

    async fn project(&self) -> Result<Did, Ended> {
        let name = project_name(self.log, self.account);
        let found = bugs::looked(self.containers.projects(&name).await?);
        let (id, extra) = match found.split_first() {
            Some((oldest, extra)) => (oldest.clone(), extra),
            None => (self.containers.create_project(&name).await?, &[][..]),
        };
        // Two tries, of which one was long on its way: nothing is in the younger ones.
        for younger in extra {
            self.containers.delete_project(younger).await?;
        }
        Ok(Did::Step(Step::ProjectCreated { id: self::id(&id)? }))
    }

    async fn environment(&self, container: &Container) -> Result<Did, Ended> {
        let project = container.project.as_ref().map(Label::as_str).unwrap_or_default();
        let id = match self.containers.environment(project).await? {
            Some(id) => id,
            None => self.containers.create_environment(project).await?,
        };
        Ok(Did::Step(Step::EnvironmentCreated { id: self::id(&id)? }))
    }

    async fn service(&self, container: &Container) -> Result<Did, Ended> {
        let text = |id: &Option<Label>| id.as_ref().map(ToString::to_string).unwrap_or_default();
        let (project, environment) = (text(&container.project), text(&container.environment));
        let Service { id, url } = match self.containers.service(&environment).await? {
            Some(service) => service,
            None => {
                let (image, health_path) = (self.settings.image.clone(), self.settings.health_path.clone());
                let (cpu, memory) = (self.config.cpu, self.config.memory);
                let new = NewService { project, environment, image, health_path, cpu, memory };
                self.containers.create_service(&new).await?
            }
        };
        let url =
            LongText::new(&url).map_err(|_| trouble("the provider gave an address that can not be kept"))?;
        Ok(Did::Step(Step::ServiceCreated { id: self::id(&id)?, url }))
    }

    /// What was deployed until now has other variables: it is not taken for this start's.
    async fn variables(&mut self, service: &str) -> Result<Did, Ended> {
        self.older = self.containers.newest_deployment(service).await?.map(|found| found.id);
        self.containers.set_variables(service, &self.settings.variables).await?;
        Ok(Did::Step(Step::VariablesSet))
    }

    /// In the middle of falling asleep there may be a deployment that was to put it to sleep: known as that, it is not
    /// taken for the one that wakes it.
    async fn scale_up(&mut self, service: &str, container: &Container) -> Result<Did, Ended> {
        if container.phase == Phase::Stopping
            && let Some(found) = self.untold(service, container).await?
        {
            return Ok(Did::Step(Step::DeploymentStarted { id: id(&found.id)? }));
        }
        self.containers.scale(service, self.scale(1, 1)).await?;
        self.scaled = true;
        Ok(Did::Step(Step::ScaledUp))
    }

    /// The newest deployment, if the ledger does not know of it.
    async fn untold(&self, service: &str, container: &Container) -> Result<Option<Deployment>, Ended> {
        let known = container.deployment.as_ref().map(Label::as_str);
        let newest = self.containers.newest_deployment(service).await?;
        Ok(newest.filter(|found| Some(found.id.as_str()) != known))
    }

    /// What the provider never does in this way is asked for in the next.
    async fn scale_down(&mut self, service: &str, strategy: Strategy) -> Result<Did, Ended> {
        match self.scaled_down(service, strategy).await {
            Err(Ended::Never(reason)) => match plan::escalation(&self.config.strategies, Some(strategy)) {
                Some(next) => Ok(Did::Instead(Act::ScaleDown(next))),
                None => Err(Ended::Never(reason)),
            },
            other => other,
        }
    }

    async fn scaled_down(&mut self, service: &str, strategy: Strategy) -> Result<Did, Ended> {
        (self.waiting, self.quiet_since) = (None, None);
        match strategy {
            Strategy::MinZero => self.containers.scale(service, self.scale(0, 1)).await?,
            Strategy::MinMaxZero => self.containers.scale(service, self.scale(0, 0)).await?,
            Strategy::Redeploy => {
                self.containers.scale(service, self.scale(0, 0)).await?;
                self.containers.deploy(service, &self.settings.image).await?;
            }
            Strategy::Delete => self.containers.delete_service(service).await?,
        }
        Ok(Did::Step(Step::ScaledDown { strategy }))
    }

    /// A deployment that the ledger does not know of is one whose answer was lost: it is taken for this start's, unless
    /// it has failed.
    async fn deploy(&mut self, service: &str, container: &Container) -> Result<Did, Ended> {
        let untold = self.untold(service, container).await?;
        let untold = untold.filter(|found| self.older.as_ref() != Some(&found.id));
        let id = match untold.filter(|found| !matches!(found.state, DeploymentState::Failed(_))) {
            Some(found) => found.id,
            None => self.containers.deploy(service, &self.settings.image).await?,
        };
        self.deployed = Some(Instant::now());
        Ok(Did::Step(Step::DeploymentStarted { id: self::id(&id)? }))
    }

    async fn await_running(&self, container: &Container) -> Result<Did, Ended> {
        let Some(deployment) = &container.deployment else { return Ok(Did::Instead(Act::Deploy)) };
        match self.containers.deployment(deployment.as_str()).await {
            Ok(found) => match found.state {
                DeploymentState::Underway => return self.not_yet(container),
                DeploymentState::Healthy => {}
                DeploymentState::Failed(reason) if self.deployed.is_some() => {
                    return Err(Ended::Trouble(Trouble { reason, lasting: false }));
                }
                DeploymentState::Failed(_) => return Ok(Did::Instead(Act::Deploy)),
            },
            Err(ContainerError::Gone) => return Ok(Did::Instead(Act::Deploy)),
            Err(error) => return Err(error.into()),
        }
        let url = container.url.as_ref().map(LongText::as_str).unwrap_or_default();
        if self.containers.answers(url, &self.settings.health_path).await? {
            return Ok(Did::Step(Step::Running));
        }
        self.not_yet(container)
    }

    /// It is waited for as long as was set for it. Then people hear of that, and each later attempt that finds it no
    /// further begins with the scale again.
    fn not_yet(&self, container: &Container) -> Result<Did, Ended> {
        let now = Timestamp(service_kit::clock::now());
        let timing = &self.config.timing;
        match container.progress.filter(|progress| is_over(timing, *progress, now)) {
            None => Ok(Did::Wait(timing.starting)),
            Some(progress) if progress.attempts > 0 && self.deployed.is_none() => {
                Ok(Did::Instead(Act::ScaleUp))
            }
            // What was just begun has not failed yet, however long it was tried before.
            Some(_) if self.deployed.is_some_and(|at| at.elapsed() < timing.patience) => {
                Ok(Did::Wait(timing.starting))
            }
            Some(_) => {
                let reason = "it does not run and answer in the time that was set for it".to_owned();
                Err(Ended::Trouble(Trouble { reason, lasting: true }))
            }
        }
    }

    async fn await_asleep(&mut self, service: &str, container: &Container) -> Result<Did, Ended> {
        if container.service.is_none() {
            return Ok(Did::Step(Step::Asleep));
        }
        match self.quiet(service, container).await? {
            Some(Step::Asleep) if self.has_none(service).await? => return Ok(Did::Step(Step::Asleep)),
            Some(Step::Asleep) => {}
            Some(step) => return Ok(Did::Step(step)),
            None => self.quiet_since = None,
        }
        let since = *self.waiting.get_or_insert_with(Instant::now);
        let timing = &self.config.timing;
        if since.elapsed() < timing.patience {
            return Ok(Did::Wait(timing.stopping.min(timing.patience)));
        }
        match plan::escalation(&self.config.strategies, container.strategy) {
            Some(strategy) => Ok(Did::Instead(Act::ScaleDown(strategy))),
            None => Err(trouble("it was told to sleep in every way there is, and still runs").into()),
        }
    }

    /// No instance is wanted, and that is no news of before: the count may be as old as the provider's cache, and so of
    /// before a deployment that ended since, or of before the scale.
    async fn has_none(&mut self, service: &str) -> Result<bool, Ended> {
        let since = *self.quiet_since.get_or_insert_with(Instant::now);
        let fresh = since.elapsed() >= self.config.timing.stopping;
        Ok(fresh && self.containers.instances(service).await? == Some(0))
    }

    /// Nothing is under way: what is to be told of that. A deployment under way would start it again, so its end is waited for;
    /// and one that the ledger does not know of would be taken for the next start's.
    async fn quiet(&self, service: &str, container: &Container) -> Result<Option<Step>, Ended> {
        if let Some(found) = self.untold(service, container).await? {
            return Ok(Some(Step::DeploymentStarted { id: id(&found.id)? }));
        }
        let Some(deployment) = &container.deployment else { return Ok(Some(Step::Asleep)) };
        let found = match self.containers.deployment(deployment.as_str()).await {
            Err(ContainerError::Gone) => return Ok(Some(Step::Asleep)),
            found => found?,
        };
        Ok((found.state != DeploymentState::Underway).then_some(Step::Asleep))
    }

    /// All of its name, for of one the answer may have been lost.
    async fn delete_project(&self, container: &Container) -> Result<Did, Ended> {
        let mut projects = self.containers.projects(&project_name(self.log, self.account)).await?;
        let known = container.project.as_ref().map(ToString::to_string);
        projects.extend(known.filter(|known| !projects.contains(known)));
        for project in projects {
            self.containers.delete_project(&project).await?;
        }
        Ok(Did::Step(Step::ProjectDeleted))
    }
}

/// Why a step ended without being done.
enum Ended {
    Gone,
    Never(String),
    Trouble(Trouble),
}

impl From<ContainerError> for Ended {
    fn from(error: ContainerError) -> Self {
        match error {
            ContainerError::Gone => Self::Gone,
            ContainerError::Never { reason } => Self::Never(reason),
            error => Self::Trouble(error.into()),
        }
    }
}

impl From<Trouble> for Ended {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

#[cfg(test)]
mod tests;
