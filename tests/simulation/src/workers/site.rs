//! A provider of containers, as capricious as the real one: deployments take their time and fail, a scale does not take,
//! or takes with the next deployment alone. What takes effect stands in the record.

use std::collections::BTreeMap;

use event_log::sim::Rng;
use judge::outside::Effect;
use ledger_core::Timestamp;
use ledger_core::time::SECOND;
use lifecycle_worker::containers::{
    ContainerError, Deployment, DeploymentState, NewService, Result, Scale, Service,
};

/// When a number of instances takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scaling {
    /// At once.
    AtOnce,
    /// With the next deployment.
    NextDeployment,
    /// At once, but never to zero.
    NeverZero,
    /// At once; a zero is refused.
    ZeroRefused,
}

/// What goes wrong, in cases of a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    /// A deployment fails.
    pub(super) deployment_fails: u64,
    /// A scale is taken down and has no effect.
    pub(super) scale_ignored: u64,
    /// The number of instances is not told.
    pub(super) untold: u64,
    /// What runs does not answer.
    pub(super) no_answer: u64,
    /// It refuses to work for now.
    pub(super) away: u64,
    /// It says that what is there is not.
    pub(super) forgets: u64,
}

#[derive(Debug)]
struct ServiceHere {
    project: String,
    environment: String,
    /// What was asked for last: least and most instances.
    asked: (u32, u32),
    desired: u32,
    deployed: bool,
}

#[derive(Debug)]
struct DeploymentHere {
    service: String,
    number: u64,
    ready_at: Timestamp,
    fails: bool,
    asked: (u32, u32),
    state: DeploymentState,
}

pub(super) struct Site {
    scaling: Scaling,
    rng: Rng,
    pub(super) faults: Faults,
    made: u64,
    /// Id, name.
    projects: BTreeMap<u64, String>,
    environments: BTreeMap<u64, String>,
    services: BTreeMap<String, ServiceHere>,
    deployments: BTreeMap<String, DeploymentHere>,
    /// Numbers of instances as they were told, and since when they are told so.
    seen: BTreeMap<String, (Timestamp, u32)>,
    record: Vec<(Timestamp, Effect)>,
    now: Timestamp,
}

/// For how long the number of instances is answered as it was, in microseconds.
const CACHE: i64 = 30 * SECOND;

fn project_id(number: u64) -> String {
    format!("proj-{number}")
}

fn environment_id(number: u64) -> String {
    format!("env-{number}")
}

