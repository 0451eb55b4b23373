//! Every bug on purpose is caught, by what it should be caught by. A check that catches nothing would catch nothing real.

use caught::hunts;
use planted::Bug;

#[test]
fn every_bug_is_hunted() {
    let hunted = |bug: &Bug| hunts().iter().any(|hunt| hunt.bug == *bug);
    assert_eq!(Bug::ALL.iter().filter(|bug| !hunted(bug)).collect::<Vec<_>>(), [&Bug::LaxSqlite; 0]);
}

#[cfg(feature = "bugs")]
mod hunting {
    use std::io::Write as _;
    use std::time::Duration;

    use caught::{Ground, Hunt, hunts};
    use torture::plan::{Engines, Plan};
    use torture::{campaign, power};

    /// A bug that so many seeds do not meet is one that the simulation does not see.
    const SEEDS: u64 = 300;

    /// Somebody said one of the invariants that should catch it.
    fn is_caught(hunt: &Hunt, said: &[String]) -> bool {
        said.iter().any(|sentence| hunt.caught_by.iter().any(|id| simulation::names(sentence, id)))
    }

    #[test]
    fn the_simulation_catches_what_lives_in_a_writers_decisions() {
        let mut wrong = Vec::new();
        for hunt in hunts().into_iter().filter(|hunt| matches!(hunt.ground, Ground::Simulation)) {
            let planted = planted::plant(hunt.bug);
            let found = (0..SEEDS).filter_map(|seed| simulation::run(seed, None).err());
            let mut said = found.map(|found| found.lines().rev().take(3).collect::<Vec<_>>().join(" "));
            let first = said.next();
            let caught = first.iter().cloned().chain(said).any(|said| is_caught(&hunt, &[said]));
            drop(planted);
            if !caught {
                wrong.push(format!("{}: wanted {:?}, first {first:?}", hunt.bug.name(), hunt.caught_by));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    fn plan(hunt: &Hunt, engines: Engines) -> Plan {
        Plan {
            planted: Some(hunt.bug.name()),
            longest_fault: Duration::from_secs(3),
            ..Plan::new(engines, Duration::ZERO, 1)
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_torture_catches_what_lives_in_processes_servers_and_disks() {
        let mut wrong = Vec::new();
        for hunt in hunts() {
            let begin = std::time::Instant::now();
            let report = match &hunt.ground {
                Ground::Simulation => continue,
                Ground::Torture(engines, first) => {
                    let plan = Plan { first: first.clone(), ..plan(&hunt, *engines) };
                    campaign::run(&plan).await.expect("the harness can do its work")
                }
                Ground::PowerCut(engines) => {
                    if let Some(reason) = power::missing().await {
                        power::skipped(&reason);
                        continue;
                    }
                    power::run(&plan(&hunt, *engines), 1).await.expect("the harness can do its work")
                }
            };
            let found = report.violations.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
            let _ = writeln!(std::io::stderr(), "{} after {:?}: {found}", hunt.bug.name(), begin.elapsed());
            if !is_caught(&hunt, &report.violations) {
                wrong.push(format!("{}: wanted {:?}, found {found}", hunt.bug.name(), hunt.caught_by));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
