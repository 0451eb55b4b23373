//! The table of the whole: goals, figures, and how they were got.

use std::fmt::Write as _;

use serde::Serialize;

use crate::machine::Machine;
use crate::ratio::Ratio;
use crate::target::postgres::{CONNECTIONS, SETTINGS};

/// One row: some work, what it should reach, what it reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What was done.
    pub work: String,
    /// What it should reach, in words.
    pub goal: String,
    /// What it reached, in words.
    pub figure: String,
    /// By the baseline of the same run.
    pub ratio: Option<Ratio>,
    /// The goal is reached; none where there is no goal.
    pub reached: Option<bool>,
    /// How it was got, or what was seen beside.
    pub note: String,
}

/// A number with a comma at each thousand.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    groups.map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(",")
}

/// The page for `docs/`.
pub fn markdown(machine: &Machine, command: &str, rows: &[Row]) -> String {
    let mut page = format!(
        "# Speed\n\nMade by `{command}`. Every answer was checked, and every log was folded again and compared with \
         what callers were told.\n\n\
         {} processors ({}), {} MiB of memory, Linux {}; a write of 4 KiB with its flush takes {} µs; {}{}.\n\n\
         Clients, servers and the baseline share the machine; one engine runs at a time, in turn with its baseline. \
         Figures are medians of the rounds, and ratios are of medians of the same run. Such a machine wanders by tens of \
         per cent. No projector runs beside the debits, but in the row of `drip verify`. Processor time is of the whole run, \
         its slower warm-up included.\n\n\
         Postgres does one transaction a debit: the balance is updated where it suffices, and a row with its unique key is \
         put into a journal; as one statement or as two, whichever was faster in a trial; {CONNECTIONS} connections; {}. \
         `bench/src/target/postgres.rs` has the statements.\n\n\
         | work | goal | figure | by Postgres | | how, and what was seen |\n|---|---|---|---|---|---|\n",
        machine.processors,
        machine.processor,
        machine.memory,
        machine.kernel,
        machine.flush_micros,
        machine.versions,
        if machine.optimised { "" } else { "; A DEBUG BUILD: THE FIGURES SAY NOTHING" },
        SETTINGS.map(|setting| format!("`{setting}`")).join(", "),
    );
    for row in rows {
        let ratio = row.ratio.map_or_else(|| "–".to_owned(), |ratio| ratio.to_string());
        let reached = row.reached.map_or("", |reached| if reached { "reached" } else { "**short**" });
        writeln!(
            page,
            "| {} | {} | {} | {ratio} | {reached} | {} |",
            row.work, row.goal, row.figure, row.note
        )
        .expect("a text takes text");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_row_that_falls_short_says_so() {
        let machine = Machine {
            processor: "A".into(),
            processors: 2,
            memory: 1,
            kernel: "6".into(),
            flush_micros: 300,
            versions: "Drip".into(),
            optimised: true,
        };
        let row = |reached| Row {
            work: "w".into(),
            goal: "g".into(),
            figure: "f".into(),
            ratio: Ratio::of(1, 2),
            reached,
            note: "n".into(),
        };
        let page = markdown(&machine, "drip bench all", &[row(Some(false)), row(Some(true)), row(None)]);
        let last: Vec<&str> = page.lines().rev().take(3).collect();
        assert_eq!(last[2], "| w | g | f | 0.50 × | **short** | n |");
        assert_eq!(last[1], "| w | g | f | 0.50 × | reached | n |");
        assert!(!page.contains("DEBUG BUILD"));
        assert!(markdown(&Machine { optimised: false, ..machine }, "x", &[]).contains("DEBUG BUILD"));
    }
}
