//! Levels: what the balance means for the user. A pure function, and the lines it crosses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::money::Usdc;

/// How an account stands. The order is from worst to best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing left that could pay for anything.
    Exhausted,
    /// At or below the low line.
    Low,
    /// Above it.
    Healthy,
}

/// A line that a falling level passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// From healthy to low.
    Low,
    /// From low to exhausted.
    Exhausted,
}

impl Level {
    /// The level of a balance against its baseline. `dusted`: a debit was declined for want of so little that
    /// what is left can not pay for anything.
    pub fn of(balance: Usdc, baseline: Usdc, dusted: bool, low_percent: u8) -> Self {
        let left = i128::from(balance.credits()) * 100;
        let line = i128::from(baseline.credits()) * i128::from(low_percent);
        if dusted || !balance.is_positive() {
            Self::Exhausted
        } else if left <= line {
            Self::Low
        } else {
            Self::Healthy
        }
    }

    /// The lines passed on the way down to `after`, from above.
    pub fn lines_down_to(self, after: Self) -> impl Iterator<Item = Line> {
        let lines = [(Self::Low, Line::Low), (Self::Exhausted, Line::Exhausted)];
        lines.into_iter().filter(move |(level, _)| after <= *level && *level < self).map(|(_, line)| line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_follows_balance_and_baseline() {
        for (balance, baseline, dusted, level) in [
            (100, 100, false, Level::Healthy),
            (21, 100, false, Level::Healthy),
            (20, 100, false, Level::Low),
            (1, 100, false, Level::Low),
            (0, 100, false, Level::Exhausted),
            (0, 0, false, Level::Exhausted),
            (100, 100, true, Level::Exhausted),
            (1, 1, false, Level::Healthy),
        ] {
            let (balance, baseline) = (Usdc::from_credits(balance), Usdc::from_credits(baseline));
            assert_eq!(Level::of(balance, baseline, dusted, 20), level, "{balance} of {baseline}");
        }
    }

    #[test]
    fn a_fall_passes_each_line_once_and_a_rise_none() {
        use Level::{Exhausted, Healthy, Low};
        for (before, after, lines) in [
            (Healthy, Low, vec![Line::Low]),
            (Healthy, Exhausted, vec![Line::Low, Line::Exhausted]),
            (Low, Exhausted, vec![Line::Exhausted]),
            (Low, Low, vec![]),
            (Exhausted, Healthy, vec![]),
        ] {
            assert_eq!(before.lines_down_to(after).collect::<Vec<_>>(), lines, "{before:?} to {after:?}");
        }
    }
}
