//! I13: when everything has come to rest, what is wanted stands, and at the provider stands what the log tells.

use super::Check;
use super::containers::name;
use super::told::{Account, Container, Standing, State, Wanted};
use crate::wire::Phase;

impl Check<'_> {
    pub(super) fn rest(&mut self) {
        for (account, standing) in &self.told.accounts {
            if let Some(container) = &standing.container {
                self.reached(account, standing, container);
                self.stands(account, standing, container);
            }
            self.mails_ended(account, standing);
        }
    }

    fn reached(&mut self, account: &Account, standing: &Standing, container: &Container) {
        let (wanted, phase) = (standing.wanted(), container.phase);
        let reached = match wanted {
            Wanted::Running => phase == Phase::Running && container.deployed,
            Wanted::Asleep => matches!(phase, Phase::Absent | Phase::Creating | Phase::Asleep),
            Wanted::Absent => phase == Phase::Absent,
        };
        if !reached {
            let wanted = format!("{wanted:?}").to_lowercase();
            let old =
                if phase == Phase::Running && !container.deployed { " with older settings" } else { "" };
            let what =
                format!("{}: the container is to be {wanted}, and is {}{old}", name(account), phase.word());
            self.complain("I13", what);
        }
    }

    /// The provider has what the log tells.
    fn stands(&mut self, account: &Account, standing: &Standing, container: &Container) {
        let Container { phase, deployment, .. } = container;
        let desired: Vec<_> =
            self.world.services_of(&standing.project).map(|(id, one)| (id, one.desired)).collect();
        let runs = desired.iter().find(|(_, desired)| *desired > 0);
        let project =
            self.world.projects.iter().find(|(_, one)| one.name == standing.project && one.life.lasts());
        let healthy = deployment
            .as_ref()
            .and_then(|id| self.world.deployments.get(&**id))
            .is_some_and(|one| one.healthy);
        let found = match (phase, runs, project) {
            (Phase::Running, None, _) => "no instance is wanted of it".to_owned(),
            (Phase::Running, ..) if !healthy => {
                format!("its deployment {} is not healthy", deployment.as_deref().unwrap_or("(none)"))
            }
            (Phase::Absent, _, Some((id, _))) => format!("the project {id} is there"),
            (Phase::Absent | Phase::Creating | Phase::Asleep, Some((id, desired)), _) => {
                format!("{desired} instances of {id} are wanted")
            }
            _ => return,
        };
        let what = format!("{}: the container is {} by the log, and {found}", name(account), phase.word());
        self.complain("I13", what);
    }

    fn mails_ended(&mut self, account: &Account, standing: &Standing) {
        for ((kind, epoch), mail) in &standing.mails {
            let left = match mail.state {
                State::Due => "due",
                State::Sending => "sending",
                State::Retrying => "retrying",
                State::Ended => continue,
            };
            let what =
                format!("{}: the mail {} of epoch {epoch} was left {left}", name(account), kind.word());
            self.complain("I13", what);
        }
    }
}
