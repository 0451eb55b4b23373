//! `drip-sim --seed N` plays one seed, `drip-sim --seeds A..B` all of a range. A failure ends it with the last steps.

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((first, end)) = seeds(&words) else {
        return say("usage: drip-sim --seed N | --seeds A..B", ExitCode::from(2));
    };
    let mut failed = 0;
    for wrong in (first..end).filter_map(|seed| simulation::run(seed, None).err()) {
        say(&wrong, ExitCode::FAILURE);
        failed += 1;
    }
    let code = if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    say(&format!("{} seeds, {failed} failed", end - first), code)
}

fn seeds(words: &[String]) -> Option<(u64, u64)> {
    let [flag, value] = words else { return None };
    match flag.as_str() {
        "--seed" => value.parse().ok().map(|seed: u64| (seed, seed + 1)),
        "--seeds" => {
            let (first, end) = value.split_once("..")?;
            let (first, end) = (first.parse().ok()?, end.parse().ok()?);
            (first < end).then_some((first, end))
        }
        _ => None,
    }
}

fn say(text: &str, code: ExitCode) -> ExitCode {
    // Nobody listens any more: then nothing is to be told.
    let _ = writeln!(std::io::stdout(), "{text}");
    code
}
