//! Which step is next. Pure.

use ledger_core::upkeep::{Container, Operation, Phase, Strategy};

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Look for the project, and make it when it is not there.
    Project,
    /// The same of its environment.
    Environment,
    /// The same of its service.
    Service,
    /// Set the variables.
    Variables,
    /// Let it have one instance.
    ScaleUp,
    /// Let it have none.
    ScaleDown(Strategy),
    /// Look for a deployment that was not told of yet, and start one when there is none.
    Deploy,
    /// Look whether it runs and answers.
    AwaitRunning,
    /// Look whether it sleeps.
    AwaitAsleep,
    /// Take the service away.
    DeleteService,
    /// Take the project away.
    DeleteProject,
}

/// What a job knows beside the ledger.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    /// An attempt before this one failed.
    pub(crate) again: bool,
    /// It has let the container have an instance.
    pub(crate) scaled: bool,
}

/// The next step of an operation. `strategies`: how containers are put to sleep here.
pub(crate) fn next(
    operation: Operation,
    container: &Container,
    strategies: &[Strategy],
    known: Known,
) -> Act {
    match operation {
        Operation::Provision | Operation::Restore => towards_running(container, known.scaled),
        Operation::Hibernate => towards_sleep(container, strategies, known.again),
        Operation::Deprovision => towards_nothing(container),
    }
}

fn towards_running(container: &Container, scaled: bool) -> Act {
    if container.project.is_none() {
        return Act::Project;
    }
    if container.environment.is_none() {
        return Act::Environment;
    }
    if container.service.is_none() {
        return Act::Service;
    }
    if !container.variables_set {
        return Act::Variables;
    }
    match container.phase {
        // Told to run before it is deployed: from then on the ledger knows that something may run, also when nobody
        // hears of the deployment.
        Phase::Absent | Phase::Creating | Phase::Asleep | Phase::Stopping => Act::ScaleUp,
        Phase::Starting if container.started && container.deployed => Act::AwaitRunning,
        // Whoever was at it before may have died before it was told to run.
        Phase::Starting if !container.started && !scaled => Act::ScaleUp,
        Phase::Starting | Phase::Running => Act::Deploy,
    }
}

fn towards_sleep(container: &Container, strategies: &[Strategy], again: bool) -> Act {
    let first = strategies.first().copied().unwrap_or(Strategy::MinZero);
    match container.phase {
        // There is nothing that could run.
        _ if container.service.is_none() => Act::AwaitAsleep,
        Phase::Stopping if !again && container.strategy.is_some() => Act::AwaitAsleep,
        _ => Act::ScaleDown(first),
    }
}

fn towards_nothing(container: &Container) -> Act {
    if container.service.is_some() { Act::DeleteService } else { Act::DeleteProject }
}

/// What is tried when one way did not take.
pub(crate) fn escalation(strategies: &[Strategy], tried: Option<Strategy>) -> Option<Strategy> {
    let place = strategies.iter().position(|strategy| Some(*strategy) == tried)?;
    strategies.get(place + 1).copied()
}

#[cfg(test)]
mod tests {
    use ledger_core::upkeep::Step;
    use ledger_core::{Label, LongText, PartitionId, Position, Timestamp};

    use super::*;

    fn container(steps: &[Step]) -> Container {
        let settings = Position { partition: PartitionId(0), sequence: 1, index: 0 };
        let worker = Label::new("w").unwrap();
        steps.iter().fold(Container::of(settings), |mut container, step| {
            container.apply(Timestamp(1), &worker, step);
            container
        })
    }

    fn id(text: &str) -> Label {
        Label::new(text).unwrap()
    }

    fn claimed(operation: Operation) -> Step {
        Step::Claimed { operation, until: Timestamp(2), attempts: 0 }
    }

    fn made() -> Vec<Step> {
        vec![
            Step::ProjectCreated { id: id("p") },
            Step::EnvironmentCreated { id: id("e") },
            Step::ServiceCreated { id: id("s"), url: LongText::new("http://s").unwrap() },
            Step::VariablesSet,
            Step::ScaledUp,
            Step::DeploymentStarted { id: id("d") },
        ]
    }

