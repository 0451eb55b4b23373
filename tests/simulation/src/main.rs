//! `drip-sim --seed N` plays one seed, `drip-sim --seeds A..B` all of a range, with `--report FILE` a page about them. A
//! failure ends it with the last steps.

use std::io::Write as _;
use std::process::ExitCode;

const USAGE: &str = "usage: drip-sim --seed N | --seeds A..B [--report FILE]";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((first, end, report)) = asked(&words) else { return say(USAGE, ExitCode::from(2)) };
    let (seen, wrong) = simulation::run_many(first, |count| count < end - first);
    for wrong in &wrong {
        say(wrong, ExitCode::FAILURE);
    }
    if let Some(file) = report {
        let page = simulation::page(&format!("drip-sim --seeds {first}..{end}"), &seen, &wrong);
        if let Err(error) = std::fs::write(file, page) {
            return say(&format!("{file} can not be written: {error}"), ExitCode::FAILURE);
        }
    }
    let code = if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    say(&format!("{} seeds, {} failed", end - first, wrong.len()), code)
}

fn asked(words: &[String]) -> Option<(u64, u64, Option<&str>)> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (first, end) = match words[..] {
        ["--seed", seed, ..] => seed.parse().ok().map(|seed: u64| (seed, seed + 1))?,
        ["--seeds", range, ..] => {
            let (first, end) = range.split_once("..")?;
            (first.parse().ok()?, end.parse().ok()?)
        }
        _ => return None,
    };
    let report = match words[2..] {
        [] => None,
        ["--report", file] => Some(file),
        _ => return None,
    };
    (first < end).then_some((first, end, report))
}

fn say(text: &str, code: ExitCode) -> ExitCode {
    // Nobody listens any more: then nothing is to be told.
    let _ = writeln!(std::io::stdout(), "{text}");
    code
}
