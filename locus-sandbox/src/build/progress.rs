//! How deployments go on: queued, deploying, then healthy or failed, by the clock.

use std::time::Duration;

use serde_json::Value;

use super::Refusal;
use super::deployments::{Deployment, DeploymentStatus};
use crate::faults::Fault;
use crate::record::{Effect, Service};
use crate::store::Turn;
use crate::timers::Timer;

/// What becomes of a new deployment.
enum Fate {
    Healthy,
    Slow(Duration),
    Fails(Vec<String>),
    Stuck,
}

impl Turn<'_> {
    /// Starts a deployment of what the service is now.
    pub(super) fn deploy(&mut self, service_id: &str, source: Option<Value>) -> Result<Value, Refusal> {
        let variables = self.variables_for_deployment(service_id)?;
        let (id, now) = (self.store.ids.named("deploy"), self.now);
        let service = self.service_mut(service_id)?;
        service.version += 1;
        service.source = source.unwrap_or_else(|| service.source.clone());
        service.last_deployment_id = Some(id.clone());
        let (version, source, runtime) = (service.version, service.source.clone(), service.runtime);
        let fate = self.fate(service_id);
        let deployment = Deployment {
            id: id.clone(),
            service_id: service_id.to_owned(),
            version,
            status: DeploymentStatus::Queued,
            source,
            created_at: now,
            finished_at: None,
            phases: [("queued".to_owned(), now)].into(),
            variables,
            runtime,
            fails_with: if let Fate::Fails(logs) = &fate { Some(logs.clone()) } else { None },
        };
        let wire = deployment.wire();
        self.store.build.deployments.insert(id.clone(), deployment);
        self.begin(&id, &fate);
        self.tell_of_deployment(&id);
        self.note(Service::Build, Effect::DeploymentStarted { id, service: service_id.to_owned(), version });
        Ok(wire)
    }

    fn begin(&mut self, id: &str, fate: &Fate) {
        let longer = match fate {
            Fate::Stuck => return,
            Fate::Slow(longer) => *longer,
            _ => Duration::ZERO,
        };
        let pause = self.config().timings.queued + longer;
        self.schedule(pause, Timer::Deploying { deployment: id.to_owned() });
    }

    fn fate(&mut self, service: &str) -> Fate {
        let text = format!("{service} {}", self.names_behind(service));
        match self.fault_of_deed(Service::Build, &text, Fault::is_of_deployments) {
            Some(Fault::DeploymentSlow { seconds }) => Fate::Slow(Duration::from_secs(seconds)),
            Some(Fault::DeploymentFails { logs }) if logs.is_empty() => {
                Fate::Fails(vec!["the container exited with code 1".to_owned()])
            }
            Some(Fault::DeploymentFails { logs }) => Fate::Fails(logs),
            Some(_) => Fate::Stuck,
            None => Fate::Healthy,
        }
    }

    pub(crate) fn deploying(&mut self, id: &str) {
        let now = self.now;
        let Some(deployment) = self.under_way(id) else { return };
        deployment.status = DeploymentStatus::Deploying;
        for phase in ["execution_started", "deploying"] {
            deployment.phases.insert(phase.to_owned(), now);
        }
        self.tell_of_deployment(id);
        self.schedule(self.config().timings.deploying, Timer::Deployed { deployment: id.to_owned() });
    }

    pub(crate) fn deployed(&mut self, id: &str) {
        let Some(deployment) = self.under_way(id) else { return };
        match deployment.fails_with {
            Some(_) => self.finish(id, DeploymentStatus::Failed),
            None => self.finish(id, DeploymentStatus::Healthy),
        }
    }

    fn under_way(&mut self, id: &str) -> Option<&mut Deployment> {
        self.store.build.deployments.get_mut(id).filter(|deployment| deployment.status.is_under_way())
    }

    /// Gives it its last status, and what follows from that.
    pub(super) fn finish(&mut self, id: &str, status: DeploymentStatus) {
        let now = self.now;
        let Some(deployment) = self.store.build.deployments.get_mut(id) else { return };
        deployment.status = status;
        deployment.finished_at = Some(now);
        deployment.phases.insert(status.name().to_owned(), now);
        let (service, runtime) = (deployment.service_id.clone(), deployment.runtime);
        self.note(Service::Build, ended(id, &service, status));
        self.tell_of_deployment(id);
        if status == DeploymentStatus::Healthy {
            if let Ok(service) = self.service_mut(&service) {
                service.last_deployed_at = Some(now);
            }
            self.scale_deployed(&service, runtime);
        }
    }

    /// Back to the healthy deployment before this one, as a new deployment.
    pub(super) fn roll_back(&mut self, id: &str) -> Result<Value, Refusal> {
        let (service, version) = (self.deployment(id)?.service_id.clone(), self.deployment(id)?.version);
        let all = self.store.build.deployments.values();
        let earlier = all.filter(|one| one.service_id == service && one.version < version);
        let healthy = earlier.filter(|one| one.status == DeploymentStatus::Healthy);
        let source = healthy.max_by_key(|one| one.version).map(|one| one.source.clone());
        let source = source.ok_or_else(|| Refusal::conflict("There is no earlier healthy deployment"))?;
        self.finish(id, DeploymentStatus::RolledBack);
        self.deploy(&service, Some(source))
    }
}

fn ended(id: &str, service: &str, status: DeploymentStatus) -> Effect {
    let (id, service) = (id.to_owned(), service.to_owned());
    match status {
        DeploymentStatus::Healthy => Effect::DeploymentHealthy { id, service },
        DeploymentStatus::Cancelled => Effect::DeploymentCancelled { id, service },
        DeploymentStatus::RolledBack => Effect::DeploymentRolledBack { id, service },
        _ => Effect::DeploymentFailed { id, service },
    }
}
