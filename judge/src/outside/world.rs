//! What stood at the provider of containers, and when: the sum of a record.

use std::collections::BTreeMap;

use super::{Deed, Effect};

/// What a record says of containers. Moments are places in the record.
#[derive(Debug, Default)]
pub(super) struct World<'a> {
    pub(super) projects: BTreeMap<&'a str, Project<'a>>,
    pub(super) environments: BTreeMap<&'a str, Part<'a>>,
    pub(super) services: BTreeMap<&'a str, Part<'a>>,
    pub(super) deployments: BTreeMap<&'a str, Deployment<'a>>,
}

/// A project.
#[derive(Debug)]
pub(super) struct Project<'a> {
    pub(super) name: &'a str,
    pub(super) life: Life,
}

/// An environment or a service.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) project: &'a str,
    pub(super) life: Life,
    /// Of a service: so many instances are wanted of it.
    pub(super) desired: u32,
}

/// A deployment.
#[derive(Debug)]
pub(super) struct Deployment<'a> {
    pub(super) service: &'a str,
    pub(super) healthy: bool,
}

/// From when on it was there, and until when, if it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) made: usize,
    pub(super) gone: Option<usize>,
}

impl Life {
    fn from(made: usize) -> Self {
        Self { made, gone: None }
    }

    /// It was there at this moment.
    pub(super) fn holds(self, moment: usize) -> bool {
        self.made < moment && self.gone.is_none_or(|gone| gone > moment)
    }

    /// It is there still.
    pub(super) fn lasts(self) -> bool {
        self.gone.is_none()
    }

    fn end(&mut self, moment: usize) {
        self.gone.get_or_insert(moment);
    }
}

impl<'a> World<'a> {
    pub(super) fn of(deeds: &'a [Deed]) -> Self {
        let mut world = Self::default();
        deeds.iter().enumerate().for_each(|(moment, deed)| world.take(moment, &deed.effect));
        world
    }

    fn take(&mut self, moment: usize, effect: &'a Effect) {
        let part = |project| Part { project, life: Life::from(moment), desired: 0 };
        match effect {
            Effect::ProjectCreated { id, name } => {
                self.projects.insert(id, Project { name, life: Life::from(moment) });
            }
            Effect::EnvironmentCreated { id, project } => drop(self.environments.insert(id, part(project))),
            Effect::ServiceCreated { id, project } => drop(self.services.insert(id, part(project))),
            Effect::ProjectDeleted { id } => self.project_deleted(moment, id),
            Effect::EnvironmentDeleted { id } => end(&mut self.environments, moment, id),
            Effect::ServiceDeleted { id } => end(&mut self.services, moment, id),
            Effect::Scaled { service, desired } => {
                if let Some(service) = self.services.get_mut(&**service) {
                    service.desired = *desired;
                }
            }
            Effect::DeploymentStarted { id, service } => {
                self.deployments.insert(id, Deployment { service, healthy: false });
            }
            Effect::DeploymentHealthy { id } => self.deployment_ended(id, true),
            Effect::DeploymentFailed { id } => self.deployment_ended(id, false),
            _ => {}
        }
    }

    fn project_deleted(&mut self, moment: usize, id: &str) {
        if let Some(project) = self.projects.get_mut(id) {
            project.life.end(moment);
        }
        let parts = self.environments.values_mut().chain(self.services.values_mut());
        parts.filter(|part| part.project == id).for_each(|part| part.life.end(moment));
    }

    fn deployment_ended(&mut self, id: &str, healthy: bool) {
        if let Some(deployment) = self.deployments.get_mut(id) {
            deployment.healthy = healthy;
        }
    }

    /// The name of a project.
    pub(super) fn name(&self, project: &str) -> Option<&'a str> {
        self.projects.get(project).map(|project| project.name)
    }

    /// The name of the project that a service is in.
    pub(super) fn name_of_service(&self, service: &str) -> Option<&'a str> {
        self.services.get(service).and_then(|service| self.name(service.project))
    }

    /// What is there now of the services of a project of this name.
    pub(super) fn services_of<'b>(&'b self, name: &'b str) -> impl Iterator<Item = (&'a str, &'b Part<'a>)> {
        let lasting = self.services.iter().filter(|(_, service)| service.life.lasts());
        lasting.filter(|(_, one)| self.name(one.project) == Some(name)).map(|(id, service)| (*id, service))
    }
}

fn end(parts: &mut BTreeMap<&str, Part<'_>>, moment: usize, id: &str) {
    if let Some(part) = parts.get_mut(id) {
        part.life.end(moment);
    }
}
