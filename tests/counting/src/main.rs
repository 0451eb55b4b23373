//! Guards the core's hot paths: the instructions of each a debit, counted by `valgrind --tool=callgrind`, against the
//! bounds in `bounds.txt`. Time is too noisy for that; instructions are nearly the same on every run.
//!
//! `check` compares, `renew` writes the bounds anew, `time` measures nanoseconds (build it with `--release`).
#![allow(clippy::print_stdout, reason = "a tool that prints a table")]

mod paths;

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use paths::PATHS;

/// How many debits are counted.
const COUNTED: u32 = 2_000;

/// How much more than its bound a path may take, in percent; so much less means that the bound should be renewed.
const TOLERANCE: u64 = 10;

const BOUNDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bounds.txt");

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["run", name] => run(name),
        ["check"] => check(),
        ["renew"] => renew(),
        ["time"] => time(),
        _ => bail!("usage: counting check | renew | time | run PATH"),
    }
}

fn run(name: &str) -> Result<()> {
    let (_, path) = PATHS.iter().find(|(path, _)| *path == name).context("there is no such path")?;
    path(COUNTED);
    Ok(())
}

/// The best of five runs.
fn time() -> Result<()> {
    const TIMED: u32 = 200_000;
    for (name, path) in PATHS {
        let best = (0..5).map(|_| path(TIMED)).min().context("five runs")?;
        let nanos = best.as_nanos() / u128::from(TIMED);
        println!("{name:<20} {nanos:>6} ns, {:>9} a second", 1_000_000_000 / nanos.max(1));
    }
    Ok(())
}

fn check() -> Result<()> {
    let bounds = bounds(&std::fs::read_to_string(BOUNDS)?)?;
    let mut over = Vec::new();
    for (name, _) in PATHS {
        let (counted, bound) = (
            count(name)?,
            *bounds
                .iter()
                .find(|(path, _)| path == name)
                .map(|(_, bound)| bound)
                .with_context(|| format!("bounds.txt says nothing of {name}: run `counting renew`"))?,
        );
        println!("{name:<20} {counted:>6} instructions a debit, bound {bound}");
        if is_over(counted, bound) {
            over.push(name);
        }
    }
    if over.is_empty() {
        return Ok(());
    }
    bail!(
        "more than {TOLERANCE} % over the bound: {}. If that is meant, say why and run `cargo run --release -p counting renew`",
        over.join(", ")
    )
}

fn is_over(counted: u64, bound: u64) -> bool {
    counted * 100 > bound * (100 + TOLERANCE)
}

fn renew() -> Result<()> {
    let line = |(name, _): &(&str, _)| Ok(format!("{name} {}\n", count(name)?));
    let lines = PATHS.iter().map(line).collect::<Result<String>>()?;
    print!("{lines}");
    Ok(std::fs::write(BOUNDS, lines)?)
}

/// A path and its bound a line.
fn bounds(text: &str) -> Result<Vec<(String, u64)>> {
    let bound = |line: &str| {
        let (name, bound) = line.split_once(' ').with_context(|| format!("not a bound: {line}"))?;
        Ok((name.to_owned(), bound.trim().parse()?))
    };
    text.lines().map(bound).collect()
}

/// The instructions a debit on one path.
fn count(name: &str) -> Result<u64> {
    let program = std::env::current_exe()?;
    let done = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .args(["--toggle-collect=counting::paths::measured*"])
        .args([Path::new(&program), Path::new("run"), Path::new(name)])
        .output()
        .context("valgrind does not run")?;
    let said = String::from_utf8_lossy(&done.stderr);
    if !done.status.success() {
        bail!("{name} failed under valgrind: {said}");
    }
    let collected =
        said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse::<u64>().ok());
    let collected = collected.filter(|collected| *collected > 0);
    Ok(collected.with_context(|| format!("callgrind counted nothing of {name}: {said}"))?
        / u64::from(COUNTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_its_bound_and_no_other() {
        let bounds = bounds(&std::fs::read_to_string(BOUNDS).unwrap()).unwrap();
        let names: Vec<_> = bounds.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, PATHS.map(|(name, _)| name));
    }

    #[test]
    fn a_path_may_take_a_tenth_more_than_its_bound() {
        assert!(!is_over(110, 100));
        assert!(is_over(111, 100));
    }

    #[test]
    fn every_path_runs() {
        for (_, path) in PATHS {
            path(150);
        }
    }
}
