//! Every rule as data: given some steps, when a command is asked, then this is answered and this happens.

mod containers;
mod keys;
mod levels;
mod mails;
mod money;
mod precedence;
mod sessions;
mod sources;

use crate::command::Command;
use crate::policy::Policy;
use crate::testing::{World, tell};

/// What was done before.
enum Step {
    /// A command that is accepted.
    Done(Command),
    /// A command that is refused.
    Refused(Command),
    /// The app's rules change.
    Rules(Policy),
    /// Time goes on, in microseconds.
    Wait(i64),
}

use Step::{Done, Refused, Rules, Wait};

impl World {
    fn given(steps: &[Step]) -> Self {
        let mut world = Self::new();
        for (at, step) in steps.iter().enumerate() {
            match step {
                Done(command) => assert!(world.ask(command).outcome.is_ok(), "step {at} was refused"),
                Refused(command) => assert!(world.ask(command).outcome.is_err(), "step {at} was accepted"),
                Rules(policy) => world.set(*policy),
                Wait(micros) => world.now = world.now.plus(*micros),
            }
        }
        world
    }
}

/// Given these steps, when the command is asked, then this is told: the outcome, and each event.
#[track_caller]
fn check(given: &[Step], when: &Command, then: &[&str]) {
    let told = tell(&World::given(given).ask(when));
    assert_eq!(told, then, "\n  told:   {told:#?}\n  wanted: {then:#?}");
}
