//! I12, of containers: each thing is made once, under a claim, and what the log calls by a name is that.

use std::collections::BTreeMap;

use super::told::{Account, Container, Made, Standing};
use super::world::Life;
use super::{Check, Effect};

impl Check<'_> {
    pub(super) fn containers(&mut self) {
        let told = self.told;
        let owners =
            told.accounts.iter().map(|(account, standing)| (&*standing.project, (account, standing)));
        let owners: BTreeMap<&str, (&Account, &Standing)> = owners.collect();
        for moment in 0..self.deeds.len() {
            let name = self.project_touched(moment);
            if let Some((account, standing)) = name.and_then(|name| owners.get(name)) {
                self.alone(moment, account, standing);
                self.claimed(moment, account, standing);
            }
        }
        for (account, standing) in &told.accounts {
            self.made(account, standing);
        }
    }

    /// The name of the project that a deed was done to. What follows by itself from what was done before is none.
    fn project_touched(&self, moment: usize) -> Option<&str> {
        match &self.deeds[moment].effect {
            Effect::ProjectCreated { name, .. } => Some(name),
            Effect::ProjectDeleted { id } => self.world.name(id),
            Effect::EnvironmentCreated { project, .. } | Effect::ServiceCreated { project, .. } => {
                self.world.name(project)
            }
            Effect::EnvironmentDeleted { id } => {
                self.world.environments.get(&**id).and_then(|part| self.world.name(part.project))
            }
            Effect::ServiceDeleted { id } => self.world.name_of_service(id),
            Effect::VariablesSet { service }
            | Effect::RuntimePatched { service }
            | Effect::DeploymentStarted { service, .. } => self.world.name_of_service(service),
            _ => None,
        }
    }

    /// What is made is the only one of its kind: whoever makes it looks for it first. Only a call that took effect when
    /// its claim was over may be met by one more, as long as nobody was told of it, or make one beside what was made under
    /// another claim.
    fn alone(&mut self, moment: usize, account: &Account, standing: &Standing) {
        let (what, id, others) = match &self.deeds[moment].effect {
            Effect::ProjectCreated { id, name } => {
                let alike = self.world.projects.iter().filter(|(_, one)| one.name == name);
                ("project", id, alike.map(|(id, one)| (*id, one.life)).collect::<Vec<_>>())
            }
            Effect::EnvironmentCreated { id, project } => {
                let beside = self.world.environments.iter().filter(|(_, one)| one.project == project);
                ("environment", id, beside.map(|(id, one)| (*id, one.life)).collect())
            }
            Effect::ServiceCreated { id, project } => {
                let beside = self.world.services.iter().filter(|(_, one)| one.project == project);
                ("service", id, beside.map(|(id, one)| (*id, one.life)).collect())
            }
            _ => return,
        };
        let at = |moment: usize| self.deeds[moment].at;
        let container = standing.container.as_ref();
        let known = |other: &str| {
            let mut made = container.into_iter().flat_map(|container| &container.made);
            made.any(|(_, id, _, told)| id == other && at(moment).is_some_and(|at| *told < at))
        };
        let excused = |other: &str, life: Life| {
            (!known(other) && self.came_late(container, at(life.made), None))
                || self.came_late(container, at(moment), at(life.made))
        };
        let mut others =
            others.into_iter().filter(|(other, life)| life.holds(moment) && !excused(other, *life));
        if let Some((other, _)) = others.next() {
            let what = format!("{}: the {what} {id} was made beside {other}", name(account));
            self.complain("I12", what);
        }
    }

    /// It may have been asked for under a claim that had ended when it took effect, and not under the one that had made
    /// another before: each claim makes one.
    fn came_late(&self, container: Option<&Container>, at: Option<i64>, another: Option<i64>) -> bool {
        let claims = container.map_or(&[][..], |container| &container.claims);
        let Some(at) = at else { return self.late > 0 && claims.len() > 1 };
        claims.iter().any(|claim| {
            let made = another.is_some_and(|another| claim.from <= another && another <= claim.until);
            claim.until < at && at <= claim.until.saturating_add(self.late) && !made
        })
    }

    /// Whatever is done is done under a claim.
    fn claimed(&mut self, moment: usize, account: &Account, standing: &Standing) {
        let deed = &self.deeds[moment];
        let claims = standing.container.as_ref().map_or(&[][..], |container| &container.claims);
        let held = |at| {
            let holds = |from, until: i64| from <= at && at <= until.saturating_add(self.late);
            claims.iter().any(|claim| holds(claim.from, claim.until))
        };
        if deed.at.map_or(!claims.is_empty(), held) {
            return;
        }
        let what = self.described(moment);
        let when = deed.at.map(|at| format!(" at {at} (µs since 1970)")).unwrap_or_default();
        let begun = claims.iter().rev().find(|claim| deed.at.is_some_and(|at| claim.from <= at));
        let before = begun.map_or("nobody had claimed it".to_owned(), |claim| {
            format!("the last claim before lasted from {} until {}", claim.from, claim.until)
        });
        self.complain("I12", format!("{}: {what}{when}, and {before}", name(account)));
    }

    fn described(&self, moment: usize) -> String {
        match &self.deeds[moment].effect {
            Effect::ProjectCreated { id, .. } => format!("the project {id} was made"),
            Effect::ProjectDeleted { id } => format!("the project {id} was deleted"),
            Effect::EnvironmentCreated { id, .. } => format!("the environment {id} was made"),
            Effect::EnvironmentDeleted { id } => format!("the environment {id} was deleted"),
            Effect::ServiceCreated { id, .. } => format!("the service {id} was made"),
            Effect::ServiceDeleted { id } => format!("the service {id} was deleted"),
            Effect::VariablesSet { service } => format!("variables of {service} were set"),
            Effect::RuntimePatched { service } => format!("{service} was scaled"),
            Effect::DeploymentStarted { id, .. } => format!("the deployment {id} was started"),
            other => format!("{other:?}"),
        }
    }

    /// What the log says was made is what the record says was made, of this account.
    fn made(&mut self, account: &Account, standing: &Standing) {
        for (made, id, at, _) in standing.container.iter().flat_map(|container| &container.made) {
            let (word, of) = match made {
                Made::Project => ("project", self.world.name(id)),
                Made::Environment => {
                    let part = self.world.environments.get(&**id);
                    ("environment", part.and_then(|part| self.world.name(part.project)))
                }
                Made::Service => ("service", self.world.name_of_service(id)),
                Made::Deployment => {
                    let deployment = self.world.deployments.get(&**id);
                    ("deployment", deployment.and_then(|one| self.world.name_of_service(one.service)))
                }
            };
            if of != Some(&standing.project) {
                let found =
                    of.map_or("no such was made".to_owned(), |of| format!("it belongs to project {of}"));
                let what = format!("{}: the {word} {id} is told at {at}, and {found}", name(account));
                self.complain("I12", what);
            }
        }
    }
}

/// As accounts are named.
pub(super) fn name((app, user): &Account) -> String {
    format!("{app}/{user}")
}