fn number(id: &str) -> u64 {
    id.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

impl Site {
    pub(super) fn new(scaling: Scaling, faults: Faults, seed: u64) -> Self {
        Self {
            scaling,
            rng: Rng::new(seed),
            faults,
            made: 0,
            projects: BTreeMap::new(),
            environments: BTreeMap::new(),
            services: BTreeMap::new(),
            deployments: BTreeMap::new(),
            seen: BTreeMap::new(),
            record: Vec::new(),
            now: Timestamp(0),
        }
    }

    /// Time has come so far; what was on its way until then takes effect. Whether it works now.
    pub(super) fn comes_to(&mut self, now: Timestamp) -> Result<()> {
        self.pass(now);
        if self.rng.chance(self.faults.away) {
            return Err(ContainerError::Failed { reason: "503".to_owned(), lasting: false });
        }
        if self.rng.chance(self.faults.forgets) { Err(ContainerError::Gone) } else { Ok(()) }
    }

    /// What was done, and when.
    pub(super) fn record(&mut self, now: Timestamp) -> &[(Timestamp, Effect)] {
        self.pass(now);
        &self.record
    }

    fn pass(&mut self, now: Timestamp) {
        let underway = |found: &&DeploymentHere| found.state == DeploymentState::Underway;
        loop {
            let next = self.deployments.iter().filter(|(_, found)| underway(found));
            let next = next.min_by_key(|(_, found)| (found.ready_at, found.number));
            match next.filter(|(_, found)| found.ready_at <= now).map(|(id, _)| id.clone()) {
                Some(id) => self.ends(&id),
                None => break,
            }
        }
        self.now = now;
    }

    fn ends(&mut self, id: &str) {
        let found = self.deployments.get_mut(id).expect("it was just found");
        self.now = found.ready_at;
        if found.fails {
            found.state = DeploymentState::Failed("exit code 1".to_owned());
            return self.took(Effect::DeploymentFailed { id: id.to_owned() });
        }
        found.state = DeploymentState::Healthy;
        let (service, deployed, number) = (found.service.clone(), found.asked, found.number);
        self.took(Effect::DeploymentHealthy { id: id.to_owned() });
        let newer = |found: &DeploymentHere| found.service == service && found.number > number;
        if self.deployments.values().any(|found| newer(found) && found.state == DeploymentState::Healthy) {
            // The newest counts, in whatever order they end.
            return;
        }
        if let Some(here) = self.services.get_mut(&service) {
            here.deployed = true;
            let asked = if self.scaling == Scaling::NextDeployment { deployed } else { here.asked };
            self.scales(&service, asked);
        }
    }

    fn took(&mut self, effect: Effect) {
        self.record.push((self.now, effect));
    }

    fn next(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    pub(super) fn projects(&self, name: &str) -> Vec<String> {
        self.projects.iter().filter(|(_, known)| *known == name).map(|(id, _)| project_id(*id)).collect()
    }

    pub(super) fn create_project(&mut self, name: &str) -> String {
        let number = self.next();
        self.projects.insert(number, name.to_owned());
        self.took(Effect::ProjectCreated { id: project_id(number), name: name.to_owned() });
        project_id(number)
    }

    pub(super) fn environment(&self, project: &str) -> Result<Option<String>> {
        self.has_project(project)?;
        let ours = self.environments.iter().find(|(_, of)| *of == project);
        Ok(ours.map(|(number, _)| environment_id(*number)))
    }

    fn has_project(&self, id: &str) -> Result<()> {
        self.projects.contains_key(&number(id)).then_some(()).ok_or(ContainerError::Gone)
    }

    pub(super) fn create_environment(&mut self, project: &str) -> Result<String> {
        self.has_project(project)?;
        let (number, project) = (self.next(), project.to_owned());
        self.environments.insert(number, project.clone());
        self.took(Effect::EnvironmentCreated { id: environment_id(number), project });
        Ok(environment_id(number))
    }

    pub(super) fn service(&self, environment: &str) -> Result<Option<Service>> {
        self.environments.contains_key(&number(environment)).then_some(()).ok_or(ContainerError::Gone)?;
        let found = self.services.iter().find(|(_, here)| here.environment == environment);
        Ok(found.map(|(id, _)| Service { id: id.clone(), url: url(id) }))
    }

    pub(super) fn create_service(&mut self, new: &NewService) -> Result<Service> {
        if self.service(&new.environment)?.is_some() {
            return Err(ContainerError::Failed { reason: "409".to_owned(), lasting: false });
        }
        let id = format!("svc-{}", self.next());
        let (project, environment) = (new.project.clone(), new.environment.clone());
        self.took(Effect::ServiceCreated { id: id.clone(), project: project.clone() });
        let here = ServiceHere { project, environment, asked: (1, 1), desired: 0, deployed: false };
        self.services.insert(id.clone(), here);
        Ok(Service { url: url(&id), id })
    }

    fn here(&mut self, service: &str) -> Result<&mut ServiceHere> {
        self.services.get_mut(service).ok_or(ContainerError::Gone)
    }

    pub(super) fn set_variables(&mut self, service: &str) -> Result<()> {
        self.here(service)?;
        self.took(Effect::VariablesSet { service: service.to_owned() });
        Ok(())
    }

    pub(super) fn scale(&mut self, service: &str, scale: Scale) -> Result<()> {
        let (asked, scaling) = ((scale.min, scale.max), self.scaling);
        if asked.0 == 0 && scaling == Scaling::ZeroRefused {
            return Err(ContainerError::Never { reason: "minInstances must be at least 1".to_owned() });
        }
        let here = self.here(service)?;
        let other = std::mem::replace(&mut here.asked, asked) != asked;
        let deployed = here.deployed;
        if other {
            self.took(Effect::RuntimePatched { service: service.to_owned() });
        }
        let takes = deployed && scaling != Scaling::NextDeployment;
        if takes && !self.rng.chance(self.faults.scale_ignored) {
            self.scales(service, asked);
        }
        Ok(())
    }

    fn scales(&mut self, service: &str, (min, _): (u32, u32)) {
        let desired = if self.scaling == Scaling::NeverZero { min.max(1) } else { min };
        let Some(here) = self.services.get_mut(service) else { return };
        if std::mem::replace(&mut here.desired, desired) != desired {
            self.took(Effect::Scaled { service: service.to_owned(), desired });
        }
    }

    /// As old as the cache, at most.
    pub(super) fn instances(&mut self, service: &str) -> Result<Option<u32>> {
        let (now, desired) = (self.now, self.here(service)?.desired);
        if self.rng.chance(self.faults.untold) {
            return Ok(None);
        }
        let seen = self.seen.entry(service.to_owned()).or_insert((now, desired));
        if now.since(seen.0) >= CACHE {
            *seen = (now, desired);
        }
        Ok(Some(seen.1))
    }

    /// Nobody asked for it: some of what sleeps gets an instance. How many.
    pub(super) fn wakes(&mut self, now: Timestamp) -> u64 {
        self.pass(now);
        let sleeps = |here: &ServiceHere| here.deployed && here.desired == 0;
        let all = self.services.iter().filter(|(_, here)| sleeps(here)).map(|(id, _)| id.clone());
        let all: Vec<String> = all.collect();
        let woken: Vec<String> = all.into_iter().filter(|_| self.rng.chance(300)).collect();
        woken.iter().for_each(|service| self.scales(service, (1, 1)));
        woken.len() as u64
    }

    pub(super) fn newest_deployment(&mut self, service: &str) -> Result<Option<Deployment>> {
        self.here(service)?;
        let of_it = self.deployments.iter().filter(|(_, found)| found.service == service);
        let newest = of_it.max_by_key(|(_, found)| found.number);
        Ok(newest.map(|(id, found)| Deployment { id: id.clone(), state: found.state.clone() }))
    }

    pub(super) fn deploy(&mut self, service: &str) -> Result<String> {
        let asked = self.here(service)?.asked;
        let number = self.next();
        let id = format!("deploy-{number}");
        let ready_at = self.now.plus(self.rng.micros(5 * SECOND, 120 * SECOND));
        let fails = self.rng.chance(self.faults.deployment_fails);
        let (of, state) = (service.to_owned(), DeploymentState::Underway);
        let found = DeploymentHere { service: of.clone(), number, ready_at, fails, asked, state };
        self.deployments.insert(id.clone(), found);
        self.took(Effect::DeploymentStarted { id: id.clone(), service: of });
        Ok(id)
    }

    pub(super) fn deployment(&self, id: &str) -> Result<Deployment> {
        let found = self.deployments.get(id).filter(|found| self.services.contains_key(&found.service));
        let found = found.ok_or(ContainerError::Gone)?;
        Ok(Deployment { id: id.to_owned(), state: found.state.clone() })
    }

    pub(super) fn answers(&mut self, at: &str) -> bool {
        let runs = self.services.iter().any(|(id, here)| url(id) == at && here.desired > 0);
        runs && !self.rng.chance(self.faults.no_answer)
    }

    pub(super) fn delete_service(&mut self, service: &str) {
        if self.services.remove(service).is_some() {
            self.took(Effect::ServiceDeleted { id: service.to_owned() });
            self.deployments.retain(|_, found| found.service != service);
        }
    }

    pub(super) fn delete_project(&mut self, project: &str) {
        if self.projects.remove(&number(project)).is_none() {
            return;
        }
        let inside = self.services.iter().filter(|(_, here)| here.project == project);
        let inside: Vec<String> = inside.map(|(id, _)| id.clone()).collect();
        inside.iter().for_each(|service| self.delete_service(service));
        let environments = self.environments.iter().filter(|(_, of)| *of == project);
        let environments: Vec<u64> = environments.map(|(number, _)| *number).collect();
        for number in environments {
            self.environments.remove(&number);
            self.took(Effect::EnvironmentDeleted { id: environment_id(number) });
        }
        self.took(Effect::ProjectDeleted { id: project.to_owned() });
    }
}

fn url(service: &str) -> String {
    format!("https://{service}.example.org")
}
