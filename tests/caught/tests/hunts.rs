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
    use planted::Bug;
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

    /// As often a bug may slip through: what a kill meets is a matter of microseconds.
    const TRIES: u64 = 5;

    fn plan(hunt: &Hunt, engines: Engines, seed: u64) -> Plan {
        Plan {
            planted: Some(hunt.bug.name()),
            longest_fault: Duration::from_secs(3),
            // What they break is money.
            workers: false,
            ..Plan::new(engines, Duration::ZERO, seed)
        }
    }

    /// What one try says; nothing where it can not be made.
    async fn tried(hunt: &Hunt, seed: u64) -> Option<Vec<String>> {
        let report = match &hunt.ground {
            Ground::Simulation => return None,
            Ground::Torture(engines, first) => {
                campaign::run(&Plan { first: first.clone(), ..plan(hunt, *engines, seed) }).await
            }
            Ground::PowerCut(engines) => match power::missing().await {
                Some(reason) => {
                    power::skipped(&reason);
                    return None;
                }
                None => power::run(&plan(hunt, *engines, seed), 1).await,
            },
            Ground::Scenario(name) => return Some(scenario(hunt.bug, name)),
        };
        Some(report.expect("the harness can do its work").violations)
    }

    /// What a test says that runs the program with the bug in it. The test itself is built without.
    fn scenario(bug: Bug, name: &str) -> Vec<String> {
        let mut test = std::process::Command::new(env!("CARGO"));
        test.args(["test", "--quiet", "--workspace", "--test", "e2e", "--", "--exact", name]);
        let output = test.env(planted::VARIABLE, bug.name()).output().expect("cargo can be run");
        assert!(!output.status.success(), "{name} has seen nothing of {}", bug.name());
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).lines().map(str::to_owned).collect()
    }

    /// What was said instead, when no try has caught it.
    async fn missed(hunt: &Hunt) -> Option<String> {
        let mut found = String::new();
        for seed in 1..=TRIES {
            let begin = std::time::Instant::now();
            let said = tried(hunt, seed).await?;
            found = said.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
            let _ = writeln!(std::io::stderr(), "{} after {:?}: {found}", hunt.bug.name(), begin.elapsed());
            if is_caught(hunt, &said) {
                return None;
            }
        }
        Some(format!("{}: wanted {:?}, found {found}", hunt.bug.name(), hunt.caught_by))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_torture_catches_what_lives_in_processes_servers_and_disks() {
        let mut wrong = Vec::new();
        for hunt in hunts() {
            wrong.extend(missed(&hunt).await);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
