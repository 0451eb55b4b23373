//! What many seeds have seen, as a page of the documentation.

use std::fmt::Write as _;

use crate::outcome::{Bug, Outcome, names};
use crate::script::run_named;
use crate::world::run;

/// So many seeds are tried for a bug on purpose.
const SEEDS_FOR_BUGS: u64 = 300;

/// A sum over all seeds, and what it is of.
type Row = (&'static str, fn(&Outcome) -> u64);

const ASKED: &[Row] = &[
    ("attempts of clients", |seen| seen.attempts),
    ("debits that were only tried", |seen| seen.dry_runs),
    ("brief answers", |seen| seen.brief),
    ("keys refused because they may be forgotten", |seen| seen.keys_expired),
    ("batches of a source, done with", |seen| seen.batches),
    ("items of a source, done with", |seen| seen.items),
    ("commits", |seen| seen.commits),
    ("events", |seen| seen.events),
    ("policies set, the first ones included", |seen| seen.policies_set),
    ("keys forgotten before their time", |seen| seen.horizons_raised),
    ("attempts whose outcome stayed unknown", |seen| seen.unknown),
    ("keys of such attempts, found stored by the next that was answered", |seen| seen.unknown_stored),
    ("as before, found not stored", |seen| seen.unknown_not_stored),
    ("keys repeated across a change of terms", |seen| seen.across_terms),
    ("conflicts, our own commit stood there", |seen| seen.ours),
    ("owners that were fenced", |seen| seen.fenced),
    ("snapshots given out", |seen| seen.snapshots),
    ("snapshots left by owners that stopped in order", |seen| seen.last_snapshots),
    ("starts from the newest snapshot", |seen| seen.restored),
    ("starts from an older snapshot", |seen| seen.restored_old),
    ("owners that would not work on a log that lost its tail, or is damaged", |seen| seen.alarms),
];

const FAULTS: &[Row] = &[
    ("crash of an owner", |seen| seen.crashes),
    ("pause of an owner with all its memory", |seen| seen.pauses),
    ("owner with a wrong clock", |seen| seen.clock_wrong),
    ("owner with a clock behind the log", |seen| seen.clock_behind),
    ("clock that jumps under way, by too little to be noticed", |seen| seen.clock_jumps),
    ("clock that jumps under way, and the owner ends", |seen| seen.clock_jumps_noticed),
    ("orderly stop of an owner", |seen| seen.stops),
    ("append lost on its way", |seen| seen.log.lost),
    ("acknowledgement lost", |seen| seen.log.acks_lost),
    ("append that arrived seconds late", |seen| seen.log.late),
    ("late append that met another commit", |seen| seen.log.late_rejected),
    ("replication that took longer than its sender waited", |seen| seen.log.slow),
    ("stepdown in the middle of an append, stored", |seen| seen.log.stepdown_stored),
    ("stepdown in the middle of an append, not stored", |seen| seen.log.stepdown_dropped),
    ("append lost with the leader that was replicating it", |seen| seen.log.lost_with_leader),
    ("no responders", |seen| seen.log.no_responders),
    ("store full", |seen| seen.log.full),
    ("foreign message", |seen| seen.log.foreign),
    ("answer from the past", |seen| seen.log.stale),
    ("tail of the log lost", |seen| seen.log.cuts),
    ("bit of the log turned", |seen| seen.log.flips),
];

const WORKERS: &[Row] = &[
    ("worker killed between two of its steps", |seen| seen.workers.crashes),
    ("as before: when what it asked for was done, before it heard of that", |seen| {
        seen.workers.crashes_unheard
    }),
    ("worker stopped in order", |seen| seen.workers.stops),
    ("request lost on its way", |seen| seen.workers.lost),
    ("answer lost", |seen| seen.workers.answers_lost),
    ("claim for making a container", |seen| seen.workers.provisioned),
    ("claim for putting one to sleep", |seen| seen.workers.slept),
    ("claim for waking one", |seen| seen.workers.woken),
    ("claim for taking one away", |seen| seen.workers.taken_away),
    ("step that failed and was tried again", |seen| seen.workers.failures),
    ("sleep that took more than the first way", |seen| seen.workers.escalations),
    ("mail sent", |seen| seen.workers.mails),
    ("mail that took more than one attempt", |seen| seen.workers.mails_retried),
    ("mail given up, or not true any more", |seen| seen.workers.mails_ended),
    ("sleeping container woken by the provider", |seen| seen.workers.woken_outside),
    ("deed of a provider", |seen| seen.workers.deeds),
];

/// The page.
pub fn page(command: &str, seen: &[Outcome], wrong: &[String]) -> String {
    let hours = seen.iter().map(|seen| seen.seconds).sum::<u64>() / 3600;
    let count = seen.len() + wrong.len();
    let mut text = format!(
        "# Simulation\n\nMade by `{command}`. {count} seeds, {hours} hours by their own clocks, {} violations.\n\n",
        wrong.len()
    );
    table(&mut text, "what happened", ASKED, seen);
    table(&mut text, "fault", FAULTS, seen);
    table(&mut text, "with workers", WORKERS, seen);
    text += "Held against every seed: I1 to I17 of the list in [torture.md](torture.md) (I12, I13 and I17 of workers by what the providers of the simulation really did), and I11: every snapshot is, to the last byte, what a replay up to its commit knows (one of an owner that stopped: with the looks at the clock since). \
             A client whose attempt stayed without an outcome asks again in most cases, often more than once; whether the key was stored is counted at the first of these that is paid. The judge settles all of them, also those that were never asked again, from the log.\n\n";
    for wrong in wrong {
        let _ = writeln!(text, "```\n{wrong}\n```");
    }
    named(&mut text);
    bugs(&mut text);
    text
}

fn table(text: &mut String, of: &str, rows: &[Row], seen: &[Outcome]) {
    let _ = writeln!(text, "| {of} | times |\n|---|---:|");
    for (what, count) in rows {
        let _ = writeln!(text, "| {what} | {} |", seen.iter().map(count).sum::<u64>());
    }
    text.push('\n');
}

fn named(text: &mut String) {
    match run_named() {
        Ok(names) => {
            let _ = writeln!(text, "Named schedules, each reached what it is for: {}.\n", names.join("; "));
        }
        Err(wrong) => {
            let _ = writeln!(text, "A named schedule went wrong:\n\n```\n{wrong}\n```\n");
        }
    }
}

fn bugs(text: &mut String) {
    let found = |bug, id: &str| {
        let is_caught = |seed: &u64| run(*seed, Some(bug)).err().is_some_and(|wrong| names(&wrong, id));
        (0..SEEDS_FOR_BUGS).find(is_caught)
    };
    text.push_str("| bug on purpose | caught by | first seed |\n|---|---|---:|\n");
    for (bug, caught_by) in Bug::ALL {
        let caught = caught_by.iter().find_map(|id| Some((id, found(*bug, id)?)));
        let (id, seed) = caught.map_or(("nothing", "–".to_owned()), |(id, seed)| (*id, seed.to_string()));
        let _ = writeln!(text, "| {bug:?} | {id} | {seed} |");
    }
}