    #[test]
    fn a_container_is_made_step_by_step_wherever_it_was_left() {
        let steps = made();
        let acts = [Act::Project, Act::Environment, Act::Service, Act::Variables, Act::ScaleUp, Act::Deploy];
        for (done, act) in acts.into_iter().enumerate() {
            let known = Known { scaled: done == 5, again: false };
            let found = next(Operation::Provision, &container(&steps[..done]), &Strategy::ALL, known);
            assert_eq!(found, act, "after {done} steps");
        }
        assert_eq!(
            next(Operation::Provision, &container(&steps), &Strategy::ALL, Known::default()),
            Act::AwaitRunning
        );
    }

    #[test]
    fn a_sleeper_is_woken_by_scale_deployment_and_a_look() {
        let mut steps = made();
        steps.extend([Step::Running, Step::ScaledDown { strategy: Strategy::MinZero }]);
        let knowing = |steps: &[Step], scaled| {
            let known = Known { again: false, scaled };
            next(Operation::Restore, &container(steps), &Strategy::ALL, known)
        };
        let restore = |steps: &[Step]| knowing(steps, false);
        assert_eq!(restore(&steps), Act::ScaleUp, "a top-up in the middle of a hibernation");
        steps.push(Step::Asleep);
        assert_eq!(restore(&steps), Act::ScaleUp);
        steps.push(claimed(Operation::Restore));
        assert_eq!(restore(&steps), Act::ScaleUp, "nobody knows what was done under a claim");
        steps.push(Step::ScaledUp);
        assert_eq!(restore(&steps), Act::ScaleUp, "another worker says it once more");
        assert_eq!(knowing(&steps, true), Act::Deploy, "the deployment of before is not that of this start");
        steps.push(Step::DeploymentStarted { id: id("d2") });
        assert_eq!(restore(&steps), Act::AwaitRunning);
    }

    #[test]
    fn sleep_is_asked_for_in_the_order_that_is_configured() {
        let strategies = [Strategy::MinMaxZero, Strategy::Delete];
        let mut steps = made();
        let sleep = |steps: &[Step], again| {
            next(Operation::Hibernate, &container(steps), &strategies, Known { again, scaled: false })
        };
        assert_eq!(sleep(&steps, false), Act::ScaleDown(Strategy::MinMaxZero), "while it starts");
        steps.push(claimed(Operation::Hibernate));
        assert_eq!(sleep(&steps, false), Act::ScaleDown(Strategy::MinMaxZero), "a claim tells it nothing");
        steps.push(Step::ScaledDown { strategy: Strategy::MinMaxZero });
        assert_eq!(sleep(&steps, false), Act::AwaitAsleep);
        assert_eq!(sleep(&steps, true), Act::ScaleDown(Strategy::MinMaxZero), "from the beginning again");
        assert_eq!(escalation(&strategies, Some(Strategy::MinMaxZero)), Some(Strategy::Delete));
        assert_eq!(escalation(&strategies, Some(Strategy::Delete)), None);
    }

    #[test]
    fn without_a_service_nothing_runs() {
        let steps = [Step::ProjectCreated { id: id("p") }, claimed(Operation::Hibernate)];
        let act = next(Operation::Hibernate, &container(&steps), &Strategy::ALL, Known::default());
        assert_eq!(act, Act::AwaitAsleep);
    }

    #[test]
    fn what_is_closed_is_taken_away_from_the_inside() {
        let mut steps = made();
        let gone = |steps: &[Step]| {
            next(Operation::Deprovision, &container(steps), &Strategy::ALL, Known::default())
        };
        assert_eq!(gone(&steps), Act::DeleteService);
        steps.push(Step::ServiceDeleted);
        assert_eq!(gone(&steps), Act::DeleteProject);
    }
}
