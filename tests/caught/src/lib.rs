//! The hunt for bugs on purpose. Each stands here with the ground on which it is looked for, and with the invariants of
//! which one must catch it; the tests go hunting when the bugs are built in (feature `bugs`), which `./test planted`
//! does. What lives in a writer's decisions shows in the simulation; what lives in a real process, server or disk shows
//! in the torture; what needs the world outside, in a scenario of its own.

use planted::Bug;
use torture::nemesis::{Fault, Target};
use torture::plan::Engines;

/// One bug, and how it must be found.
#[derive(Debug, Clone)]
pub struct Hunt {
    /// What is planted.
    pub bug: Bug,
    /// Where it is looked for.
    pub ground: Ground,
    /// What may catch it, by the numbers of the list of invariants.
    pub caught_by: &'static [&'static str],
}

/// Where a bug is looked for.
#[derive(Debug, Clone)]
pub enum Ground {
    /// Seeds of the simulation, until one fails.
    Simulation,
    /// Real processes under load, while this is done to them.
    Torture(Engines, Vec<Fault>),
    /// A power cut under load.
    PowerCut(Engines),
    /// The test of this name over the running program, among those of the whole.
    Scenario(&'static str),
}

/// All hunts.
#[must_use]
pub fn hunts() -> Vec<Hunt> {
    let simulation = |bug, caught_by| Hunt { bug, ground: Ground::Simulation, caught_by };
    let torture =
        |bug, faults, caught_by| Hunt { bug, ground: Ground::Torture(Engines::R1, faults), caught_by };
    let views = [Target::Projector(0), Target::Projector(1)].map(|target| Fault::Kill(target, 0));
    vec![
        simulation(Bug::AnswerBeforeAck, &["I1", "I3"]),
        simulation(Bug::ConflictIsNotStored, &["I2", "I3", "I4"]),
        simulation(Bug::StaleOwnerKeepsAnswering, &["I1", "I3", "I8"]),
        simulation(Bug::SkipExpectedSequence, &["I7", "I14"]),
        simulation(Bug::RedecideOnReplay, &["I9", "I10", "I11"]),
        simulation(Bug::DeadlineIgnored, &["I3"]),
        simulation(Bug::SnapshotBeforeDurable, &["I11"]),
        simulation(Bug::KeysForgotten, &["I2", "I11"]),
        simulation(Bug::NotRenumbered, &["I1", "I11"]),
        simulation(Bug::ShorterLogBelieved, &["I15"]),
        simulation(Bug::ElsewhereIsHere, &["I10"]),
        simulation(Bug::LostAnswerIsHere, &["I10"]),
        simulation(Bug::ActBeforeClaim, &["I12"]),
        simulation(Bug::CreateBlindly, &["I12"]),
        simulation(Bug::MailBlindly, &["I12"]),
        simulation(Bug::ActOnReplay, &["I12", "I17"]),
        Hunt {
            bug: Bug::CreditFromBody,
            ground: Ground::Scenario("loop_record::a_webhook_that_lies_brings_what_was_paid"),
            caught_by: &["I6"],
        },
        torture(Bug::AnswerBeforeAck, vec![Fault::KillUnheard(1_000); 2], &["I1"]),
        torture(Bug::PositionApart, [views; 4].concat(), &["I10"]),
        torture(Bug::AnyReplySubject, vec![Fault::ReplyIntoLog(0); 2], &["I16"]),
        Hunt { bug: Bug::LaxSqlite, ground: Ground::PowerCut(Engines::Embedded), caught_by: &["I1"] },
    ]
}
